"""The stages of a turn and who follows whom, as one table.

LangGraph's graph is built from it, one node a row (`builder.py`); the picture in the docs is drawn
from that graph. In the order in which a turn meets them:

    prep_first_request, before_model…, call_llm, bill, after_model…,
    then before_tools…, dispatch_tools, prep_second_request and the model again; or finalize
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Final, TypedDict

from langchain_core.messages import AnyMessage
from langgraph.types import Send

from turngraph.nodes.bill import Reads as BillReads, bill
from turngraph.nodes.call_llm import Reads as CallReads, call_llm
from turngraph.nodes.dispatch_tools import dispatch_tools
from turngraph.nodes.finalize import Reads as FinalizeReads, finalize
from turngraph.nodes.prep_first_request import Reads as FirstReads, prep_first_request
from turngraph.nodes.prep_second_request import Reads as SecondReads, prep_second_request
from turngraph.nodes.support.custom_stage import (
    custom_stage,
    described,
    name_of,
    takes_state,
)
from turngraph.nodes.support.dependencies import TurnDependencies
from turngraph.nodes.support.stage import Stage, StageFunction
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.reply import ToolCall
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt, ToolRun
from turngraph.state.stages import StagePosition, StageState, TurnStage
from turngraph.state.turn import NO_SETTINGS, ToolTask, Turn, TurnOutcome, TurnSettings
from turngraph.tools.toolbox import Toolbox

__all__ = ["MODEL", "CustomStages", "Follow", "Next", "StageRow", "stage_table"]

Next = str | list[Send]
"""The name of the stage that follows, or one task of `dispatch_tools` for each tool call."""

Follow = Callable[[Turn], Next]

MODEL: Final = "call_llm"
_TOOLS: Final = "dispatch_tools"
_AGAIN: Final = "prep_second_request"
_END: Final = "finalize"


@dataclass(frozen=True)
class CustomStages:
    """The caller's own stages, in the order in which they run. See `turngraph.state.stages`."""

    before_model: Sequence[TurnStage] = ()
    after_model: Sequence[TurnStage] = ()
    before_tools: Sequence[TurnStage] = ()

    def __post_init__(self) -> None:
        for position in fields(self):
            given = getattr(self, position.name)
            if not isinstance(given, list | tuple):
                raise TurnConfigurationError(
                    f"`{position.name}` takes a list of stages, not {described(given)}: "
                    f"write `{position.name}=[moderate]`."
                )


@dataclass(frozen=True)
class StageRow:
    """One stage: its node's name, what runs, the keys it reads, and what follows it.

    `reads` is None for `dispatch_tools`, which is sent a `ToolTask`, and no key of the state.
    `follow` chooses among `targets`; it is None where there is no choice.
    """

    name: str
    stage: Stage
    reads: type | None
    targets: tuple[str, ...]
    follow: Follow | None = None
    follow_reads: type | None = None
    """The keys that `follow` reads."""

    @property
    def custom(self) -> bool:
        """Whether it is a stage of the caller's own."""
        return self.reads is StageState


def stage_table(deps: TurnDependencies, custom: CustomStages) -> tuple[StageRow, ...]:
    """The rows of a turn, the first stage first.

    Raises TurnConfigurationError for a stage of the caller's that has no name of its own.
    """
    _check_names([*custom.before_model, *custom.after_model, *custom.before_tools])

    def run_tools(state: Turn) -> Next:
        return tool_tasks(state, deps.toolbox) or _AGAIN

    # Each path is written from its end: where it leads, then the caller's stages on the way there.
    model = _unless_over(_Path((MODEL, _END), lambda state: MODEL))
    before_model = _rows(custom.before_model, "before_model", deps, model)
    to_model = _unless_over(_enter(before_model, model))

    # Only a stage of the caller's, or an answer to be repaired, can leave a turn without an outcome
    # and without a call to run.
    may_ask_again = custom != CustomStages() or deps.repair_answer
    tool_targets = (_TOOLS, _AGAIN, _END) if may_ask_again else (_TOOLS, _END)
    tools = _unless_over(_Path(tool_targets, run_tools, ToolsSlice))
    before_tools = _rows(custom.before_tools, "before_tools", deps, tools)
    to_tools = _unless_over(_enter(before_tools, tools))

    after_model = _rows(custom.after_model, "after_model", deps, to_tools)
    to_answer = _enter(after_model, to_tools)
    after_bill = _if_answered(to_answer, to_tools) if after_model else to_tools
    return (
        _row(prep_first_request, deps, FirstReads, to_model),
        *before_model,
        _row(call_llm, deps, CallReads, _Path(("bill",))),
        _row(bill, deps, BillReads, after_bill),
        *after_model,
        *before_tools,
        _row(dispatch_tools, deps, None, _Path((_AGAIN,))),
        _row(prep_second_request, deps, SecondReads, to_model),
        _row(finalize, deps, FinalizeReads, _Path(())),
    )


