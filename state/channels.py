"""How the lists of a turn are stored: each item where it was added, and not once more at every step
after it.

LangGraph puts every key of the state into every checkpoint; a turn makes ten of them. A
`DeltaChannel` is left out: its value is found again by walking back, from checkpoint to checkpoint,
to the last one that holds a copy, and adding what was written since. When a copy is due is decided
here: LangGraph reads `snapshot_frequency` after every step, the number of writes after which the
checkpoint gets one.
"""

from typing import Any, Final, Self

from langgraph.channels import DeltaChannel

__all__ = ["GrowingList"]

_PART: Final = 8


class GrowingList(DeltaChannel[list[Any]]):
    """A list that grows with the thread. A copy is stored when an eighth of it is new, at the
    earliest after `least`.

    So both stay in bounds, however long the thread: what a turn stores (on the average eight copies
    of each item, whenever it was added) and how far back a turn must walk to find its history.

        >>> channel = GrowingList(lambda state, writes: [*state, *writes], snapshot_frequency=8)
        >>> channel.update(range(100)), channel.snapshot_frequency
        (True, 12)
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
