"""Snapshots of a walk as JSON and back. Each checkpoint is written once: a snapshot names what it
has more, and what it has less, than the one before it.
"""

from collections.abc import Iterator
from typing import Any

from turngraph.interfaces.stepper.engine.snapshots import LazyValue, Snapshot
from turngraph.interfaces.stepper.engine.stored_values import ValueReader, ValueWriter

__all__ = ["SnapshotReader", "SnapshotWriter"]


class SnapshotWriter:
    """Writes snapshots, one after the other. `entries` is the table of what they hold."""

    def __init__(self, values: ValueWriter) -> None:
        self._values = values
        self.entries: list[list[Any]] = []
        self._numbers: dict[object, int] = {}
        self._written: list[object] = []
        self._last: set[int] = set()

    def write(self, snapshot: Snapshot) -> list[list[int]]:
        """Returns the numbers of the entries to add to the snapshot before, and those to drop."""
        now = {self._number(key, entry) for key, entry in self._entries(snapshot)}
        changes = [sorted(now - self._last), sorted(self._last - now)]
        self._last = now
        return changes

    def _entries(self, snapshot: Snapshot) -> Iterator[tuple[object, list[Any]]]:
        for namespace, checkpoints in snapshot.storage.items():
            for checkpoint_id, (checkpoint, metadata, parent) in checkpoints.items():
                key = ("checkpoint", namespace, checkpoint_id, id(checkpoint), id(metadata))
                yield key, ["checkpoint", namespace, checkpoint_id, checkpoint, metadata, parent]
        for (_, namespace, checkpoint_id), writes in snapshot.writes.items():
            for place, write in writes.items():
                key = ("write", namespace, checkpoint_id, place, id(write))
                yield key, ["write", namespace, checkpoint_id, place, write]
        for (_, namespace, channel, version), typed in snapshot.blobs.items():
            yield (
                ("blob", namespace, channel, version, id(typed)),
                ["blob", namespace, channel, version, typed],
            )

    def _number(self, key: object, entry: list[Any]) -> int:
        if key not in self._numbers:
            self._written.append(entry)  # the ids in the key stay its own as long as it lives
            self.entries.append([self._values.write(_read_now(part)) for part in entry])
            self._numbers[key] = len(self.entries) - 1
        return self._numbers[key]


class SnapshotReader:
    """Reads snapshots in the order in which they were written."""

    def __init__(self, thread_id: str, values: ValueReader, entries: list[list[Any]]) -> None:
        self._thread_id, self._values, self._entries = thread_id, values, entries
        self._read: dict[int, list[Any]] = {}
        self._last: set[int] = set()

    def read(self, changes: list[list[int]]) -> Snapshot:
        """Returns the next snapshot."""
        added, dropped = changes
        self._last = (self._last | set(added)) - set(dropped)
        storage: dict[str, Any] = {}
        writes: dict[Any, Any] = {}
        blobs: dict[Any, Any] = {}
        for number in sorted(self._last):  # in the order in which they were stored
            kind, namespace, *rest = self._entry(number)
            if kind == "checkpoint":
                checkpoint_id, checkpoint, metadata, parent = rest
                storage.setdefault(namespace, {})[checkpoint_id] = (checkpoint, metadata, parent)
            elif kind == "write":
                checkpoint_id, place, write = rest
                writes.setdefault((self._thread_id, namespace, checkpoint_id), {})[place] = write
            elif kind == "blob":
                channel, version, typed = rest
                blobs[(self._thread_id, namespace, channel, version)] = typed
            else:
                raise ValueError(f"{kind!r} is no part of a snapshot")
        return Snapshot(storage, writes, blobs)

    def _entry(self, number: int) -> list[Any]:
        if number not in self._read:
            self._read[number] = [self._values.read(part) for part in self._entries[number]]
        return self._read[number]


def _read_now(part: Any) -> Any:
    """Replaces a value that is read on first use by the value itself."""
    if type(part) is not tuple:
        return part
    if len(part) == 2 and part[0] == "lazy" and isinstance(part[1], LazyValue):
        return "value", part[1].value
    return tuple(map(_read_now, part))
