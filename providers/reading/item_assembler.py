"""The output items of a Responses stream, put together as far as they have come."""

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

from turngraph.providers.reading.call_assembler import arguments_too_long
from turngraph.providers.reading.read_limits import ReadLimits, too_large
from turngraph.state.json_types import JsonMapping, JsonObject

__all__ = ["ItemAssembler"]


class GrowingPart(NamedTuple):
    """Which part of which item an event makes longer."""

    item_type: str
    parts: str
    """The member of the item that lists its parts."""
    part_type: str
    member: str
    """The member of the part that grows."""


# https://platform.openai.com/docs/api-reference/responses-streaming
PARTS: Final[Mapping[str, GrowingPart]] = {
    "response.output_text.delta": GrowingPart("message", "content", "output_text", "text"),
    "response.refusal.delta": GrowingPart("message", "content", "refusal", "refusal"),
    "response.reasoning_summary_text.delta": GrowingPart(
        "reasoning", "summary", "summary_text", "text"
    ),
    "response.reasoning_text.delta": GrowingPart("reasoning", "content", "reasoning_text", "text"),
}
MEMBERS: Final[Mapping[str, tuple[str, str]]] = {
    "response.function_call_arguments.delta": ("function_call", "arguments"),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "input"),
}
"""The type of the item, and the member of it that grows."""
WHOLE_TEXTS: Final[Mapping[str, str]] = {
    "response.output_text.done": "text",
    "response.refusal.done": "refusal",
    "response.function_call_arguments.done": "arguments",
    "response.custom_tool_call_input.done": "input",
}
"""The events that end a text, and the member that holds all of it."""
CALLS: Final = frozenset(kind for kind, _ in MEMBERS.values())
ITEMS: Final = frozenset({"response.output_item.added", "response.output_item.done"})

PieceKey: TypeAlias = tuple[int, str, int]
"""Place of the item, type of the event, place of the part within the item."""


class ItemAssembler:
    """Keeps each item by its place in the output.

    Places are used because ids may change: GitHub Copilot encrypts them anew for every event.
    An item that is done is kept as its `output_item.done` event brought it; one that was cut off is
    built from its pieces.

        >>> items = ItemAssembler(ReadLimits())
        >>> event = {"output_index": 0, "delta": '{"x": 1}'}
        >>> items.feed("response.function_call_arguments.delta", event)
        >>> items.items()
        [{'type': 'function_call', 'arguments': '{"x": 1}'}]
    """

    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits
        self._items: dict[int, JsonObject] = {}
        self._done: set[int] = set()
        self._pieces: dict[PieceKey, list[str]] = {}
        self._sizes: dict[PieceKey, int] = {}
        self._calls: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._items or self._pieces)

    def feed(self, kind: str, event: JsonMapping) -> None:
        """Reads one event of type `kind`; events that are not about items are ignored.

        Raises `ProviderError` above the limits.
        """
        if kind in PARTS or kind in MEMBERS:
            self._add_piece(kind, event)
        elif kind in WHOLE_TEXTS:
            # Proxies that do not stream send the whole text here, and no pieces before it.
            text = event.get(WHOLE_TEXTS[kind])
            piece = {**event, "delta": text}
            self._add_piece(kind.removesuffix("done") + "delta", piece, whole=True)
        elif kind in ITEMS and isinstance(item := event.get("item"), dict):
            place = self._place_of(event)
            self._items[place] = item
            if kind == "response.output_item.done":
                self._done.add(place)
            self._check_limits(place, item)

    def items(self) -> list[JsonObject]:
        """The items in order."""
        places = sorted({*self._items, *(place for place, _, _ in self._pieces)})
        return [
            self._items[place] if place in self._done else self._built_from_pieces(place)
            for place in places
        ]

    def _place_of(self, event: JsonMapping) -> int:
        place, id_ = event.get("output_index"), event["item"].get("id")
        if isinstance(place, int):
            return place
        # Without an index the id decides; an unknown id is the next item.
        known = (
            place
            for place, item in self._items.items()
            if id_ is not None and item.get("id") == id_
        )
        return next(known, len(self._items))

    def _add_piece(self, kind: str, event: JsonMapping, *, whole: bool = False) -> None:
        place, delta = event.get("output_index"), event.get("delta")
        if not isinstance(delta, str):
            return
        if not isinstance(place, int):
            place = max(self._items, default=0)
        part = event.get("summary_index" if "summary" in kind else "content_index")
        key = (place, kind, part if isinstance(part, int) else 0)
        if whole and key in self._pieces:
            return
        self._pieces.setdefault(key, []).append(delta)
        if kind in MEMBERS:
            self._sizes[key] = self._sizes.get(key, 0) + len(delta)
            self._check_argument_size(self._sizes[key])

    def _built_from_pieces(self, place: int) -> JsonObject:
        item = dict(self._items.get(place, {}))
        if item.get("status") == "in_progress":
            del item["status"]  # it was so when the item began
        pieces_here = sorted((key, value) for key, value in self._pieces.items() if key[0] == place)
        for (_, kind, _), pieces in pieces_here:
            text = "".join(pieces)
            if kind in MEMBERS:
                item_type, member = MEMBERS[kind]
                item = {"type": item_type, **item, member: text}
            else:
                item = with_part(item, PARTS[kind], text)
        return item

    def _check_limits(self, place: int, item: JsonMapping) -> None:
        arguments = item.get("arguments", item.get("input"))
        self._check_argument_size(len(arguments) if isinstance(arguments, str) else 0)
        if str(item.get("type")) in CALLS:
            self._calls.add(place)
        if len(self._calls) > self._limits.tool_calls:
            raise too_large(f"The answer has more than {self._limits.tool_calls} tool calls.")

    def _check_argument_size(self, size: int) -> None:
        if size > self._limits.argument_chars:
            raise arguments_too_long(self._limits)


def with_part(item: JsonMapping, growing: GrowingPart, text: str) -> JsonObject:
    """`item` with one more part, which holds `text`."""
    role = {"role": "assistant"} if growing.item_type == "message" else {}
    part = {"type": growing.part_type, growing.member: text}
    before = item.get(growing.parts)
    parts = [*before, part] if isinstance(before, list) else [part]
    return {"type": growing.item_type, **role, **item, growing.parts: parts}
