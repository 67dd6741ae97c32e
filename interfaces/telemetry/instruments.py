"""The metrics of turns.

Source: https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-metrics.md
"""

from typing import TYPE_CHECKING, Final

from turngraph.interfaces.telemetry.attributes import Attributes
from turngraph.state.usage import Usage

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

__all__ = ["Instruments"]

_TOKENS: Final = [4**power for power in range(14)]
_SECONDS: Final = [0.01 * 2**power for power in range(14)]
"""The bounds of the buckets that the conventions ask for."""
_COMMON: Final = (
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "server.address",
    "server.port",
    "error.type",
)
"""The attributes of a span that its metrics have too: those with few different values."""


class Instruments:
    """Tokens, cost and times, each with the attributes that the conventions name."""

    def __init__(self, meter: "Meter") -> None:
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self._durations = {
            operation: meter.create_histogram(
                name,
                unit="s",
                description=description,
                explicit_bucket_boundaries_advisory=_SECONDS,
            )
            for operation, name, description in (
                ("chat", "gen_ai.client.operation.duration", "GenAI operation duration."),
                ("invoke_agent", "gen_ai.invoke_agent.duration", "Duration of a turn."),
                ("execute_tool", "gen_ai.execute_tool.duration", "Duration of a tool's run."),
            )
        }
        self._first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="Time to the first piece of a streamed answer.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        # The conventions have no name for money yet; this is the one that Logfire uses.
        self._cost = meter.create_histogram(
            "operation.cost", unit="{USD}", description="What requests, tools and plugins cost."
        )

    def record_duration(self, seconds: float, span: Attributes) -> None:
        """Records how long an operation took: of which kind, its attributes say."""
        common = _common(span)
        self._durations[str(span["gen_ai.operation.name"])].record(seconds, common)

    def record_first_chunk(self, seconds: float, span: Attributes) -> None:
        """Records how long the first piece of a streamed answer took to come."""
        self._first_chunk.record(seconds, _common(span))

    def record_tokens(self, usage: Usage | None, span: Attributes) -> None:
        """Records the tokens of one answer, where its vendor reported them."""
        if usage is None:
            return
        for kind, count in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if count is not None:
                self._tokens.record(count, {**_common(span), "gen_ai.token.type": kind})

    def record_cost(self, usd: float, span: Attributes) -> None:
        """Records what an operation cost, in USD."""
        self._cost.record(usd, _common(span))


def _common(span: Attributes) -> Attributes:
    names = (*_COMMON, "gen_ai.agent.name", "gen_ai.tool.name")
    return {name: span[name] for name in names if name in span}
