"""Checkpointers that read strictly: see `turngraph.graphs.serializers`."""

from copy import copy
from functools import cache
from typing import TypeVar

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Checkpointer

from turngraph.graphs.readable_savers import readable
from turngraph.graphs.serializers import StrictSerializer, TurnSerializer

__all__ = ["turn_checkpointer", "with_strict_serde"]

Saver = TypeVar("Saver", bound=Checkpointer)


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
