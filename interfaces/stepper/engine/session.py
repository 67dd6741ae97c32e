"""How a session moves: each pass resumes the graph from its latest checkpoint and runs only the
tasks that were allowed to run.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import EmptyInputError
from langgraph.types import Command

from turngraph.graphs.run_config import check_config
from turngraph.interfaces.stepper.engine.edits import Edit
from turngraph.interfaces.stepper.engine.history import history_steps
from turngraph.interfaces.stepper.engine.namespaces import is_within, task_ids
from turngraph.interfaces.stepper.engine.snapshots import SessionSaver
from turngraph.interfaces.stepper.engine.steps import Step, StepKind
from turngraph.interfaces.stepper.engine.stored_thread import StoredThread, state_values
from turngraph.interfaces.stepper.engine.task_controller import (
    Graph,
    Override,
    Task,
    TaskController,
    TaskKey,
    controlled_copy,
)
from turngraph.interfaces.user_graphs.context import checked_context
from turngraph.state.errors import TurnInvocationError
from turngraph.state.events import AnyEvent, is_event

__all__ = ["Session", "config_of"]

MayRun = Callable[[Task], bool]

_NO_INPUT: Final = (
    "The input is None, which goes on with a stored thread, and the graph has no checkpointer that "
    'keeps one. Give an input, such as `{"messages": [("user", "Hello!")]}`.'
)
_BEFORE_THE_FIRST: Final = Step(-1, "start", ())


class Session:
    """Runs one line of steps through a graph.

    Its coroutines run on the stepper's own event loop, one at a time.

    Args:
        graph: the graph to step through. It is copied; the original is only read.
        thread: a thread's id or a LangGraph configuration, or None for a new thread.
        context: what the nodes read from `runtime.context`.

    Raises TurnValueError for a context that does not fit the graph's context schema.
    """

    def __init__(
        self, graph: Graph, thread: str | Mapping[str, Any] | None, context: object = None
    ) -> None:
        self.context: Final = checked_context(graph, context)
        self._controller, self._source_graph = TaskController(), graph
        self.event_watchers: list[Callable[[AnyEvent], None]] = []
        self.step_watchers: list[Callable[[], None]] = []
        config = config_of(thread)
        configurable = config.get("configurable", {})
        thread_id = str(configurable.get("thread_id") or uuid.uuid4())
        self.saver: Final = SessionSaver(thread_id)
        self.graph: Final = controlled_copy(graph, self._controller, checkpointer=self.saver)
        # The session begins at the end of the thread, so a checkpoint named in `thread` is dropped.
        kept = {name: value for name, value in configurable.items() if not _is_position(name)}
        self.config: Final[RunnableConfig] = {
            **config,  # type: ignore[typeddict-item]
            "configurable": {**kept, "thread_id": thread_id},
        }

    async def open(self, input: object, thread: object) -> list[Step]:
        """Returns the steps that the session begins with; the last one is where it stands.

        With an input this is one step: nothing has run. Without an input, the steps of the turn
        that the stored thread is in. Raises what the graph raises for a wrong input.
        """
        saver = self._source_graph.checkpointer
        is_stored = thread is not None and isinstance(saver, BaseCheckpointSaver)
        # A sync checkpointer may block, so it is read on another thread.
        if is_stored and input is None:
            return await asyncio.to_thread(history_steps, self._source_graph, self.saver.thread_id)
        if is_stored:
            await asyncio.to_thread(self._load_stored_thread)
        step = await self._run_pass(None, input, "start", lambda task: False)
        if isinstance(step.error, EmptyInputError):
            raise TurnInvocationError(_NO_INPUT) from step.error
        if step.error is not None:
            raise step.error
        return [step]

    def _load_stored_thread(self) -> None:
        """Begins with the state of the stored thread; the thread itself is only read."""
        stored = StoredThread(self._source_graph, self.saver.thread_id)
        checkpoint = stored.latest()
        if checkpoint is not None:
            self.saver.copy_checkpoint(checkpoint, stored.missing_channels(checkpoint))

    async def run(
        self, step: Step, allowed_ids: Collection[str], namespaces: Collection[str] = ()
    ) -> Step:
        """Runs some of the tasks after `step` and returns the next step.

        Args:
            step: where to go on from.
            allowed_ids: the ids of the tasks that may run.
            namespaces: every task in these namespaces may run too.
        """
        # A task whose graph was entered must run again, to reach the tasks inside.
        allowed = step.entered_task_ids | _waiting_ids(step) | set(allowed_ids)

        def may_run(task: Task) -> bool:
            return task.id in allowed or any(
                is_within(task.namespace, outer) for outer in namespaces
            )

        return await self._run_pass(step, None, "step", may_run)

    async def answer(self, step: Step, answers: Mapping[str, object]) -> Step:
        """Resumes with a person's answers, by interrupt id, and returns the next step."""
        allowed = step.entered_task_ids | _waiting_ids(step)
        command: Command[Any] = Command(resume=dict(answers))
        return await self._run_pass(step, command, "answer", lambda task: task.id in allowed)

    async def renew(
        self, step: Step, kind: StepKind, overrides: Mapping[TaskKey, Override], label: str = ""
    ) -> Step:
        """Returns `step` in a lineage of its own: the calls that follow are new calls.

        `overrides` are given to the tasks that run next.
        """
        self.saver.restore(step.snapshot)
        namespaces = {task.namespace for task in step.open_tasks} or {""}
        for namespace in namespaces:
            # The namespace of a subgraph contains the id of its task. So a graph that has one open
            # keeps its ids, or the subgraph's checkpoints would be lost.
            if not any(_is_inside(other, namespace) for other in namespaces):
                self.saver.renew_ids(namespace)
        return await self._stop_again(step, kind, {**step.overrides, **overrides}, label)

    async def update(self, step: Step, edit: Edit) -> Step:
        """Writes an edit to the state and returns the step that follows.

        Raises TurnInvocationError between parallel tasks.
        """
        namespace = edit.namespace or ""
        if any(key[0] == namespace for key in step.partial_outputs):
            raise TurnInvocationError(
                "Some of the parallel tasks have run and some have not: "
                "step on, or go back, before editing the state."
            )
        self.saver.restore(step.snapshot)
        # LangGraph then plans the same next tasks, as if the last node had written the edit.
        node = step.last_nodes.get(namespace, "__start__")
        config: RunnableConfig = {
            **self.config,
            "configurable": {**self.config["configurable"], "checkpoint_ns": namespace},
        }
        await self.graph.aupdate_state(config, dict(edit.values), as_node=node)
        overrides = {
            _one_superstep_later(key) if key[0] == namespace else key: override
            for key, override in {**step.overrides, **edit.overrides}.items()
        }
        return await self._stop_again(step, "edit", overrides, edit.label)

    async def replan(self, step: Step) -> Step:
        """Returns the step at which this session's graph stands at the checkpoints of `step`.

        `step` may be one of another version of the graph. Nothing runs.
        """
        self.saver.restore(step.snapshot)
        return await self._stop_again(step, "reload", step.overrides, "the graph was reloaded")

    def state(self, step: Step, namespace: str) -> Mapping[str, Any]:
        """Returns the state at `step` of the graph that runs in `namespace`."""
        return state_values(self._source_graph, self.saver.thread_id, step.snapshot, namespace)

    async def _stop_again(
        self, step: Step, kind: StepKind, overrides: Mapping[TaskKey, Override], label: str
    ) -> Step:
        """Stops before the tasks that follow the checkpoints as they are now; runs none of them."""
        changed = replace(step, snapshot=self.saver.snapshot(), overrides=overrides, error=None)
        entered = step.entered_task_ids
        return await self._run_pass(changed, None, kind, lambda task: task.id in entered, label)

    async def _run_pass(
        self, step: Step | None, input: object, kind: StepKind, may_run: MayRun, label: str = ""
    ) -> Step:
        """Runs the graph from `step` until no task is left that may run."""
        controller, clock = self._controller, time.perf_counter()
        before = _BEFORE_THE_FIRST if step is None else step
        if step is not None:
            self.saver.restore(step.snapshot)
        controller.begin_pass(may_run, before.overrides, before.partial_outputs)
        events: list[AnyEvent] = []
        error: BaseException | None = None
        try:
            # Turns write their events to the `custom` stream. "sync" stores all writes before the
            # pass ends, because the snapshot is taken right then.
            async for _, event in self.graph.astream(
                input,
                self.config,
                context=self.context,
                stream_mode="custom",
                subgraphs=True,
                durability="sync",
            ):
                if is_event(event):
                    events.append(event)
                    for watcher in self.event_watchers:
                        watcher(event)
        except Exception as exc:
            # An error that no node raised is no step: an edit was wrong. (`open` raises its own.)
            if not controller.failed and step is not None:
                raise
            error = exc
        seconds = time.perf_counter() - clock
        return replace(
            self._next_step(before),
            kind=kind,
            events=tuple(events),
            error=error,
            label=label,
            seconds=seconds,
        )

    def _next_step(self, before: Step) -> Step:
        """Makes the step after `before` of what the controller saw."""
        controller = self._controller
        pending, waiting = (*controller.paused, *controller.failed), tuple(controller.waiting)
        open_tasks = (*pending, *(each.task for each in waiting))
        succeeded = [run for run in controller.runs if run.error is None]
        outputs = {**before.partial_outputs, **{run.task.key: run.output for run in succeeded}}
        open_keys = {task.key for task in open_tasks}
        return Step(
            number=before.number + 1,
            kind="step",
            pending=pending,
            runs=tuple(controller.runs),
            waiting=waiting,
            snapshot=self.saver.snapshot(),
            entered_task_ids=frozenset(
                task_id for task in open_tasks for task_id in task_ids(task.namespace)
            ),
            last_nodes={
                **before.last_nodes,
                **{run.task.namespace: run.task.node for run in succeeded},
            },
            # An output is needed only until its siblings are done: then the state holds it.
            partial_outputs={
                key: output for key, output in outputs.items() if _has_open_sibling(key, open_tasks)
            },
            overrides={
                key: override for key, override in before.overrides.items() if key in open_keys
            },
        )


