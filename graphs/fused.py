"""Runs all stages of a turn within one step of LangGraph, at a third of the cost.

Every step of LangGraph reads and writes each key of the state, and stores a checkpoint. A turn of
two calls has eight of them. `FusedStage` takes the place of the first stage. Where a run asks for
it (`configurable["turn_steps"]`) it runs the whole turn: the same stages, in the order of
the same table, merged by the same reducers. It returns the sum of their updates.

What needs a border in the middle leaves the fused step where it stands: an approval, a tool's
`interrupt`, an interrupt of a stage of the caller's own. The update so far is returned together
with a `Command` that sends the graph on to the stage that could not run here, and from there
LangGraph runs the stages one step each.

Where only the end of a turn is wanted, `result_runs.py` runs it with an `UnstoredTurn`, in a graph
that has no channels for the rest of the state.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, TypeVar, cast, get_type_hints

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphInterrupt
from langgraph.types import Command, Overwrite, Send

from turngraph.graphs.stage_table import MODEL, StageRow
from turngraph.nodes.support.next_call import NextCall
from turngraph.nodes.support.stage import Stage
from turngraph.nodes.support.stage_context import StageContext
from turngraph.state.channels import GrowingList
from turngraph.state.flow import Flow, Wait, drive, drive_async
from turngraph.state.reply import ToolCall
from turngraph.state.turn import Turn, TurnOutput

__all__ = [
    "HANDED_OUT",
    "HANDED_OVER",
    "STEPS",
    "FusedStage",
    "HandOver",
    "OneStep",
    "UnstoredTurn",
]

STEPS: Final = "turn_steps"
"""The key of a run's `configurable` that says in how many steps the stages run."""
HANDED_OVER: Final = "turn_handed_over"
"""The key of a run's `configurable` that holds the `HandOver` of a run of `result`."""
OneStep = Literal["one", "result"]
"""All stages run in one step. `one` writes all that they wrote; `result` only what the turn hands
out, where nobody can look at the rest.
"""


@dataclass
class HandOver:
    """How a run of all stages goes on in the turn's own graph, if it must."""

    command: Command[Any] | None = None


_SHORT: Final = 8
"""Up to so many messages a conversation is written whole, as it is in a new thread. LangGraph
stores what is added to a conversation apart from the checkpoint: two more transactions, and a third
one for an empty checkpoint in a new thread.
"""

HANDED_OUT: Final = frozenset(TurnOutput.__annotations__)
"""The keys of the state that a turn hands out."""

Goto = TypeVar("Goto", str, list[Send])
Reducer = Callable[[Any, Sequence[Any]], Any]

_REDUCERS: Final[Mapping[str, Reducer]] = {
    key: hint.__metadata__[0].reducer
    for key, hint in get_type_hints(Turn, include_extras=True).items()
    if isinstance(getattr(hint, "__metadata__", (None,))[0], GrowingList)
}
"""How the keys that grow are merged, from the annotations of `Turn`. Others are replaced."""


class FusedStage(Stage):
    """The first stage of a turn, which runs all the others too where a run asks for one step."""

    def __init__(self, rows: Sequence[StageRow]) -> None:
        first = rows[0].stage
        super().__init__(first.function, first.deps)
        self._rows = {row.name: row for row in rows}

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Run the first stage, or the whole turn, in this thread."""
        configurable = (config or {}).get("configurable", {})
        if (command := _taken(configurable)) is not None:
            return command
        if configurable.get(STEPS) is None:
            return super().invoke(input, config, **kwargs)
        context = StageContext.of_node(config or {}, self.deps)
        with context.active():
            return drive(self._turn(input, config or {}, context))

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Async version of `invoke`."""
        configurable = (config or {}).get("configurable", {})
        if (command := _taken(configurable)) is not None:
            return command
        if configurable.get(STEPS) is None:
            return await super().ainvoke(input, config, **kwargs)
        context = StageContext.of_node(config or {}, self.deps)
        with context.active():
            return await drive_async(self._turn(input, config or {}, context))

    def _turn(
        self, state: Mapping[str, Any], config: RunnableConfig, context: StageContext
    ) -> Flow[Any]:
        is_new_thread = config.get("metadata", {}).get("langgraph_step") == 1
        run = _FusedRun(self._rows, context, state)
        goto = yield from run.stages(self.name)
        return self._summed(run, goto, whole_messages=is_new_thread)

    def _summed(
        self, run: "_FusedRun", goto: str | list[Send] | None, *, whole_messages: bool
    ) -> Any:
        update = self.checked(cast(Turn, run.update(whole_messages=whole_messages)))
        return Command(update=update, goto=goto) if goto else update


class UnstoredTurn(FusedStage):
    """All stages of a turn, of which nobody looks at more than what it hands out.

    It takes the input of a turn and returns what a turn hands out. Where the stages cannot go on in
    one step, the `HandOver` of the run says so: the turn's own graph is run on the same input, and
    its first stage returns what is done so far.
    """

    def _turn(
        self, state: Mapping[str, Any], config: RunnableConfig, context: StageContext
    ) -> Flow[Any]:
        merge = _REDUCERS["messages"]
        run = _FusedRun(self._rows, context, {**state, "messages": merge([], [state["messages"]])})
        goto = yield from run.stages(self.name)
        if goto is None:
            return self.checked(run.handed_out())
        command = self._summed(run, goto, whole_messages=True)
        config["configurable"][HANDED_OVER].command = command
        return run.handed_out()


def _taken(configurable: Mapping[str, Any]) -> Command[Any] | None:
    """What an `UnstoredTurn` left for the turn's own graph, for once: a turn inside of this one
    finds the same `HandOver`.
    """
    left: HandOver | None = configurable.get(HANDED_OVER)
    if left is None:
        return None
    command, left.command = left.command, None
    return command


