r"""Joins characters that a stream cut in two.

Text in JSON may write a character outside the basic plane as two escapes (`\ud83d\ude00`). Servers
that cut text by tokens send one half in one event and the other in the next.
"""

from typing import Any, Final

__all__ = ["HalfCharacters"]

_HIGH: Final = ("\ud800", "\udbff")
_PLACES: Final = ("type", "output_index", "content_index", "summary_index")
"""Members that say to which text of an answer a Responses event adds."""


class HalfCharacters:
    r"""Holds the first half of a character back until its second half comes.

    >>> halves = HalfCharacters()
    >>> halves.join({"delta": "Hi \ud83d"}), ascii(halves.join({"delta": "\ude00!"})["delta"])
    ({'delta': 'Hi '}, "'\\U0001f600!'")
    """

    def __init__(self) -> None:
        self._held: dict[tuple[object, ...], str] = {}

    @property
    def holding(self) -> bool:
        """Whether a first half waits for its second."""
        return bool(self._held)

    def join(self, event: Any) -> Any:
        """Returns `event` with the halves joined that belong to one character."""
        place: tuple[object, ...] = ()
        if isinstance(event, dict):
            place = tuple(event.get(name) for name in _PLACES)
        return self._walk(event, tuple(map(str, place)))

    def _walk(self, value: Any, place: tuple[object, ...]) -> Any:
        if isinstance(value, dict):
            return {name: self._walk(member, (*place, name)) for name, member in value.items()}
        if isinstance(value, list):
            return [
                self._walk(member, (*place, _index_of(member, n))) for n, member in enumerate(value)
            ]
        return self._text(value, place) if isinstance(value, str) and value else value

    def _text(self, text: str, place: tuple[object, ...]) -> str:
        if held := self._held.pop(place, ""):
            # Through UTF-16, because Python keeps two halves apart that stand side by side.
            text = (held + text).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        if _HIGH[0] <= text[-1] <= _HIGH[1]:
            self._held[place] = text[-1]
            return text[:-1]
        return text


def _index_of(member: object, position: int) -> object:
    index = member.get("index") if isinstance(member, dict) else None
    return index if isinstance(index, int) else position
