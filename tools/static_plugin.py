"""A static plugin: what it knows stands in its manifest, and the model asks for it by key."""

from collections import Counter, deque
from typing import Any, Final

from turngraph.tools.manifests.kinds import PluginManifest
from turngraph.tools.plugin import LoadedPlugin, make_tool

__all__ = ["static_plugin", "topics"]

MAX_TOPICS: Final = 300
"""Of the keys offered, the outer ones first: an enum of thousands costs tokens in every request."""


def static_plugin(manifest: PluginManifest) -> LoadedPlugin:
    """The plugin of a `Plugin` manifest."""
    data = manifest.spec.data
    known = topics(data.static_data)

    def look_up(inquiry_type: str) -> Any:
        return known[inquiry_type]

    schema = {
        "type": "object",
        "properties": {
            "inquiry_type": {
                "type": "string",
                "enum": list(known),
                "description": "What to look up.",
            },
        },
        "required": ["inquiry_type"],
        "additionalProperties": False,
    }
    return LoadedPlugin(
        name=manifest.metadata.name,
        selector=manifest.spec.selector,
        prompt=manifest.spec.prompt,
        tool=make_tool(manifest.metadata.name, data.description, schema, look_up),
    )


def topics(data: Any) -> dict[str, Any]:
    """What can be asked for: every key, at any depth, and the whole sub-tree below it.

    A key that stands in several places is offered by its path, except where it is outermost.

        >>> topics({"shop": {"phone": 1}, "help": {"phone": 2, "hours": "9-5"}})
        {'shop': {'phone': 1}, 'help': {'phone': 2, 'hours': '9-5'}, 'shop.phone': 1, 'help.phone': 2, 'hours': '9-5'}
    """
    found = _walk(data)
    counts = Counter(path[-1] for path, _ in found)
    named = {
        path[-1] if counts[path[-1]] == 1 or len(path) == 1 else ".".join(path): value
        for path, value in found
    }
    return named or {"everything": data}


def _walk(data: Any) -> list[tuple[tuple[str, ...], Any]]:
    """Paths and sub-trees, the outer first. Places in a list are part of a path, and no topic of
    their own.
    """
    found: list[tuple[tuple[str, ...], Any]] = []
    waiting: deque[tuple[tuple[str, ...], Any]] = deque([((), data)])
    while waiting and len(found) < MAX_TOPICS:
        path, value = waiting.popleft()
        if isinstance(value, dict):
            inner = [((*path, str(key)), item) for key, item in value.items()]
            found.extend(inner)
            waiting.extend(inner)
        elif isinstance(value, list):
            waiting.extend(((*path, str(at)), item) for at, item in enumerate(value))
    return found[:MAX_TOPICS]
