"""Helpers for the texts of messages: shorten, join names, put on one line, suggest a name.

They are shared by every file of this room, so that all error messages quote values the same way.
"""

import difflib
import json
import re
from collections.abc import Iterable
from typing import Final

__all__ = [
    "UNSENDABLE",
    "backticked",
    "one_line",
    "shorten",
    "suggest",
    "value_text",
]

UNSENDABLE: Final = re.compile("[\x00\ud800-\udfff]")
"""NUL and lone surrogates: characters that UTF-8, databases and vendors refuse."""


def shorten(text: str, limit: int) -> str:
    """Returns `text`, or its first `limit` characters and an ellipsis if it is longer.

    >>> shorten("abcdef", 3), shorten("abc", 3)
    ('abc…', 'abc')
    """
    return text if len(text) <= limit else f"{text[:limit]}…"


def one_line(text: str) -> str:
    """Returns `text` with every run of whitespace replaced by one space.

    >>> one_line("no such\\n  table ")
    'no such table'
    """
    return " ".join(text.split())


def backticked(names: Iterable[str]) -> str:
    """Returns `names` in backticks, separated by commas, or `none` if there are none.

    >>> backticked(["add", "subtract"]), backticked([])
    ('`add`, `subtract`', 'none')
    """
    return ", ".join(f"`{name}`" for name in names) or "none"


def suggest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Returns a hint with the name in `known` that is most like `word`, or an empty text.

    >>> suggest("selecter", ["selector", "prompt"]), suggest("colour", ["selector"])
    ('; did you mean `selector`?', '')
    """
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"; did you mean `{near[0]}`?" if near else ""


def value_text(value: object) -> str:
    """Returns `value` as text inside a query, an address or a form: JSON, but text without quotes.

    >>> value_text(True), value_text("a b"), value_text([1, "ü"])
    ('true', 'a b', '[1, "ü"]')
    """
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
