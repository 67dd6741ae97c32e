"""What differs between two states, and between two lines of steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from langchain_core.messages import BaseMessage

from turngraph.interfaces.plain_text import money, one_line

__all__ = ["Change", "Comparison", "Differences", "diff_states"]

_ABSENT = "(absent)"


@dataclass(frozen=True)
class Change:
    """One place that differs. `None` stands for `None`; what is not there at all is `(absent)`."""

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.path}: {one_line(_said(self.before), 60)} → {one_line(_said(self.after), 60)}"
        )


class Differences(tuple[Change, ...]):
    """Every place that differs, in order."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "no difference"

    __repr__ = __str__


@dataclass(frozen=True)
class Comparison:
    """Two lines of steps side by side."""

    names: tuple[str, str]
    parted_at: int
    """The number of the last step they share; -1 where they share none."""
    steps: tuple[int, int]
    calls: tuple[int, int]
    cost_usd: tuple[Decimal, Decimal]
    answers: tuple[str, str]
    changes: Differences
    """Of the state at their ends."""

    def __str__(self) -> str:
        """A small table."""
        rows = [
            ("steps", *map(str, self.steps)),
            ("calls to the model", *map(str, self.calls)),
            ("cost", *map(money, self.cost_usd)),
            ("answer", *(one_line(answer, 60) for answer in self.answers)),
        ]
        head = f"they part after step {self.parted_at}\n"
        return head + "\n".join(
            f"{what}: {self.names[0]} {a} | {self.names[1]} {b}" for what, a, b in rows
        )


def diff_states(before: Mapping[str, Any], after: Mapping[str, Any]) -> Differences:
    """What differs, key by key; messages are told apart by their ids.

    >>> print(diff_states({"n": 1}, {"n": 2, "m": None}))
    n: 1 → 2
    m: (absent) → None
    """
    found: list[Change] = []
    for key in dict.fromkeys((*before, *after)):
        found += _changes(key, before.get(key, _ABSENT), after.get(key, _ABSENT))
    return Differences(found)


def _changes(path: str, before: Any, after: Any) -> list[Change]:
    if before is after:
        return []
    if _are_messages(before) and _are_messages(after):
        return _of_messages(path, before, after)
    old, new = _members(before), _members(after)
    if old is None or new is None or type(before) is not type(after):
        return [] if _same(before, after) else [Change(path, before, after)]
    found: list[Change] = []
    for key in dict.fromkeys((*old, *new)):
        place = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}"
        found += _changes(place, old.get(key, _ABSENT), new.get(key, _ABSENT))
    return found


def _of_messages(
    path: str, before: Sequence[BaseMessage], after: Sequence[BaseMessage]
) -> list[Change]:
    old, new = (
        {message.id: message for message in before},
        {message.id: message for message in after},
    )
    return [
        Change(
            f"{path}[{(new.get(name) or old[name]).type} {name}]",
            old.get(name, _ABSENT),
            new.get(name, _ABSENT),
        )
        for name in dict.fromkeys((*old, *new))
        if old.get(name) is not new.get(name) and old.get(name) != new.get(name)
    ]


def _are_messages(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, BaseMessage) for item in value)


def _members(value: Any) -> dict[Any, Any] | None:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return dict(enumerate(value))
    fields = getattr(type(value), "model_fields", None)
    if fields is not None and not isinstance(value, BaseMessage):
        return {name: getattr(value, name) for name in fields}
    return None


def _same(before: Any, after: Any) -> bool:
    return type(before) is type(after) and bool(before == after)


def _said(value: Any) -> str:
    if isinstance(value, BaseMessage):
        calls = getattr(value, "tool_calls", None) or []
        return (
            value.text
            or ", ".join(f"{call['name']}({call['args']})" for call in calls)
            or "(no text)"
        )
    return value if isinstance(value, str) else repr(value)
