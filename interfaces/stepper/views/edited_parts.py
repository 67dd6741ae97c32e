"""The parts of a request as an edit of its JSON has left them: system message, question, sampling
and tools, in the forms of both APIs.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from turngraph.interfaces.stepper.engine.places import name_item
from turngraph.interfaces.stepper.engine.wire_request import WireRequest

__all__ = ["SYSTEM_ROLES", "edited_sampling", "edited_text", "edited_tools"]

SYSTEM_ROLES: Final = ("system", "developer")
_SAMPLING: Final[Mapping[str, str]] = {
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "reasoning.effort": "reasoning_effort",
    "text.verbosity": "verbosity",
}
"""Names in the JSON, and those of the fields of a `ChatRequest`."""


def edited_text(wire: WireRequest, roles: Collection[str], *, last: bool = False) -> str | None:
    """Returns the text of the first message of one of these roles, or of the last one.

    None if no edit has changed it.
    """
    texts = list(_texts(wire.body, roles))
    if not texts:
        return None
    path, text = texts[-1] if last else texts[0]
    is_edited = any(each.path.startswith(path) or each.path in _LISTS for each in wire.edits)
    return text if is_edited else None


def edited_sampling(wire: WireRequest, known: Collection[str]) -> dict[str, Any]:
    """Returns the fields of `known` that edits have changed, each as it is sent; None for one that
    is left out.
    """
    values: dict[str, Any] = {}
    for each in wire.edits:
        path = each.path.partition(" ")[0]  # without the place in a list
        path = path if path in _SAMPLING else path.partition(".")[0]
        name = _SAMPLING.get(path, path)
        if name in known:
            outer, _, inner = path.partition(".")
            value = wire.body.get(outer)
            values[name] = value.get(inner) if inner and isinstance(value, Mapping) else value
    return values


def edited_tools(wire: WireRequest) -> set[str] | None:
    """Returns the names of the tools that are offered; None if no edit has changed them."""
    if not any(each.path.startswith("tools") for each in wire.edits):
        return None
    offered = [each for each in _list(wire.body.get("tools")) if isinstance(each, Mapping)]
    functions = (each.get("function", each) for each in offered)
    return {str(each.get("name")) for each in functions if isinstance(each, Mapping)}


_LISTS: Final = ("messages", "input")


def _texts(body: Mapping[str, Any], roles: Collection[str]) -> Iterator[tuple[str, str]]:
    """The path and the text of each message of one of these roles."""
    if "system" in roles and isinstance(body.get("instructions"), str):
        yield "instructions", body["instructions"]
    for name in _LISTS:
        for place, message in enumerate(_list(body.get(name))):
            if isinstance(message, Mapping) and message.get("role") in roles:
                yield name_item(name, place, message), _text(message.get("content"))


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = [each.get("text") for each in _list(content) if isinstance(each, Mapping)]
    return "".join(each for each in parts if isinstance(each, str))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
