"""Reads the checkpoints of a stored thread from its graph's checkpointer. Nothing is written there.

The conversation is decoded only when it is looked at: in a long thread that is the slow part.
"""

import asyncio
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.pregel import Pregel
from langgraph.types import PregelTask, Send, StateSnapshot

from turngraph.interfaces.stepper.engine.namespaces import child_namespace
from turngraph.interfaces.stepper.engine.snapshots import LazyValue, SessionSaver, Snapshot
from turngraph.interfaces.stepper.engine.task_controller import Graph, Task, calls_graph
from turngraph.nodes.support.stage import Stage
from turngraph.state.errors import TurnInvocationError

__all__ = ["StoredThread", "check_reachable", "checkpoint_id", "last_node", "state_values"]

_LOOKED_AT: Final = 500
"""How many checkpoints are looked at to name the threads of a database."""


class StoredThread:
    """One stored thread of `graph`, up to its latest checkpoint or to the one named `end`.

    After time travel a thread has several runs: each ends with a checkpoint that no other one
    follows. The latest of them is the one that goes on.

    Raises TurnInvocationError if the graph has no checkpointer.
    """

    def __init__(self, graph: Graph, thread_id: str, end: str | None = None) -> None:
        if not isinstance(graph.checkpointer, BaseCheckpointSaver):
            raise TurnInvocationError(
                "The graph has no checkpointer, so no thread of it is stored. "
                "Give it one: `chat_turn(…, checkpointer=saver)`."
            )
        self._graph, self._saver, self.thread_id = graph, graph.checkpointer, thread_id
        self._read_eagerly = _loop_of(self._saver) is not None
        self._end = end

    def latest(self, namespace: str = "") -> CheckpointTuple | None:
        """Returns the latest checkpoint of a namespace, or None if there is none."""
        config = self._config(namespace)
        if self._end is not None and not namespace:
            config["configurable"]["checkpoint_id"] = self._end
        return self.saver_for(namespace).get_tuple(config)

    def ends(self) -> list[str]:
        """Returns the ids of the checkpoints that no other one follows, the newest first."""
        stored = list(self.saver_for("").list(self._config("")))
        followed = {
            parent["configurable"]["checkpoint_id"]
            for checkpoint in stored
            if (parent := checkpoint.parent_config) is not None
        }
        return [each for each in map(checkpoint_id, stored) if each not in followed]

    def other_threads(self) -> list[str]:
        """Returns the ids of some threads that the checkpointer stores, the newest first."""
        newest = self.saver_for("").list(None, limit=_LOOKED_AT)
        ids = (str(each.config["configurable"]["thread_id"]) for each in newest)
        return list(dict.fromkeys(ids))

    def newest_first(self, namespace: str = "") -> Iterator[CheckpointTuple]:
        """Yields the latest checkpoint and its ancestors; abandoned forks are left out."""
        # `saver.list()` would also yield the checkpoints of forks.
        checkpoint = self.latest(namespace)
        while checkpoint is not None:
            yield checkpoint
            parent = checkpoint.parent_config
            checkpoint = None if parent is None else self.saver_for(namespace).get_tuple(parent)

    def tasks(self, checkpoint: CheckpointTuple) -> tuple[PregelTask, ...]:
        """Returns the tasks that ran after `checkpoint`, each with its outcome."""
        return self.carried_state(checkpoint).tasks

    def carried_state(self, checkpoint: CheckpointTuple) -> StateSnapshot:
        """Returns the state as far as `checkpoint` itself carries it.

        The conversation of a turn, which is stored as its changes, is neither read nor in it.
        """
        # With the stored checkpointer LangGraph would rebuild every channel first.
        saver = SessionSaver(self.thread_id)
        saver.copy_checkpoint(checkpoint, {}, {})
        config = self._config(_namespace_of(checkpoint))
        return self._graph.copy({"checkpointer": saver}).get_state(config)

    def task(self, stored: PregelTask, checkpoint: CheckpointTuple, state: object) -> Task:
        """Returns the session's form of a stored task.

        `state` is the task's input, unless the task was sent an input of its own (`Send`).
        """
        namespace = _namespace_of(checkpoint)
        node = self.graph_in(namespace).nodes[stored.name]
        sent = _sent_input(stored, checkpoint)
        return Task(
            id=stored.id,
            node=stored.name,
            namespace=namespace,
            own_namespace=child_namespace(namespace, stored.name, stored.id),
            path=tuple(stored.path),
            superstep=int(checkpoint.metadata.get("step", 0)) + 1,
            input=state if sent is None else sent,
            stage=node.bound if isinstance(node.bound, Stage) else None,
            is_graph=isinstance(node.bound, Pregel),
            runs_whole=calls_graph(node),
        )

    def graph_in(self, namespace: str) -> Graph:
        """Returns the graph that runs in a namespace."""
        graph = self._graph
        for part in filter(None, namespace.split("|")):
            bound = graph.nodes[part.partition(":")[0]].bound
            assert isinstance(bound, Pregel), "only the namespaces of graphs are looked into"
            graph = bound
        return graph

    def saver_for(self, namespace: str) -> BaseCheckpointSaver[Any]:
        """Returns the checkpointer, allowed to decode the types that the state of this graph names.

        LangGraph does the same before it reads a checkpoint.
        """
        saver = self.graph_in(namespace)._apply_checkpointer_allowlist(self._saver)
        assert saver is not None, "the checkpointer is given, so it is returned"
        return saver

    def missing_channels(self, checkpoint: CheckpointTuple) -> dict[str, LazyValue]:
        """Returns the channels that `checkpoint` does not carry, by name.

        LangGraph stores them as their changes only; each value is rebuilt when it is first used.
        """
        graph = self.graph_in(_namespace_of(checkpoint))
        carried = checkpoint.checkpoint["channel_values"]
        state = _CheckpointValues(self._graph, checkpoint.config)
        missing = {
            name: LazyValue(lambda name=name: state.values[name])  # type: ignore[misc]
            for name in checkpoint.checkpoint["channel_versions"]
            if name not in carried and isinstance(graph.channels.get(name), DeltaChannel)
        }
        # Later the checkpointer's event loop may be the one that waits for this session.
        if self._read_eagerly:
            for lazy in missing.values():
                lazy.value  # noqa: B018  the value is cached
        return missing

    def _config(self, namespace: str) -> RunnableConfig:
        return _config(self.thread_id, namespace)


