"""Collects the reasoning that a Chat Completions answer holds in members of its own."""

from collections.abc import Iterator
from typing import Final

from turngraph.providers.reading.fragments import Fragments, part_text
from turngraph.providers.reading.json_values import objects_in, text_or_none
from turngraph.providers.vendors.reasoning_fields import (
    REASONING_PART_FIELDS,
    REASONING_TEXT_FIELDS,
)
from turngraph.state.json_types import JsonMapping, JsonObject

__all__ = ["REASONING_FIELDS", "ReasoningCollector"]

REASONING_FIELDS: Final = frozenset((*REASONING_TEXT_FIELDS, *REASONING_PART_FIELDS))


class ReasoningCollector:
    """Keeps every reasoning member under its own name, so that it can be sent back as it came.

    >>> collector = ReasoningCollector()
    >>> collector.add({"reasoning": "2+"}) + collector.add({"reasoning": "2"})
    '2+2'
    >>> collector.members()
    {'reasoning': '2+2'}
    """

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._parts: dict[str, Fragments] = {}

    def add(self, delta: JsonMapping) -> str:
        """Keeps the reasoning in `delta` and returns its text to show, once.

        The same text often comes in two members: OpenRouter sends `reasoning` and
        `reasoning_details` in each chunk.
        """
        for name in REASONING_TEXT_FIELDS:
            if isinstance(value := delta.get(name), str):
                self._texts.setdefault(name, []).append(value)
        for name in REASONING_PART_FIELDS:
            for part in objects_in(delta.get(name)):
                self._parts.setdefault(name, Fragments()).add(part)
        return next(self._texts_to_show(delta), "")

    def members(self) -> JsonObject:
        """The members of the whole message, under the names they came in."""
        texts = {name: "".join(pieces) for name, pieces in self._texts.items()}
        return texts | {name: fragments.parts() for name, fragments in self._parts.items()}

    @staticmethod
    def _texts_to_show(delta: JsonMapping) -> Iterator[str]:
        """What may be shown of `delta`, best first: its text, else the text within its parts."""
        for name in REASONING_TEXT_FIELDS:
            if text := text_or_none(delta.get(name)):
                yield text
        for name in REASONING_PART_FIELDS:
            if text := "".join(map(part_text, objects_in(delta.get(name)))):
                yield text
