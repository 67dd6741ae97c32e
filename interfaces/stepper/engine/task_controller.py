"""A copy of a graph whose every node asks the controller before it runs, in subgraphs and in
parallel tasks too.

LangGraph's own breakpoints stop before or after a subgraph but never inside, and run parallel tasks
together.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.constants import TAG_HIDDEN
from langgraph.errors import GraphBubbleUp, GraphInterrupt
from langgraph.pregel import Pregel
from langgraph.types import Interrupt

from turngraph.interfaces.stepper.engine.namespaces import is_within, readable_path
from turngraph.interfaces.user_graphs.node_exits import without_exit
from turngraph.nodes.support.stage import Stage
from turngraph.state.reply import ToolCall

__all__ = [
    "Graph",
    "Override",
    "Task",
    "TaskController",
    "TaskKey",
    "TaskRun",
    "WaitingTask",
    "calls_graph",
    "controlled_copy",
    "graphs_in",
]

Graph = Pregel[Any, Any, Any, Any]

TaskKey = tuple[str, int, str, tuple[Any, ...]]
"""Identifies a task in every lineage: namespace, superstep, node and LangGraph's path. (The id of a
task changes with its lineage.)
"""


@dataclass(frozen=True, eq=False)
class Task:
    """A node that is about to run or that ran, with its input."""

    id: str
    node: str
    namespace: str
    """The namespace of the graph it belongs to; empty for the outermost graph."""
    own_namespace: str
    """The namespace of the graph it runs, if it runs one."""
    path: tuple[Any, ...]
    """LangGraph's path: what triggered the task and its number among parallel tasks."""
    superstep: int
    """LangGraph's number of the step in its graph."""
    input: Any = field(repr=False)
    stage: Stage | None = field(default=None, repr=False)
    is_graph: bool = False
    runs_whole: bool = False
    """True for a function that calls a graph itself. At each stop LangGraph would run such a
    function again from its beginning, so it is run in one step. Add the graph as a node to step
    into it.
    """
    before_edit: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The members of its input that an edit has replaced, as the graph gave them."""

    @property
    def key(self) -> TaskKey:
        """What identifies the task in every lineage."""
        return self.namespace, self.superstep, self.node, self.path

    @property
    def name(self) -> str:
        """The readable path of the node: `chat/call_llm`."""
        path = readable_path(self.namespace)
        return f"{path}/{self.node}" if path else self.node

    @property
    def calls_model(self) -> bool:
        """Whether it is a turn's call to the model."""
        return self.node == "call_llm" and self.stage is not None

    @property
    def call(self) -> ToolCall | None:
        """The tool call that the task executes; None for any other task."""
        if self.stage is None or not isinstance(self.input, Mapping):
            return None
        call = self.input.get("call")
        return call if isinstance(call, ToolCall) else None


@dataclass(frozen=True, eq=False)
class TaskRun:
    """A task that ran, with what it returned or raised."""

    task: Task
    output: Any = field(repr=False)
    error: BaseException | None
    started_at: float
    """Seconds since the epoch."""
    seconds: float
    overridden: bool = False
    """True if a person wrote the output and the task did not run."""

    @property
    def was_stopped(self) -> bool:
        """Whether LangGraph has cancelled it half way, because a task beside it failed."""
        return isinstance(self.error, asyncio.CancelledError)

    @property
    def failed(self) -> bool:
        """Whether it raised an error of its own."""
        return self.error is not None and not self.was_stopped


@dataclass(frozen=True, eq=False)
class WaitingTask:
    """A task that asks a person, and its question."""

    task: Task
    interrupt: Interrupt


@dataclass(frozen=True)
class Override:
    """Replaces parts of a task's input, or its output. With an output the task does not run."""

    input: Mapping[str, Any] = field(default_factory=dict)
    output: Any = None


