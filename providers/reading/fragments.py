"""Lists of parts that a stream sends in fragments, put together again."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from turngraph.providers.reading.json_values import joined_text
from turngraph.state.json_types import JsonMapping, JsonObject

__all__ = ["Fragments", "part_text"]

TEXT_KEYS: Final[Mapping[str, str]] = {
    "text": "text",
    # Mistral: https://docs.mistral.ai/capabilities/reasoning/
    # LiteLLM, for Claude: https://docs.litellm.ai/docs/reasoning_content
    "thinking": "thinking",
    # OpenRouter: https://openrouter.ai/docs/use-cases/reasoning-tokens
    "reasoning.text": "text",
    "reasoning.summary": "summary",
}
"""The member that grows, by the type of the part. A part of any other type arrives whole."""

PartialPart: TypeAlias = tuple[JsonObject, list[str]]
"""A part as merged so far, and the pieces of its text."""


class Fragments:
    """Parts in the order in which they started.

    Fragments of the same type and index are one part. Without an index, a fragment continues the
    last part if that has the same type and no signature yet: a signature ends a part.

        >>> parts = Fragments()
        >>> for piece in ("Let me", " see."):
        ...     parts.add({"type": "reasoning.text", "index": 0, "text": piece})
        >>> parts.parts()
        [{'type': 'reasoning.text', 'index': 0, 'text': 'Let me see.'}]
    """

    def __init__(self) -> None:
        self._parts: list[PartialPart] = []
        self._by_index: dict[tuple[str, object], PartialPart] = {}

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add(self, fragment: JsonMapping) -> None:
        """Adds `fragment` to the part it continues, or starts a part with it."""
        kind, index = str(fragment.get("type")), fragment.get("index")
        key = TEXT_KEYS.get(kind)
        part = self._continued_part(kind, index) if key is not None else None
        if part is None:
            part = ({}, [])
            self._parts.append(part)
            if isinstance(index, int):
                self._by_index[kind, index] = part
        # Later fragments carry nulls for what only the first or the last one has (the signature).
        part[0].update(
            {
                name: value
                for name, value in fragment.items()
                if value is not None or name not in part[0]
            }
        )
        if key is not None:
            part[1].append(joined_text(fragment.get(key)))

    def parts(self) -> list[JsonObject]:
        """The parts, each as one fragment would have brought it."""
        return [with_whole_text(part, pieces) for part, pieces in self._parts]

    def _continued_part(self, kind: str, index: object) -> PartialPart | None:
        if isinstance(index, int):
            return self._by_index.get((kind, index))
        last = self._parts[-1] if self._parts else None
        if last is None or last[0].get("type") != kind or last[0].get("signature"):
            return None
        return last


def with_whole_text(part: JsonObject, pieces: list[str]) -> JsonObject:
    key = TEXT_KEYS.get(str(part.get("type")))
    if key is None or key not in part:
        return part
    text = "".join(pieces)
    return {**part, key: [{"type": "text", "text": text}] if isinstance(part[key], list) else text}


def part_text(part: JsonMapping) -> str:
    """The text in a part of reasoning, whatever the part's type calls it; empty if it has none.

    >>> part_text({"type": "reasoning.summary", "summary": "Adds."})
    'Adds.'
    """
    texts = (joined_text(part.get(key)) for key in dict.fromkeys(TEXT_KEYS.values()))
    return next((text for text in texts if text), "")
