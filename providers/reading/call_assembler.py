"""Tool calls out of the pieces a stream brings them in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from turngraph.providers.reading.read_limits import ReadLimits, too_large
from turngraph.state.reply import ToolCall

__all__ = ["CallAssembler", "named_apart"]

STANDARD = frozenset({"id", "index", "type", "function", "custom"})


@dataclass
class OpenCall:
    """A call still being written."""

    id: str | None
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    size: int = 0
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    def is_whole(self) -> bool:
        return (
            self.size > 1 and self.pieces[-1].rstrip().endswith("}") and is_object(self.arguments)
        )


def is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


class CallAssembler:
    """Puts each piece to the call it belongs to: by its index, else by its id, else by its place or
    the last call.

    Bears what vendors do: whole calls in one piece, interleaved calls, the same index for another
    id (a new call), the name repeated, arguments null or an object, ids missing or twice
    (`named_apart`). Raises `ProviderError` (`too_large`) above the limits.

        >>> calls = CallAssembler(ReadLimits())
        >>> calls.add([{"index": 0, "id": "a", "function": {"name": "add", "arguments": '{"x"'}}])
        >>> calls.add([{"index": 0, "function": {"arguments": ": 1}"}}])
        >>> calls.calls()
        (ToolCall(id='a', name='add', arguments='{"x": 1}', extra=None),)
    """

    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits
        self._calls: list[OpenCall] = []
        self._by_index: dict[int, OpenCall] = {}
        self.notes: dict[str, None] = {}

    def add(self, pieces: object, *, whole: bool = False) -> None:
        """One delta's `tool_calls`; `whole` where each is a call of its own, as in a JSON answer."""
        if not isinstance(pieces, list):
            self.notes["`tool_calls` is not a list; it was ignored."] = None
            return
        for place, piece in enumerate(pieces):
            if isinstance(piece, dict):
                self._add(piece, whole=whole, place=place - len(pieces))
            elif piece is not None:
                self.notes["A tool call is not an object; it was ignored."] = None

    def calls(self) -> tuple[ToolCall, ...]:
        """The calls as they stand, in the order they were begun, each with an id of its own."""
        found = [call for call in self._calls if call.name or call.id or call.size]
        built = [
            ToolCall(id=c.id or "", name=c.name, arguments=c.arguments, extra=c.extra or None)
            for c in found
        ]
        return named_apart(built, self.notes)

    def _add(self, piece: Mapping[str, Any], *, whole: bool, place: int) -> None:
        id_, inner = text(piece.get("id")), function_of(piece)
        name = text(inner.get("name"))
        call = None if whole else self._open(piece.get("index"), id_, name, inner, place)
        if call is None:
            call = self._begin(piece.get("index"), id_)
        call.id, call.name = call.id or id_, call.name or name or ""
        call.extra.update(
            {
                key: value
                for key, value in piece.items()
                if key not in STANDARD and value is not None
            }
        )
        if piece.get("type") not in (None, "", "function"):
            call.extra["type"] = piece["type"]
        self._write(call, inner.get("arguments", inner.get("input")))

    def _begin(self, index: object, id_: str | None) -> OpenCall:
        if len(self._calls) >= self._limits.tool_calls:
            raise too_large(f"More than {self._limits.tool_calls} tool calls in one answer.")
        call = OpenCall(id=id_)
        self._calls.append(call)
        if isinstance(index, int):
            self._by_index[index] = call
        return call

    def _open(
        self, index: object, id_: str | None, name: str | None, inner: Mapping[str, Any], place: int
    ) -> OpenCall | None:
        """The begun call a piece belongs to, or `None` where it begins another."""
        if isinstance(index, int):
            call = self._by_index.get(index)
            if call is None and name is None:
                call = next((c for c in self._calls if id_ is not None and c.id == id_), None)
            return None if call is None or self._is_another(call, id_, name, inner) else call
        if id_ is not None:
            return next((call for call in self._calls if call.id == id_), None)
        if name is None and -place > 1:
            return self._calls[place] if -place <= len(self._calls) else None
        last = self._calls[-1] if self._calls else None
        return None if last is None or self._is_another(last, id_, name, inner) else last

    def _is_another(
        self, call: OpenCall, id_: str | None, name: str | None, inner: Mapping[str, Any]
    ) -> bool:
        if id_ is not None and call.id is not None and id_ != call.id:
            return True
        if name is None or not call.name or id_ is not None:
            return False
        # A name again, and no id: a repetition beside the next piece of arguments, or the next
        # whole call.
        return name != call.name or (bool(inner.get("arguments")) and call.is_whole())

    def _write(self, call: OpenCall, arguments: object) -> None:
        if arguments is None or arguments == "":
            return
        if not isinstance(arguments, str):
            self.notes["Arguments came as JSON, not as text; they were written out."] = None
            arguments = json.dumps(arguments, ensure_ascii=False)
        call.pieces.append(arguments)
        call.size += len(arguments)
        if call.size > self._limits.argument_chars:
            most = self._limits.argument_chars
            raise too_large(f"Arguments of a tool call above {most} characters.")


def text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def function_of(piece: Mapping[str, Any]) -> Mapping[str, Any]:
    """The function of a call, or the custom tool; Snowflake sends both, the one not meant being
    empty.
    """
    inner = [value for key in ("function", "custom") if isinstance(value := piece.get(key), dict)]
    return next((value for value in inner if value.get("name")), inner[0] if inner else {})


def named_apart(calls: list[ToolCall], notes: dict[str, None]) -> tuple[ToolCall, ...]:
    """`calls` with an id each: a missing one is `call_<place>`, a second of the same is `<id>#2`.

    >>> call = ToolCall(id="", name="add", arguments="{}")
    >>> [call.id for call in named_apart([call, call.model_copy(update={"id": "x"}), call], {})]
    ['call_0', 'x', 'call_2']
    """
    taken = {call.id for call in calls}
    seen: set[str] = set()
    apart = []
    for place, call in enumerate(calls):
        id_ = call.id or free(f"call_{place}", taken)
        if not call.id:
            notes["A tool call had no id; one was made up."] = None
        elif id_ in seen:
            id_ = free(id_, taken | seen)
            notes["Two tool calls had the same id; the later one was renamed."] = None
        seen.add(id_)
        apart.append(call if id_ == call.id else call.model_copy(update={"id": id_}))
    return tuple(apart)


def free(id_: str, taken: set[str]) -> str:
    number = 2
    name = id_
    while name in taken:
        name, number = f"{id_}#{number}", number + 1
    return name
