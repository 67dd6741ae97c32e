"""What happens in a turn, as it happens: typed events for subscribers, LangGraph's `custom` stream
and the log.

Watching never changes what is sent or billed.
"""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from turngraph.state.base import Frozen
from turngraph.state.request import ChatRequest
from turngraph.state.result import Charge, TurnError, TurnStatus
from turngraph.state.usage import Usage

__all__ = [
    "AnyEvent",
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
]


class TurnEvent(Frozen):
    """Something that happened in a turn."""

    turn_id: str


class PromptStarted(TurnEvent):
    """A turn began."""

    type: Literal["prompt_started"] = "prompt_started"
    vendor: str
    model: str
    api: str
    api_reason: str
    """Why this API was chosen."""


class PluginSelected(TurnEvent):
    """A plugin joins this turn."""

    type: Literal["plugin_selected"] = "plugin_selected"
    plugin: str
    directive: str
    term: str | None = None
    """The search term that matched, where one did."""
    ignored: tuple[str, ...] = ()
    """Model settings of this plugin that an earlier one had already set."""


class ToolPresented(TurnEvent):
    """A tool is offered to the model."""

    type: Literal["tool_presented"] = "tool_presented"
    tool: str


class RequestSent(TurnEvent):
    """A request is about to leave."""

    type: Literal["request_sent"] = "request_sent"
    attempt_id: str
    number: int
    request: ChatRequest
    messages: int
    """How many messages it carries."""


class Token(TurnEvent):
    """A piece of the answer, as it arrives; only in turns that stream."""

    type: Literal["token"] = "token"
    kind: Literal["text", "reasoning", "refusal"]
    text: str


class ResponseReceived(TurnEvent):
    """An answer is complete."""

    type: Literal["response_received"] = "response_received"
    attempt_id: str
    finish_reason: str | None
    usage: Usage | None
    tool_calls: int
    seconds: float


class ResponseFailed(TurnEvent):
    """An attempt brought no usable answer."""

    type: Literal["response_failed"] = "response_failed"
    attempt_id: str
    error: TurnError
    retry_in_s: float | None = None
    """When the next attempt follows; `None` when none does."""


class ToolRequested(TurnEvent):
    """The model asked for a tool."""

    type: Literal["tool_requested"] = "tool_requested"
    call_id: str
    tool: str
    arguments: str


class PluginCalled(TurnEvent):
    """The tool of a plugin is about to run."""

    type: Literal["plugin_called"] = "plugin_called"
    call_id: str
    plugin: str


class ToolResponded(TurnEvent):
    """A tool call was answered: by the tool, or with the reason why not."""

    type: Literal["tool_responded"] = "tool_responded"
    call_id: str
    tool: str
    status: str
    seconds: float


class ChargeAuthorized(TurnEvent):
    """The ledger holds the money a call may cost."""

    type: Literal["charge_authorised"] = "charge_authorised"
    call_id: str
    held_usd: Decimal


class ChargeDeclined(TurnEvent):
    """A call was refused: a limit or a budget would be exceeded. Nothing was sent."""

    type: Literal["charge_declined"] = "charge_declined"
    reason: str


class ChargeCreated(TurnEvent):
    """An attempt, tool or plugin call was charged."""

    type: Literal["charge_created"] = "charge_created"
    charge: Charge


class BudgetWarning(TurnEvent):
    """A soft budget crossed one of its thresholds."""

    type: Literal["budget_warning"] = "budget_warning"
    budget: str
    threshold: float
    spent_usd: Decimal
    limit_usd: Decimal


class TurnWarning(TurnEvent):
    """Something was dropped, rewritten or tolerated; the sentence says what."""

    type: Literal["warning"] = "warning"
    message: str


class PromptFinished(TurnEvent):
    """A turn is over."""

    type: Literal["prompt_finished"] = "prompt_finished"
    status: TurnStatus
    cost_usd: Decimal | None
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
    | ToolResponded
    | ChargeAuthorized
    | ChargeDeclined
    | ChargeCreated
    | BudgetWarning
    | TurnWarning
    | PromptFinished,
    Field(discriminator="type"),
]
"""Any event, told apart by its `type`."""
