"""A session's own checkpoints, kept in memory. Each step keeps a copy; going back restores it.

LangGraph's time travel cannot return to the middle of parallel tool calls, and a fork inside a
subgraph loses the subgraph's progress. A checkpointer that is restored as a whole can do both,
because LangGraph then only ever resumes from the latest checkpoint.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.memory import InMemorySaver

from turngraph.nodes.support.stage_context import IDENTITY

__all__ = ["EMPTY_SNAPSHOT", "LazyValue", "SessionSaver", "Snapshot"]


class LazyValue:
    """A value that is read on first use. The conversation of a stored thread is one: decoding it
    takes long.
    """

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read

    @cached_property
    def value(self) -> Any:
        """The value; it is read once."""
        return self._read()


class _ReferenceSerializer:
    """Stores values as they are and copies containers when they are loaded.

    Nothing is encoded or decoded, so the cost of a step does not grow with the conversation.
    """

    def dumps_typed(self, value: object) -> tuple[str, Any]:
        return "lazy" if isinstance(value, LazyValue) else "value", value

    def loads_typed(self, data: tuple[str, Any]) -> Any:
        kind, value = data
        return _copy_containers(value.value if kind == "lazy" else value)


def _copy_containers(value: object) -> Any:
    # Nodes may change a list or dict they are given; messages and other models are replaced, never
    # changed, so they are shared.
    if type(value) is dict:
        return {key: _copy_containers(item) for key, item in value.items()}
    if type(value) is list:
        return [_copy_containers(item) for item in value]
    if type(value) is defaultdict:
        return defaultdict(
            value.default_factory, {key: _copy_containers(item) for key, item in value.items()}
        )
    return value


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All checkpoints of a session at one moment, in the layout of `InMemorySaver`."""

    storage: Mapping[str, Any]
    writes: Mapping[Any, Any]
    blobs: Mapping[Any, Any]


EMPTY_SNAPSHOT: Final = Snapshot({}, {}, {})


class SessionSaver(InMemorySaver):
    """The checkpointer that a session runs on. It holds one thread."""

    def __init__(self, thread_id: str, snapshot: Snapshot | None = None) -> None:
        super().__init__(serde=_ReferenceSerializer())
        self.thread_id: Final = thread_id
        if snapshot is not None:
            self.restore(snapshot)

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> Self:
        """Returns itself: nothing is decoded here, so no type needs to be allowed."""
        return self

    def snapshot(self, *, at: Mapping[str, str] | None = None) -> Snapshot:
        """Returns a copy of everything stored.

        `at` gives a checkpoint id for each namespace. The snapshot is then the one of the moment
        when those checkpoints were the latest, without what their tasks wrote afterwards.
        """
        namespaces = self.storage.get(self.thread_id, {})
        if at is None:
            storage = {
                namespace: dict(checkpoints) for namespace, checkpoints in namespaces.items()
            }
        else:
            # Ids are time-ordered (UUID version 6), so "not later than" is a comparison of strings.
            storage = {
                namespace: {
                    checkpoint_id: checkpoint
                    for checkpoint_id, checkpoint in namespaces[namespace].items()
                    if checkpoint_id <= latest
                }
                for namespace, latest in at.items()
            }
        writes = {
            key: dict(written)
            for key, written in self.writes.items()
            if at is None or (key[1] in at and key[2] < at[key[1]])
        }
        return Snapshot(storage, writes, dict(self.blobs))

    def restore(self, snapshot: Snapshot) -> None:
        """Replaces everything stored by the contents of `snapshot`."""
        self.storage.clear()
        self.writes.clear()
        self.blobs.clear()
        self.storage[self.thread_id] = defaultdict(
            dict,
            {namespace: dict(checkpoints) for namespace, checkpoints in snapshot.storage.items()},
        )
        self.writes.update({key: dict(writes) for key, writes in snapshot.writes.items()})
        self.blobs.update(snapshot.blobs)

    def copy_checkpoint(
        self,
        checkpoint: CheckpointTuple,
        values: Mapping[str, object],
        paths: Mapping[str, str] | None = None,
    ) -> RunnableConfig:
        """Stores a checkpoint of another checkpointer under its own id; returns its new config.

        Args:
            checkpoint: the checkpoint to copy.
            values: channel values that are stored beside those the checkpoint carries.
            paths: LangGraph's path of each task, by task id. If it is given, the writes of the
                tasks are stored too.
        """
        parent = checkpoint.parent_config
        parent_config: RunnableConfig = {
            "configurable": {
                "thread_id": self.thread_id,
                "checkpoint_ns": str(checkpoint.config["configurable"].get("checkpoint_ns", "")),
                "checkpoint_id": parent and parent["configurable"]["checkpoint_id"],
            }
        }
        contents = checkpoint.checkpoint
        channel_values = {**contents["channel_values"], **values}
        # `put` would store a channel without a value as empty, over the value of an earlier
        # checkpoint that has the same version.
        versions = {
            name: version
            for name, version in contents["channel_versions"].items()
            if name in channel_values
        }
        config = self.put(
            parent_config,
            {**contents, "channel_values": channel_values},
            checkpoint.metadata,
            versions,
        )
        if paths is not None:
            for task_id, writes in _writes_by_task(checkpoint.pending_writes or ()).items():
                self.put_writes(config, writes, task_id, paths.get(task_id, ""))
        return config

    def renew_ids(self, namespace: str) -> None:
        """Gives the latest checkpoint of `namespace` a new id.

        LangGraph derives the ids of tasks from it, so what runs next belongs to a new lineage: its
        calls are new calls. Earlier writes of these tasks are dropped; the session itself supplies
        the output of those that had finished.
        """
        # The new id is the newest one, so the checkpoint stays the latest.
        checkpoints = self.storage[self.thread_id][namespace]
        latest = max(checkpoints)
        checkpoint, metadata, parent = checkpoints[latest]
        renewed = {**self.serde.loads_typed(checkpoint), "id": str(uuid6())}
        # Without the identity of the turn's calls, these get the ids of their tasks.
        kept = {**self.serde.loads_typed(metadata)}
        kept.pop(IDENTITY, None)
        checkpoints[renewed["id"]] = (
            self.serde.dumps_typed(renewed),
            self.serde.dumps_typed(kept),
            parent,
        )
        del checkpoints[latest]
        self.writes.pop((self.thread_id, namespace, latest), None)


def _writes_by_task(
    writes: Sequence[tuple[str, str, Any]],
) -> dict[str, list[tuple[str, Any]]]:
    by_task: dict[str, list[tuple[str, Any]]] = {}
    for task_id, channel, value in writes:
        by_task.setdefault(task_id, []).append((channel, value))
    return by_task
