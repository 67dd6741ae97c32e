"""A copy of a graph whose every node asks before it runs: into subgraphs, and for each parallel
task.

LangGraph's own breakpoints stop before and after a subgraph, never in it, and run parallel tasks
together.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.constants import TAG_HIDDEN
from langgraph.errors import GraphBubbleUp, GraphInterrupt
from langgraph.pregel import Pregel
from langgraph.types import Interrupt

from turngraph.nodes.support.stage import Stage
from turngraph.state.reply import ToolCall

__all__ = [
    "Done",
    "Override",
    "Task",
    "TaskController",
    "Waiting",
    "gated",
    "graphs_in",
    "runs_whole",
]

Key = tuple[str, int, str, tuple[Any, ...]]
"""What tells a task from any other, the same in every lineage: namespace, step of its graph, node,
place in it.
"""


@dataclass(frozen=True, eq=False)
class Task:
    """A node about to run, or one that ran, with what it is given."""

    id: str
    node: str
    space: str
    """The namespace it runs in: empty in the outermost graph."""
    own_space: str
    place: tuple[Any, ...]
    number: int
    """LangGraph's number of the step, in its graph."""
    input: Any = field(repr=False)
    stage: Stage | None = field(default=None, repr=False)
    is_graph: bool = False
    whole: bool = False
    """Whether it is a function that calls a graph itself. LangGraph would run the function again
    from its beginning at each stop, so the graph is run whole. As a node of its own it can be
    entered.
    """

    @property
    def key(self) -> Key:
        """What tells it from any other."""
        return self.space, self.number, self.node, self.place

    @property
    def name(self) -> str:
        """Where it is, readable: `chat/call_llm`."""
        around = [part.partition(":")[0] for part in self.space.split("|") if part]
        return "/".join([*around, self.node])

    @property
    def call(self) -> ToolCall | None:
        """The tool call it serves, if that is what it does."""
        call = (
            self.input.get("call")
            if self.stage is not None and isinstance(self.input, Mapping)
            else None
        )
        return call if isinstance(call, ToolCall) else None


@dataclass(frozen=True, eq=False)
class Done:
    """A task that ran: what it returned, or what it raised."""

    task: Task
    output: Any = field(repr=False)
    error: BaseException | None
    started: float
    """Seconds since the epoch."""
    seconds: float
    swapped: bool = False
    """Its result was written by hand; it did not run."""


@dataclass(frozen=True, eq=False)
class Waiting:
    """A task that asks a person, and the question."""

    task: Task
    interrupt: Interrupt


@dataclass(frozen=True)
class Override:
    """What a task is given in place of part of its input, or what it is taken to have returned."""

    input: Mapping[str, Any] = field(default_factory=dict)
    output: Any = None


class TaskController:
    """Says which tasks run, in one pass through the graph, and remembers what they did."""

    def __init__(self) -> None:
        self.begin(lambda task: False, {}, {})

    def begin(
        self,
        may_run: Callable[[Task], bool],
        swaps: Mapping[Key, Override],
        known: Mapping[Key, Any],
    ) -> None:
        """A new pass. `known` are the results of tasks that need not run again."""
        self.may_run, self.swaps, self.known = may_run, swaps, known
        self.held: list[Task] = []
        self.done: list[Done] = []
        self.failed: list[Task] = []
        self.waiting: list[Waiting] = []

    async def serve(self, task: Task, run: Callable[[Any], Any]) -> Any:
        """Run `task`, or hold it back, which raises GraphInterrupt as LangGraph's own breakpoints
        do.
        """
        if task.key in self.known:
            return self.known[task.key]
        swap = self.swaps.get(task.key)
        if swap is not None and swap.input:
            task = replace(task, input={**task.input, **swap.input})
        if not self.may_run(task):
            self.held.append(task)
            raise GraphInterrupt
        if swap is not None and swap.output is not None:
            self.done.append(Done(task, swap.output, None, time.time(), 0.0, swapped=True))
            return swap.output
        return await self._run(task, run)

    async def _run(self, task: Task, run: Callable[[Any], Any]) -> Any:
        started, clock = time.time(), time.perf_counter()
        try:
            output = await run(task.input)
        except GraphInterrupt as exc:
            if not task.is_graph:
                self.waiting += [Waiting(task, interrupt) for interrupt in exc.args[0]]
            raise
        except GraphBubbleUp:
            raise
        except BaseException as exc:
            if not any(
                done.error is exc for done in self.done
            ):  # a subgraph's own task failed; it has been told
                self.done.append(Done(task, None, exc, started, time.perf_counter() - clock))
                self.failed.append(task)
            raise
        self.done.append(Done(task, output, None, started, time.perf_counter() - clock))
        return output


class _Gated(Runnable[Any, Any]):
    """A node that asks the gatekeeper first."""

    def __init__(
        self, bound: Runnable[Any, Any], node: str, keeper: TaskController, *, whole: bool
    ) -> None:
        self.name = node
        self._bound, self._node, self._keeper, self._whole = bound, node, keeper, whole

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Not how a walk runs: it is always asynchronous, on the stepper's own loop."""
        return self._bound.invoke(input, config, **kwargs)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Ask, then run."""
        assert config is not None, "LangGraph gives every node its configuration"
        task = self._task(input, config)
        return await self._keeper.serve(
            task, lambda given: self._bound.ainvoke(given, config, **kwargs)
        )

    def _task(self, input: Any, config: RunnableConfig) -> Task:
        metadata, own = (
            config.get("metadata", {}),
            str(config.get("configurable", {}).get("checkpoint_ns", "")),
        )
        space, _, last = own.rpartition("|")
        return Task(
            id=last.partition(":")[2],
            node=self._node,
            space=space,
            own_space=own,
            place=tuple(metadata.get("langgraph_path", ())),
            number=int(metadata.get("langgraph_step", 0)),
            input=input,
            stage=self._bound if isinstance(self._bound, Stage) else None,
            is_graph=isinstance(self._bound, Pregel),
            whole=self._whole,
        )


_NO_STOPS: Final[Mapping[str, Any]] = {"interrupt_before_nodes": [], "interrupt_after_nodes": []}


def gated(
    graph: Pregel[Any, Any, Any, Any], keeper: TaskController, **update: Any
) -> Pregel[Any, Any, Any, Any]:
    """A copy of `graph` that runs a node only when `keeper` says so. Its own breakpoints are left
    out.
    """
    nodes = {}
    for name, node in graph.nodes.items():
        bound = node.bound
        if TAG_HIDDEN in (node.tags or ()):
            nodes[name] = node
            continue
        if isinstance(bound, Pregel):
            bound = gated(bound, keeper)
        inner = [bound] if isinstance(bound, Pregel) else node.subgraphs
        nodes[name] = node.copy(
            {"bound": _Gated(bound, name, keeper, whole=runs_whole(node)), "subgraphs": inner}
        )
    return graph.copy({**_NO_STOPS, "nodes": nodes, **update})


def runs_whole(node: Any) -> bool:
    """Whether `node` is a function in which LangGraph has found a graph that it calls."""
    return bool(node.subgraphs) and not isinstance(node.bound, Pregel)


def graphs_in(
    graph: Pregel[Any, Any, Any, Any], path: str = ""
) -> Iterator[tuple[str, Pregel[Any, Any, Any, Any]]]:
    """`graph` and every graph that is a node in it, by readable path."""
    yield path, graph
    for name, node in graph.nodes.items():
        if isinstance(node.bound, Pregel):
            yield from graphs_in(node.bound, f"{path}/{name}".lstrip("/"))