class _FusedRun:
    """One run of all stages: the state as it grows, and what of it must be written."""

    def __init__(
        self, rows: Mapping[str, StageRow], context: StageContext, state: Mapping[str, object]
    ) -> None:
        # All calls of the run get their ids from one: the turn's, or that of LangGraph's task,
        # which is the same after a resume.
        self._rows, self._next_call = rows, NextCall()
        self._context = context.with_identity()
        self._state: dict[str, Any] = dict(state)
        self._written: dict[str, Any] = {}
        self._steps = 0

    def stages(self, name: str) -> Flow[str | list[Send] | None]:
        """Run the stage `name` and all that follow. Returns None at the turn's end, else the stage
        or the tool calls that the graph must go on with.
        """
        while True:
            row = self._rows[name]
            try:
                patch = yield from row.stage.flow(self._state, self._context_of(row))
            except GraphInterrupt:
                # A person is asked. LangGraph keeps the question only for a node of its own, so the
                # stage runs again there.
                return self._handed_over(name)
            if row.custom:  # of turngraph's own stages the sum is checked, once, at the end
                patch = cast(Turn, row.stage.checked(patch))
            self._merge([patch])
            if not row.targets:
                return None
            follows = row.targets[0] if row.follow is None else row.follow(cast(Turn, self._state))
            if isinstance(follows, str):
                name = follows
                continue
            open_tasks = yield from self._tools(follows)
            if open_tasks:
                return self._handed_over(open_tasks)
            name = self._rows[follows[0].node].targets[0]

    def update(self, *, whole_messages: bool) -> dict[str, Any]:
        """All that the stages wrote, as the update of one step.

        `whole_messages` says that the conversation is written whole, and not what was added to it.
        """
        messages = self._state["messages"]
        if whole_messages or len(messages) <= _SHORT:
            return {**self._written, "messages": Overwrite(messages)}
        return self._written

    def handed_out(self) -> Turn:
        """What the turn hands out, so far."""
        return cast(Turn, {key: self._state.get(key) for key in HANDED_OUT})

    def _handed_over(self, goto: Goto) -> Goto:
        """Note in the state that the edges behind the first stage must not be followed."""
        self._merge([{"status": "handed_over"}])
        return goto

    def _context_of(self, row: StageRow) -> StageContext:
        """The context of a stage. One that leads straight to the model hands the call over."""
        leads_to_model = MODEL in (row.name, *row.targets)
        return self._next_context(self._next_call if leads_to_model else None)

    def _next_context(self, next_call: NextCall | None = None) -> StageContext:
        """The context of the next stage. Ids made from its task id are the same after a resume."""
        self._steps += 1
        return self._context.of_stage(f"{self._context.task_id}-{self._steps}", next_call)

    def _tools(self, tasks: list[Send]) -> Flow[list[Send]]:
        """Run the tool calls at the same time. Returns those that could not be run here."""
        approve = self._context.deps.approve
        if any("by_caller" in one.arg or _needs_person(approve, one.arg["call"]) for one in tasks):
            return tasks
        stage = self._rows[tasks[0].node].stage
        flows = [stage.flow(task.arg, self._next_context()) for task in tasks]
        results: list[Turn | BaseException] = yield Wait(
            partial(_drive_all, flows), partial(_drive_all_async, flows)
        )
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, GraphInterrupt):
                raise result
        self._merge([result for result in results if not isinstance(result, BaseException)])
        pairs = zip(tasks, results, strict=True)
        return [task for task, result in pairs if isinstance(result, GraphInterrupt)]

    def _merge(self, patches: Sequence[Turn]) -> None:
        """Merge what stages that ran side by side have written into the state."""
        written: dict[str, list[Any]] = {}
        for patch in patches:
            for key, value in patch.items():
                written.setdefault(key, []).append(value)
        for key, values in written.items():
            reducer = _REDUCERS.get(key)
            if reducer is None:
                self._state[key] = self._written[key] = values[-1]
            elif isinstance(values[-1], Overwrite):
                self._state[key] = values[-1].value
                self._written[key] = Overwrite(self._state[key])
            else:
                self._grow(key, values, reducer)

    def _grow(self, key: str, values: list[Any], reducer: Reducer) -> None:
        self._state[key] = reducer(self._state.get(key, []), values)
        before = self._written.get(key)
        if isinstance(before, Overwrite):
            self._written[key] = Overwrite(self._state[key])
        else:
            self._written[key] = [*(before or ()), *(item for value in values for item in value)]


def _needs_person(approve: Callable[[ToolCall], bool], call: ToolCall) -> bool:
    try:
        return approve(call)
    except Exception:  # noqa: BLE001  the stage calls it again, and refuses the call
        return False


def _drive_all(flows: Sequence[Flow[Turn]]) -> list[Turn | BaseException]:
    if len(flows) == 1:
        return [_outcome(flows[0])]
    with ThreadPoolExecutor(len(flows), thread_name_prefix="turn-tools") as threads:
        # Each gets a copy of the context: tools find LangGraph's configuration there.
        futures = [threads.submit(copy_context().run, _outcome, flow) for flow in flows]
        return [future.result() for future in futures]


def _outcome(flow: Flow[Turn]) -> Turn | BaseException:
    try:
        return drive(flow)
    except Exception as exc:  # noqa: BLE001  raised, or handed over, when all have ended
        return exc


async def _drive_all_async(flows: Sequence[Flow[Turn]]) -> list[Turn | BaseException]:
    if len(flows) == 1:
        try:
            return [await drive_async(flows[0])]
        except Exception as exc:  # noqa: BLE001  as in `_outcome`
            return [exc]
    return await asyncio.gather(*map(drive_async, flows), return_exceptions=True)
