"""Stores the growing lists of a turn: each item in the checkpoint that added it, not in every one.

LangGraph writes every key of the state into every checkpoint, and a turn makes about ten
checkpoints. A `DeltaChannel` is left out of most of them. To read it, LangGraph walks back from
checkpoint to checkpoint until it finds one with a full copy, then adds what was written since.
LangGraph reads the channel's `snapshot_frequency` after every step: after that many writes, the
next checkpoint gets a full copy.
"""

from typing import Any, Final, Self

from langgraph.channels import DeltaChannel

__all__ = ["GrowingList"]

_PART: Final = 8
"""A full copy is due when one part in this many is new."""


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

    @property
    def snapshot_frequency(self) -> int:
        """The number of writes after which the next full copy is due."""
        # LangGraph stores this as a plain number; a property lets it grow with the list, which
        # keeps the sum of all copies linear in the list's length instead of quadratic.
        return max(self._least, len(self.value) // _PART) if self.is_available() else self._least

    @snapshot_frequency.setter
    def snapshot_frequency(self, least: int) -> None:
        self._least = least
