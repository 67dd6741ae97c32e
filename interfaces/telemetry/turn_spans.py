"""The spans of one run of a turn, made from the turn's events."""

from collections.abc import Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from turngraph.interfaces.telemetry.attributes import (
    Attributes,
    provider_name,
    request_attributes,
)
from turngraph.interfaces.telemetry.chat_span import ChatSpan
from turngraph.interfaces.telemetry.instruments import Instruments
from turngraph.interfaces.telemetry.open_span import OpenSpan
from turngraph.providers.writing.payload import Payload
from turngraph.state.events import (
    AnyEvent,
    BudgetWarning,
    ChargeCreated,
    ChargeDeclined,
    PluginCalled,
    PluginSelected,
    PromptFinished,
    PromptStarted,
    RequestSent,
    ResponseFailed,
    ResponseReceived,
    Token,
    ToolRequested,
    ToolResponded,
)
from turngraph.state.reply import ProviderReply

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

__all__ = ["TurnSpans"]

Span = TypeVar("Span", bound=OpenSpan)

_FAILED_TURNS: Final = frozenset({"error", "truncated"})


class TurnSpans:
    """The `TurnTrace` of OpenTelemetry."""

    def __init__(
        self,
        tracer: "Tracer",
        instruments: Instruments,
        name: str,
        thread_id: str | None,
        *,
        keeps_content: bool,
    ) -> None:
        self._tracer, self._instruments, self._keeps_content = tracer, instruments, keeps_content
        attributes: Attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": name,
        }
        self._conversation: Attributes = (
            {} if thread_id is None else {"gen_ai.conversation.id": thread_id}
        )
        self._turn = OpenSpan(
            tracer,
            f"invoke_agent {name}",
            SpanKind.INTERNAL,
            {**attributes, **self._conversation},
            None,
        )
        self._in_turn = trace.set_span_in_context(self._turn.span)
        # By the id of the attempt, until the charge is known.
        self._chats: dict[str, ChatSpan] = {}
        # By the id of the tool call.
        self._tools: dict[str, OpenSpan] = {}

    def on_event(self, event: AnyEvent) -> None:
        """Begins, completes or ends spans, as the event says."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def active(self, id: str | None = None) -> AbstractContextManager[object]:
        """Makes the span of an attempt, a tool call or the turn the current one."""
        span = (self._chats.get(id or "") or self._tools.get(id or "") or self._turn).span
        return trace.use_span(span, record_exception=False, set_status_on_exception=False)

    def on_request(self, attempt_id: str, payload: Payload, url: str) -> Mapping[str, str]:
        """Returns the W3C headers of the attempt's span."""
        call = self._chats.get(attempt_id)
        return {} if call is None else call.sent(payload, url)

    def on_reply(self, attempt_id: str, reply: ProviderReply) -> None:
        """Adds what is known of an answer."""
        call = self._chats.get(attempt_id)
        if call is not None:
            call.replied(reply)

    def end(self, error: BaseException | None) -> None:
        """Ends all spans that are still open."""
        for span in (*self._chats.values(), *self._tools.values()):
            if error is not None:
                span.fail(type(error).__name__)
            span.close()
        self._chats.clear()
        self._tools.clear()
        if error is not None:
            self._turn.fail(type(error).__name__)
        self._instruments.record_duration(self._turn.seconds, self._turn.attributes)
        self._turn.close()

    def _note(self, name: str, attributes: Attributes) -> None:
        self._turn.span.add_event(name, attributes)

    def _prompt_started(self, event: PromptStarted) -> None:
        self._turn.set(
            {
                "turngraph.turn.id": event.turn_id,
                "gen_ai.provider.name": provider_name(event.vendor),
                "gen_ai.request.model": event.model,
            }
        )

    def _request_sent(self, event: RequestSent) -> None:
        attributes = request_attributes(event.request)
        more: Attributes = {"turngraph.attempt.number": event.number} if event.number > 1 else {}
        _close(self._chats, event.attempt_id)
        self._chats[event.attempt_id] = ChatSpan(
            self._tracer,
            self._instruments,
            {**attributes, **self._conversation, **more},
            self._in_turn,
            keeps_content=self._keeps_content,
        )

    def _token(self, event: Token) -> None:
        # Only one answer arrives at a time; the last call that began is the one it belongs to.
        call = next(reversed(self._chats.values()), None)
        if call is not None:
            call.chunk_came()

    def _response_received(self, event: ResponseReceived) -> None:
        call = self._chats.get(event.attempt_id)
        if call is not None:
            call.answered(event.usage)

    def _response_failed(self, event: ResponseFailed) -> None:
        call = self._chats.get(event.attempt_id)
        if call is not None:
            call.failed(event.error.kind, event.error.message)

    def _tool_requested(self, event: ToolRequested) -> None:
        attributes: Attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": event.tool,
            "gen_ai.tool.call.id": event.call_id,
            "gen_ai.tool.type": "function",
        }
        if self._keeps_content:
            attributes["gen_ai.tool.call.arguments"] = event.arguments
        _close(
            self._tools, event.call_id
        )  # some vendors give a later call the id of an earlier one
        name, kind = f"execute_tool {event.tool}", SpanKind.INTERNAL
        self._tools[event.call_id] = OpenSpan(self._tracer, name, kind, attributes, self._in_turn)

    def _plugin_called(self, event: PluginCalled) -> None:
        call = self._tools.get(event.call_id)
        if call is not None:
            call.set({"gen_ai.tool.type": "datastore", "turngraph.plugin.name": event.plugin})

    def _tool_responded(self, event: ToolResponded) -> None:
        call = self._tools.get(event.call_id)
        if call is not None:
            if event.status != "ok":
                call.fail(event.status)
            self._instruments.record_duration(call.seconds, call.attributes)
            _close(self._tools, event.call_id)

    def _charge_created(self, event: ChargeCreated) -> None:
        charge = event.charge
        call = self._chats.get(charge.attempt_id)
        if charge.amount_usd is not None:
            usd = float(charge.amount_usd)
            if call is not None:
                call.charged(usd)
            else:
                self._instruments.record_cost(usd, self._turn.attributes)
        _close(self._chats, charge.attempt_id)

    def _charge_declined(self, event: ChargeDeclined) -> None:
        self._note("turngraph.charge_declined", {"reason": event.reason})

    def _budget_warning(self, event: BudgetWarning) -> None:
        details: Attributes = {"budget": event.budget, "threshold": event.threshold}
        self._note("turngraph.budget_warning", details)

    def _plugin_selected(self, event: PluginSelected) -> None:
        details: Attributes = {"plugin": event.plugin, "directive": event.directive}
        self._note("turngraph.plugin_selected", details)

    def _prompt_finished(self, event: PromptFinished) -> None:
        finished: Attributes = {"turngraph.turn.status": event.status}
        if event.cost_usd is not None:
            finished["operation.cost"] = float(event.cost_usd)
        self._turn.set(finished)
        if event.status in _FAILED_TURNS:
            self._turn.fail(event.status)


def _close(spans: MutableMapping[str, Span], id: str) -> None:
    span = spans.pop(id, None)
    if span is not None:
        span.close()


_HANDLERS: Final[Mapping[type, Callable[[TurnSpans, Any], None]]] = {
    PromptStarted: TurnSpans._prompt_started,
    RequestSent: TurnSpans._request_sent,
    Token: TurnSpans._token,
    ResponseReceived: TurnSpans._response_received,
    ResponseFailed: TurnSpans._response_failed,
    ToolRequested: TurnSpans._tool_requested,
    PluginCalled: TurnSpans._plugin_called,
    ToolResponded: TurnSpans._tool_responded,
    ChargeCreated: TurnSpans._charge_created,
    ChargeDeclined: TurnSpans._charge_declined,
    BudgetWarning: TurnSpans._budget_warning,
    PluginSelected: TurnSpans._plugin_selected,
    PromptFinished: TurnSpans._prompt_finished,
}
