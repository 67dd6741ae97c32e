"""Reads checkpoints strictly: only messages and the types of a turn's state are loaded. A turn's
own checkpointer writes the large values compressed (`turngraph.state.stored`).

LangGraph's default lets a row of the checkpoint table name any class and call it with any
arguments; whoever can write that table could run code
(https://github.com/advisories/GHSA-g48c-2wqr-h844). It also warns for every class of ours.
"""

from collections.abc import Iterator
from copy import copy
from functools import cache
from typing import Any, TypeVar

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.types import Checkpointer

import turngraph.state.turn as turn
from turngraph.graphs.readable_savers import readable
from turngraph.state.base import Frozen
from turngraph.state.decoded_messages import DECODED
from turngraph.state.message_decoding import decoded_list
from turngraph.state.stored import MESSAGE_CLASSES, STORED_CLASSES, Stored, stored_form

__all__ = ["StrictSerializer", "TurnSerializer", "turn_checkpointer", "with_strict_serde"]

Saver = TypeVar("Saver", bound=Checkpointer)


class StrictSerializer(JsonPlusSerializer):
    """LangGraph's serializer, which loads messages, the types of a turn's state and `types`.

    It remembers the messages that it decoded, and reads what a `TurnSerializer` has compressed.
    """

    def __init__(self, *types: type) -> None:
        self.types = types
        allowed: list[type] = [*MESSAGE_CLASSES, *_value_types(Frozen), Stored, *types]
        super().__init__(allowed_msgpack_modules=allowed)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Decodes a checkpoint, one of its values, or what a task wrote."""
        value = self._loaded(data)
        if isinstance(value, dict) and "channel_values" in value:
            values = {name: _read(each) for name, each in value["channel_values"].items()}
            return {**value, "channel_values": values}
        return _read(value)

    def _loaded(self, data: tuple[str, bytes]) -> Any:
        kind, encoded = data
        if kind == "msgpack" and _is_list(encoded):
            return DECODED.read(encoded, self._decoded)
        try:
            return super().loads_typed(data)
        except NotImplementedError as exc:  # LangGraph's answer to a kind that it does not know
            raise ValueError(str(exc)) from exc

    def _decoded(self, encoded: bytes) -> Any:
        decode = super().loads_typed
        return decoded_list(encoded, lambda each: decode(("msgpack", each)))


class TurnSerializer(StrictSerializer):
    """The serializer of a turn's own checkpointer, whose channels read a `Stored`.

    It stores full copies of growing lists and the large values compressed.
    """

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Encodes a checkpoint, one of its values, or what a task wrote."""
        if isinstance(obj, dict) and "channel_values" in obj:
            values = {name: _compact(value) for name, value in obj["channel_values"].items()}
            return super().dumps_typed({**obj, "channel_values": values})
        first = obj[0] if isinstance(obj, list) and obj else obj
        if isinstance(first, STORED_CLASSES):
            return super().dumps_typed(stored_form(obj))
        return super().dumps_typed(_compact(obj))

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Decodes what `dumps_typed` encoded. Full copies inside a checkpoint stay compressed until
        a channel is read: LangGraph looks through many checkpoints for the one it needs.
        """
        value = self._loaded(data)
        return value.value if isinstance(value, Stored) else value


def _compact(value: Any) -> Any:
    """Returns the full copy of a growing list or of a large value in its stored form."""
    return _DeltaSnapshot(stored_form(value.value)) if isinstance(value, _DeltaSnapshot) else value


def _read(value: Any) -> Any:
    """Returns a compressed value, or full copy of a value, as the value itself."""
    form = value.value if isinstance(value, _DeltaSnapshot) else value
    return form.value if isinstance(form, Stored) else value


def _is_list(encoded: bytes) -> bool:
    """Whether `encoded` is an array of msgpack.

    See https://github.com/msgpack/msgpack/blob/master/spec.md#array-format-family.
    """
    return encoded[:1] in (b"\xdc", b"\xdd") or 0x90 <= (encoded[:1] or b"\0")[0] <= 0x9F


def with_strict_serde(checkpointer: Saver, *types: type) -> Saver:
    """A copy of `checkpointer`, on the same storage, that loads messages, the types of a turn's
    state and `types`, and no other class.

    A turn does this by itself. It is for whoever else reads or keeps a turn's values: a parent
    graph with a key `result`, a script that lists checkpoints. Without it LangGraph logs a warning
    for each class, and with `LANGGRAPH_STRICT_MSGPACK=true` gives dicts in their place.

    A checkpointer that has a serializer of its own, for example one that encrypts, stays as it is.

    Args:
        checkpointer: any checkpointer; `None`, `True` and `False` are returned as they are.
        types: the classes of your own state that are loaded too.

        >>> from langgraph.checkpoint.memory import InMemorySaver
        >>> from turngraph.graphs import chat_turn
        >>> saver, config = InMemorySaver(), {"configurable": {"thread_id": "1"}}
        >>> turn = chat_turn("scripted", checkpointer=saver)
        >>> answered = turn.invoke({"messages": [("user", "Hi")]}, config)
        >>> stored = with_strict_serde(saver).get_tuple(config).checkpoint["channel_values"]
        >>> type(stored["result"]).__name__
        'TurnResult'
    """
    if (
        not isinstance(checkpointer, BaseCheckpointSaver)
        or type(checkpointer.serde) is not JsonPlusSerializer
    ):
        return checkpointer
    strict = copy(checkpointer)
    strict.serde = _strict_serializer(*types)
    return strict


def turn_checkpointer(checkpointer: Saver) -> Saver:
    """`with_strict_serde(checkpointer)` for a turn itself: it stores large values compressed."""
    if not isinstance(checkpointer, BaseCheckpointSaver):
        return checkpointer
    if type(checkpointer.serde) is JsonPlusSerializer:
        types: tuple[type, ...] = ()
    elif type(checkpointer.serde) is StrictSerializer:
        types = checkpointer.serde.types
    else:
        return checkpointer
    compact = readable(checkpointer)
    compact.serde = _turn_serializer(*types)
    return compact


_strict_serializer = cache(StrictSerializer)
_turn_serializer = cache(TurnSerializer)


def _value_types(base: type[Frozen]) -> Iterator[type[Frozen]]:
    """The classes of values in the state: those of `turngraph.state`, and no subclass of others."""
    # Importing `turngraph.state.turn` has imported every module that defines one of them.
    for kind in base.__subclasses__():
        if kind.__module__.startswith(turn.__name__.rpartition(".")[0]):
            yield kind
        yield from _value_types(kind)
