"""Parses the JSON that vendors send: fast, within limits, free of text that cannot be stored."""

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from turngraph.providers.reading.read_limits import too_large
from turngraph.providers.reading.split_characters import HalfCharacters
from turngraph.state.errors import ErrorKind, ProviderError

__all__ = ["CLEANED_NOTE", "parse_json", "without_unstorable_text"]

CLEANED_NOTE = "Text held NUL characters or lone surrogates; each was replaced by U+FFFD."
"""The note on a reply whose text had to be changed."""

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""PostgreSQL text cannot hold NUL, and UTF-8 cannot hold surrogates."""
PLACE = re.compile(r"line \d+ column \d+")

FAST_PARSER_DEPTH = 200
"""How deep `pydantic_core.from_json` reads before it gives up."""


def parse_json(
    text: str,
    *,
    depth: int,
    where: str = "the body",
    unfinished: ErrorKind = "protocol",
    halves: HalfCharacters | None = None,
) -> tuple[Any, bool]:
    r"""Returns the value of `text`, and whether NULs or lone surrogates in it were replaced.

    depth: how deep arrays and objects may be nested.
    where: what `text` is called in an error.
    unfinished: the kind of the error for JSON that only lacks its end.
    halves: joins characters that earlier texts and this one have a half of each.

    Raises `ProviderError`: `protocol` for what is not JSON, `too_large` for what is nested too
    deep. The message tells the place (`where`, line, column) and never quotes the text, which may
    be private.

        >>> parse_json('{"a": "\\ud800"}', depth=8)
        ({'a': '\ufffd'}, True)
    """
    try:
        value, suspect = from_json(text), "\\u0000" in text
    except ValueError as exc:
        value, suspect = parse_leniently(text, exc, where, unfinished), True
    # Counting brackets is cheap and never too low, so most answers need no walk.
    if text.count("{") + text.count("[") > depth and is_deeper_than(value, depth):
        raise too_deep(depth)
    # The fast parser refuses half a character, so there is none in what it read.
    if halves is not None and (suspect or halves.holding):
        value, suspect = halves.join(value), True
    cleaned = without_unstorable_text(value) if suspect else value
    return cleaned, cleaned is not value


def parse_leniently(text: str, fast_error: ValueError, where: str, unfinished: ErrorKind) -> Any:
    """Parses what the fast parser refused with `fast_error`.

    The fast parser refuses lone surrogates, which some vendors send; the standard library's
    accepts them.
    """
    if "recursion" in str(fast_error):
        raise too_deep(FAST_PARSER_DEPTH) from fast_error
    try:
        return json.loads(text)
    except RecursionError as exc:
        raise too_deep(FAST_PARSER_DEPTH) from exc
    except ValueError as exc:
        raise not_json(fast_error, where, unfinished) from exc


def not_json(exc: ValueError, where: str, unfinished: ErrorKind) -> ProviderError:
    place = f"{where}, {match[0]}" if (match := PLACE.search(str(exc))) else where
    if "EOF" in str(exc):
        text = f"The JSON stops before its end: {place}."
        return ProviderError(text, kind=unfinished, billed="unknown")
    return ProviderError(f"This is not JSON: {place}.", kind="protocol", billed="unknown")


def too_deep(depth: int) -> ProviderError:
    return too_large(f"The JSON is nested more than {depth} levels deep.")


def is_deeper_than(value: object, depth: int) -> bool:
    # Level by level and not by recursion: a hostile answer must not exhaust Python's stack.
    level = [value]
    for _ in range(depth):
        level = [child for parent in level for child in containers_in(parent)]
        if not level:
            return False
    return True


def containers_in(value: object) -> Iterator[Any]:
    if not isinstance(value, dict | list):
        return iter(())
    members = value.values() if isinstance(value, dict) else value
    return (member for member in members if isinstance(member, dict | list))


def without_unstorable_text(value: object) -> Any:
    r"""`value` with U+FFFD for every NUL and lone surrogate in its texts and member names.

    Returns the same object if there is none.

        >>> without_unstorable_text(["a\x00"])
        ['a\ufffd']
    """
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value) if UNSTORABLE.search(value) else value
    if isinstance(value, list):
        items = [without_unstorable_text(item) for item in value]
        changed = any(new is not old for new, old in zip(items, value, strict=True))
        return items if changed else value
    if isinstance(value, dict):
        pairs = {
            without_unstorable_text(key): without_unstorable_text(item)
            for key, item in value.items()
        }
        same = all(pairs.get(key) is item for key, item in value.items())
        return value if same else pairs
    return value