def tool_tasks(state: Turn, toolbox: Toolbox) -> list[Send]:
    """One task of `dispatch_tools` for each pending call, so that one that fails harms no other."""
    first, settings = len(state["tool_runs"]), state["settings"] or NO_SETTINGS
    tasks = [
        ToolTask(
            turn_id=state["turn_id"],
            call=call,
            order=first + place,
            started_at=state["started_at"],
            account=settings.account,
            api_key_id=settings.api_key_id,
            tags=list(settings.tags),
        )
        for place, call in enumerate(state["pending_tool_calls"])
    ]
    offered = [spec.name for spec in state["request"].tools]
    by_caller = {spec.name for spec in settings.caller_tools}
    echoed = state["request"].echoed_tools
    for task in tasks:
        if task["call"].name in echoed:
            task["echoed"] = True
        elif task["call"].name not in offered:
            task["offered"] = offered
        elif task["call"].name in by_caller:
            task["by_caller"] = True
        elif toolbox.wants_state(task["call"].name):
            task["messages"] = state["messages"]
    return [Send(_TOOLS, task) for task in tasks]


class OutcomeSlice(TypedDict):
    """What an edge reads that only asks whether the turn is over."""

    outcome: TurnOutcome | None


class ToolsSlice(OutcomeSlice):
    """What an edge reads that sends the pending calls to `dispatch_tools`."""

    turn_id: str
    settings: TurnSettings | None
    started_at: float
    messages: list[AnyMessage]
    request: ChatRequest
    pending_tool_calls: list[ToolCall]
    tool_runs: list[ToolRun]


class AnswerSlice(ToolsSlice):
    """What the edge behind `bill` reads where stages of the caller's own come after the model."""

    attempts: list[Attempt]


@dataclass(frozen=True)
class _Path:
    """What may follow a stage, the function that chooses where there is a choice, and the keys
    that it reads: LangGraph hands an edge no others.
    """

    targets: tuple[str, ...]
    follow: Follow | None = None
    reads: type = OutcomeSlice


def _row(stage: StageFunction, deps: TurnDependencies, reads: type | None, path: _Path) -> StageRow:
    follow = path.follow if len(path.targets) > 1 else None
    return StageRow(stage.__name__, Stage(stage, deps), reads, path.targets, follow, path.reads)


def _rows(
    stages: Sequence[TurnStage], position: StagePosition, deps: TurnDependencies, end: _Path
) -> tuple[StageRow, ...]:
    """The rows of the caller's stages at `position`: each leads to the next, the last to `end`."""
    rows: tuple[StageRow, ...] = ()
    for stage in reversed(stages):
        path = _enter(rows, end)
        # A stage that ends the turn before the model or the tools is the last of its kind to run.
        # After the model all run: what one of them removes from an answer must stay removed.
        path = path if position == "after_model" else _unless_over(path)
        rows = (_row(custom_stage(stage, position), deps, StageState, path), *rows)
    return rows


def _enter(rows: Sequence[StageRow], end: _Path) -> _Path:
    """To the first of `rows`, or to `end` where there are none."""
    if not rows:
        return end
    first = rows[0].name
    return _Path((first,), lambda state: first)


def _unless_over(path: _Path) -> _Path:
    """`path`, or the end of the turn once its outcome is known."""
    follow, only = path.follow, path.targets[0]

    def choose(state: Turn) -> Next:
        if state["outcome"] is not None:
            return _END
        return only if follow is None else follow(state)

    return _Path((*(name for name in path.targets if name != _END), _END), choose, path.reads)


def _if_answered(path: _Path, otherwise: _Path) -> _Path:
    """`path` where the last call to the model has a response, whatever it means for the turn."""

    def choose(state: Turn) -> Next:
        answered = bool(state["attempts"]) and state["attempts"][-1].reply is not None
        chosen = path if answered else otherwise
        return chosen.targets[0] if chosen.follow is None else chosen.follow(state)

    targets = tuple(dict.fromkeys((*path.targets, *otherwise.targets)))
    return _Path(targets, choose, AnswerSlice)


def _check_names(stages: Sequence[TurnStage]) -> None:
    """Raise TurnConfigurationError for a stage that cannot be a node of the graph."""
    taken = {MODEL, _TOOLS, _AGAIN, _END, "prep_first_request", "bill"}
    for stage in stages:
        name = name_of(stage) if callable(stage) else None
        if name is None or not takes_state(stage):
            raise TurnConfigurationError(
                f"A stage is a function with a name that takes the state, not {described(stage)}: "
                "write `def moderate(state): …` and give `before_model=[moderate]`."
            )
        if name in taken:
            raise TurnConfigurationError(
                f"There is a stage `{name}` already: every stage of a turn needs a name of its own."
            )
        taken.add(name)
