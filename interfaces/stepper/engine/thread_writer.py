"""Writes the checkpoints of a walk into a thread of the graph's own checkpointer."""

from collections.abc import Iterator
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import CheckpointTuple

from turngraph.interfaces.stepper.engine.snapshots import SessionSaver, Snapshot
from turngraph.interfaces.stepper.engine.stored_thread import StoredThread, checkpoint_id
from turngraph.interfaces.stepper.engine.task_controller import Graph
from turngraph.state.errors import TurnInvocationError

__all__ = ["latest_checkpoint_id", "write_thread"]


def latest_checkpoint_id(graph: Graph, thread_id: str) -> str:
    """Returns the id of a stored thread's latest checkpoint; empty if there is none."""
    latest = StoredThread(graph, thread_id).latest()
    return "" if latest is None else checkpoint_id(latest)


def write_thread(
    graph: Graph, saver: SessionSaver, snapshot: Snapshot, config: RunnableConfig, known_end: str
) -> str:
    """Writes what `snapshot` has more than the thread, and returns the id of its latest checkpoint.

    Args:
        graph: its checkpointer stores the thread.
        saver: the saver of the session that made the snapshot.
        snapshot: the checkpoints to write.
        config: the thread, as LangGraph's configuration.
        known_end: the thread's latest checkpoint when the walk last met it; empty if it had none.

    Raises TurnInvocationError if the graph has no checkpointer, or if the thread holds what the
    walk does not know.
    """
    thread_id = str(config["configurable"]["thread_id"])
    stored = StoredThread(graph, thread_id)
    end, newest = latest_checkpoint_id(graph, thread_id), str(max(snapshot.storage[""]))
    if end != known_end:
        raise TurnInvocationError(
            f"The thread `{thread_id}` holds a conversation that this run did not begin with, or "
            "has gone on since. Write to a thread with a new id."
        )
    if newest < end:
        raise TurnInvocationError(
            f"The thread `{thread_id}` holds a newer line of this run, and its latest checkpoint "
            "would stay the latest. Write this line to a thread with a new id."
        )
    source = SessionSaver(saver.thread_id, snapshot)
    for checkpoint in _oldest_first(source, snapshot):
        if checkpoint_id(checkpoint) > end:
            _write(stored, checkpoint, source, config)
    return newest


def _oldest_first(source: SessionSaver, snapshot: Snapshot) -> Iterator[CheckpointTuple]:
    places = [
        (each, namespace)
        for namespace, checkpoints in snapshot.storage.items()
        for each in checkpoints
    ]
    for each, namespace in sorted(places):
        checkpoint = source.get_tuple(_config(source.thread_id, namespace, each))
        assert checkpoint is not None, "its id was just read there"
        yield checkpoint


def _write(
    stored: StoredThread, checkpoint: CheckpointTuple, source: SessionSaver, config: RunnableConfig
) -> None:
    namespace = str(checkpoint.config["configurable"]["checkpoint_ns"])
    parent = checkpoint.parent_config
    parent_id = parent["configurable"]["checkpoint_id"] if parent else None
    saver, graph = stored.saver_for(namespace), stored.graph_in(namespace)
    contents = checkpoint.checkpoint
    before = {} if parent is None else _versions(source, parent)
    versions = {
        name: version
        for name, version in contents["channel_versions"].items()
        if before.get(name) != version
    }
    # A channel that is stored as its changes stands only in the checkpoint that wrote it whole.
    values = {
        name: value
        for name, value in contents["channel_values"].items()
        if name in versions or not isinstance(graph.channels.get(name), DeltaChannel)
    }
    written = saver.put(
        _config(stored.thread_id, namespace, parent_id, config),
        {**contents, "channel_values": values},
        checkpoint.metadata,
        versions,
    )
    tasks: dict[tuple[str, str], list[tuple[str, Any]]] = {}
    key = (source.thread_id, namespace, checkpoint_id(checkpoint))
    for task_id, channel, value, path in source.writes.get(key, {}).values():
        tasks.setdefault((task_id, path), []).append((channel, source.serde.loads_typed(value)))
    for (task_id, path), writes in tasks.items():
        saver.put_writes(written, writes, task_id, path)


def _versions(source: SessionSaver, config: RunnableConfig) -> dict[str, Any]:
    parent = source.get_tuple(config)
    return {} if parent is None else dict(parent.checkpoint["channel_versions"])


def _config(
    thread_id: str, namespace: str, checkpoint: str | None, base: RunnableConfig | None = None
) -> RunnableConfig:
    configurable = {
        **(base or {}).get("configurable", {}),
        "thread_id": thread_id,
        "checkpoint_ns": namespace,
        "checkpoint_id": checkpoint,
    }
    return {"configurable": configurable}
