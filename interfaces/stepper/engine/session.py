"""How a walk moves: every pass resumes the graph from the last checkpoint and lets through what was
granted.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Command

from turngraph.interfaces.stepper.engine.edits import Edit
from turngraph.interfaces.stepper.engine.history import past_steps
from turngraph.interfaces.stepper.engine.snapshots import SessionSaver
from turngraph.interfaces.stepper.engine.steps import Step, StepKind
from turngraph.interfaces.stepper.engine.stored_thread import Graph, StoredThread, values_in
from turngraph.interfaces.stepper.engine.task_controller import (
    Key,
    Override,
    Task,
    TaskController,
    gated,
)
from turngraph.state.errors import TurnInvocationError
from turngraph.state.events import TurnEvent

__all__ = ["Session"]


class Session:
    """One line of steps through a graph. Everything here runs on the stepper's own event loop, one
    call at a time.
    """

    def __init__(self, graph: Graph, thread: str | Mapping[str, Any] | None) -> None:
        self._keeper, self._source = TaskController(), graph
        config = _config(thread)
        name = str(config.get("configurable", {}).get("thread_id") or uuid.uuid4())
        self.saver: Final = SessionSaver(name)
        self.graph: Final = gated(graph, self._keeper, checkpointer=self.saver)
        given = {
            name: value
            for name, value in config.get("configurable", {}).items()
            if not _is_place(name)
        }
        self.config: Final[RunnableConfig] = {
            **config,  # type: ignore[typeddict-item]
            "configurable": {**given, "thread_id": name},
        }
        self.listener: Callable[[TurnEvent], None] | None = None

    async def open(self, given: Any, thread: object) -> list[Step]:
        """The first stop: nothing has run. Without input, the steps of the turn that the thread is
        in, the last last.

        Raises what the graph raises for a wrong input.
        """
        stored = thread is not None and isinstance(self._source.checkpointer, BaseCheckpointSaver)
        if stored and given is None:
            return await asyncio.to_thread(past_steps, self._source, self.saver.thread_id)
        if stored:
            await asyncio.to_thread(self._adopt)
        step = await self._pass(None, given, "start", lambda task: False)
        if step.error is not None:
            raise step.error
        return [step]

    def _adopt(self) -> None:
        """Begin with the state of the stored thread; the thread itself is only read."""
        stored = StoredThread(self._source, self.saver.thread_id)
        point = stored.latest()
        if point is not None:
            self.saver.hold(point, stored.unsaid(point))

    async def run(self, step: Step, granted: Collection[str], spaces: Collection[str] = ()) -> Step:
        """The stop after `step`, where the tasks `granted` by id may run, and all in the namespaces
        `spaces`.
        """
        allowed = step.entered | _asking(step) | set(granted)
        inside = tuple(spaces)

        def may_run(task: Task) -> bool:
            return task.id in allowed or any(_within(task.space, space) for space in inside)

        return await self._pass(step, None, "step", may_run)

    async def answer(self, step: Step, answers: Mapping[str, Any]) -> Step:
        """The stop after a person's `answers`, by the id of the interrupt."""
        allowed = step.entered | _asking(step)
        return await self._pass(
            step, Command(resume=dict(answers)), "answer", lambda task: task.id in allowed
        )

    async def renew(
        self, step: Step, kind: StepKind, swaps: Mapping[Key, Override], what: str = ""
    ) -> Step:
        """`step` in a lineage of its own: what runs next is a new call. `swaps` are given to its
        tasks.
        """
        self._put_back(step)
        spaces = {task.space for task in step.pending} | {
            waiting.task.space for waiting in step.waiting
        }
        for space in spaces or {""}:
            if not any(
                other.startswith(f"{space}|" if space else "") and other != space
                for other in spaces
            ):
                self.saver.renew(
                    space
                )  # one that holds another keeps its ids: the inner one lives under them
        changed = replace(
            step, memory=self.saver.taken(), swaps={**step.swaps, **swaps}, error=None
        )
        return await self._pass(changed, None, kind, lambda task: task.id in step.entered, what)

    async def update(self, step: Step, edit: Edit) -> Step:
        """The stop after an edit of the state. Raises TurnInvocationError amid parallel tasks."""
        space = edit.space or ""
        if any(key[0] == space for key in step.known):
            raise TurnInvocationError(
                "Some of the parallel tasks have run and some have not: step on, or go back, before editing the state."
            )
        self._put_back(step)
        node = step.came_from.get(space, "__start__")
        await self.graph.aupdate_state(self._at(space), dict(edit.values), as_node=node)
        swaps = {
            _one_later(key) if key[0] == space else key: swap
            for key, swap in {**step.swaps, **edit.swaps}.items()
        }
        changed = replace(step, memory=self.saver.taken(), error=None, swaps=swaps)
        return await self._pass(
            changed, None, "edit", lambda task: task.id in step.entered, edit.what
        )

    def values(self, step: Step, space: str) -> Mapping[str, Any]:
        """The values of the state at `step`, of the graph that runs in the namespace `space`."""
        return values_in(self._source, self.saver.thread_id, step.memory, space)

    def _at(self, space: str) -> RunnableConfig:
        return {
            **self.config,
            "configurable": {**self.config["configurable"], "checkpoint_ns": space},
        }

    def _put_back(self, step: Step) -> None:
        self.saver.restore(step.memory)

    async def _pass(
        self,
        step: Step | None,
        given: Any,
        kind: StepKind,
        may_run: Callable[[Task], bool],
        what: str = "",
    ) -> Step:
        keeper, started = self._keeper, time.perf_counter()
        if step is not None:
            self._put_back(step)
        keeper.begin(
            may_run, {} if step is None else step.swaps, {} if step is None else step.known
        )
        events: list[TurnEvent] = []
        error: BaseException | None = None
        try:
            async for _, event in self.graph.astream(
                given, self.config, stream_mode="custom", subgraphs=True, durability="sync"
            ):
                if isinstance(event, TurnEvent):
                    events.append(event)
                    if self.listener is not None:
                        self.listener(event)
        except Exception as exc:
            if not keeper.failed and step is not None:
                raise
            error = exc
        return self._stop(step, kind, events, error, time.perf_counter() - started, what)

    def _stop(
        self,
        step: Step | None,
        kind: StepKind,
        events: list[TurnEvent],
        error: BaseException | None,
        seconds: float,
        what: str,
    ) -> Step:
        keeper = self._keeper
        pending = (*keeper.held, *keeper.failed)
        open_tasks = (*pending, *(waiting.task for waiting in keeper.waiting))
        came_from = {} if step is None else dict(step.came_from)
        came_from.update(
            {done.task.space: done.task.node for done in keeper.done if done.error is None}
        )
        known = (
            {}
            if step is None
            else {key: output for key, output in step.known.items() if _amid(key, open_tasks)}
        )
        known.update(
            {
                done.task.key: done.output
                for done in keeper.done
                if done.error is None and _amid(done.task.key, open_tasks)
            }
        )
        before = () if step is None else step.swaps.items()
        graphs: dict[str, None] = {}
        for task in open_tasks:
            graphs.update(dict.fromkeys(_around(task.space)))
        return Step(
            number=0 if step is None else step.number + 1,
            kind=kind,
            pending=pending,
            done=tuple(keeper.done),
            events=tuple(events),
            waiting=tuple(keeper.waiting),
            error=error,
            what=what,
            seconds=seconds,
            memory=self.saver.taken(),
            entered=frozenset(graphs),
            came_from=came_from,
            known=known,
            swaps={
                key: swap for key, swap in before if any(task.key == key for task in open_tasks)
            },
        )


def _amid(key: Key, pending: Collection[Task]) -> bool:
    """Whether tasks beside the one of `key` are still to run."""
    return any((task.space, task.number) == key[:2] for task in pending)


def _one_later(key: Key) -> Key:
    """The same task when the state was written to before it: LangGraph counts that as a step."""
    space, number, node, place = key
    return space, number + 1, node, place


def _asking(step: Step) -> set[str]:
    """The ids of the tasks that wait for a person: they may run up to their question again."""
    return {waiting.task.id for waiting in step.waiting}


def _within(space: str, outer: str) -> bool:
    return space == outer or space.startswith(f"{outer}|")


def _around(space: str) -> list[str]:
    """The ids of the tasks in which the namespace `space` lies."""
    return [part.partition(":")[2] for part in space.split("|") if part]


def _is_place(name: str) -> bool:
    return name in ("checkpoint_id", "checkpoint_ns", "checkpoint_map") or name.startswith(
        "__pregel"
    )


def _config(thread: str | Mapping[str, Any] | None) -> dict[str, Any]:
    if isinstance(thread, Mapping):
        return dict(thread)
    return {} if thread is None else {"configurable": {"thread_id": thread}}
