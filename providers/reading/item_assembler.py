"""The output items of a Responses stream, put together as far as they have come."""

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

from turngraph.providers.reading.call_assembler import arguments_too_long
from turngraph.providers.reading.json_values import objects_in
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
PART_EVENTS: Final = frozenset(
    {"response.content_part.done", "response.reasoning_summary_part.done"}
)
KIND_OF_PART: Final[Mapping[str, str]] = {part.part_type: kind for kind, part in PARTS.items()}
WHOLE_TEXTS: Final[Mapping[str, str]] = {
    "response.output_text.done": "text",
    "response.refusal.done": "refusal",
    "response.reasoning_summary_text.done": "text",
    "response.reasoning_text.done": "text",
    "response.function_call_arguments.done": "arguments",
    "response.custom_tool_call_input.done": "input",
}
"""The events that end a text, and the member that holds all of it."""
CALLS: Final = frozenset(kind for kind, _ in MEMBERS.values())
ITEMS: Final = frozenset({"response.output_item.added", "response.output_item.done"})

Place: TypeAlias = tuple[int, int]
"""Index of an item in the output, and how many items came under that index before it."""
PieceKey: TypeAlias = tuple[Place, str, int]
"""Place of the item, type of the event, place of the part within the item."""


class ItemAssembler:
    """Keeps each item by its place in the output.

    Places are used because ids may change: GitHub Copilot encrypts them anew for every event. Some
    servers give all items one index: an item that comes under the index of another is the next.
    An item that is done is kept as its `output_item.done` event brought it, with texts that it
    lacks but that were streamed; one that was cut off is built from its pieces.

        >>> items = ItemAssembler(ReadLimits())
        >>> event = {"output_index": 0, "delta": '{"x": 1}'}
        >>> items.feed("response.function_call_arguments.delta", event)
        >>> items.items()
        [{'type': 'function_call', 'arguments': '{"x": 1}'}]
    """

    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits
        self._items: dict[Place, JsonObject] = {}
        self._current: dict[int, Place] = {}
        self._done: set[Place] = set()
        self._pieces: dict[PieceKey, list[str]] = {}
        self._sizes: dict[PieceKey, int] = {}
        self._calls: set[Place] = set()

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
        elif kind in PART_EVENTS and isinstance(part := event.get("part"), dict):
            part_kind = KIND_OF_PART.get(str(part.get("type")))
            if part_kind is not None:
                piece = {**event, "delta": part.get(PARTS[part_kind].member)}
                self._add_piece(part_kind, piece, whole=True)
        elif kind in ITEMS and isinstance(item := event.get("item"), dict):
            place = self._place_of(event, item)
            self._items[place] = item
            self._current[place[0]] = place
            if kind == "response.output_item.done":
                self._done.add(place)
            self._check_limits(place, item)

    def items(self) -> list[JsonObject]:
        """The items in order."""
        places = sorted({*self._items, *(place for place, _, _ in self._pieces)})
        return [self._with_pieces(place) for place in places]

    def _place_of(self, event: JsonMapping, item: JsonMapping) -> Place:
        index = event.get("output_index")
        if not isinstance(index, int):
            # Without an index the id decides; an unknown id is the next item.
            known = self._place_by_id(item.get("id"))
            return known or (max(self._current, default=-1) + 1, 0)
        place = self._current.get(index, (index, 0))
        before = self._items.get(place, item)
        is_same = all(before.get(name) == item.get(name) for name in ("type", "id"))
        begins = event.get("type") != "response.output_item.done" or place in self._done
        return place if is_same or not begins else (index, place[1] + 1)

    def _place_by_id(self, id_: object) -> Place | None:
        places = (place for place, item in self._items.items() if item.get("id") == id_)
        return next(places, None) if id_ is not None else None

    def _add_piece(self, kind: str, event: JsonMapping, *, whole: bool = False) -> None:
        index, delta = event.get("output_index"), event.get("delta")
        if not isinstance(delta, str):
            return
        place = self._place_by_id(event.get("item_id"))
        if isinstance(index, int) and (place is None or place[0] != index):
            place = self._current.get(index, (index, 0))
        elif place is None:
            place = max(self._items, default=(0, 0))
        part = event.get("summary_index" if "summary" in kind else "content_index")
        key = (place, kind, part if isinstance(part, int) else 0)
        if whole and key in self._pieces:
            return
        self._pieces.setdefault(key, []).append(delta)
        if kind in MEMBERS:
            self._sizes[key] = self._sizes.get(key, 0) + len(delta)
            self._check_argument_size(self._sizes[key])

    def _with_pieces(self, place: Place) -> JsonObject:
        """The item at `place`, with the texts that were streamed and that it does not have."""
        item = dict(self._items.get(place, {}))
        is_done = place in self._done
        if item.get("status") == "in_progress" and not is_done:
            del item["status"]  # it was so when the item began
        pieces_here = sorted((key, value) for key, value in self._pieces.items() if key[0] == place)
        kinds = {kind for (_, kind, _), _ in pieces_here}
        brought = {kind for kind in kinds if is_done and has_text(item, kind)}
        for (_, kind, _), pieces in pieces_here:
            if kind in brought:
                continue
            text = "".join(pieces)
            if kind in MEMBERS:
                item_type, member = MEMBERS[kind]
                item = {"type": item_type, **item, member: text}
            else:
                item = with_part(item, PARTS[kind], text)
        return item

    def _check_limits(self, place: Place, item: JsonMapping) -> None:
        arguments = item.get("arguments", item.get("input"))
        self._check_argument_size(len(arguments) if isinstance(arguments, str) else 0)
        if str(item.get("type")) in CALLS:
            self._calls.add(place)
        if len(self._calls) > self._limits.tool_calls:
            raise too_large(f"The answer has more than {self._limits.tool_calls} tool calls.")

    def _check_argument_size(self, size: int) -> None:
        if size > self._limits.argument_chars:
            raise arguments_too_long(self._limits)


def has_text(item: JsonMapping, kind: str) -> bool:
    """Whether `item` has a text of the kind that events of type `kind` bring."""
    if kind in MEMBERS:
        return bool(item.get(MEMBERS[kind][1]))
    growing = PARTS[kind]
    return any(
        part.get("type") == growing.part_type and part.get(growing.member)
        for part in objects_in(item.get(growing.parts))
    )


def with_part(item: JsonMapping, growing: GrowingPart, text: str) -> JsonObject:
    """`item` with one more part, which holds `text`."""
    role = {"role": "assistant"} if growing.item_type == "message" else {}
    part = {"type": growing.part_type, growing.member: text}
    before = [
        each
        for each in objects_in(item.get(growing.parts))
        if each.get("type") != growing.part_type or each.get(growing.member)
    ]
    parts = [*before, part]
    return {"type": growing.item_type, **role, **item, growing.parts: parts}
