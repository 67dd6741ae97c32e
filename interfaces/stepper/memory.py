"""A walk's own checkpoints: kept in memory, copied whole at each step, so that going back is putting a copy back.

LangGraph's time travel cannot return to the middle of parallel tool calls, and forks badly inside subgraphs. A saver
that is put back as it was can do both, because LangGraph then only ever resumes from the latest checkpoint.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.memory import InMemorySaver

__all__ = ["Memory", "WalkSaver"]


class _ByReference:
    """Keeps values as they are, containers copied on the way out: a long conversation is never decoded."""

    def dumps_typed(self, value: Any) -> tuple[str, Any]:
        return "kept", value

    def loads_typed(self, data: tuple[str, Any]) -> Any:
        return _copied(data[1])


def _copied(value: Any) -> Any:
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    if type(value) is list:
        return [_copied(item) for item in value]
    if type(value) is defaultdict:
        return defaultdict(value.default_factory, {key: _copied(item) for key, item in value.items()})
    return value


@dataclass(frozen=True, slots=True)
class Memory:
    """All checkpoints of a walk at one moment."""

    storage: Mapping[str, Any]
    writes: Mapping[Any, Any]
    blobs: Mapping[Any, Any]


class WalkSaver(InMemorySaver):
    """The saver a walk runs on. It holds one thread."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(serde=_ByReference())
        self.thread_id: Final = thread_id

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> Self:
        """Nothing is ever decoded here, so nothing needs to be allowed."""
        return self

    def taken(self) -> Memory:
        """Everything, as it is now."""
        spaces = self.storage.get(self.thread_id, {})
        return Memory(
            {space: dict(points) for space, points in spaces.items()},
            {key: dict(writes) for key, writes in self.writes.items()},
            dict(self.blobs),
        )

    def put_back(self, memory: Memory) -> None:
        """Be as `memory` was taken."""
        self.storage.clear()
        self.writes.clear()
        self.blobs.clear()
        self.storage[self.thread_id] = defaultdict(dict, {space: dict(kept) for space, kept in memory.storage.items()})
        self.writes.update({key: dict(writes) for key, writes in memory.writes.items()})
        self.blobs.update(memory.blobs)

    def begin_from(self, point: CheckpointTuple, values: Mapping[str, Any]) -> None:
        """Hold `point` of another saver, with the `values` it does not carry itself, and nothing before it."""
        checkpoint = {**point.checkpoint, "id": str(uuid6())}
        held = {**point.checkpoint["channel_values"]}
        known = point.checkpoint["channel_versions"]
        held.update({name: value for name, value in values.items() if name in known and name not in held})
        checkpoint["channel_values"] = held
        config: Any = {"configurable": {"thread_id": self.thread_id, "checkpoint_ns": ""}}
        self.put(config, checkpoint, point.metadata, known)  # type: ignore[arg-type]

    def hold(self, point: CheckpointTuple) -> RunnableConfig:
        """Hold `point` as it is, and nothing before it; where it is then found."""
        config: Any = {"configurable": {"thread_id": self.thread_id, "checkpoint_ns": ""}}
        return self.put(config, point.checkpoint, point.metadata, point.checkpoint["channel_versions"])

    def renew(self, space: str) -> None:
        """Give the latest checkpoint of the namespace `space` a new id, and so its tasks: a lineage of their own.

        What the tasks had written already is dropped; the walk answers for those that were done.
        """
        points = self.storage[self.thread_id][space]
        latest = max(points)
        checkpoint, metadata, parent = points[latest]
        renewed = {**self.serde.loads_typed(checkpoint), "id": str(uuid6())}
        points[renewed["id"]] = (self.serde.dumps_typed(renewed), metadata, parent)
        del points[latest]
        self.writes.pop((self.thread_id, space, latest), None)
