"""A walk's own checkpoints: kept in memory, copied whole at each step, so that going back is
putting a copy back.

LangGraph's time travel cannot return to the middle of parallel tool calls, and forks badly inside
subgraphs. A saver that is put back as it was can do both, because LangGraph then only ever resumes
from the latest checkpoint.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.memory import InMemorySaver

__all__ = ["NOTHING", "Later", "SessionSaver", "Snapshot"]


class Later:
    """A value that is read when it is first wanted: the conversation of a stored thread, which
    takes long to decode.
    """

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read

    @cached_property
    def value(self) -> Any:
        """The value, read once."""
        return self._read()


class _ByReference:
    """Keeps values as they are, containers copied on the way out: a long conversation is never
    decoded.
    """

    def dumps_typed(self, value: Any) -> tuple[str, Any]:
        return "later" if isinstance(value, Later) else "kept", value

    def loads_typed(self, data: tuple[str, Any]) -> Any:
        kind, value = data
        return _copied(value.value if kind == "later" else value)


def _copied(value: Any) -> Any:
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    if type(value) is list:
        return [_copied(item) for item in value]
    if type(value) is defaultdict:
        return defaultdict(
            value.default_factory, {key: _copied(item) for key, item in value.items()}
        )
    return value


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All checkpoints of a walk at one moment."""

    storage: Mapping[str, Any]
    writes: Mapping[Any, Any]
    blobs: Mapping[Any, Any]


NOTHING: Final = Snapshot({}, {}, {})


class SessionSaver(InMemorySaver):
    """The saver a walk runs on. It holds one thread."""

    def __init__(self, thread_id: str, memory: Snapshot | None = None) -> None:
        super().__init__(serde=_ByReference())
        self.thread_id: Final = thread_id
        if memory is not None:
            self.restore(memory)

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> Self:
        """Nothing is ever decoded here, so nothing needs to be allowed."""
        return self

    def taken(self, *, at: Mapping[str, str] | None = None) -> Snapshot:
        """Everything, as it is now; or as it was when the checkpoints `at`, by namespace, were the
        latest.

        What was written after the latest checkpoints is then left out.
        """
        spaces = self.storage.get(self.thread_id, {})
        if at is None:
            storage = {space: dict(points) for space, points in spaces.items()}
        else:
            storage = {
                space: {name: point for name, point in spaces[space].items() if name <= last}
                for space, last in at.items()
            }
        writes = {
            key: dict(written)
            for key, written in self.writes.items()
            if at is None or (key[1] in at and key[2] < at[key[1]])
        }
        return Snapshot(storage, writes, dict(self.blobs))

    def restore(self, memory: Snapshot) -> None:
        """Be as `memory` was taken."""
        self.storage.clear()
        self.writes.clear()
        self.blobs.clear()
        self.storage[self.thread_id] = defaultdict(
            dict, {space: dict(kept) for space, kept in memory.storage.items()}
        )
        self.writes.update({key: dict(writes) for key, writes in memory.writes.items()})
        self.blobs.update(memory.blobs)

    def hold(
        self,
        point: CheckpointTuple,
        values: Mapping[str, Any],
        paths: Mapping[str, str] | None = None,
    ) -> Any:
        """Hold `point` of another saver as it is, with `values` beside those it carries; where it
        is then found.

        With `paths`, by task, what its tasks wrote is held too.
        """
        parent = (
            None
            if point.parent_config is None
            else point.parent_config["configurable"]["checkpoint_id"]
        )
        space = str(point.config["configurable"].get("checkpoint_ns", ""))
        config: Any = {
            "configurable": {
                "thread_id": self.thread_id,
                "checkpoint_ns": space,
                "checkpoint_id": parent,
            }
        }
        held = {**point.checkpoint["channel_values"], **values}
        versions = {
            name: version
            for name, version in point.checkpoint["channel_versions"].items()
            if name in held
        }
        place = self.put(
            config, {**point.checkpoint, "channel_values": held}, point.metadata, versions
        )
        if paths is not None:
            for task_id, writes in _by_task(point.pending_writes or ()).items():
                self.put_writes(place, writes, task_id, paths.get(task_id, ""))
        return place

    def renew(self, space: str) -> None:
        """Give the latest checkpoint of the namespace `space` a new id, and so its tasks: a lineage
        of their own.

        What the tasks had written already is dropped; the walk answers for those that were done.
        """
        points = self.storage[self.thread_id][space]
        latest = max(points)
        checkpoint, metadata, parent = points[latest]
        renewed = {**self.serde.loads_typed(checkpoint), "id": str(uuid6())}
        points[renewed["id"]] = (self.serde.dumps_typed(renewed), metadata, parent)
        del points[latest]
        self.writes.pop((self.thread_id, space, latest), None)


def _by_task(writes: Sequence[tuple[str, str, Any]]) -> dict[str, list[tuple[str, Any]]]:
    by_task: dict[str, list[tuple[str, Any]]] = {}
    for task_id, channel, value in writes:
        by_task.setdefault(task_id, []).append((channel, value))
    return by_task
