"""References in a JSON schema, all written as JSON pointers into the schema itself.

A part of a schema may be named by `$anchor`, or by an `$id` that is a URI of its own. Vendors,
LangChain and the code here know pointers (`#/$defs/City`) only.
https://json-schema.org/draft/2020-12/json-schema-core#section-8
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote, urljoin

from turngraph.state.json_types import JsonMapping, JsonObject

__all__ = ["fits_nothing", "referenced", "schema_parts", "with_pointers"]

_DATA: Final = frozenset(
    {"const", "default", "enum", "example", "examples", "required", "dependentRequired"}
)
"""Keywords that hold values and no schemas."""
_NAMED: Final = frozenset(
    {"properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"}
)
"""Keywords that hold schemas under names that the author chose."""
_ANCHORS: Final = ("$anchor", "$dynamicAnchor")
_NAMES: Final = frozenset({"$id", "$recursiveAnchor", *_ANCHORS})
_DYNAMIC: Final = frozenset({"$dynamicRef", "$recursiveRef"})


def with_pointers(schema: JsonMapping) -> JsonObject:
    """Returns `schema` with pointers for references by `$anchor` or `$id`, and without those names.

    A reference to something else stays as it is. One to a part that is `true` or `false` becomes
    that part.

        >>> with_pointers({"items": {"$ref": "#city"}, "$defs": {"A": {"$anchor": "city"}}})
        {'items': {'$ref': '#/$defs/A'}, '$defs': {'A': {}}}
    """
    written = _Writer(schema).write(schema)
    return written if isinstance(written, dict) else {"not": {}}


def schema_parts(schema: object) -> Iterator[JsonMapping]:
    """Yields `schema` and every schema inside it that is an object, also in its definitions."""
    for _, part, _ in _parts(schema):
        yield part


def referenced(schema: JsonMapping, pointer: str) -> Any:
    """Returns the part of `schema` to which `pointer` leads, such as `#/$defs/City`.

    It is a JSON pointer in the fragment of a URI: `~1` stands for `/`, `~0` for `~`, and `%25` for
    `%` (https://www.rfc-editor.org/rfc/rfc6901#section-6). Raises LookupError if it leads nowhere.

        >>> referenced({"$defs": {"a/b": True}}, "#/$defs/a~1b")
        True
    """
    found: Any = schema
    if pointer != "#" and not pointer.startswith("#/"):
        raise LookupError(pointer)
    for step in pointer[1:].split("/")[1:]:
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, Mapping) and name in found:
            found = found[name]
        else:
            raise LookupError(pointer)
    return found


def fits_nothing(schema: object) -> bool:
    """Whether `schema` says that no value is allowed: `false`, or the opposite of anything."""
    return schema is False or schema in ({"not": {}}, {"not": True})


class _Writer:
    """Writes a schema anew, with the places that its identifiers name."""

    def __init__(self, schema: JsonMapping) -> None:
        self.schema = schema
        self.pointers = {"": "#"}
        self.bases: set[str] = set()
        for pointer, part, base in _parts(schema):
            if pointer == "#" or isinstance(part.get("$id"), str):
                self.bases.add(base)
                self.pointers.setdefault(base, pointer)
            named = [part[word] for word in _ANCHORS if isinstance(part.get(word), str)]
            if (anchor := _anchor_in_id(part)) is not None:  # as draft 7 writes it
                named.append(anchor)
            for anchor in named:
                self.pointers.setdefault(f"{base}#{anchor}", pointer)

    def write(self, node: Any, base: str = "", *, named: bool = False) -> Any:
        if isinstance(node, list):
            return [self.write(member, base) for member in node]
        if not isinstance(node, Mapping):
            return node
        if named:
            return {name: self.write(member, base) for name, member in node.items()}
        base, written = _base(node, base), {}
        for word, value in node.items():
            if word == "$ref" or (word in _DYNAMIC and self._is_static(node)):
                written["$ref"] = self._pointer(value, base)
            elif word in _DATA:
                written[word] = value
            elif word not in _NAMES:
                written[word] = self.write(value, base, named=word in _NAMED)
        return self._whole_boolean(written)

    def _is_static(self, node: JsonMapping) -> bool:
        """Whether a dynamic reference in `node` means what others do: no part has its own `$id`."""
        return "$ref" not in node and len(self.bases) == 1

    def _pointer(self, reference: object, base: str) -> object:
        if not isinstance(reference, str):
            return reference
        absolute = _joined(base, reference).removesuffix("#")
        uri, _, fragment = absolute.partition("#")
        if absolute in self.pointers:
            return self.pointers[absolute]
        if fragment.startswith("/") and uri in self.pointers:
            return self.pointers[uri] + "/" + fragment[1:]
        return reference

    def _whole_boolean(self, written: JsonObject) -> Any:
        if not isinstance(written.get("$ref"), str):
            return written
        try:
            target = referenced(self.schema, written["$ref"])
        except LookupError:
            return written
        if target is True:
            return {word: value for word, value in written.items() if word != "$ref"}
        return False if fits_nothing(target) else written


def _parts(
    node: object, pointer: str = "#", base: str = "", *, named: bool = False
) -> Iterator[tuple[str, JsonMapping, str]]:
    """Yields the pointer of each schema in `node`, the schema, and the URI that it stands in."""
    if isinstance(node, list):
        for place, member in enumerate(node):
            yield from _parts(member, f"{pointer}/{place}", base)
    if not isinstance(node, Mapping):
        return
    if not named:
        base = _base(node, base)
        yield pointer, node, base
    for name, member in node.items():
        if named or name not in _DATA:
            step = quote(str(name).replace("~", "~0").replace("/", "~1"), safe="~$")
            yield from _parts(member, f"{pointer}/{step}", base, named=not named and name in _NAMED)


def _base(part: JsonMapping, base: str) -> str:
    name = part.get("$id")
    return _joined(base, name).partition("#")[0] if isinstance(name, str) else base


def _anchor_in_id(part: JsonMapping) -> str | None:
    name = part.get("$id")
    return name[1:] if isinstance(name, str) and name.startswith("#") and len(name) > 1 else None


def _joined(base: str, reference: str) -> str:
    if reference.startswith("#"):
        return base + reference
    try:
        return urljoin(base, reference)
    except ValueError:  # such as an IPv6 address without its end
        return reference
