"""One pane of a screen as plain text and rows, no longer than a page can hold."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from turngraph.drawing.marks import Mark
from turngraph.interfaces.plain_text import printable

__all__ = ["Pane", "counted", "fitted", "message_text", "short", "table", "value_text"]

_MAX_PANE_CHARS: Final = 20_000
"""Keeps a page quick, however long the thread is."""
_MAX_VALUE_CHARS: Final = 400
"""For a value that stands beside another one."""
Row = tuple[str, ...]


@dataclass(frozen=True)
class Pane:
    """A part of the screen: a text, or rows under a head, or pictures. Nothing is escaped yet."""

    text: str = ""
    head: Row = ()
    rows: tuple[Row, ...] = ()
    row_format: str = "{}"
    """How a row reads in plain text."""
    note: str = ""
    """What stands beside the pane's name."""
    mark: Mark | None = None
    """`failed` for an error, `waiting` for a question to a person."""
    pictures: tuple[str, ...] = ()
    """SVG documents drawn by turngraph."""

    @property
    def as_text(self) -> str:
        """The whole pane as plain text."""
        return self.text or "\n".join(self.row_format.format(*row) for row in self.rows)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.text or self.rows or self.pictures)


def table(
    head: Row, rows: Sequence[Row], row_format: str, *, unit: str = "", note: str = ""
) -> Pane:
    """A pane of rows; its note is how many there are of the unit, unless one is given."""
    if unit and rows:
        note = counted(len(rows), unit)
    return Pane(head=head, rows=tuple(rows), row_format=row_format, note=note)


def counted(number: int, unit: str) -> str:
    """Returns a number of things in words: `1 message`, `2 messages`."""
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def message_text(message: BaseMessage) -> str:
    """Returns the text of a message and the tool calls in it."""
    calls = getattr(message, "tool_calls", None) or []
    texts = [f"{call['name']}({json.dumps(call['args'], ensure_ascii=False)})" for call in calls]
    return " ".join(filter(None, (message.text, *texts)))


def short(value: object) -> str:
    """A value of a state as text of limited length."""
    text = value_text(value)
    return text if len(text) <= _MAX_VALUE_CHARS else f"{text[:_MAX_VALUE_CHARS]}…"


def value_text(value: object) -> str:
    """A value of a state as text; a message as its text and its calls."""
    if isinstance(value, BaseMessage):
        return message_text(value) or "(no text)"
    if isinstance(value, BaseModel):
        value = value.model_dump_json(exclude_defaults=True)
    return value if isinstance(value, str) else repr(value)


def fitted(pane: Pane) -> Pane:
    """`pane` with control characters made visible, and no longer than a page can hold.

    Of too many rows the last are kept, because the newest matter most.
    """
    rows = [tuple(_cut(printable(cell)) for cell in row) for row in pane.rows]
    room, first = _MAX_PANE_CHARS, len(rows)
    while first and room > 0:
        first -= 1
        room -= sum(map(len, rows[first]))
    if first:
        rows = [("…", f"{first} more before", *[""] * (len(pane.head) - 2)), *rows[first:]]
    return replace(
        pane,
        text=_cut(printable(pane.text)),
        rows=tuple(rows),
        note=printable(pane.note),
        head=tuple(map(printable, pane.head)),
    )


def _cut(text: str) -> str:
    if len(text) <= _MAX_PANE_CHARS:
        return text
    return f"{text[:_MAX_PANE_CHARS]}\n… {len(text) - _MAX_PANE_CHARS} more characters"
