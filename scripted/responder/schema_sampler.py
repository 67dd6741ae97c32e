"""Makes a value that fits a JSON schema out of what a text says.

The value is used as the arguments of a tool call, or as a structured answer.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from turngraph.scripted.responder import text_patterns
from turngraph.scripted.responder.schemas import (
    example_or,
    first_not_null,
    invent_number,
    is_allowed,
    is_nullable,
    merge_schemas,
    schema_type,
)
from turngraph.state.json_types import JsonObject

__all__ = ["sample"]

MAX_DEPTH: Final = 12
SHALLOW: Final = 3
"""Below this depth only required values are made, so that a schema which contains itself ends."""
MAX_LENGTH: Final = 500
"""Characters of the longest string that is made."""

FORMATS: Final[Mapping[str, str]] = {
    "date": "2024-01-01",
    "date-time": "2024-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "scripted@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/scripted",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
"""A valid string of each format.
Source: https://json-schema.org/draft/2020-12/json-schema-validation#name-defined-formats.
"""

READERS: Final[Sequence[tuple[re.Pattern[str], Callable[[str], Sequence[str]]]]] = tuple(
    (re.compile(pattern, re.IGNORECASE), read)
    for pattern, read in (
        (r"expression|formula|equation", text_patterns.find_expressions),
        (r"city|cities|location|place|town", text_patterns.find_places),
        (r"date|day$", text_patterns.find_dates),
        (r"query|question|request|prompt|message|^input$|^text$", lambda text: [text]),
        (r"", text_patterns.find_quoted),
    )
)
"""Which words of the text belong into a property with a matching name.

