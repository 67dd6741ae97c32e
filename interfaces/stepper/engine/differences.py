"""Differences between two states, and between two lines of steps."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from langchain_core.messages import BaseMessage

from turngraph.interfaces.plain_text import money, one_line
from turngraph.interfaces.stepper.engine.places import name_item, name_member

__all__ = [
    "Change",
    "Comparison",
    "Differences",
    "diff_states",
    "merge_edits",
    "side_by_side",
]

_ABSENT = "(absent)"


@dataclass(frozen=True)
class Change:
    """One value that differs. A value that exists in one state only is `(absent)` in the other."""

    path: str
    """Where the value is: `request.temperature`. A member of a list has its place, from 1, and a
    message its role too: `message 3 (assistant)`.
    """
    before: Any
    after: Any

    @property
    def is_empty(self) -> bool:
        """Whether neither side has a value: it is absent, or None."""
        return all(value is None or value is _ABSENT for value in (self.before, self.after))

    def __str__(self) -> str:
        """One line."""
        before, after = (one_line(_text(value), 60) for value in (self.before, self.after))
        return f"{self.path}: {before} → {after}"


class Differences(tuple[Change, ...]):
    """All values that differ, in the order of the states."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "no difference"

    __repr__ = __str__


@dataclass(frozen=True)
class Comparison:
    """Two lines of steps side by side. Pairs are in their order."""

    names: tuple[str, str]
    first_different_step: int
    """The number of the first step that the lines do not share; 0 if they share none."""
    statuses: tuple[str, str]
    """How each line stands: `failed`, `waits for a person`, `done` or `goes on`."""
    answers: tuple[str, str]
    errors: tuple[str, str]
    """Why there is no answer, in a sentence; empty if nothing failed."""
    cost_usd: tuple[Decimal, Decimal]
    calls: tuple[int, int]
    """Requests sent to the model."""
    steps: tuple[int, int]
    first_steps: tuple[str, str]
    """What each line did in the first step that differs; empty if it has no such step."""
    request: Differences
    """The differences between what the two lines sent to the model, in the first call whose JSON
    differs: `request 1: message 1 (system), content`.
    """
    changes: Differences
    """The differences between the states of the two lines."""

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """The rows of a table: what, the first line's, the second line's."""
        charged = [
            ("cost", *_pair(map(money, self.cost_usd))),
            ("calls to the model", *_pair(map(str, self.calls))),
        ]
        rows = [
            ("status", *self.statuses),
            ("answer", *self.answers),
            ("error", *self.errors),
            # Without a turn nobody counts the calls, so none and nothing would be wrong.
            *(charged if any((*self.calls, *self.cost_usd)) else ()),
            ("steps", *_pair(map(str, self.steps))),
            ("first difference", *self.first_steps),
        ]
        return [(what, a, b) for what, a, b in rows if a or b]

    @property
    def values(self) -> list[Change]:
        """What the lines sent otherwise, then what differs in their states: no ids, no times."""
        changes = side_by_side(change for change in self.changes if not change.is_empty)
        return [*self.request, *changes]

    @property
    def summary(self) -> str:
        """One sentence: from which step on the lines differ, and by what."""
        if self.first_different_step > max(self.steps):
            return "the lines do not differ"
        first, second = (
            f"{name}: {step or 'has no such step'}"
            for name, step in zip(self.names, self.first_steps, strict=True)
        )
        return f"the lines differ from step {self.first_different_step} on ({first}; {second})"

    def __str__(self) -> str:
        """A small table."""
        first, second = self.names
        values = [(each.path, _text(each.before), _text(each.after)) for each in self.values]
        rows = (
            f"{what}: {first} {one_line(a, 60) or 'none'} | {second} {one_line(b, 60) or 'none'}"
            for what, a, b in (*self.rows, *values)
        )
        return "\n".join((self.summary, *rows))


def _pair(texts: Iterable[str]) -> tuple[str, str]:
    first, second = texts
    return first, second


def diff_states(before: Mapping[str, object], after: Mapping[str, object]) -> Differences:
    """Compares two states key by key; messages are matched by their ids.

    >>> print(diff_states({"n": 1}, {"n": 2, "m": None}))
    n: 1 → 2
    m: (absent) → None
    """
    changes: list[Change] = []
    for key in dict.fromkeys((*before, *after)):
        changes += _changes(key, before.get(key, _ABSENT), after.get(key, _ABSENT))
    return Differences(changes)


_INCIDENTAL: Final = re.compile(
    r"^(reservation|turn_id|started_at)$"
    r"|^(attempts|charges|result|tool_runs)\b.*"
    r"(([._]|, )(ids?|sha|started_at|created|seconds)( \d+)?$|(\.|, )raw\b)"
    r"|^(result\.)?attempts \d+, request\b"
)
"""What a turn stores of ids, times and raw answers: two runs never share them. And the requests
before they were written as JSON, which are not what an edit made of them.
"""


