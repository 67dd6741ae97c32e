"""Sentences on what a vendor's profile changed in a request, or an error if nothing may change."""

from collections.abc import Iterable
from typing import Final, NoReturn

from turngraph.state.errors import TurnValueError

__all__ = ["Notes"]


class Notes:
    """Collects the sentences while one request is written. With `strict`, the first one is raised.

    >>> notes = Notes("groq", "m", strict=False)
    >>> notes.add_dropped("seed")
    >>> notes.sentences()
    ('`seed` is left out: groq does not take it for m.',)
    """

    def __init__(self, vendor: str, model: str, *, strict: bool) -> None:
        self.vendor: Final = vendor
        self.model: Final = model
        self._strict: Final = strict
        self._sentences: dict[str, None] = {}

    def add(self, sentence: str) -> None:
        """Keeps `sentence`, once. With `strict`, raises TurnValueError instead."""
        if self._strict:
            raise TurnValueError(f"{sentence} Nothing was sent, since `strict` is set.")
        self._sentences[sentence] = None

    def add_dropped(self, parameter: str, why: str = "") -> None:
        """Notes that `parameter` was left out.

        why: the reason; by default that the vendor does not take it for the model.
        """
        reason = why or f"{self.vendor} does not take it for {self.model}"
        self.add(f"`{parameter}` is left out: {reason}.")

    def add_tool_media(self, kinds: Iterable[str]) -> None:
        """Notes that content of these `kinds` in a tool's result became a text."""
        for kind in sorted(kinds):
            self.add(f"A tool's `{kind}` is sent as a note: {self.vendor} does not take it.")

    def refuse(self, sentence: str) -> NoReturn:
        """Raises TurnValueError, for what cannot be left out without losing a part of a message."""
        raise TurnValueError(f"{self.vendor}: {sentence}")

    def sentences(self) -> tuple[str, ...]:
        """Everything noted, in order."""
        return tuple(self._sentences)
