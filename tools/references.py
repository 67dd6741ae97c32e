"""Checks the references in the JSON schema of a tool or of an answer."""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Final

from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonMapping
from turngraph.state.schema_references import referenced, schema_parts

__all__ = ["check_references"]

REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
SAME_PLACE: Final = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
"""Keywords whose schemas apply to the same value as the schema around them."""


def check_references(name: str, schema: JsonMapping) -> None:
    """Checks that each reference in `schema` leads to a part of it, and not back to itself.

    `schema` was written with pointers, and belongs to the tool `name`. Raises
    TurnConfigurationError. No validator may see a reference to a URL: a schema may come from an MCP
    server, which could choose an address that this process fetches (server-side request forgery).
    """
    for part in schema_parts(schema):
        if fault := _fault(part, schema):
            raise TurnConfigurationError(f"The schema of tool `{name}` {fault}")
    if reference := _loop(schema):
        raise TurnConfigurationError(
            f"The schema of tool `{name}` leads from `{reference}` back to the same place without "
            "end."
        )


def _fault(part: JsonMapping, schema: JsonMapping) -> str | None:
    """Returns what is wrong with the references of `part`, or None."""
    for reference in (part[word] for word in REFERENCES if word in part):
        if not isinstance(reference, str):
            return f"has a reference that is no text: {str(reference)[:100]}."
        if not reference.startswith("#"):
            return (
                f"refers to another document, `{reference[:100]}`; only references that begin with "
                "`#` are allowed. Copy the definition into the schema."
            )
        if not _leads_somewhere(schema, reference):
            return f"refers to {reference[:100]!r}, which it does not hold."
    return None


def _leads_somewhere(schema: JsonMapping, reference: str) -> bool:
    try:
        return isinstance(referenced(schema, reference), Mapping)
    except LookupError:
        return False


def _loop(schema: JsonMapping) -> str | None:
    """Returns a reference by which a check of one value would lead to the same check again."""
    parts = {id(part): part for part in schema_parts(schema)}
    ahead = {place: map(id, _beside(part, schema)) for place, part in parts.items()}
    try:
        TopologicalSorter(ahead).prepare()
    except CycleError as error:
        references = (parts[place].get("$ref") for place in error.args[1] if place in parts)
        return str(next(filter(None, references))[:100])
    return None


def _beside(part: JsonMapping, root: JsonMapping) -> Iterator[JsonMapping]:
    held = [part.get(word) for word in SAME_PLACE]
    if "$ref" in part:
        held.append(referenced(root, part["$ref"]))
    for one in held:
        each = one if isinstance(one, list) else [one]
        yield from (inner for inner in each if isinstance(inner, Mapping))
