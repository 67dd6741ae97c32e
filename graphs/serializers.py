"""Serializers that read checkpoints strictly: only messages and the types of a turn's state are
loaded. A turn's own writes the large values compressed (`turngraph.state.stored`).

LangGraph's default lets a row of the checkpoint table name any class and call it with any
arguments; whoever can write that table could run code
(https://github.com/advisories/GHSA-g48c-2wqr-h844). It also warns for every class of ours.
"""

from collections.abc import Iterator
from copy import copy
from typing import Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot

import turngraph.state.turn as turn
from turngraph.state.base import Frozen
from turngraph.state.decoded_messages import DECODED
from turngraph.state.errors import TurnValueError
from turngraph.state.message_decoding import decoded_list
from turngraph.state.stored import MESSAGE_CLASSES, STORED_CLASSES, Stored, stored_form

__all__ = ["StrictSerializer", "TurnSerializer"]


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

    _forms: dict[int, tuple[Any, Any]] | None = None
    """Of the serializer of one transaction: values, by their `id`, and their stored forms."""

    def of_one_transaction(self) -> "TurnSerializer":
        """Returns a serializer that encodes a value once, though it is given twice: as what a task
        wrote, and in the checkpoint after it. Drop it at the end of the transaction.
        """
        new = copy(self)
        new._forms = {}
        return new

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Encodes a checkpoint, one of its values, or what a task wrote."""
        if isinstance(obj, dict) and "channel_values" in obj:
            values = {name: self._compact(value) for name, value in obj["channel_values"].items()}
            return self._dumped({**obj, "channel_values": values})
        first = obj[0] if isinstance(obj, list) and obj else obj
        if isinstance(first, STORED_CLASSES):
            return self._dumped(self._stored_form(obj))
        return self._dumped(self._compact(obj))

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Decodes what `dumps_typed` encoded. Full copies inside a checkpoint stay compressed until
        a channel is read: LangGraph looks through many checkpoints for the one it needs.
        """
        value = self._loaded(data)
        return value.value if isinstance(value, Stored) else value

    def _dumped(self, obj: Any) -> tuple[str, bytes]:
        try:
            return super().dumps_typed(obj)
        except TypeError as exc:
            raise TurnValueError(
                f"A value cannot be stored in the thread: {exc}. Give texts, numbers, lists, "
                "objects, messages, dataclasses or pydantic models."
            ) from exc

    def _compact(self, value: Any) -> Any:
        """Returns the full copy of a growing list or of a large value in its stored form."""
        if not isinstance(value, _DeltaSnapshot):
            return value
        return _DeltaSnapshot(self._stored_form(value.value))

    def _stored_form(self, value: Any) -> Any:
        forms = self._forms
        if forms is None:
            return stored_form(value)
        if id(value) not in forms:
            # The value is kept beside its form: the `id` of one that is gone may be given again.
            forms[id(value)] = value, stored_form(value)
        return forms[id(value)][1]


def _read(value: Any) -> Any:
    """Returns a compressed value, or full copy of a value, as the value itself."""
    form = value.value if isinstance(value, _DeltaSnapshot) else value
    return form.value if isinstance(form, Stored) else value


def _is_list(encoded: bytes) -> bool:
    """Whether `encoded` is an array of msgpack.

    See https://github.com/msgpack/msgpack/blob/master/spec.md#array-format-family.
    """
    return encoded[:1] in (b"\xdc", b"\xdd") or 0x90 <= (encoded[:1] or b"\0")[0] <= 0x9F


def _value_types(base: type[Frozen]) -> Iterator[type[Frozen]]:
    """The classes of values in the state: those of `turngraph.state`, and no subclass of others."""
    # Importing `turngraph.state.turn` has imported every module that defines one of them.
    for kind in base.__subclasses__():
        if kind.__module__.startswith(turn.__name__.rpartition(".")[0]):
            yield kind
        yield from _value_types(kind)
