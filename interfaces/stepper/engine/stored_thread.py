"""The checkpoints of a stored thread, read from its graph's own saver and held by a walk's. Nothing
is written there.

The conversation is decoded only where it is looked at: in a long thread that is what reading costs.
"""

import asyncio
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.pregel import Pregel
from langgraph.types import PregelTask, Send

from turngraph.interfaces.stepper.engine.snapshots import Later, SessionSaver, Snapshot
from turngraph.interfaces.stepper.engine.task_controller import Task, runs_whole
from turngraph.nodes.support.stage import Stage
from turngraph.state.errors import TurnInvocationError

__all__ = ["Graph", "StoredThread", "check_reachable", "latest_node", "point_id", "values_in"]

Graph = Pregel[Any, Any, Any, Any]


class StoredThread:
    """One thread of `graph`. Raises TurnInvocationError where the graph has no checkpointer."""

    def __init__(self, graph: Graph, thread_id: str) -> None:
        if not isinstance(graph.checkpointer, BaseCheckpointSaver):
            raise TurnInvocationError(
                "The graph has no checkpointer, so no thread of it is stored."
            )
        self._graph, self._saver, self.thread_id = graph, graph.checkpointer, thread_id
        self._at_once = _loop_of(self._saver) is not None

    def latest(self, space: str = "") -> CheckpointTuple | None:
        """The last checkpoint of a namespace; `None` where there is none."""
        return self._saver_of(space).get_tuple(self._at(space))

    def back_from_the_end(self, space: str = "") -> Iterator[CheckpointTuple]:
        """The checkpoints that led to the last one, backwards: what was forked away from is left
        out.
        """
        point = self.latest(space)
        while point is not None:
            yield point
            point = (
                None
                if point.parent_config is None
                else self._saver_of(space).get_tuple(point.parent_config)
            )

    def tasks(self, point: CheckpointTuple) -> tuple[PregelTask, ...]:
        """What was about to run at `point`, and what came of it. The conversation is not read for
        it.
        """
        light = SessionSaver(self.thread_id)
        light.hold(point, {}, {})
        place = self._at(str(point.config["configurable"].get("checkpoint_ns", "")))
        return self._graph.copy({"checkpointer": light}).get_state(place).tasks

    def task(self, task: PregelTask, point: CheckpointTuple, state: Any) -> Task:
        """`task` as a walk knows it; `state` is what it reads where it was sent nothing of its own."""
        space = str(point.config["configurable"].get("checkpoint_ns", ""))
        node = self.graph_in(space).nodes[task.name]
        sent = _sent(task, point)
        own = f"{task.name}:{task.id}"
        return Task(
            id=task.id,
            node=task.name,
            space=space,
            own_space=f"{space}|{own}" if space else own,
            place=tuple(task.path),
            number=int(point.metadata.get("step", 0)) + 1,
            input=state if sent is None else sent,
            stage=node.bound if isinstance(node.bound, Stage) else None,
            is_graph=isinstance(node.bound, Pregel),
            whole=runs_whole(node),
        )

    def graph_in(self, space: str) -> Graph:
        """The graph that runs in a namespace."""
        graph = self._graph
        for part in filter(None, space.split("|")):
            bound = graph.nodes[part.partition(":")[0]].bound
            assert isinstance(bound, Pregel), "only the namespaces of graphs are looked into"
            graph = bound
        return graph

    def unsaid(self, point: CheckpointTuple) -> dict[str, Later]:
        """The channels that `point` does not carry, because they are stored as their changes: read
        when wanted.
        """
        graph = self.graph_in(str(point.config["configurable"].get("checkpoint_ns", "")))
        carried, state = point.checkpoint["channel_values"], _State(self._graph, point.config)
        later = {
            name: Later(lambda name=name: state.values[name])  # type: ignore[misc]
            for name in point.checkpoint["channel_versions"]
            if name not in carried and isinstance(graph.channels.get(name), DeltaChannel)
        }
        if self._at_once:  # later its event loop may be the one that waits for us
            for each in later.values():
                each.value  # noqa: B018  read for keeps
        return later

    def _saver_of(self, space: str) -> BaseCheckpointSaver[Any]:
        """The saver, allowed to bring back what the graph in `space` names in its state, as
        LangGraph's own reading.
        """
        allowed = self.graph_in(space)._apply_checkpointer_allowlist(self._saver)
        assert allowed is not None, "a saver stays one"
        return allowed

    def _at(self, space: str) -> Any:
        return {"configurable": {"thread_id": self.thread_id, "checkpoint_ns": space}}


def check_reachable(graph: Graph) -> None:
    """Raise TurnInvocationError where the graph's saver lives on the event loop that is running
    here.

    It can be asked from other threads alone, and only while its loop is not waiting for the answer.
    """
    try:
        here = asyncio.get_running_loop()
    except RuntimeError:
        return
    if _loop_of(graph.checkpointer) is here:
        raise TurnInvocationError(
            f"The thread is kept by {type(graph.checkpointer).__name__}, which lives on this event loop. Open the walk "
            "from another thread: `await asyncio.to_thread(TurnStepper, graph, input, thread)`."
        )


def _loop_of(saver: object) -> object:
    """The event loop that an asynchronous saver lives on; `None` for any other."""
    return getattr(saver, "loop", None)


class _State:
    """The values at a checkpoint, read once."""

    def __init__(self, graph: Graph, config: Any) -> None:
        self._graph, self._config = graph, config

    @cached_property
    def values(self) -> Mapping[str, Any]:
        return dict(self._graph.get_state(self._config).values)


def values_in(graph: Graph, thread_id: str, memory: Snapshot, space: str) -> Mapping[str, Any]:
    """The values of the state in `memory`, of the graph in the namespace `space`."""
    saver = SessionSaver(thread_id, memory)
    place: Any = {"configurable": {"thread_id": thread_id, "checkpoint_ns": space}}
    return dict(graph.copy({"checkpointer": saver}).get_state(place).values)


def point_id(point: CheckpointTuple) -> str:
    """The id of a checkpoint; a later one's is greater."""
    return str(point.checkpoint["id"])


def latest_node(point: CheckpointTuple) -> str:
    """The node that ran last, as LangGraph tells it: by the versions of the channels it has seen."""
    seen = point.checkpoint["versions_seen"]
    ran = [
        (version, node)
        for node, versions in seen.items()
        if node[:2] != "__"
        for version in versions.values()
    ]
    return max(ran, default=(None, "__start__"))[1]


def _sent(task: PregelTask, point: CheckpointTuple) -> Any:
    """What a task of its own was sent; `None` for one that reads the state."""
    sends = point.checkpoint["channel_values"].get("__pregel_tasks") or ()
    places = [part for part in task.path if isinstance(part, int) and not isinstance(part, bool)]
    found = sends[places[0]] if places and places[0] < len(sends) else None
    return found.arg if isinstance(found, Send) and found.node == task.name else None
