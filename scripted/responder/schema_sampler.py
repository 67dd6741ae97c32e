"""A value that fits a JSON schema, made of what a text says: arguments of a call, or a structured
answer.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from turngraph.scripted.responder import text_patterns

__all__ = ["fill"]

MAX_DEPTH: Final = 12
SHALLOW: Final = 3
"""Below this depth only what must be there is filled, so that schemas which contain themselves come
to an end.
"""
MAX_LENGTH: Final = 500
"""Characters of a text made up from the question."""

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
"""A member of each format of
https://json-schema.org/draft/2020-12/json-schema-validation#name-defined-formats.
"""

SAID: Final[Sequence[tuple[re.Pattern[str], Callable[[str], Sequence[str]]]]] = tuple(
    (re.compile(pattern, re.IGNORECASE), read)
    for pattern, read in (
        (r"expression|formula|equation", text_patterns.expressions),
        (r"city|cities|location|place|town", text_patterns.places),
        (r"date|day$", text_patterns.dates),
        (r"query|question|request|prompt|message|^input$|^text$", lambda text: [text]),
        (r"", text_patterns.quoted),
    )
)
"""What a property's name says about the words it wants; the first reader that finds something is
used.
"""

MEANING: Final[Mapping[str, frozenset[str]]] = {
    "difference": frozenset(("between", "until", "to")),
    "add": frozenset(("after", "plus", "later", "from")),
    "subtract": frozenset(("before", "minus", "ago")),
    "oldest": frozenset(("older", "earlier", "earliest", "first")),
    "newest": frozenset(("newer", "latest", "last")),
    "convert": frozenset(("format", "write")),
    "uscs": frozenset(("fahrenheit", "imperial")),
}
"""Words that mean a member of an enumeration, beside the member itself."""


def fill(schema: Mapping[str, Any], text: str, *, whole: bool = False) -> Any:
    """A value for `schema`, the same for the same text; `whole` fills optional properties too.

    Constants, enumerations, bounds, defaults and examples are kept to; a `pattern` only where an
    example, or something in the text, happens to match it.

        >>> adding = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}
        >>> fill(adding | {"required": ["a", "b"]}, "What is 1 + 2?")
        {'a': 1, 'b': 2}
    """
    return _Filler(schema, text, whole=whole).value(schema, "", 0)


class _Filler:
    """Hands out what the text holds; each number, date, place and quotation once."""

    def __init__(self, root: Mapping[str, Any], text: str, *, whole: bool) -> None:
        self._root, self._text, self._whole = root, text, whole
        self._words = text_patterns.words(text)
        self._numbers = deque(text_patterns.numbers(text))
        self._said: dict[int, deque[str]] = {}

    def value(self, schema: Any, name: str, depth: int) -> Any:
        """A value for one (sub-)schema; `name` is the property it stands in."""
        if depth > SHALLOW and _nullable(schema):
            return None
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._member(schema)
        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind in ("integer", "number"):
            return self._number(schema, whole=kind == "integer")
        if kind == "string":
            return self._string(schema, name)
        return _given(schema, True) if kind == "boolean" else None

    def _resolved(self, schema: Any, left: int = MAX_DEPTH) -> dict[str, Any]:
        """Without references and alternatives: the first alternative that is not null is taken."""
        if not isinstance(schema, Mapping) or not left:
            return {}
        rest = {
            name: value
            for name, value in schema.items()
            if name not in ("$ref", "allOf", "anyOf", "oneOf")
        }
        if "$ref" in schema:
            return self._resolved(rest | self._pointed(schema["$ref"]), left - 1)
        if "allOf" in schema:
            return _merged([rest, *(self._resolved(part, left - 1) for part in schema["allOf"])])
        alternatives = schema.get("anyOf", schema.get("oneOf"))
        return (
            rest if alternatives is None else rest | self._resolved(_first(alternatives), left - 1)
        )

    def _pointed(self, reference: str) -> dict[str, Any]:
        found: Any = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            found = (
                found.get(part.replace("~1", "/").replace("~0", "~"), {})
                if isinstance(found, Mapping)
                else {}
            )
        return dict(found)

    def _member(self, schema: Mapping[str, Any]) -> Any:
        members = [member for member in schema["enum"] if member is not None]
        return next(iter(self._mentioned(members)), _given(schema, members[0] if members else None))

    def _mentioned(self, members: Sequence[Any]) -> list[Any]:
        """The members the text names; else those it means."""
        named = [member for member in members if str(member).casefold() in self._words]
        return named or [
            one
            for one in members
            if not self._words.isdisjoint(MEANING.get(str(one).casefold(), ()))
        ]

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties, required = schema.get("properties", {}), schema.get("required", ())
        if depth > MAX_DEPTH:
            return {}
        made = {
            name: self.value(inner, name, depth + 1)
            for name, inner in properties.items()
            if name in required or (depth < SHALLOW and (self._whole or self._speaks_of(inner)))
        }
        return made | {name: "scripted" for name in required if name not in made}

    def _speaks_of(self, schema: Any) -> bool:
        """Whether the text holds something for an optional property: a member of its enumeration,
        or a spare number.
        """
        schema = self._resolved(schema)
        if "enum" in schema:
            return bool(self._mentioned(schema["enum"]))
        return _kind(schema) in ("integer", "number") and bool(self._numbers)

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        low = max(schema.get("minItems", 0), 0)
        if depth > SHALLOW and not low:
            return []
        if "prefixItems" in schema:
            return [self.value(inner, name, depth + 1) for inner in schema["prefixItems"]]
        item = schema.get("items", {"type": "string"})
        wanted = max(low, self._left(self._resolved(item), name), 1)
        return [
            self.value(item, name, depth + 1)
            for _ in range(min(wanted, schema.get("maxItems", wanted), 32))
        ]

    def _left(self, item: Mapping[str, Any], name: str) -> int:
        """How many of these the text still holds."""
        if _kind(item) in ("integer", "number"):
            return len(self._numbers)
        return len(self._words_for(name)) if _kind(item) == "string" and "enum" not in item else 0

    def _number(self, schema: Mapping[str, Any], *, whole: bool) -> Any:
        for number in list(self._numbers):
            if _fits(number, schema) and (not whole or isinstance(number, int)):
                self._numbers.remove(number)
                return number
        return _given(schema, _made_up(schema, whole=whole))

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        format_ = schema.get("format")
        said = (
            self._words_for("date" if format_ == "date" else name)
            if format_ in (None, "date")
            else deque()
        )
        made_up = FORMATS.get(str(format_), f"scripted {name}".strip())
        found = said.popleft() if said else str(_given(schema, made_up))
        if "pattern" in schema and not re.search(schema["pattern"], found):
            found = next(
                (word for word in self._candidates() if re.search(schema["pattern"], word)), found
            )
        return found.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength", MAX_LENGTH)]

    def _words_for(self, name: str) -> deque[str]:
        for place, (pattern, read) in enumerate(SAID):
            if pattern.search(name):
                said = self._said.setdefault(place, deque(dict.fromkeys(read(self._text))))
                if said:
                    return said
        return deque()

    def _candidates(self) -> list[str]:
        return [*text_patterns.quoted(self._text), *re.findall(r"[\w-]+", self._text[:MAX_LENGTH])]


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)


def _nullable(schema: Any) -> bool:
    if not isinstance(schema, Mapping):
        return False
    return (
        schema.get("type") == "null"
        or "null" in schema.get("type", ())
        or any(map(_nullable, schema.get("anyOf", ())))
    )


def _given(schema: Mapping[str, Any], otherwise: Any) -> Any:
    """The schema's example or default."""
    examples = schema.get("examples") or ([schema["example"]] if "example" in schema else [])
    if examples:
        return examples[0]
    return schema["default"] if schema.get("default") is not None else otherwise


