"""Lists of parts that a stream brings in fragments, put together again."""

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["Fragments"]

TEXT_KEYS: Final[Mapping[str, str]] = {
    "text": "text",
    "thinking": "thinking",  # Mistral: https://docs.mistral.ai/capabilities/reasoning/
    "reasoning.text": "text",  # OpenRouter: https://openrouter.ai/docs/use-cases/reasoning-tokens
    "reasoning.summary": "summary",
}
"""The member that grows, by the type of the part; a part of any other type is whole as it comes."""


class Fragments:
    """Parts in the order they began; fragments of the same type and index are one part.

    >>> parts = Fragments()
    >>> for piece in ("Let me", " see."):
    ...     parts.add({"type": "reasoning.text", "index": 0, "text": piece})
    >>> parts.whole()
    [{'type': 'reasoning.text', 'index': 0, 'text': 'Let me see.'}]
    """

    def __init__(self) -> None:
        self._parts: list[tuple[dict[str, Any], list[str]]] = []
        self._begun: dict[tuple[str, object], tuple[dict[str, Any], list[str]]] = {}

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add(self, fragment: Mapping[str, Any]) -> None:
        """Add `fragment` to the part it continues, or begin one with it."""
        kind, index = str(fragment.get("type")), fragment.get("index")
        key = TEXT_KEYS.get(kind)
        part = self._continued(kind, index) if key is not None else None
        if part is None:
            part = ({}, [])
            self._parts.append(part)
            if isinstance(index, int):
                self._begun[kind, index] = part
        part[0].update(
            {
                name: value
                for name, value in fragment.items()
                if value is not None or name not in part[0]
            }
        )
        if key is not None:
            part[1].append(plain_text(fragment.get(key)))

    def whole(self) -> list[dict[str, Any]]:
        """The parts, each as one fragment would have brought it."""
        return [finished(part, pieces) for part, pieces in self._parts]

    def _continued(self, kind: str, index: object) -> tuple[dict[str, Any], list[str]] | None:
        if isinstance(index, int):
            return self._begun.get((kind, index))
        last = self._parts[-1] if self._parts else None
        return last if last is not None and last[0].get("type") == kind else None


def finished(part: dict[str, Any], pieces: list[str]) -> dict[str, Any]:
    key = TEXT_KEYS.get(str(part.get("type")))
    if key is None or key not in part:
        return part
    text = "".join(pieces)
    return {**part, key: [{"type": "text", "text": text}] if isinstance(part[key], list) else text}


def plain_text(value: object) -> str:
    """The text of a member that is text, or a list of text parts (Mistral's `thinking`)."""
    if isinstance(value, list):
        return "".join(plain_text(part.get("text")) for part in value if isinstance(part, dict))
    return value if isinstance(value, str) else ""
