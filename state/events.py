"""What happens in a turn, as it happens: typed events.

Every event goes to the turn's subscribers (`chat_turn(on_event=…)`), to LangGraph's `custom` stream
and to the log named `turngraph`. Watching never changes what is sent or billed. Times are in
seconds, money is in USD, and `type` tells the events apart in JSON.

    >>> from pydantic import TypeAdapter
    >>> text = TurnWarning(turn_id="t", message="`seed` was left out.").model_dump_json()
    >>> TypeAdapter(AnyEvent).validate_json(text)
    TurnWarning(turn_id='t', type='warning', message='`seed` was left out.')
"""

from decimal import Decimal
from typing import Annotated, Final, Literal, TypeGuard

from pydantic import Field, JsonValue

from turngraph.state.base import Frozen, unchecked
from turngraph.state.kinds import ApprovalDecision, ToolRunStatus, TurnStatus
from turngraph.state.reply import TextKind
from turngraph.state.request import ChatRequest
from turngraph.state.result import Charge
from turngraph.state.turn_error import TurnError
from turngraph.state.usage import Usage

__all__ = [
    "AnyEvent",
    "ApprovalAsked",
    "ApprovalDecided",
    "BudgetWarning",
    "ChargeAuthorized",
    "ChargeCreated",
    "ChargeDeclined",
    "PluginCalled",
    "PluginSelected",
    "PromptFinished",
    "PromptStarted",
    "RequestSent",
    "ResponseFailed",
    "ResponseReceived",
    "Token",
    "ToolPresented",
    "ToolRequested",
    "ToolResponded",
    "TurnEvent",
    "TurnWarning",
    "is_event",
    "token",
]


class TurnEvent(Frozen):
    """Something that happened in the turn `turn_id`. The class of every event."""

    turn_id: str


class PromptStarted(TurnEvent):
    """A turn began."""

    type: Literal["prompt_started"] = "prompt_started"
    vendor: str
    model: str
    api: str
    """`chat` or `responses`."""
    api_reason: str
    """Why this API was chosen, as a sentence."""


class PluginSelected(TurnEvent):
    """A plugin was selected for this turn."""

    type: Literal["plugin_selected"] = "plugin_selected"
    plugin: str
    directive: str
    """How it was selected: `always`, `search_terms`, or `llm` (when the model calls it)."""
    term: str | None = None
    """The search term that occurs in the conversation, if the directive is `search_terms`."""
    ignored: tuple[str, ...] = ()
    """Model settings of this plugin that the caller or an earlier plugin had already set."""


class ToolPresented(TurnEvent):
    """The first request offers a tool to the model."""

    type: Literal["tool_presented"] = "tool_presented"
    tool: str


class RequestSent(TurnEvent):
    """A request is about to be sent."""

    type: Literal["request_sent"] = "request_sent"
    attempt_id: str
    number: int
    """The number of the attempt at this call, from 1."""
    request: ChatRequest
    messages: int
    """How many messages of the state the request carries."""


class Token(TurnEvent):
    """A piece of the answer arrived. Only turns that stream have this event."""

    type: Literal["token"] = "token"
    kind: TextKind
    text: str


_TOKEN_FIELDS: Final = {"turn_id", "kind", "text"}


def token(turn_id: str, kind: TextKind, text: str) -> Token:
    """Returns a `Token`, whose fields must have these types.

    >>> token("t", "text", "Hi") == Token(turn_id="t", kind="text", text="Hi")
    True
    """
    fields = {"turn_id": turn_id, "type": "token", "kind": kind, "text": text}
    return unchecked(Token, fields, _TOKEN_FIELDS)


class ResponseReceived(TurnEvent):
    """An answer is complete and, with a ledger, stored there."""

    type: Literal["response_received"] = "response_received"
    attempt_id: str
    finish_reason: str | None
    usage: Usage | None
    tool_calls: int
    """How many tools the model calls in this answer."""
    seconds: float
    """From sending the request to the end of the answer."""


