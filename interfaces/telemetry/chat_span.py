"""The span of one request to a model, from a turn or forwarded, and the metrics of it."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from turngraph.interfaces.telemetry.attributes import Attributes, reply_attributes, server_of
from turngraph.interfaces.telemetry.content import input_messages, output_messages
from turngraph.interfaces.telemetry.instruments import Instruments
from turngraph.interfaces.telemetry.open_span import OpenSpan
from turngraph.providers.writing.payload import Payload
from turngraph.state.reply import ProviderReply
from turngraph.state.usage import Usage

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

__all__ = ["ChatSpan"]

# `traceparent` and `tracestate` alone: baggage is the program's own, and no vendor's business.
_W3C: Final = TraceContextTextMapPropagator()
_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"


class ChatSpan(OpenSpan):
    """One request to a model. `keeps_content` says whether what is said is recorded."""

    def __init__(
        self,
        tracer: "Tracer",
        instruments: Instruments,
        attributes: Attributes,
        parent: "Context | None",
        *,
        keeps_content: bool,
    ) -> None:
        name = f"chat {attributes['gen_ai.request.model']}"
        super().__init__(tracer, name, SpanKind.CLIENT, attributes, parent)
        self._instruments, self._keeps_content = instruments, keeps_content

    def sent(self, payload: Payload, url: str) -> Mapping[str, str]:
        """Takes note of what is about to be sent. Returns the W3C headers to send with it."""
        self.set(server_of(url))
        if self._keeps_content:
            self.set({"gen_ai.input.messages": json.dumps(input_messages(payload))})
        headers: dict[str, str] = {}
        _W3C.inject(headers, trace.set_span_in_context(self.span))
        return headers

    def chunk_came(self) -> None:
        """Takes note of a piece of a streamed answer; of the first one it measures the time."""
        if _FIRST_CHUNK not in self.attributes:
            self.set({_FIRST_CHUNK: self.seconds})
            self._instruments.record_first_chunk(self.seconds, self.attributes)

    def replied(self, reply: ProviderReply) -> None:
        """Adds what is known of an answer."""
        self.set(reply_attributes(reply))
        if self._keeps_content:
            self.set({"gen_ai.output.messages": json.dumps(output_messages(reply))})

    def answered(self, usage: Usage | None) -> None:
        """Takes note that the answer is whole, and of what its vendor says it used."""
        self.over()
        self._instruments.record_duration(self.seconds, self.attributes)
        self._instruments.record_tokens(usage, self.attributes)

    def failed(self, kind: str, message: str) -> None:
        """Takes note that there is no answer. `kind` is one of few values."""
        # A vendor's message may quote the request.
        self.fail(kind, message if self._keeps_content else None)
        self.over()
        self._instruments.record_duration(self.seconds, self.attributes)

    def charged(self, usd: float) -> None:
        """Takes note of the cost, in USD."""
        self.set({"operation.cost": usd})
        self._instruments.record_cost(usd, self.attributes)
