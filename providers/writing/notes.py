"""What a vendor's profile changed in a request, in sentences; or an error, where nothing may be
changed.
"""

from typing import Final, NoReturn

from turngraph.state.errors import TurnValueError

__all__ = ["Notes"]


class Notes:
    """The sentences collected while one request is written. With `strict`, the first one is raised.

    >>> notes = Notes("groq", "m", strict=False)
    >>> notes.dropped("seed")
    >>> notes.taken()
    ('`seed` is left out: groq does not take it for m.',)
    """

    def __init__(self, vendor: str, model: str, *, strict: bool) -> None:
        self.vendor: Final = vendor
        self.model: Final = model
        self._strict: Final = strict
        self._sentences: dict[str, None] = {}

    def add(self, sentence: str) -> None:
        """Keep `sentence`, once. Raises TurnValueError instead with `strict`."""
        if self._strict:
            raise TurnValueError(f"{sentence} Nothing was sent, since `strict` is set.")
        self._sentences[sentence] = None

    def dropped(self, parameter: str, why: str = "") -> None:
        """Keep that `parameter` was left out, because of `why`."""
        self.add(
            f"`{parameter}` is left out: {why or f'{self.vendor} does not take it for {self.model}'}."
        )

    def refuse(self, sentence: str) -> NoReturn:
        """Raise TurnValueError: what cannot be left out without losing what somebody said."""
        raise TurnValueError(f"{self.vendor}: {sentence}")

    def taken(self) -> tuple[str, ...]:
        """Everything kept, in order."""
        return tuple(self._sentences)
