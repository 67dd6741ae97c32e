"""One chat turn, as data: everything it remembers is in these keys, and nowhere else.

`w` means that a column's stage writes the key, `r` that it reads it. `edges` are the functions of
`graphs/stage_table.py` that choose the next stage, `caller` is whoever runs the turn. A test
compares this table with the code.

key                 caller  prep_first  call_llm  bill  dispatch  prep_second  finalize  edges
messages            rw      rw          rw        -     w         r            rw        r
turn_id             w       rw          r         r     -         r            r         r
settings            w       r           r         r     -         r            -         r
started_at          -       w           r         -     -         r            r         r
first_message       -       w           -         -     -         -            r         -
plugins             -       w           -         -     -         rw           r         -
request             -       w           r         -     -         rw           r         r
reservation         -       w           r         -     -         w            -         -
pending_tool_calls  -       w           w         -     -         -            -         r
attempts            -       w           rw        r     -         r            r         -
tool_runs           -       w           r         r     w         r            r         r
charges             r       w           -         rw    -         r            r         -
outcome             -       w           w         -     -         w            r         r
status              -       w           -         -     -         -            w         r
result              r       rw          -         -     -         -            w         -

`messages`, `attempts` and `tool_runs` are lists that grow: what a stage writes is merged into
`messages` by id and appended to the others. Every other key is replaced; `request`, `charges` and
`result` are large, and so they stand only in the checkpoints that change them. All keys but
`messages` belong to one turn: the next turn's input and its prep_first_request set them anew.
`dispatch_tools` reads no key, because the edge after `bill` sends it a `ToolTask`. No stage reads
`status`: it tells whoever looks at a thread whether its turn is over, and the first edge whether
all stages have run in one step.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, NotRequired

from langchain_core.messages import AnyMessage, MessageLikeRepresentation
from pydantic import BeforeValidator, Field, JsonValue

# Pydantic makes no JSON schema of `typing.TypedDict` before Python 3.12.
from typing_extensions import TypedDict

from turngraph.state.base import Frozen
from turngraph.state.channels import GrowingList, LatestValue
from turngraph.state.json_types import JsonObject
from turngraph.state.kinds import TurnPhase, TurnStatus
from turngraph.state.messages import merge_messages
from turngraph.state.reply import ToolCall
from turngraph.state.request import ChatRequest, ToolSpec
from turngraph.state.response_format import response_format_of
from turngraph.state.result import Attempt, Charge, ToolRun, TurnResult
from turngraph.state.turn_error import TurnError

__all__ = [
    "NO_SETTINGS",
    "SelectedPlugin",
    "ToolTask",
    "Turn",
    "TurnInput",
    "TurnOutcome",
    "TurnOutput",
    "TurnSettings",
]

_Name = Annotated[str, Field(max_length=200)]


def append_all(state: list[Any], writes: Sequence[list[Any]]) -> list[Any]:
    """Returns a list of the items of `state` and of every write, in order.

    >>> append_all([1], [[2], [3, 4]])
    [1, 2, 3, 4]
    """
    return [*state, *(item for write in writes for item in write)]


class TurnOutcome(Frozen):
    """Why a turn does not call the model again. The turn goes on as long as it has none.

    >>> TurnOutcome(status="completed").error is None
    True
    """

    status: TurnStatus
    error: TurnError | None = None
    answer: str | None = None
    """What the caller is told instead of the model's last text; None is that text."""


class SelectedPlugin(Frozen):
    """A plugin that was selected for this turn.

    >>> SelectedPlugin(name="planets", directive="search_terms", term="Mars").joined
    True
    """

    name: str
    directive: str
    """How it was selected: `always`, `search_terms`, or `llm` (when the model calls it)."""
    term: str | None = None
    """The search term that occurs in the conversation, if the directive is `search_terms`."""
    joined: bool = True
    """Whether the request holds the plugin's system role and settings. With the directive `llm` it
    does so only after the model has called the plugin.
    """


