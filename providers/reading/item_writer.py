"""The output items of a Responses stream, as far as they have come."""

from collections.abc import Mapping
from typing import Any, Final

from turngraph.providers.reading.read_limits import ReadLimits, too_large

__all__ = ["ItemWriter"]

PARTS: Final[Mapping[str, tuple[str, str, str, str]]] = {
    # event: (type of the item, its list of parts, type of the part, the member that grows)
    "response.output_text.delta": ("message", "content", "output_text", "text"),
    "response.refusal.delta": ("message", "content", "refusal", "refusal"),
    "response.reasoning_summary_text.delta": ("reasoning", "summary", "summary_text", "text"),
    "response.reasoning_text.delta": ("reasoning", "content", "reasoning_text", "text"),
}
MEMBERS: Final[Mapping[str, tuple[str, str]]] = {
    "response.function_call_arguments.delta": ("function_call", "arguments"),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "input"),
}
CALLS: Final = frozenset(kind for kind, _ in MEMBERS.values())
ITEMS: Final = frozenset({"response.output_item.added", "response.output_item.done"})


class ItemWriter:
    """Keeps each item by its place in the output: ids may change from event to event, places do
    not.

    An item that is done is kept as its `output_item.done` brought it. One that was cut off is
    written from its pieces.

        >>> items = ItemWriter(ReadLimits())
        >>> items.feed("response.output_text.delta", {"output_index": 0, "content_index": 0, "delta": "Hi"})
        >>> items.whole()
        [{'type': 'message', 'role': 'assistant', 'content': [{'type': 'output_text', 'text': 'Hi'}]}]
    """

    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits
        self._items: dict[int, dict[str, Any]] = {}
        self._done: set[int] = set()
        self._pieces: dict[tuple[int, str, int], list[str]] = {}
        self._sizes: dict[tuple[int, str, int], int] = {}
        self._calls: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._items or self._pieces)

    def feed(self, kind: str, event: Mapping[str, Any]) -> None:
        """Take one event; those that say nothing of items are ignored. Raises `ProviderError` above
        the limits.
        """
        if kind in PARTS or kind in MEMBERS:
            self._add_piece(kind, event)
        elif kind in ITEMS and isinstance(item := event.get("item"), dict):
            place = self._place(event)
            self._items[place] = item
            if kind == "response.output_item.done":
                self._done.add(place)
            self._check(place, item)

    def whole(self) -> list[dict[str, Any]]:
        """The items in order."""
        places = sorted({*self._items, *(place for place, _, _ in self._pieces)})
        return [
            self._items[place] if place in self._done else self._written(place) for place in places
        ]

    def _place(self, event: Mapping[str, Any]) -> int:
        place, id_ = event.get("output_index"), event["item"].get("id")
        if isinstance(place, int):
            return place
        known = (
            place
            for place, item in self._items.items()
            if id_ is not None and item.get("id") == id_
        )
        return next(known, len(self._items))

    def _add_piece(self, kind: str, event: Mapping[str, Any]) -> None:
        place, delta = event.get("output_index"), event.get("delta")
        if not isinstance(delta, str):
            return
        if not isinstance(place, int):
            place = max(self._items, default=0)
        part = event.get("summary_index" if "summary" in kind else "content_index")
        key = (place, kind, part if isinstance(part, int) else 0)
        self._pieces.setdefault(key, []).append(delta)
        if kind in MEMBERS:
            self._sizes[key] = self._sizes.get(key, 0) + len(delta)
            self._check_size(self._sizes[key])

    def _written(self, place: int) -> dict[str, Any]:
        item = dict(self._items.get(place, {}))
        for (_, kind, _), pieces in sorted(
            (key, value) for key, value in self._pieces.items() if key[0] == place
        ):
            text = "".join(pieces)
            if kind in MEMBERS:
                type_, member = MEMBERS[kind]
                item = {"type": type_, **item, member: text}
            else:
                type_, parts, part_type, member = PARTS[kind]
                begun = (
                    {"type": type_, "role": "assistant"} if type_ == "message" else {"type": type_}
                )
                before = item.get(parts)
                part = {"type": part_type, member: text}
                item = {
                    **begun,
                    **item,
                    parts: [*before, part] if isinstance(before, list) else [part],
                }
        return item

    def _check(self, place: int, item: Mapping[str, Any]) -> None:
        arguments = item.get("arguments", item.get("input"))
        self._check_size(len(arguments) if isinstance(arguments, str) else 0)
        if str(item.get("type")) in CALLS:
            self._calls.add(place)
        if len(self._calls) > self._limits.tool_calls:
            raise too_large(f"More than {self._limits.tool_calls} tool calls in one answer.")

    def _check_size(self, size: int) -> None:
        if size > self._limits.argument_chars:
            most = self._limits.argument_chars
            raise too_large(f"Arguments of a tool call above {most} characters.")
