"""`OpenTelemetry`: follows turns with spans and metrics.

The names are those of the conventions for generative AI, as of November 2026:
https://github.com/open-telemetry/semantic-conventions-genai/tree/main/docs/gen-ai
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Final

from turngraph.nodes.support.telemetry import TurnTrace
from turngraph.state.argument_kinds import YES_NO, Kind, check_kinds, has_method, or_none
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from turngraph.interfaces.telemetry.chat_span import ChatSpan

__all__ = ["OpenTelemetry"]

_KINDS: Final[Mapping[str, Kind]] = {
    "content": YES_NO,
    "tracer_provider": Kind(or_none(has_method("get_tracer")), "a TracerProvider of OpenTelemetry"),
    "meter_provider": Kind(or_none(has_method("get_meter")), "a MeterProvider of OpenTelemetry"),
}


class OpenTelemetry:
    """Follows turns with OpenTelemetry's spans and metrics: `chat_turn(…, telemetry=…)`.

    A run of a turn is a span `invoke_agent`; in it are one `chat` for each request to the model,
    one `execute_tool` for each tool and plugin, and one `ledger` for each transaction. What runs
    inside a tool becomes part of its span. Each request carries the W3C `traceparent` of its span.

    Args:
        content: also record what was said: messages, answers, and the arguments of tools. Without
            it, spans hold names, counts, times and amounts alone.
        tracer_provider: where spans go; by default the program's own, as `set_tracer_provider` has
            set it.
        meter_provider: where metrics go, likewise.

    Raises TurnConfigurationError if OpenTelemetry's API is not installed.

        >>> from turngraph.graphs import chat_turn
        >>> turn = chat_turn("scripted", telemetry=OpenTelemetry())
        >>> turn.run("Hello!").status
        'completed'
    """

    def __init__(
        self,
        *,
        content: bool = False,
        tracer_provider: "TracerProvider | None" = None,
        meter_provider: "MeterProvider | None" = None,
    ) -> None:
        check_kinds(_KINDS, locals())
        try:
            from opentelemetry import metrics, trace
        except ModuleNotFoundError as exc:
            raise TurnConfigurationError(
                "OpenTelemetry's API is not installed: pip install 'turngraph[otel]'."
            ) from exc
        from turngraph.interfaces.telemetry.instruments import Instruments

        self._content = content
        self._tracer = trace.get_tracer("turngraph", tracer_provider=tracer_provider)
        self._instruments = Instruments(metrics.get_meter("turngraph", "", meter_provider))

    def start_run(self, name: str, thread_id: str | None) -> TurnTrace:
        """Begins the span of a run of the graph `name`, in the span that is current."""
        from turngraph.interfaces.telemetry.turn_spans import TurnSpans

        return TurnSpans(
            self._tracer, self._instruments, name, thread_id, keeps_content=self._content
        )

    def start_chat(self, vendor: str, body: JsonObject) -> "ChatSpan":
        """Begins the span of a vendor's own request `body`, which no turn has made."""
        from turngraph.interfaces.telemetry.attributes import body_attributes
        from turngraph.interfaces.telemetry.chat_span import ChatSpan

        attributes = body_attributes(vendor, body)
        return ChatSpan(
            self._tracer, self._instruments, attributes, None, keeps_content=self._content
        )

    @contextmanager
    def continued(self, headers: Mapping[str, str]) -> Iterator[None]:
        """Makes the span that a request's W3C headers name the current one, unless there is one.

        Names of headers are in lower case.
        """
        from opentelemetry import context, trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        if trace.get_current_span().get_span_context().is_valid:
            yield
            return
        token = context.attach(TraceContextTextMapPropagator().extract(headers))
        try:
            yield
        finally:
            context.detach(token)

    def ledger(self, operations: str) -> AbstractContextManager[object]:
        """Returns the span of a transaction with these operations of the ledger."""
        return self._tracer.start_as_current_span(
            f"ledger {operations}", attributes={"turngraph.ledger.operations": operations}
        )
