"""One chat turn, as data: everything it remembers is here, and nowhere else.

key          grows by   written by                            read by
messages     merging    the caller, call_llm, dispatch_tools  prep_*, call_llm
turn_id      replacing  the caller or prep_first_request      all
settings     replacing  the caller                            prep_first_request
started_at   replacing  prep_first_request                    prep_second_request, call_llm
plugins      replacing  prep_*                                prep_second_request, finalize
request      replacing  prep_*                                call_llm, dispatch_tools
reservation  replacing  prep_*                                call_llm
pending_tool_calls replacing  call_llm                              bill's edge, dispatch_tools
attempts     adding     call_llm                              bill, prep_second_request, finalize
tool_runs    adding     dispatch_tools                        bill, prep_second_request, finalize
charges      replacing  bill                                  prep_second_request, finalize, the caller
outcome      replacing  prep_*, call_llm                      the edges, finalize
status       replacing  prep_first_request, finalize          whoever asks whether the turn is over
result       replacing  finalize                              the caller

`attempts` and `tool_runs` belong to the turn: prep_first_request empties them. The lists that grow
are stored where they are written and not again at every step after it (`state/channels.py`).
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, NotRequired, TypedDict

from langchain_core.messages import AnyMessage, MessageLikeRepresentation
from pydantic import Field

from turngraph.state.base import Frozen
from turngraph.state.channels import GrowingList
from turngraph.state.messages import merge_messages
from turngraph.state.reply import ToolCall
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt, Charge, ToolRun, TurnError, TurnResult, TurnStatus

__all__ = [
    "SelectedPlugin",
    "ToolTask",
    "Turn",
    "TurnInput",
    "TurnOutcome",
    "TurnOutput",
    "TurnSettings",
]


def append_all(state: list[Any], writes: Sequence[list[Any]]) -> list[Any]:
    """`state` and everything of `writes`, in order.

    >>> append_all([1], [[2], [3, 4]])
    [1, 2, 3, 4]
    """
    return [*state, *(item for write in writes for item in write)]


class TurnOutcome(Frozen):
    """Why a turn asks the model no further."""

    status: TurnStatus
    error: TurnError | None = None
    answer: str | None = None
    """What the caller is told instead of the model's last text; None is that text."""


class SelectedPlugin(Frozen):
    """A plugin that joined this turn. One selected by the model (`llm`) joins with its prompt when
    it is called.
    """

    name: str
    directive: str
    term: str | None = None
    joined: bool = True
    """Whether its system role stands in the request."""


class TurnSettings(Frozen):
    """What a caller may ask for in one turn, over what the graph was built with. `None` is «as
    built».
    """

    model: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=2**31)] | None = None
    system: str | None = None
    account: str | None = None
    """Whom the turn is charged to."""
    key: Annotated[str, Field(max_length=200)] | None = None
    """The id of the API key the caller came with, never the key itself: reports and budgets are
    kept for it too.
    """
    tags: Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=20)] = ()
    """What else the turn is counted under: a feature, a team. Reports and budgets are kept for
    each.
    """
    tools: tuple[str, ...] | None = None
    """The tools and plugins on offer, by name, of those the graph was built with; `None` is all of
    them.
    """
    body: dict[str, Any] | None = None
    """Passthrough: the vendor's own request body, sent as it is in place of everything above, and
    billed.
    """


def account_of(settings: TurnSettings | None) -> str | None:
    """Whom a turn with these settings is charged to."""
    return None if settings is None else settings.account


_MESSAGES: Final = GrowingList(merge_messages, snapshot_frequency=16)
Messages = Annotated[list[AnyMessage], _MESSAGES]
Attempts = Annotated[list[Attempt], GrowingList(append_all, snapshot_frequency=8)]
ToolRuns = Annotated[list[ToolRun], GrowingList(append_all, snapshot_frequency=8)]


class TurnInput(TypedDict, total=False):
    """What a turn is given. Only `messages` is needed; new ones are added to the thread's."""

    messages: Annotated[list[MessageLikeRepresentation], _MESSAGES]
    turn_id: str
    settings: TurnSettings


class Turn(TypedDict, total=False):
    """Some of the keys of a turn. The state is a Turn; so is the patch a node returns."""

    messages: Messages
    turn_id: str
    settings: TurnSettings | None
    started_at: float  # seconds since the epoch
    plugins: list[SelectedPlugin]
    request: ChatRequest
    reservation: str | None
    pending_tool_calls: list[ToolCall]
    attempts: Attempts
    tool_runs: ToolRuns
    charges: list[Charge]
    outcome: TurnOutcome | None
    status: Literal["running", "done"]
    result: TurnResult | None


class ToolTask(TypedDict):
    """What one task of dispatch_tools is sent: one call, and what it must know of the turn."""

    turn_id: str
    call: ToolCall
    order: int  # the place of the call in the turn, from 0
    started_at: float
    account: str | None
    key: str | None
    tags: list[str]
    messages: NotRequired[
        list[AnyMessage]
    ]  # only for a tool with an injected state: LangGraph stores what is sent
    offered: NotRequired[
        list[str]
    ]  # only for a call of what this turn does not offer: what it does


class TurnOutput(TypedDict, total=False):
    """What crosses to a parent graph: `messages` by id, and this turn's own `result` and `charges`."""

    messages: Messages
    result: TurnResult
    charges: list[Charge]