The first matching reader that finds something is used; the last one matches every name.
"""

SYNONYMS: Final[Mapping[str, frozenset[str]]] = {
    "difference": frozenset(("between", "until", "to")),
    "add": frozenset(("after", "plus", "later", "from")),
    "subtract": frozenset(("before", "minus", "ago")),
    "oldest": frozenset(("older", "earlier", "earliest", "first")),
    "newest": frozenset(("newer", "latest", "last")),
    "convert": frozenset(("format", "write")),
    "uscs": frozenset(("fahrenheit", "imperial")),
}
"""Words that stand for a member of an enumeration, beside the member itself."""


def sample(schema: Mapping[str, object], text: str, *, include_optional: bool = False) -> Any:
    """Returns a value for `schema`, always the same for the same text.

    An optional property is filled if the text has something for it, or with `include_optional`.
    Constants, enumerations, bounds, defaults and examples are respected. A `pattern` is respected
    only if an example or a word of the text matches it.

    >>> number = {"type": "integer"}
    >>> schema = {"properties": {"a": number, "b": number}, "required": ["a", "b"]}
    >>> sample(schema, "What is 1 + 2?")
    {'a': 1, 'b': 2}
    """
    return _Sampler(schema, text, include_optional=include_optional).value(schema, "", 0)


class _Sampler:
    """Uses each number, date, place and quotation of the text once."""

    def __init__(self, root: Mapping[str, object], text: str, *, include_optional: bool) -> None:
        self._root, self._text, self._include_optional = root, text, include_optional
        self._words = text_patterns.find_words(text)
        self._numbers = deque(text_patterns.find_numbers(text))
        self._unused: dict[int, deque[str]] = {}
        """What each reader has found in the text and was not used yet, by the reader's place."""

    def value(self, schema: object, name: str, depth: int) -> Any:
        """Returns a value for a part of the schema; `name` is the property that it describes."""
        if depth > SHALLOW and is_nullable(schema):
            return None
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._enum_member(schema)
        kind = schema_type(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind in ("integer", "number"):
            return self._number(schema, integer=kind == "integer")
        if kind == "string":
            return self._string(schema, name)
        return example_or(schema, True) if kind == "boolean" else None

    def _resolved(self, schema: object, left: int = MAX_DEPTH) -> JsonObject:
        """Replaces references by their targets, and alternatives by the first that is not null."""
        if not isinstance(schema, Mapping) or not left:
            return {}
        rest = {
            name: value
            for name, value in schema.items()
            if name not in ("$ref", "allOf", "anyOf", "oneOf")
        }
        if "$ref" in schema:
            return self._resolved(rest | self._referenced(schema["$ref"]), left - 1)
        if "allOf" in schema:
            parts = (self._resolved(part, left - 1) for part in schema["allOf"])
            return merge_schemas([rest, *parts])
        alternatives = schema.get("anyOf", schema.get("oneOf"))
        if alternatives is None:
            return rest
        return rest | self._resolved(first_not_null(alternatives), left - 1)

    def _referenced(self, reference: str) -> JsonObject:
        # A reference is a JSON pointer, in which ~1 stands for / and ~0 for ~ (RFC 6901).
        found: Any = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key, {}) if isinstance(found, Mapping) else {}
        return dict(found)

    def _enum_member(self, schema: Mapping[str, Any]) -> Any:
        members = [member for member in schema["enum"] if member is not None]
        fallback = example_or(schema, members[0] if members else None)
        return next(iter(self._mentioned_members(members)), fallback)

    def _mentioned_members(self, members: Sequence[object]) -> list[Any]:
        """Returns the members that the text names, or else those that a synonym stands for."""
        named = [member for member in members if str(member).casefold() in self._words]
        return named or [
            one
            for one in members
            if not self._words.isdisjoint(SYNONYMS.get(str(one).casefold(), ()))
        ]

    def _object(self, schema: Mapping[str, Any], depth: int) -> JsonObject:
        properties, required = schema.get("properties", {}), schema.get("required", ())
        if depth > MAX_DEPTH:
            return {}
        values = {}
        for name, inner in properties.items():
            optional = depth < SHALLOW and (self._include_optional or self._has_value_for(inner))
            if name in required or optional:
                values[name] = self.value(inner, name, depth + 1)
        # A schema may require a property that it does not describe.
        return values | {name: "scripted" for name in required if name not in values}

    def _has_value_for(self, schema: object) -> bool:
        """Whether the text has a member of the enumeration, or an unused number, for a property."""
        schema = self._resolved(schema)
        if "enum" in schema:
            return bool(self._mentioned_members(schema["enum"]))
        return schema_type(schema) in ("integer", "number") and bool(self._numbers)

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        low = max(schema.get("minItems", 0), 0)
        if depth > SHALLOW and not low:
            return []
        if "prefixItems" in schema:
            return [self.value(inner, name, depth + 1) for inner in schema["prefixItems"]]
        item = schema.get("items", {"type": "string"})
        wanted = max(low, self._count_unused(self._resolved(item), name), 1)
        return [
            self.value(item, name, depth + 1)
            for _ in range(min(wanted, schema.get("maxItems", wanted), 32))
        ]

    def _count_unused(self, item: Mapping[str, object], name: str) -> int:
        """Returns how many unused values the text has for the items of an array."""
        if schema_type(item) in ("integer", "number"):
            return len(self._numbers)
        return (
            len(self._texts_for(name))
            if schema_type(item) == "string" and "enum" not in item
            else 0
        )

    def _number(self, schema: Mapping[str, object], *, integer: bool) -> Any:
        for number in list(self._numbers):
            if is_allowed(number, schema) and (not integer or isinstance(number, int)):
                self._numbers.remove(number)
                return number
        return example_or(schema, invent_number(schema, integer=integer))

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        format_ = schema.get("format")
        texts: deque[str] = deque()
        if format_ in (None, "date"):
            texts = self._texts_for("date" if format_ == "date" else name)
        invented = FORMATS.get(str(format_), f"scripted {name}".strip())
        value = texts.popleft() if texts else str(example_or(schema, invented))
        pattern = schema.get("pattern")
        if pattern is not None and not re.search(pattern, value):
            candidates = (word for word in self._candidates() if re.search(pattern, word))
            value = next(candidates, value)
        return value.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength", MAX_LENGTH)]

    def _texts_for(self, name: str) -> deque[str]:
        """Returns the unused texts for a property of this name; the caller takes from its left."""
        for place, (pattern, read) in enumerate(READERS):
            if pattern.search(name):
                texts = self._unused.setdefault(place, deque(dict.fromkeys(read(self._text))))
                if texts:
                    return texts
        return deque()

    def _candidates(self) -> list[str]:
        words = re.findall(r"[\w-]+", self._text[:MAX_LENGTH])
        return [*text_patterns.find_quoted(self._text), *words]
