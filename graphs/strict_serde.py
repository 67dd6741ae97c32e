"""Reads checkpoints strictly: only messages and the types of a turn's state are loaded.

LangGraph's default lets a row of the checkpoint table name any class and call it with any
arguments; whoever can write that table could run code
(https://github.com/advisories/GHSA-g48c-2wqr-h844). It also warns for every class of ours.
"""

from collections.abc import Iterator
from copy import copy
from typing import Final

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


def with_strict_serde(checkpointer: Checkpointer) -> Checkpointer:
    """A copy of `checkpointer`, on the same storage, that loads messages and the types of a turn's
    state, and no other class.

    A checkpointer that has a serializer of its own, for example one that encrypts, stays as it is.

        >>> from langgraph.checkpoint.memory import InMemorySaver
        >>> with_strict_serde(InMemorySaver()).serde.__class__.__name__, with_strict_serde(None)
        ('JsonPlusSerializer', None)
    """
    if (
        not isinstance(checkpointer, BaseCheckpointSaver)
        or type(checkpointer.serde) is not JsonPlusSerializer
    ):
        return checkpointer
    strict = copy(checkpointer)
    strict.serde = JsonPlusSerializer(allowed_msgpack_modules=[*_MESSAGES, *_value_types(Frozen)])
    return strict


def _value_types(base: type[Frozen]) -> Iterator[type[Frozen]]:
    """The classes of values in the state: those of `turngraph.state`, and no subclass of others."""
    # Importing `turngraph.state.turn` has imported every module that defines one of them.
    for kind in base.__subclasses__():
        if kind.__module__.startswith(turn.__name__.rpartition(".")[0]):
            yield kind
        yield from _value_types(kind)
