"""Tools as a vendor takes them: their JSON schemas with only the keywords it knows."""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from turngraph.providers.vendors.profiles import Quirks
from turngraph.providers.writing.notes import Notes
from turngraph.state.request import ChatRequest, ToolSpec

__all__ = ["chat_tools", "responses_tools", "schema_for"]


def chat_tools(request: ChatRequest, quirks: Quirks, notes: Notes) -> list[dict[str, Any]]:
    """The tools in the Chat Completions form. Raises TurnValueError for a built-in tool that API
    does not have.
    """
    asked = ["function"] * bool(request.tools) + [
        str(tool.get("type")) for tool in request.builtin_tools
    ]
    for kind in asked:
        if quirks.tool_types is not None and kind not in quirks.tool_types:
            known = ", ".join(sorted(quirks.tool_types)) or "none"
            notes.refuse(
                f"tools of type `{kind}` are not taken on Chat Completions for {notes.model}. Taken: {known}."
            )
    functions = [
        {"type": "function", "function": _function(tool, quirks, notes)} for tool in request.tools
    ]
    return [*functions, *map(dict, request.builtin_tools)]


def responses_tools(request: ChatRequest, quirks: Quirks, notes: Notes) -> list[dict[str, Any]]:
    """The tools in the Responses form. `strict` is always written: that API would take its absence
    for `true`.
    """
    functions = []
    for tool in request.tools:
        function = _function(tool, quirks, notes)
        functions.append({"type": "function", **function, "strict": function.get("strict", False)})
    return [*functions, *map(dict, request.builtin_tools)]


def _function(tool: ToolSpec, quirks: Quirks, notes: Notes) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = schema_for(tool.parameters, quirks, notes)
    if tool.strict is not None:
        if quirks.strict_tools:
            function["strict"] = tool.strict
        elif tool.strict:
            notes.dropped("strict", f"{notes.vendor} does not know strict tools")
    return function


def schema_for(schema: Mapping[str, JsonValue], quirks: Quirks, notes: Notes) -> dict[str, Any]:
    """`schema` with references replaced and keywords taken out, where the vendor needs that.

    >>> from turngraph.providers.vendors.profiles import Quirks
    >>> quirks = Quirks(schema_inline=True, schema_drop=frozenset(["$defs"]))
    >>> schema = {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "integer"}}}
    >>> schema_for(schema, quirks, Notes("v", "m", strict=False))
    {'properties': {'a': {'type': 'integer'}}}
    """
    written: Any = dict(schema)
    if quirks.schema_inline and "$ref" in str(schema):
        written = _inlined(written, written, (), notes)
        written = {
            name: value for name, value in written.items() if name not in ("$defs", "definitions")
        }
    if quirks.schema_drop:
        written = _pruned(written, quirks.schema_drop, notes)
    return dict(written)


def _inlined(node: Any, root: Mapping[str, Any], inside: tuple[str, ...], notes: Notes) -> Any:
    if isinstance(node, list):
        return [_inlined(member, root, inside, notes) for member in node]
    if not isinstance(node, dict):
        return node
    ref = node.get("$ref")
    if not isinstance(ref, str):
        return {name: _inlined(member, root, inside, notes) for name, member in node.items()}
    beside = {name: member for name, member in node.items() if name != "$ref"}
    if ref in inside:
        notes.add(
            f"A schema refers to itself (`{ref}`); it is cut there: {notes.vendor} takes no references."
        )
        return {"type": "object", **beside}
    return {**_inlined(_at(root, ref), root, (*inside, ref), notes), **beside}


def _at(root: Mapping[str, Any], ref: str) -> Any:
    """What `ref` points to inside `root` (RFC 6901); an object of any kind where it points nowhere."""
    node: Any = root
    for step in ref.split("/")[1:]:
        node = (
            node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
        )
    return node if isinstance(node, dict) else {"type": "object"}


_NAMED = ("properties", "patternProperties", "$defs", "definitions")
"""Keywords whose members are named by the author: a property may well be called `format`."""


def _pruned(node: Any, drop: frozenset[str], notes: Notes) -> Any:
    if isinstance(node, list):
        return [_pruned(member, drop, notes) for member in node]
    if not isinstance(node, dict):
        return node
    kept = {}
    for name, member in node.items():
        if name in drop:
            if name not in ("$defs", "$schema", "title"):
                notes.dropped(name, f"{notes.vendor} does not know this keyword of JSON schemas")
        elif name in _NAMED and isinstance(member, dict):
            kept[name] = {key: _pruned(value, drop, notes) for key, value in member.items()}
        else:
            kept[name] = (
                member
                if name in ("enum", "const", "default", "required")
                else _pruned(member, drop, notes)
            )
    return kept
