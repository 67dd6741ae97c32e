"""Reads checkpoints strictly: only messages and the types of a turn's state are loaded.

LangGraph's default lets a row of the checkpoint table name any class and call it with any
arguments; whoever can write that table could run code
(https://github.com/advisories/GHSA-g48c-2wqr-h844). It also warns for every class of ours.
"""

from collections.abc import Iterator
from copy import copy
from functools import cache
from typing import Final, TypeVar

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
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Checkpointer

import turngraph.state.turn as turn
from turngraph.state.base import Frozen

__all__ = ["with_strict_serde"]

_MESSAGES: Final = (
    *(AIMessage, AIMessageChunk, ChatMessage, FunctionMessage),
    *(HumanMessage, RemoveMessage, SystemMessage, ToolMessage),
)


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
    strict.serde = _strict_serde(*types)
    return strict


@cache
def _strict_serde(*types: type) -> JsonPlusSerializer:
    return JsonPlusSerializer(allowed_msgpack_modules=[*_MESSAGES, *_value_types(Frozen), *types])


def _value_types(base: type[Frozen]) -> Iterator[type[Frozen]]:
    """The classes of values in the state: those of `turngraph.state`, and no subclass of others."""
    # Importing `turngraph.state.turn` has imported every module that defines one of them.
    for kind in base.__subclasses__():
        if kind.__module__.startswith(turn.__name__.rpartition(".")[0]):
            yield kind
        yield from _value_types(kind)