class TaskController:
    """Decides which tasks run in one pass through the graph, and records what they did."""

    def __init__(self) -> None:
        self.begin_pass(lambda task: False, {}, {})

    def begin_pass(
        self,
        may_run: Callable[[Task], bool],
        overrides: Mapping[TaskKey, Override],
        outputs: Mapping[TaskKey, Any],
    ) -> None:
        """Starts a new pass. The tasks in `outputs` do not run; they return what is given there."""
        self.may_run, self.overrides, self.outputs = may_run, overrides, outputs
        self.paused: list[Task] = []
        self.runs: list[TaskRun] = []
        self.failed: list[Task] = []
        self.waiting: list[WaitingTask] = []

    async def run_or_pause(self, task: Task, run: Callable[[Any], Awaitable[Any]]) -> Any:
        """Runs `task` and returns its output, or pauses it.

        A pause raises GraphInterrupt, as LangGraph's own breakpoints do.
        """
        if task.key in self.outputs:
            return self.outputs[task.key]
        override = self.overrides.get(task.key)
        if override is not None and override.input:
            before = {name: task.input.get(name) for name in override.input}
            task = replace(task, input={**task.input, **override.input}, before_edit=before)
        if not self.may_run(task):
            self.paused.append(task)
            # Without an interrupt in it nobody is asked: the next pass comes to this task again.
            raise GraphInterrupt
        if override is not None and override.output is not None:
            self.runs.append(
                TaskRun(task, override.output, None, time.time(), 0.0, overridden=True)
            )
            return override.output
        return await self._run(task, run)

    async def _run(self, task: Task, run: Callable[[Any], Awaitable[Any]]) -> Any:
        started_at, clock = time.time(), time.perf_counter()
        try:
            output = await without_exit(run(task.input))
        except GraphInterrupt as exc:
            # A graph passes the interrupts of its own tasks on; they are recorded already.
            if not task.is_graph:
                self.waiting += [WaitingTask(task, interrupt) for interrupt in exc.args[0]]
            raise
        except GraphBubbleUp:  # no failure: a command for the graph around this one
            raise
        except BaseException as exc:
            if not self._is_recorded(exc, task):
                seconds = time.perf_counter() - clock
                self.runs.append(TaskRun(task, None, exc, started_at, seconds))
                self.failed.append(task)
            raise
        self.runs.append(TaskRun(task, output, None, started_at, time.perf_counter() - clock))
        return output

    def _is_recorded(self, error: BaseException, task: Task) -> bool:
        """Whether an error of a task inside is on its way out through the graph of `task`.

        It is the same error, except for a cancellation.
        """
        return any(
            run.error is error
            or (run.was_stopped and is_within(run.task.namespace, task.own_namespace))
            for run in self.runs
        )


class _ControlledNode(Runnable[Any, Any]):
    """A node that asks the controller before it runs."""

    def __init__(
        self,
        bound: Runnable[Any, Any],
        node: str,
        controller: TaskController,
        *,
        runs_whole: bool,
    ) -> None:
        self.name = node
        self._bound, self._node = bound, node
        self._controller, self._runs_whole = controller, runs_whole

    def invoke(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> Any:
        """Runs the node uncontrolled. A session never calls this: it is always async."""
        return self._bound.invoke(input, config, **kwargs)

    async def ainvoke(
        self, input: object, config: RunnableConfig | None = None, **kwargs: object
    ) -> Any:
        """Asks the controller, then runs the node."""
        assert config is not None, "LangGraph gives every node its configuration"
        return await self._controller.run_or_pause(
            self._task(input, config),
            lambda given: self._bound.ainvoke(given, config, **kwargs),
        )

    def _task(self, input: object, config: RunnableConfig) -> Task:
        metadata = config.get("metadata", {})
        own_namespace = str(config.get("configurable", {}).get("checkpoint_ns", ""))
        namespace, _, last = own_namespace.rpartition("|")
        return Task(
            id=last.partition(":")[2],
            node=self._node,
            namespace=namespace,
            own_namespace=own_namespace,
            path=tuple(metadata.get("langgraph_path", ())),
            superstep=int(metadata.get("langgraph_step", 0)),
            input=input,
            stage=self._bound if isinstance(self._bound, Stage) else None,
            is_graph=isinstance(self._bound, Pregel),
            runs_whole=self._runs_whole,
        )


_NO_BREAKPOINTS: Final[Mapping[str, Any]] = {
    "interrupt_before_nodes": [],
    "interrupt_after_nodes": [],
}


def controlled_copy(graph: Graph, controller: TaskController, **update: object) -> Graph:
    """A copy of `graph` that runs a node only when `controller` allows it.

    The graph's own breakpoints are left out. `update` replaces further attributes of the copy.
    """
    nodes = {}
    for name, node in graph.nodes.items():
        if TAG_HIDDEN in (node.tags or ()):  # LangGraph's own helpers, such as `__start__`
            nodes[name] = node
            continue
        bound = node.bound
        if isinstance(bound, Pregel):
            bound = controlled_copy(bound, controller)
        controlled = _ControlledNode(bound, name, controller, runs_whole=calls_graph(node))
        # LangGraph looks for the graphs in a node by this list, so it must name the copy.
        subgraphs = [bound] if isinstance(bound, Pregel) else node.subgraphs
        nodes[name] = node.copy({"bound": controlled, "subgraphs": subgraphs})
    return graph.copy({**_NO_BREAKPOINTS, "nodes": nodes, **update})


def calls_graph(node: Any) -> bool:
    """Whether `node` is a function in which LangGraph has found a graph that it calls."""
    return bool(node.subgraphs) and not isinstance(node.bound, Pregel)


def graphs_in(graph: Graph, path: str = "") -> Iterator[tuple[str, Graph]]:
    """`graph` and every graph that is a node in it, each with its readable path (`""`, `chat`)."""
    yield path, graph
    for name, node in graph.nodes.items():
        if isinstance(node.bound, Pregel):
            yield from graphs_in(node.bound, f"{path}/{name}".lstrip("/"))
