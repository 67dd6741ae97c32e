"""Tools as a vendor takes them, with JSON schemas that hold only the keywords it knows."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pydantic import JsonValue

from turngraph.providers.vendors.profiles import Quirks
from turngraph.providers.writing.notes import Notes
from turngraph.providers.writing.schema_dialect import (
    NO_STRICT_SCHEMA,
    in_simple_words,
    strict_schema,
)
from turngraph.providers.writing.schema_gemini import gemini_schema
from turngraph.providers.writing.schema_roots import object_root, resolve, without_root_reference
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.request import ChatRequest, ToolSpec
from turngraph.state.schema_references import with_pointers

__all__ = ["chat_tools", "responses_tools", "schema_for"]

_NAMED_BY_AUTHOR: Final = ("properties", "patternProperties", "$defs", "definitions")
"""Keywords whose members the author names: a property may well be called `format`."""
_VALUES: Final = ("enum", "const", "default", "required")
"""Keywords that hold values and no schemas."""
_DEFINITIONS: Final = ("$defs", "definitions")
MAX_REPLACED: Final = 1_000
"""How many references of a schema are replaced. Definitions that use each other twice double the
schema at every level: twenty of them, 2 kB, would be sent as 270 MB.
"""
_DROPPED_SILENTLY: Final = ("$defs", "$schema", "title")
"""Keywords whose loss changes nothing that a model is asked for."""


def chat_tools(request: ChatRequest, quirks: Quirks, notes: Notes) -> list[JsonObject]:
    """The tools in the form of Chat Completions.

    Raises TurnValueError for a built-in tool that the API does not have.
    """
    kinds = [str(tool.get("type")) for tool in request.builtin_tools]
    if request.tools:
        kinds.insert(0, "function")
    for kind in kinds:
        if quirks.tool_types is not None and kind not in quirks.tool_types:
            known = ", ".join(sorted(quirks.tool_types)) or "none"
            notes.refuse(
                f"tools of type `{kind}` are not taken on Chat Completions for {notes.model}. "
                f"Taken: {known}."
            )
    functions = [
        {"type": "function", "function": _function(tool, quirks, notes)} for tool in request.tools
    ]
    return [*functions, *map(dict, request.builtin_tools)]


def responses_tools(request: ChatRequest, quirks: Quirks, notes: Notes) -> list[JsonObject]:
    """The tools in the form of Responses.

    `strict` is always written, because that API takes its absence for `true`:
    https://platform.openai.com/docs/guides/migrate-to-responses
    """
    functions = []
    for tool in request.tools:
        function = _function(tool, quirks, notes)
        functions.append({"type": "function", **function, "strict": function.get("strict", False)})
    return [*functions, *map(dict, request.builtin_tools)]


def _function(tool: ToolSpec, quirks: Quirks, notes: Notes) -> JsonObject:
    function: JsonObject = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    strict = bool(tool.strict) and quirks.strict_tools
    function["parameters"], is_strict = schema_for(
        tool.parameters, quirks, notes, is_object=True, strict=strict
    )
    if tool.strict is not None and quirks.strict_tools:
        function["strict"] = is_strict
        if tool.strict and not is_strict:
            notes.add(f"`{tool.name}` {NO_STRICT_SCHEMA}")
    elif tool.strict:
        notes.add_dropped("strict", f"{notes.vendor} does not know strict tools")
    return function


class AdaptedSchema(NamedTuple):
    """A schema in a vendor's dialect."""

    schema: JsonObject
    is_strict: bool
    """Whether it is closed and complete, as strict modes demand."""