def side_by_side(changes: Iterable[Change]) -> list[Change]:
    """Returns the changes that say how two lines differ.

    A turn's ids and times are left out, as two runs never share them, and what its result repeats.
    Messages of the same place and role are one change, though their ids differ, and none where they
    say the same.

    >>> [one, two] = [Change("message 2 (assistant)", "Yes.", "(absent)"), Change("calls", 1, 2)]
    >>> again = [Change("attempts 1, id", "a", "b"), Change("result.calls", 1, 2)]
    >>> [each.path for each in side_by_side([one, two, *again])]
    ['message 2 (assistant)', 'calls']
    """
    found: dict[str, Change] = {}
    for change in changes:
        other = found.get(change.path)
        if _INCIDENTAL.search(change.path):
            continue
        if other is not None and change.before is _ABSENT:
            change = replace(other, after=change.after)
        found[change.path] = change
    return [
        change
        for path, change in found.items()
        if path.removeprefix("result.") not in found.keys() - {path} and not _says_the_same(change)
    ]


def _says_the_same(change: Change) -> bool:
    """Whether both sides are messages that differ in no more than their ids."""
    before, after = change.before, change.after
    if not (isinstance(before, BaseMessage) and isinstance(after, BaseMessage)):
        return False
    said = [(each.type, each.content, _called(each)) for each in (before, after)]
    return said[0] == said[1]


def _called(message: BaseMessage) -> str:
    calls = getattr(message, "tool_calls", None) or []
    return ", ".join(f"{call['name']}({call['args']})" for call in calls)


def merge_edits(base: Any, edited: Any, new: Any) -> Any:
    """Returns `new` with what `edited` has changed in `base`. Where both changed a value, that of
    `new` stands.

    >>> merge_edits({"n": 1, "m": 1}, {"n": 2, "m": 2}, {"n": 3, "m": 1})
    {'n': 3, 'm': 2}
    """
    if base == edited:
        return new
    if base == new:
        return edited
    if all(isinstance(each, Mapping) for each in (base, edited, new)):
        names = dict.fromkeys((*new, *edited))
        trios = {name: [each.get(name, _ABSENT) for each in (base, edited, new)] for name in names}
        merged = {name: merge_edits(*trio) for name, trio in trios.items()}
        return {name: value for name, value in merged.items() if value is not _ABSENT}
    are_lists = all(isinstance(each, list) for each in (base, edited, new))
    if are_lists and len(base) == len(edited) == len(new):
        return [merge_edits(*trio) for trio in zip(base, edited, new, strict=True)]
    return new


def _changes(path: str, before: Any, after: Any) -> list[Change]:
    if before is after:  # states share what has not changed, so most values end here
        return []
    if _are_messages(before) and _are_messages(after):
        return _message_changes(path, before, after)
    old, new = _members(before), _members(after)
    if old is None or new is None or type(before) is not type(after):
        return [] if _same(before, after) else [Change(path, before, after)]
    is_list = isinstance(before, list | tuple)
    changes: list[Change] = []
    for key in dict.fromkeys((*old, *new)):
        earlier, later = old.get(key, _ABSENT), new.get(key, _ABSENT)
        if not is_list:
            changes += _changes(name_member(path, key), earlier, later)
        # A long list is mostly what both have: only what differs is given a name.
        elif not _equal(earlier, later):
            name = name_item(path, key, earlier if later is _ABSENT else later)
            changes += _changes(name, earlier, later)
    return changes


def _equal(before: object, after: object) -> bool:
    """Whether two values of JSON are equal. Others are compared by `_changes`, so they are not."""
    if before is after:
        return True
    if type(before) is not type(after):
        return False
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(
            _equal(value, after[name]) for name, value in before.items()
        )
    return type(before) in (str, int, float, bool) and before == after


def _message_changes(
    path: str, before: Sequence[BaseMessage], after: Sequence[BaseMessage]
) -> list[Change]:
    # States share their messages, and a long conversation begins with the same ones.
    pairs = enumerate(zip(before, after, strict=False))
    shortest = min(len(before), len(after))
    same = next((place for place, (a, b) in pairs if a is not b), shortest)
    old = {each.id: (place, each) for place, each in enumerate(before[same:], same + 1)}
    new = {each.id: (place, each) for place, each in enumerate(after[same:], same + 1)}
    changes = []
    for message_id in dict.fromkeys((*old, *new)):
        _, earlier = old.get(message_id, (0, _ABSENT))
        _, later = new.get(message_id, (0, _ABSENT))
        if earlier is not later and earlier != later:
            place, message = new.get(message_id) or old[message_id]
            changes.append(Change(name_item(path, place - 1, message), earlier, later))
    return changes


def _are_messages(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, BaseMessage) for item in value)


def _members(value: object) -> dict[Any, Any] | None:
    """The members of a container or model, by key; None for a value that is compared as a whole."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return dict(enumerate(value))
    fields = getattr(type(value), "model_fields", None)
    if fields is not None and not isinstance(value, BaseMessage):
        return {name: getattr(value, name) for name in fields}
    return None


def _same(before: object, after: object) -> bool:
    # 1, 1.0 and True are equal in Python, but not the same JSON.
    return type(before) is type(after) and bool(before == after)


def _text(value: object) -> str:
    if isinstance(value, BaseMessage):
        return value.text or _called(value) or "(no text)"
    return value if isinstance(value, str) else repr(value)