def check_reachable(graph: Graph) -> None:
    """Raises TurnInvocationError if the graph's checkpointer lives on the running event loop.

    Such a checkpointer can only be read from another thread, while its own loop is free to answer.
    """
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        return
    if _loop_of(graph.checkpointer) is running:
        raise TurnInvocationError(
            f"The thread is stored by {type(graph.checkpointer).__name__}, "
            "which lives on this event loop. Open the stepper from another thread: "
            "`await asyncio.to_thread(TurnStepper, graph, input, thread)`."
        )


def _loop_of(saver: object) -> object:
    """The event loop of an async checkpointer; None for any other."""
    return getattr(saver, "loop", None)


class _CheckpointValues:
    """The state at a checkpoint; it is read once, on first use."""

    def __init__(self, graph: Graph, config: RunnableConfig) -> None:
        self._graph, self._config = graph, config

    @cached_property
    def values(self) -> Mapping[str, Any]:
        return dict(self._graph.get_state(self._config).values)


def state_values(
    graph: Graph, thread_id: str, snapshot: Snapshot, namespace: str
) -> Mapping[str, Any]:
    """Returns the state in `snapshot` of the graph that runs in `namespace`."""
    saver = SessionSaver(thread_id, snapshot)
    config = _config(thread_id, namespace)
    return dict(graph.copy({"checkpointer": saver}).get_state(config).values)


def checkpoint_id(checkpoint: CheckpointTuple) -> str:
    """Returns the id of a checkpoint; ids grow with time."""
    return str(checkpoint.checkpoint["id"])


def last_node(checkpoint: CheckpointTuple) -> str:
    """Returns the node that ran last before `checkpoint`, or `__start__`.

    LangGraph stores for each node the channel versions it has seen; the last one saw the newest.
    """
    seen = checkpoint.checkpoint["versions_seen"]
    ran = [
        (version, node)
        for node, versions in seen.items()
        if node[:2] != "__"
        for version in versions.values()
    ]
    return max(ran, default=(None, "__start__"))[1]


def _config(thread_id: str, namespace: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": namespace}}


def _namespace_of(checkpoint: CheckpointTuple) -> str:
    return str(checkpoint.config["configurable"].get("checkpoint_ns", ""))


def _sent_input(task: PregelTask, checkpoint: CheckpointTuple) -> Any:
    """The input that a `Send` gave to a task; None for a task that reads the state."""
    sends = checkpoint.checkpoint["channel_values"].get("__pregel_tasks") or ()
    # The path of such a task holds the index of its `Send`; a bool in it is a flag, not an index.
    indexes = [part for part in task.path if isinstance(part, int) and not isinstance(part, bool)]
    send = sends[indexes[0]] if indexes and indexes[0] < len(sends) else None
    return send.arg if isinstance(send, Send) and send.node == task.name else None