class ResponseFailed(TurnEvent):
    """An attempt brought no usable answer."""

    type: Literal["response_failed"] = "response_failed"
    attempt_id: str
    error: TurnError
    retry_in_s: float | None = None
    """Seconds until the next attempt, or None if there is none."""


class ToolRequested(TurnEvent):
    """The model called a tool."""

    type: Literal["tool_requested"] = "tool_requested"
    call_id: str
    """The model's id of the call."""
    tool: str
    arguments: str
    """The text the model wrote, which may not be JSON."""


class PluginCalled(TurnEvent):
    """The model called the tool of a plugin."""

    type: Literal["plugin_called"] = "plugin_called"
    call_id: str
    plugin: str


class ApprovalAsked(TurnEvent):
    """A person is asked whether a tool call may run. The turn stops until they have decided.

    It comes again if the turn is resumed without their decision.
    """

    type: Literal["approval_asked"] = "approval_asked"
    call_id: str
    tool: str
    arguments: dict[str, JsonValue]
    """The arguments that the tool would run with."""
    problem: str | None = None
    """Why the person's last answer was no decision, as a sentence."""


class ApprovalDecided(TurnEvent):
    """A person has decided about a tool call."""

    type: Literal["approval_decided"] = "approval_decided"
    call_id: str
    tool: str
    decision: ApprovalDecision
    arguments: dict[str, JsonValue] | None = None
    """The arguments that the person gave instead, if they edited the call."""
    reason: str | None = None
    """Why the person rejected the call, in their own words."""


class ToolResponded(TurnEvent):
    """A tool call has its answer: from the tool, or the reason why the tool did not run."""

    type: Literal["tool_responded"] = "tool_responded"
    call_id: str
    tool: str
    status: ToolRunStatus
    seconds: float


class ChargeAuthorized(TurnEvent):
    """The ledger holds the most that a call may cost."""

    type: Literal["charge_authorized"] = "charge_authorized"
    call_id: str
    """The id of the reservation."""
    held_usd: Decimal


class ChargeDeclined(TurnEvent):
    """A call would exceed a limit or a budget. It is not sent."""

    type: Literal["charge_declined"] = "charge_declined"
    reason: str


class ChargeCreated(TurnEvent):
    """An attempt, a tool call or a plugin call was charged."""

    type: Literal["charge_created"] = "charge_created"
    charge: Charge


class BudgetWarning(TurnEvent):
    """The spending of a budget crossed one of its thresholds."""

    type: Literal["budget_warning"] = "budget_warning"
    budget: str
    threshold: float
    """The part of the limit that was crossed: 0.8 is 80 %."""
    spent_usd: Decimal
    limit_usd: Decimal


class TurnWarning(TurnEvent):
    """Something was left out of a request, rewritten or accepted; `message` says what."""

    type: Literal["warning"] = "warning"
    message: str


class PromptFinished(TurnEvent):
    """A turn is over."""

    type: Literal["prompt_finished"] = "prompt_finished"
    status: TurnStatus
    cost_usd: Decimal | None
    """None if no price is known."""
    seconds: float


AnyEvent = Annotated[
    PromptStarted
    | PluginSelected
    | ToolPresented
    | RequestSent
    | Token
    | ResponseReceived
    | ResponseFailed
    | ToolRequested
    | PluginCalled
    | ApprovalAsked
    | ApprovalDecided
    | ToolResponded
    | ChargeAuthorized
    | ChargeDeclined
    | ChargeCreated
    | BudgetWarning
    | TurnWarning
    | PromptFinished,
    Field(discriminator="type"),
]
"""Any event: `TypeAdapter(AnyEvent).validate_json(text)` reads one back, by its `type`."""


def is_event(part: object) -> TypeGuard[AnyEvent]:
    """Returns whether `part` of a stream is an event of a turn."""
    return isinstance(part, TurnEvent)
