"""Words mistakes in the arguments of a call, for the model that made them."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

from turngraph.tools.output import clean
from turngraph.tools.text import shorten

__all__ = ["MAX_MISTAKES", "UncheckableError", "mistake_text", "quote"]

MAX_MISTAKES: Final = 3
"""Mistakes reported for one call. The model corrects them and calls again."""
MAX_QUOTED: Final = 300
"""Characters of one value or message that are quoted in an error message."""


class UncheckableError(Exception):
    """A check that cannot be finished. Its text follows the words "could not be checked"."""


def mistake_text(
    path: Sequence[str | int],
    message: str,
    *,
    allowed: str = "",
    known: Iterable[str] | None = None,
) -> str:
    """Returns one mistake as text: where, what, and what is allowed there.

    `allowed` is the value of the keyword that found the mistake; it is told if the message is too
    long to be quoted whole. `known` are the names that an object may have.

        >>> mistake_text(["tags", 0], '1 is not of type "string"')
        'at `$.tags[0]`: 1 is not of type "string"'
    """
    hint = f" (allowed: {quote(allowed)})" if allowed and len(message) > MAX_QUOTED else ""
    if known is not None:
        hint = f" (known: {quote(', '.join(known) or 'none')})"
    return f"at `{shorten(clean(_json_path(path)), 100)}`: {quote(message)}{hint}"


def quote(text: str) -> str:
    """Returns the first characters of `text`, which others wrote, without control characters."""
    return shorten(clean(text), MAX_QUOTED)


def _json_path(path: Sequence[str | int]) -> str:
    # https://www.rfc-editor.org/rfc/rfc9535#name-normalized-paths, with dots where they can be read
    steps = (
        f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{json.dumps(step)}]"
        for step in path
    )
    return "$" + "".join(steps)
