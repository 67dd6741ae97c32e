"""Keywords of JSON schema whose usual check can take minutes, checked within a time limit.

A schema may come from an MCP server and the arguments from a model, so neither may be able to hold
up the event loop. `re` cannot be stopped and keeps the interpreter's lock while it searches; the
package `regex` reads the same patterns and takes a time limit
(https://owasp.org/www-community/attacks/Regular_expression_Denial_of_Service_-_ReDoS).
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final, TypeAlias

from jsonschema import ValidationError
from jsonschema.validators import extend

__all__ = ["CheckTimeoutError", "bounded", "readable_pattern", "time_limit"]

Keyword: TypeAlias = Callable[[Any, Any, Any, Mapping[str, Any]], Iterator[ValidationError] | None]
"""How jsonschema checks one keyword: validator, the keyword's value, the instance, the schema."""

MAX_PATTERN: Final = 5_000
"""Characters of a pattern. A longer one is not compiled."""

_deadline: ContextVar[float] = ContextVar("_deadline")


class CheckTimeoutError(Exception):
    """A check that was not finished in time. The text names the keyword."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Lets the bounded keywords raise CheckTimeoutError once `seconds` have passed."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def bounded(kind: Any) -> Any:
    """Returns `kind`, a validator class of jsonschema, with the bounded keywords.

    They work inside `time_limit` only.
    """
    keywords: dict[str, Keyword] = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties(kind.VALIDATORS["additionalProperties"]),
        "uniqueItems": _unique_items,
    }
    # A small schema can lead through a reference to itself, or through references that double at
    # each level, to more checks than there is time for.
    for name in ("$ref", "$dynamicRef"):
        if name in kind.VALIDATORS:
            keywords[name] = _timed(name, kind.VALIDATORS[name])
    return extend(kind, keywords)  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1_000)
def readable_pattern(pattern: str) -> Any:
    """Returns `pattern` compiled, or None for one that only other languages can read.

    >>> readable_pattern("^a+$") is None, readable_pattern("(") is None
    (False, True)
    """
    import regex  # type: ignore[import-untyped]

    try:
        return regex.compile(pattern) if len(pattern) <= MAX_PATTERN else None
    except (regex.error, RecursionError):
        return None


def _left_s(keyword: str) -> float:
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise CheckTimeoutError(f"`{keyword}`")
    return left


def _matches(pattern: str, text: str) -> bool:
    """Whether `pattern`, which was found readable, occurs in `text`."""
    compiled = readable_pattern(pattern)
    left = _left_s("pattern")
    try:
        return compiled.search(text, timeout=left, concurrent=True) is not None
    except TimeoutError:
        raise CheckTimeoutError(f"the pattern `{pattern[:100]}`") from None


def _pattern(
    validator: Any, pattern: Any, instance: Any, _schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not _matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: Any, instance: Any, _schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, subschema in patterns.items():
        for name, value in instance.items():
            if _matches(pattern, name):
                yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _additional_properties(usual: Any) -> Keyword:
    def check(
        validator: Any, allowed: Any, instance: Any, schema: Mapping[str, Any]
    ) -> Iterator[ValidationError]:
        patterns = schema.get("patternProperties")
        if not patterns or not validator.is_type(instance, "object"):
            yield from usual(validator, allowed, instance, schema) or ()
            return
        known = schema.get("properties", {})
        extras = [
            name
            for name in instance
            if name not in known and not any(_matches(pattern, name) for pattern in patterns)
        ]
        if isinstance(allowed, Mapping):
            for name in extras:
                yield from validator.descend(instance[name], allowed, path=name)
        elif not allowed and extras:
            names = ", ".join(map(repr, extras))
            yield ValidationError(f"Additional properties are not allowed ({names} unexpected)")

    return check


def _unique_items(
    validator: Any, unique: Any, instance: Any, _schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    # jsonschema compares each pair of items, which takes minutes for ten thousands of objects.
    if not unique or not validator.is_type(instance, "array"):
        return
    texts = [json.dumps(_comparable(item), sort_keys=True) for item in instance]
    if len(set(texts)) < len(texts):
        yield ValidationError(f"{instance!r} has non-unique elements")


def _comparable(value: Any) -> Any:
    """Returns `value` so that equal numbers have equal texts: in JSON, 1.0 is 1."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    return [_comparable(item) for item in value] if isinstance(value, list) else value


def _timed(name: str, usual: Any) -> Keyword:
    def check(
        validator: Any, value: Any, instance: Any, schema: Mapping[str, Any]
    ) -> Iterator[ValidationError]:
        _left_s(name)
        yield from usual(validator, value, instance, schema) or ()

    return check
