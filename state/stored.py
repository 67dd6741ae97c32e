"""How the large values of a turn stand in checkpoints: LangGraph's own encoding, compressed.

What was sent stands in `request`, in every attempt and again in the result; compressed together it
is stored about once. A checkpointer that was not made for this can still read such a thread,
because a `Stored` is an ordinary named tuple to LangGraph's serializer; `value` decodes it.
"""

import zlib
from typing import Any, Final, NamedTuple

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from turngraph.state.decoded_messages import DECODED
from turngraph.state.errors import StoredThreadError
from turngraph.state.message_decoding import decoded_list
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt, Charge, ToolRun, TurnResult
from turngraph.state.stored_names import DICTIONARY

__all__ = ["DAMAGE", "MESSAGE_CLASSES", "STORED_CLASSES", "Stored", "stored_form"]

DAMAGE: Final = (
    *(ValueError, TypeError, LookupError, AttributeError),
    *(EOFError, NotImplementedError, RecursionError, zlib.error),
)
"""What decoding a damaged row may raise."""

MESSAGE_CLASSES: Final = (
    *(AIMessage, AIMessageChunk, ChatMessage, FunctionMessage),
    *(HumanMessage, RemoveMessage, SystemMessage, ToolMessage),
)
STORED_CLASSES: Final = (Attempt, Charge, ChatRequest, ToolRun, TurnResult)
"""The classes of the large values, other than messages."""

_SERIALIZER: Final = JsonPlusSerializer(allowed_msgpack_modules=[*MESSAGE_CLASSES, *STORED_CLASSES])
_WORTH_IT: Final = 256
"""Shorter values are stored as they are, in bytes."""
_LEVEL: Final = 1
"""zlib's fastest level: the best one saves 3 % more, and takes a third longer."""


class Stored(NamedTuple):
    """A value as it stands in a checkpoint.

    >>> form = stored_form(["a long text " * 100])
    >>> len(form.data) < 100, form.value == ["a long text " * 100]
    (True, True)
    """

    data: bytes

    @property
    def value(self) -> Any:
        """The value, decoded. Lists of messages are decoded once and remembered.

        Raises StoredThreadError if it is damaged.
        """
        try:
            return DECODED.read(self.data, _decoded)
        except DAMAGE as exc:
            raise StoredThreadError(None, exc) from exc


def stored_form(value: Any) -> Any:
    """Returns `value` as a `Stored`; a small value, or one in that form, stays as it is."""
    if isinstance(value, Stored):
        return value
    _, encoded = _SERIALIZER.dumps_typed(value)
    if len(encoded) < _WORTH_IT:
        return value
    compressor = zlib.compressobj(_LEVEL, zdict=DICTIONARY)
    return Stored(compressor.compress(encoded) + compressor.flush())


def _decoded(data: bytes) -> Any:
    # What was stored before there was a dictionary says so in its header, and is read without one.
    encoded = zlib.decompressobj(zdict=DICTIONARY).decompress(data)
    return decoded_list(encoded, lambda each: _SERIALIZER.loads_typed(("msgpack", each)))
