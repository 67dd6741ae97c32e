"""Static plugins: the manifest contains the data, and the model asks for it by key."""

from collections import Counter, deque
from typing import Any, Final

from turngraph.tools.manifests.kinds import PluginManifest
from turngraph.tools.plugin import LoadedPlugin, make_tool

__all__ = ["static_plugin", "topics"]

MAX_TOPICS: Final = 300
"""Keys that are offered, the outer ones first. They are in every request and cost tokens."""

KeyPath = tuple[str, ...]


def static_plugin(manifest: PluginManifest) -> LoadedPlugin:
    """Returns the plugin of a `Plugin` manifest."""
    data = manifest.spec.data
    answers = topics(data.static_data)

    def look_up(inquiry_type: str) -> Any:
        return answers[inquiry_type]

    schema = {
        "type": "object",
        "properties": {
            "inquiry_type": {
                "type": "string",
                "enum": list(answers),
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


def topics(data: object) -> dict[str, Any]:
    """Returns what the model can ask for: every key at any depth, with everything below it.

    A key that occurs in several places is offered by its path, except where it is outermost.

        >>> list(topics({"shop": {"phone": 1}, "help": {"phone": 2, "hours": "9-5"}}))
        ['shop', 'help', 'shop.phone', 'help.phone', 'hours']
    """
    subtrees = _subtrees(data)
    counts = Counter(path[-1] for path, _ in subtrees)
    named = {
        path[-1] if counts[path[-1]] == 1 or len(path) == 1 else ".".join(path): value
        for path, value in subtrees
    }
    # An enum must not be empty, so data without any key gets one name.
    return named or {"everything": data}


def _subtrees(data: object) -> list[tuple[KeyPath, Any]]:
    """Returns the path and the value of every key, the outer keys first.

    The position in a list is part of a path, but not a topic of its own.
    """
    subtrees: list[tuple[KeyPath, Any]] = []
    waiting: deque[tuple[KeyPath, Any]] = deque([((), data)])
    while waiting and len(subtrees) < MAX_TOPICS:
        path, value = waiting.popleft()
        if isinstance(value, dict):
            inner = [((*path, str(key)), item) for key, item in value.items()]
            subtrees.extend(inner)
            waiting.extend(inner)
        elif isinstance(value, list):
            waiting.extend(((*path, str(index)), item) for index, item in enumerate(value))
    return subtrees[:MAX_TOPICS]