def _fits(number: float, schema: Mapping[str, Any]) -> bool:
    return (
        number >= schema.get("minimum", number)
        and number <= schema.get("maximum", number)
        and ("exclusiveMinimum" not in schema or number > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or number < schema["exclusiveMaximum"])
        and ("multipleOf" not in schema or number % schema["multipleOf"] == 0)
    )


def _made_up(schema: Mapping[str, Any], *, whole: bool) -> int | float:
    """One, or the number nearest to the bounds."""
    step = schema.get("multipleOf", 1)
    bounds = [
        schema[key]
        for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
        if key in schema
    ]
    near = [1, *(bound + shift for bound in bounds for shift in (0, 1, -1, 0.5, -0.5))]
    stepped = [candidate // step * step + shift for candidate in near for shift in (0, step)]
    for number in [*near, *stepped]:
        if _fits(number, schema) and (not whole or number == int(number)):
            return int(number) if whole else number
    return 1


def _first(alternatives: Sequence[Any]) -> Any:
    return next(
        (
            one
            for one in alternatives
            if not (isinstance(one, Mapping) and one.get("type") == "null")
        ),
        {},
    )


def _merged(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One schema for several that must all hold: properties and requirements are gathered, the rest
    is overlaid.
    """
    made: dict[str, Any] = {}
    for part in parts:
        properties = {**made.get("properties", {}), **part.get("properties", {})}
        required = [*made.get("required", ()), *part.get("required", ())]
        made |= part
        made |= ({"properties": properties} if properties else {}) | (
            {"required": required} if required else {}
        )
    return made
