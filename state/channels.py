"""Stores the large keys of a turn: each value in the checkpoint that wrote it, not in every one.

LangGraph writes every key of the state into every checkpoint, and a turn makes about ten
checkpoints. A `DeltaChannel` is left out of most of them. To read it, LangGraph walks back from
checkpoint to checkpoint until it finds one with a full copy, then adds what was written since.
LangGraph reads the channel's `snapshot_frequency` after every step: after that many writes, the
next checkpoint gets a full copy.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Self

from langgraph.channels import DeltaChannel
from langgraph.errors import InvalidUpdateError
from langgraph.types import Overwrite

from turngraph.state.stored import Stored

__all__ = ["GrowingList", "LatestValue"]

_PART: Final = 8
"""A full copy is due when one part in this many is new."""

Write = tuple[str, str, Any]
"""A write as LangGraph stores it: the task's id, the channel, the value."""


class GrowingList(DeltaChannel[list[Any]]):
    """The channel of a list that grows with the thread.

    A full copy is stored when an eighth of the list is new, but not before `snapshot_frequency`
    writes (the constructor's argument). This bounds two costs, however long the thread is: what a
    turn stores (each item is copied about eight times in its life), and how far back LangGraph must
    walk to read the list.

        >>> channel = GrowingList(lambda state, writes: [*state, *writes], snapshot_frequency=8)
        >>> channel.update(range(100)), channel.snapshot_frequency
        (True, 12)
    """

    def copy(self) -> Self:
        """Returns another channel with the same list, which is shared: lists are never edited."""
        new = self.__class__(self.reducer, self.typ, snapshot_frequency=self._least)
        new.key, new.value = self.key, self.value
        return new

    def from_checkpoint(self, checkpoint: Any) -> Self:
        """Returns a channel with the list that a checkpoint holds."""
        new = super().from_checkpoint(checkpoint)
        if isinstance(new.value, Stored):
            new.value = new.value.value
        return new

    @property
    def snapshot_frequency(self) -> int:
        """The number of writes after which the next full copy is due."""
        # LangGraph stores this as a plain number; a property lets it grow with the list, which
        # keeps the sum of all copies linear in the list's length instead of quadratic.
        return max(self._least, len(self.value) // _PART) if self.is_available() else self._least

    @snapshot_frequency.setter
    def snapshot_frequency(self, least: int) -> None:
        self._least = least


def latest(state: Any, writes: Sequence[Any]) -> Any:
    """Returns the last of `writes`, or `state` if there is none.

    >>> latest(1, [2, 3]), latest(1, [])
    (3, 1)
    """
    return writes[-1] if writes else state


class LatestValue(DeltaChannel[Any]):
    """The channel of a large value that is replaced.

    It stands in the checkpoint that wrote it; an ordinary channel repeats it in every later one.
    It is decoded when it is first looked at. Before it is first written it reads as None, or as an
    empty list where the key holds a list.

        >>> channel = LatestValue()
        >>> channel.get(), channel.update([4]), channel.get()
        (None, True, 4)
    """

    def __init__(
        self,
        reducer: Callable[[Any, Sequence[Any]], Any] = latest,
        typ: Any = object,
        *,
        snapshot_frequency: int = 1,
    ) -> None:
        # LangGraph makes the channel of a key anew from these three.
        super().__init__(reducer, typ, snapshot_frequency=snapshot_frequency)

    def copy(self) -> Self:
        """Returns another channel with the same value, which is shared: values are never edited."""
        new = self.__class__(typ=self.typ)
        new.key, new.value = self.key, self.value
        return new

    def from_checkpoint(self, checkpoint: Any) -> Self:
        """Returns a channel with the value that a checkpoint holds, or without one."""
        new = self.__class__(typ=self.typ)
        new.key = self.key
        # A new channel holds LangGraph's mark for "no value", and gets the same one here. Of it,
        # `DeltaChannel` would make an empty value by calling the type, which may need arguments;
        # from LangGraph 1.2.24 on of None too, which stands in threads that were stored before.
        if checkpoint is not new.value and checkpoint is not None:
            new.value = super().from_checkpoint(checkpoint).value
        return new

    def replay_writes(self, writes: Sequence[Write]) -> None:
        """Takes the last of the stored `writes`."""
        if writes:
            self.value = _plain(writes[-1][2])

    def update(self, values: Sequence[Any]) -> bool:
        """Takes the value that a step wrote.

        Raises InvalidUpdateError if parallel tasks wrote more than one.
        """
        if len(values) > 1:
            raise InvalidUpdateError(
                f"`{self.key}` takes one value a step; {len(values)} tasks wrote one."
            )
        if values:
            self.value = _plain(values[0])
        return bool(values)

    def get(self) -> Any:
        """Returns the value. Without one this is no error: LangGraph stores a full copy of what a
        dead task has written and nobody has read yet.
        """
        if not self.is_available():
            return [] if self.typ is list else None
        if isinstance(self.value, Stored):
            self.value = self.value.value
        return self.value


def _plain(write: Any) -> Any:
    return write.value if isinstance(write, Overwrite) else write
