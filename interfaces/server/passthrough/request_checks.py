"""Refuses requests to a vendor whose cost cannot be held before they leave, nor read after."""

from typing import Any, Final

from turngraph.interfaces.server.errors import ServerError
from turngraph.state.json_types import JsonObject

__all__ = ["check_forwarded"]

_UNMETERED: Final = {
    "background": "the answer comes later, and would not be metered",
    "conversation": "it stands at the vendor, where all accounts share one key",
    "previous_response_id": "it stands at the vendor, where all accounts share one key",
    "prompt": "it stands at the vendor, where all accounts share one key",
    "web_search_options": "the vendor bills searches that no answer reports",
}
"""Members that are not forwarded, and why. What stands at the vendor costs unknown tokens too."""
_OWN_TOOLS: Final = frozenset({"function", "custom"})
"""Types of tools that the client runs by itself. The vendor bills its own beside the tokens."""


def check_forwarded(body: JsonObject) -> None:
    """Raises ServerError (400) for a request without a model, or one that cannot be metered."""
    for name in body:
        if name != name.casefold():
            # Some vendors would read `Model` as `model`; what is metered must be what they read.
            raise _refused(name, "has capital letters; members of this API have none.")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise _refused("model", "must be text: the name of a model of the vendor.")
    for name, why in _UNMETERED.items():
        # An empty object is one too: `web_search_options` needs no more than that.
        if body.get(name) not in (None, False):
            raise _refused(name, f"is not forwarded: {why}.")
    for tool in _objects(body.get("tools")):
        if str(tool.get("type", "function")) not in _OWN_TOOLS:
            raise _refused("tools", "may only have functions: the vendor bills its own tools.")
    if any(item.get("type") == "item_reference" for item in _objects(body.get("input"))):
        raise _refused("input", f"has an item that is not forwarded: {_UNMETERED['prompt']}.")


def _objects(items: Any) -> list[JsonObject]:
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []


def _refused(name: str, sentence: str) -> ServerError:
    return ServerError(400, f"`{name[:100]}` {sentence}", param=name[:100], code="invalid_value")