class TurnSettings(Frozen):
    """What a caller sets for one turn. `None` keeps what the graph was built with.

    >>> TurnSettings(temperature=0, account="acme", tags=("web",)).max_tokens is None
    True
    """

    model: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=2**31)] | None = None
    system: str | None = None
    """The system message."""
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    stop: Annotated[tuple[str, ...], Field(max_length=16)] | None = None
    """Texts at which the answer ends."""
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tool_choice: str | dict[str, JsonValue] | None = None
    """`auto`, `none`, `required`, or the name of a tool that the first request must call."""
    parallel_tool_calls: bool | None = None
    reasoning_effort: _Name | None = None
    """`none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`, as far as the model knows them.
    """
    reasoning_summary: Literal["auto", "concise", "detailed"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    """How long the answer should be."""
    response_format: Annotated[dict[str, JsonValue] | None, BeforeValidator(response_format_of)] = (
        None
    )
    """The form of the answer: a pydantic class or an object as Chat Completions defines it. Only
    its JSON schema is kept, so `TurnResult.parsed` is plain JSON.
    """
    previous_response_id: _Name | None = None
    """The vendor's stored answer that this turn continues (Responses only). Only the messages after
    it are sent.
    """
    account: str | None = None
    """The account that the turn is charged to."""
    api_key_id: _Name | None = None
    """The id of the API key that the caller used, never the key itself. Reports and budgets can be
    kept per key.
    """
    tags: Annotated[tuple[_Name, ...], Field(max_length=20)] = ()
    """Other names that the turn is counted under, such as a feature or a team. Reports and budgets
    can be kept per tag.
    """
    tools: tuple[str, ...] | None = None
    """The names of the tools and plugins to offer, of those the graph was built with. `None` offers
    all of them.
    """
    caller_tools: tuple[ToolSpec, ...] = ()
    """Tools that the caller runs. Where the model calls one, the graph stops with an interrupt
    `{"type": "tool_call", "call_id": …, "tool": …, "arguments": …, "order": …}`, and goes on with
    what `Command(resume={interrupt.id: answer})` gives. It needs a checkpointer.
    """
    stream: bool | None = None
    """Whether the vendor is asked for a stream."""
    extra_body: JsonObject | None = None
    """Members put into the vendor's request unchanged, beside those of the configuration."""
    body: JsonObject | None = None
    """Passthrough: the caller's own request body for the vendor. It is sent unchanged, in place of
    everything above, and it is billed.
    """


NO_SETTINGS: Final = TurnSettings()
"""The settings of a turn whose caller sets nothing."""


def account_of(settings: TurnSettings | None) -> str | None:
    """Returns the account that a turn with `settings` is charged to.

    >>> account_of(TurnSettings(account="acme")), account_of(None)
    ('acme', None)
    """
    return None if settings is None else settings.account


_MESSAGES: Final = GrowingList(merge_messages, snapshot_frequency=16)
Messages = Annotated[list[AnyMessage], _MESSAGES]
Attempts = Annotated[list[Attempt], GrowingList(append_all, snapshot_frequency=8)]
ToolRuns = Annotated[list[ToolRun], GrowingList(append_all, snapshot_frequency=8)]
Request = Annotated[ChatRequest, LatestValue()]
Charges = Annotated[list[Charge], LatestValue()]
Result = Annotated[TurnResult | None, LatestValue()]


class TurnInput(TypedDict, total=False):
    """A turn's input. Only `messages` is needed; they are added to those of the thread."""

    messages: Annotated[list[MessageLikeRepresentation], _MESSAGES]
    turn_id: str
    settings: TurnSettings


class Turn(TypedDict, total=False):
    """Some of the keys of a turn. The state is a Turn, and so is the patch that a stage returns.

    `state/checks.py` validates patches by the types that stand here; each stage's `Reads` repeats
    those of the keys that it reads, and a test compares them.
    """

    messages: Messages
    turn_id: str
    settings: TurnSettings | None
    started_at: float  # seconds since the epoch
    first_message: int  # the place in `messages` at which this turn's own begin
    plugins: list[SelectedPlugin]
    request: Request
    reservation: str | None  # the id under which a ledger holds money for `request`
    pending_tool_calls: list[ToolCall]
    attempts: Attempts
    tool_runs: ToolRuns
    charges: Charges
    outcome: TurnOutcome | None
    status: TurnPhase
    result: Result


class ToolTask(TypedDict):
    """What one task of dispatch_tools is sent: one call, and what it must know of the turn.

    LangGraph stores every task in the checkpoint, so the two large keys are only present if they
    are needed.
    """

    turn_id: str
    call: ToolCall
    order: int  # the place of the call in the turn, from 0
    started_at: float  # seconds since the epoch
    account: str | None
    api_key_id: str | None
    tags: list[str]
    messages: NotRequired[list[AnyMessage]]  # for a tool with an injected state
    offered: NotRequired[list[str]]  # the tools on offer, if the called tool is not among them
    by_caller: NotRequired[bool]  # present if the caller runs the tool
    echoed: NotRequired[
        bool
    ]  # present if the vendor runs the tool, once it gets its arguments back


class TurnOutput(TypedDict, total=False):
    """What a parent graph gets: `messages`, merged by id, and the turn's `result` and `charges`."""

    messages: Messages
    result: TurnResult
    charges: list[Charge]