def _has_open_sibling(key: TaskKey, open_tasks: Sequence[Task]) -> bool:
    """Whether tasks of the same superstep are still to run."""
    return any((task.namespace, task.superstep) == key[:2] for task in open_tasks)


def _one_superstep_later(key: TaskKey) -> TaskKey:
    """The key of a task after an update of the state, which LangGraph counts as a superstep."""
    namespace, superstep, node, path = key
    return namespace, superstep + 1, node, path


def _waiting_ids(step: Step) -> set[str]:
    """The ids of the tasks that wait for a person. They may always run, up to their question."""
    return {waiting.task.id for waiting in step.waiting}


def _is_inside(namespace: str, outer: str) -> bool:
    return namespace != outer and namespace.startswith(f"{outer}|" if outer else "")


def _is_position(name: str) -> bool:
    """Whether a member of `configurable` names a checkpoint or is LangGraph's own."""
    positions = ("checkpoint_id", "checkpoint_ns", "checkpoint_map")
    return name in positions or name.startswith("__pregel")


def config_of(thread: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """The configuration that names `thread`. Raises TurnInvocationError for one of wrong kinds."""
    config: Any = thread
    if not isinstance(thread, Mapping):
        config = {} if thread is None else {"configurable": {"thread_id": thread}}
    check_config(config)
    return dict(config)
