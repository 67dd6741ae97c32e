"""How the values of a turn are stored: where they are written, and not once more at every step after it.

LangGraph puts every key of the state into every checkpoint; a turn makes ten of them. A `DeltaChannel` is left out:
its value is found again by walking back, from checkpoint to checkpoint, to the last one that holds a copy, and adding
what was written since. Two things are decided here: what such a value is, and when a copy is due. LangGraph reads
`snapshot_frequency` after every step: the number of writes after which the checkpoint gets a copy.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Self

from langgraph.channels import DeltaChannel

__all__ = ["GrowingList", "StoredOnce"]

Reducer = Callable[[Any, Sequence[Any]], Any]

_PART: Final = 4


def last_of(state: Any, writes: Sequence[Any]) -> Any:
    """The last of `writes`.

    >>> last_of(1, [2, 3])
    3
    """
    return writes[-1]


class StoredOnce(DeltaChannel[Any]):
    """The last value written, as LangGraph's `LastValue` keeps it, stored at the step that wrote it and no other.

    >>> channel = StoredOnce(typ=int)
    >>> channel.update([1]), channel.get(), channel.copy().get()
    (True, 1, 1)
    """

    def __init__(
        self, reducer: Reducer = last_of, typ: type[Any] | None = None, *, snapshot_frequency: int = 1
    ) -> None:
        super().__init__(reducer, typ, snapshot_frequency=snapshot_frequency)

    def copy(self) -> Self:
        """The same value in another channel: values are never edited in place."""
        new = self.__class__(self.reducer, self.typ, snapshot_frequency=self.snapshot_frequency)
        new.key, new.value = self.key, self.value
        return new

    def from_checkpoint(self, checkpoint: Any) -> Self:
        """The channel as stored. Called on the graph's own channel, whose value is LangGraph's «there is none»."""
        return self.copy() if checkpoint is self.value else super().from_checkpoint(checkpoint)

    def update(self, values: Sequence[Any]) -> bool:
        """Take the value of one step."""
        if values and not self.is_available():
            self.value = None  # else LangGraph makes an empty one of the type, which no model of ours allows
        return super().update(values)


class GrowingList(DeltaChannel[list[Any]]):
    """A list that grows with the thread. A copy is stored when a quarter of it is new, at the earliest after `least`.

    So both stay in bounds, however long the thread: what a turn stores (on the average four copies of each item,
    whenever it was added) and how far back a turn must walk to find its history.

        >>> channel = GrowingList(lambda state, writes: [*state, *writes], snapshot_frequency=8)
        >>> channel.update(range(100)), channel.snapshot_frequency
        (True, 25)
    """

    def copy(self) -> Self:
        """The same list in another channel: lists are never edited in place."""
        new = self.__class__(self.reducer, self.typ, snapshot_frequency=self._least)
        new.key, new.value = self.key, self.value
        return new

    @property
    def snapshot_frequency(self) -> int:
        """After how many writes the next copy is due."""
        return max(self._least, len(self.value) // _PART) if self.is_available() else self._least

    @snapshot_frequency.setter
    def snapshot_frequency(self, least: int) -> None:
        self._least = least
