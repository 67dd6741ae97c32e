"""JSON as vendors send it, read fast and within bounds, fit to be stored."""

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from turngraph.providers.reading.read_limits import too_large
from turngraph.state.errors import ErrorKind, ProviderError

__all__ = ["CLEANED", "parse_json", "storable"]

CLEANED = "Text held NUL characters or lone surrogates; each was replaced by U+FFFD."
"""The note that goes with a reply whose text had to be changed."""

UNFIT = re.compile("[\x00\ud800-\udfff]")
"""Neither Postgres text nor UTF-8 can hold these."""
PLACE = re.compile(r"line \d+ column \d+")


def parse_json(
    text: str, *, depth: int, where: str = "the body", unfinished: ErrorKind = "protocol"
) -> tuple[Any, bool]:
    r"""The value of `text`, and whether NULs or lone surrogates in it had to be replaced.

    Raises `ProviderError`: `protocol` where it is no JSON (`unfinished` where it only lacks its
    end), `too_large` where it is nested more than `depth` deep. The error tells the place (`where`,
    line, column), never the text.

        >>> parse_json('{"a": "\\ud800"}', depth=8)
        ({'a': '\ufffd'}, True)
    """
    try:
        value, suspect = from_json(text), "\\u0000" in text
    except ValueError as exc:
        value, suspect = slowly(text, exc, where, unfinished), True
    if text.count("{") + text.count("[") > depth and deeper_than(value, depth):
        raise too_deep(depth)
    cleaned = storable(value) if suspect else value
    return cleaned, cleaned is not value


def slowly(text: str, fast_error: ValueError, where: str, unfinished: ErrorKind) -> Any:
    """The fast parser refuses lone surrogates, the standard library's takes them; what both refuse
    is no JSON.
    """
    if "recursion" in str(fast_error):
        raise too_deep(200) from fast_error
    try:
        return json.loads(text)
    except RecursionError as exc:
        raise too_deep(200) from exc
    except ValueError as exc:
        raise bad_json(fast_error, where, unfinished) from exc


def bad_json(exc: ValueError, where: str, unfinished: ErrorKind) -> ProviderError:
    place = f"{where}, {m[0]}" if (m := PLACE.search(str(exc))) else where
    if "EOF" in str(exc):
        return ProviderError(
            f"The JSON stops before its end: {place}.", kind=unfinished, billed="unknown"
        )
    return ProviderError(f"This is no JSON: {place}.", kind="protocol", billed="unknown")


def too_deep(depth: int) -> ProviderError:
    return too_large(f"JSON nested more than {depth} deep.")


def deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [child for parent in level for child in children(parent)]
        if not level:
            return False
    return True


def children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        return (child for child in value.values() if isinstance(child, dict | list))
    return (
        (child for child in value if isinstance(child, dict | list))
        if isinstance(value, list)
        else iter(())
    )


def storable(value: Any) -> Any:
    r"""`value` with U+FFFD for every NUL and lone surrogate in its texts and keys; the same object
    if it has none.

    >>> storable(["a\x00"])
    ['a\ufffd']
    """
    if isinstance(value, str):
        return UNFIT.sub("\ufffd", value) if UNFIT.search(value) else value
    if isinstance(value, list):
        items = [storable(item) for item in value]
        return (
            items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        )
    if isinstance(value, dict):
        pairs = {storable(key): storable(item) for key, item in value.items()}
        same = all(pairs.get(key) is item for key, item in value.items())
        return value if same else pairs
    return value
