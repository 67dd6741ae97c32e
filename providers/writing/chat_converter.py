"""LangChain messages to the Chat Completions format. `from_chat` is the way back.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage

from turngraph.providers.vendors.reasoning_fields import DEFAULT_TEXT_FIELD
from turngraph.providers.writing.content import (
    NOT_CONTENT,
    Raw,
    Text,
    chat_part,
    part_or_note,
    place_of,
)
from turngraph.providers.writing.content_readers import read_block, read_result_block
from turngraph.providers.writing.roles import DEVELOPER, role_of, tool_message_of
from turngraph.providers.writing.wire_calls import wire_calls
from turngraph.state.arguments import json_text
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.messages import coerce_message

__all__ = ["OpenAIChatConverter"]


class OpenAIChatConverter:
    """Writes messages as Chat Completions does. A tool's artifact is never sent.

    remove_empty_content: whether an answer with tool calls and no text has no `content`; otherwise
        it has `content: null`.
    vendor_fields: whether to write what a vendor added to the standard and wants back (reasoning,
        `extra_content`), under the names it came in.

        >>> from langchain_core.messages import HumanMessage
        >>> OpenAIChatConverter().convert_user(HumanMessage("Hi"))
        {'role': 'user', 'content': 'Hi'}
    """

    def __init__(self, remove_empty_content: bool = True, *, vendor_fields: bool = False) -> None:
        self.remove_empty_content: Final = remove_empty_content
        self.vendor_fields: Final = vendor_fields
        self.noted_media: Final[set[str]] = set()
        """Kinds of content in tools' results that were written as a note."""

    def convert_all(self, messages: Iterable[BaseMessage | JsonMapping]) -> list[JsonObject]:
        """Converts every message, one to one and in order.

        Raises TurnValueError naming a message that cannot be sent.
        """
        return [self.convert(message, n) for n, message in enumerate(messages, 1)]

    def convert(self, message: BaseMessage | JsonMapping, n: int = 1) -> JsonObject:
        """Converts `message`, the `n`th of its conversation, by its role."""
        message = coerce_message(message)
        return self._CONVERT[role_of(message, n)](self, message)

    def convert_system(self, message: BaseMessage | JsonMapping | str) -> JsonObject:
        """A system message; its role is `developer` if it was written for that role."""
        if isinstance(message, str):
            return {"role": "system", "content": message}
        message = coerce_message(message)
        role = "developer" if message.additional_kwargs.get(DEVELOPER) == "developer" else "system"
        return _with_name({"role": role, "content": _content(message)}, message)

    def convert_user(self, message: BaseMessage | JsonMapping) -> JsonObject:
        """A user message: text or parts. Content that is an object is sent as JSON text."""
        message = coerce_message(message)
        content: Any = message.content
        # A text is looked for first: `isinstance` takes long with an abstract class.
        if not isinstance(content, str):
            is_object = isinstance(content, Mapping)
            content = json_text(content, "A message's content") if is_object else _content(message)
        return _with_name({"role": "user", "content": content}, message)

    def convert_assistant(self, message: BaseMessage | JsonMapping) -> JsonObject:
        """An assistant message with its tool calls.

        The arguments are byte for byte those that the model wrote.
        """
        message = coerce_message(message)
        if not isinstance(message, AIMessage):  # a ChatMessage of this role
            return _with_name({"role": "assistant", "content": _content(message)}, message)
        kwargs = message.additional_kwargs
        wire: JsonObject = {"role": "assistant"}
        content = _assistant_content(message, replay=self.vendor_fields)
        calls = wire_calls(message, extra=self.vendor_fields)
        # The API demands content, a refusal, audio or tool calls, and one of them is enough.
        if content:
            wire["content"] = content
        elif refusal := kwargs.get("refusal"):
            wire["content"] = [{"type": "refusal", "refusal": refusal}]
        elif audio := kwargs.get("audio"):
            wire["audio"] = {"id": audio["id"]}
        elif not calls:
            wire["content"] = ""
        elif not self.remove_empty_content:
            wire["content"] = None
        if self.vendor_fields and kwargs:
            wire.update(_vendor_fields(kwargs))
        if calls:
            wire["tool_calls"] = calls
        return _with_name(wire, message)

    def convert_tool_result(self, message: BaseMessage | JsonMapping) -> JsonObject:
        """A tool's result, under the id of its call."""
        message = tool_message_of(message)
        content: Any = message.content
        if isinstance(content, list):
            place = place_of(message)
            parts = [read_result_block(block, place, self.noted_media) for block in content]
            # An empty list is refused.
            content = [
                part_or_note(part, place, chat_part, self.noted_media) for part in parts
            ] or ""
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": content}

    _CONVERT: Final[Mapping[str, Callable[["OpenAIChatConverter", BaseMessage], JsonObject]]] = {
        "system": convert_system,
        "user": convert_user,
        "assistant": convert_assistant,
        "tool": convert_tool_result,
    }


def _with_name(wire: JsonObject, message: BaseMessage) -> JsonObject:
    if message.name is not None:
        wire["name"] = message.name
    return wire


def _content(message: BaseMessage) -> str | list[JsonObject]:
    content = message.content
    if isinstance(content, str):
        return content
    place = place_of(message)
    return [chat_part(read_block(block, place), place) for block in content]


def _assistant_content(message: AIMessage, *, replay: bool) -> str | list[JsonObject]:
    content = message.content
    if isinstance(content, str):
        parts = message.additional_kwargs.get("content_parts") if replay else None
        return content if parts is None else _with_text(parts, content)
    place = place_of(message)
    blocks = [b for b in content if isinstance(b, str) or str(b.get("type")) not in NOT_CONTENT]
    parts = [read_block(block, place) for block in blocks]
    # An assistant message takes text and refusals; media that a model made cannot go back.
    return [chat_part(part, place) for part in parts if isinstance(part, Text | Raw)]


def _with_text(parts: Sequence[JsonMapping], text: str) -> str | list[JsonObject]:
    """`content_parts` with the message's text back in its place.

    The text alone if its place is not known: the parts hold other text, so somebody edited the
    message.
    """
    if any("text" in part for part in parts if part.get("type") == "text"):
        return text
    has_place = any(part.get("type") == "text" for part in parts)
    whole = parts if has_place or not text else [*parts, {"type": "text"}]
    return [{**part, "text": text} if part.get("type") == "text" else dict(part) for part in whole]


def _vendor_fields(kwargs: JsonMapping) -> JsonObject:
    if "extra" not in kwargs and "reasoning_content" not in kwargs:
        return {}
    extra = dict(kwargs.get("extra") or {})
    field = extra.pop("reasoning_field", DEFAULT_TEXT_FIELD)
    if (reasoning := kwargs.get("reasoning_content")) is not None:
        extra[field] = reasoning
    return extra
