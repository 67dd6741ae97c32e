"""A conversation as Chat Completions has it, for the eyes of a program: nothing is sent."""

from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.messages import AnyMessage

from turngraph.providers.writing.chat_converter import OpenAIChatConverter
from turngraph.state.errors import TurnValueError
from turngraph.state.json_types import JsonObject
from turngraph.state.messages import coerce_message

__all__ = ["openai_messages"]


def openai_messages(messages: Iterable[object] | Mapping[str, Any]) -> list[JsonObject]:
    """Returns `messages` in OpenAI's form, without what turngraph and vendors keep beside them.

    messages: a conversation, or the state of a graph that has one as `messages`.

    Of a message with media that Chat Completions cannot carry, only the text is written. Raises
    TurnValueError for what is no message.

        >>> openai_messages([("user", "Hi"), ("assistant", "Hello!")])
        [{'role': 'user', 'content': 'Hi'}, {'role': 'assistant', 'content': 'Hello!'}]
    """
    conversation = messages.get("messages", ()) if isinstance(messages, Mapping) else messages
    if isinstance(conversation, str | bytes) or not isinstance(conversation, Iterable):
        raise TurnValueError(
            f"A conversation is a list of messages, not {type(conversation).__name__}."
        )
    return [_written(coerce_message(message)) for message in conversation]


def _written(message: AnyMessage) -> JsonObject:
    converter = OpenAIChatConverter()
    try:
        return converter.convert(message)
    except TurnValueError:
        return converter.convert(message.model_copy(update={"content": message.text}))