def schema_for(
    schema: Mapping[str, JsonValue],
    quirks: Quirks,
    notes: Notes,
    *,
    is_object: bool = False,
    strict: bool = False,
) -> AdaptedSchema:
    """`schema`, with references replaced and keywords removed where the vendor needs that.

    is_object: whether its root must be an object, as a tool's is.
    strict: whether it is to be closed and complete, if it can be.

    >>> from turngraph.providers.vendors.profiles import Quirks
    >>> quirks = Quirks(schema_inline=True, schema_drop=frozenset(["$defs"]))
    >>> schema = {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "integer"}}}
    >>> schema_for(schema, quirks, Notes("v", "m", strict=False)).schema
    {'properties': {'a': {'type': 'integer'}}}
    """
    pickled, is_strict, sentences = _adapted(
        pickle.dumps(schema),
        quirks.schema_inline,
        quirks.schema_drop,
        quirks.gemini_schemas,
        is_object,
        strict,
        notes.vendor,
        notes.model,
    )
    for sentence in sentences:
        notes.add(sentence)
    return AdaptedSchema(pickle.loads(pickled), is_strict)  # noqa: S301, made by `_adapted`


@lru_cache(maxsize=1024)
def _adapted(
    pickled: bytes,
    inline: bool,
    drop: frozenset[str],
    gemini: bool,
    is_object: bool,
    strict: bool,
    vendor: str,
    model: str,
) -> tuple[bytes, bool, tuple[str, ...]]:
    """What `schema_for` returns, and the sentences that it notes.

    The tools of a graph are the same in every request. Schemas come and go pickled, so that the
    cache knows them by their content, and nobody can change what it holds.
    """
    schema: JsonMapping = with_pointers(pickle.loads(pickled))  # noqa: S301, made by `schema_for`
    notes = Notes(vendor, model, strict=False)
    adapted: Any = schema
    if inline and "$ref" in str(schema):
        used = {name: value for name, value in schema.items() if name not in _DEFINITIONS}
        adapted = _Inliner(schema, notes).inline(used)
    adapted = in_simple_words(without_root_reference(adapted), const=not gemini)
    if is_object:
        adapted = object_root(adapted, notes)
    closed = strict_schema(adapted) if strict else None
    if closed is not None:
        adapted = closed
    if gemini:
        adapted = gemini_schema(adapted, notes)
    if drop:
        adapted = _drop_keywords(adapted, drop, notes)
    return pickle.dumps(dict(adapted)), closed is not None, notes.sentences()


@dataclass
class _Inliner:
    """Replaces each `$ref` by what it points to in `root`."""

    root: JsonMapping
    notes: Notes
    replaced: int = 0

    def inline(self, node: object, open_references: tuple[str, ...] = ()) -> Any:
        """`node` with its references replaced.

        open_references: those that `node` stands inside of, so that a schema that refers to itself
            ends.
        """
        if isinstance(node, list):
            return [self.inline(member, open_references) for member in node]
        if not isinstance(node, dict):
            return node
        reference = node.get("$ref")
        if not isinstance(reference, str):
            return {name: self.inline(member, open_references) for name, member in node.items()}
        siblings = {name: member for name, member in node.items() if name != "$ref"}
        if why := self._why_cut(reference, open_references):
            self.notes.add(f"{why}; it is cut there: {self.notes.vendor} takes no references.")
            return {"type": "object", **siblings}
        self.replaced += 1
        target = resolve(self.root, reference)
        return {**self.inline(target, (*open_references, reference)), **siblings}

    def _why_cut(self, reference: str, open_references: tuple[str, ...]) -> str | None:
        if reference in open_references:
            return f"A schema refers to itself (`{reference}`)"
        if self.replaced >= MAX_REPLACED:
            return f"A schema has more than {MAX_REPLACED:,} references when they are replaced"
        return None


def _drop_keywords(node: object, dropped: frozenset[str], notes: Notes) -> Any:
    if isinstance(node, list):
        return [_drop_keywords(member, dropped, notes) for member in node]
    if not isinstance(node, dict):
        return node
    kept: JsonObject = {}
    for name, member in node.items():
        if name in dropped:
            if name not in _DROPPED_SILENTLY:
                why = f"{notes.vendor} does not know this keyword of JSON schemas"
                notes.add_dropped(name, why)
        elif name in _NAMED_BY_AUTHOR and isinstance(member, dict):
            kept[name] = {
                key: _drop_keywords(value, dropped, notes) for key, value in member.items()
            }
        elif name in _VALUES:
            kept[name] = member
        else:
            kept[name] = _drop_keywords(member, dropped, notes)
    return kept
