"""LangChain messages to the Chat Completions format. `from_chat` is the way back.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from turngraph.providers.writing.content import NOT_CONTENT, Raw, Text, chat_part, read_block
from turngraph.providers.writing.roles import DEVELOPER, role_of
from turngraph.providers.writing.wire_calls import wire_calls
from turngraph.state.arguments import dump_json

__all__ = ["OpenAIChatConverter"]


class OpenAIChatConverter:
    """Writes messages as Chat Completions does.

    An assistant message with tool calls and no text has no `content` (`remove_empty_content`, the
    default) or `content: null`. With `vendor_fields`, what a vendor adds to the standard and wants
    back goes along: reasoning, `extra_content`, under the names it arrived in. A tool's artifact
    never leaves.

        >>> from langchain_core.messages import HumanMessage
        >>> OpenAIChatConverter().convert_user(HumanMessage("Hi"))
        {'role': 'user', 'content': 'Hi'}
    """

    def __init__(self, remove_empty_content: bool = True, *, vendor_fields: bool = False) -> None:
        self.remove_empty_content: Final = remove_empty_content
        self.vendor_fields: Final = vendor_fields

    def convert_all(self, messages: Iterable[BaseMessage]) -> list[dict[str, Any]]:
        """Every message, in order: one for one. Raises TurnValueError naming a message nobody can
        send.
        """
        return [self.convert(message, n) for n, message in enumerate(messages, 1)]

    def convert(self, message: BaseMessage, n: int = 1) -> dict[str, Any]:
        """One message, the `n`th of its conversation, by its role."""
        return self._CONVERT[role_of(message, n)](self, message)

    def convert_system(self, message: BaseMessage | str) -> dict[str, Any]:
        """A system message; its role is `developer` where it was written for that role."""
        if isinstance(message, str):
            return {"role": "system", "content": message}
        role = "developer" if message.additional_kwargs.get(DEVELOPER) == "developer" else "system"
        return _named({"role": role, "content": _content(message)}, message)

    def convert_user(self, message: BaseMessage) -> dict[str, Any]:
        """A user message: text or parts. Content that is an object is sent as JSON text."""
        if isinstance(message.content, Mapping):
            return _named({"role": "user", "content": dump_json(message.content)}, message)
        return _named({"role": "user", "content": _content(message)}, message)

    def convert_assistant(self, message: BaseMessage) -> dict[str, Any]:
        """An assistant message with its tool calls, the arguments byte for byte as the model wrote
        them.
        """
        if not isinstance(message, AIMessage):  # a ChatMessage of this role
            return _named({"role": "assistant", "content": _content(message)}, message)
        kwargs = message.additional_kwargs
        wire: dict[str, Any] = {"role": "assistant"}
        content = _assistant_content(message, replay=self.vendor_fields)
        calls = wire_calls(message, extra=self.vendor_fields)
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
        if self.vendor_fields:
            wire.update(_vendor_fields(kwargs))
        if calls:
            wire["tool_calls"] = calls
        return _named(wire, message)

    def convert_tool_result(self, message: BaseMessage) -> dict[str, Any]:
        """A tool's result under the id of its call."""
        assert isinstance(message, ToolMessage)
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": _content(message)}

    _CONVERT: Final[
        Mapping[str, Callable[["OpenAIChatConverter", BaseMessage], dict[str, Any]]]
    ] = {
        "system": convert_system,
        "user": convert_user,
        "assistant": convert_assistant,
        "tool": convert_tool_result,
    }


def _named(wire: dict[str, Any], message: BaseMessage) -> dict[str, Any]:
    if message.name is not None:
        wire["name"] = message.name
    return wire


def _content(message: BaseMessage) -> Any:
    content = message.content
    if isinstance(content, str):
        return content
    where = f"message `{message.id}`" if message.id else f"a {message.type} message"
    return [chat_part(read_block(block, where), where) for block in content]


def _assistant_content(message: AIMessage, *, replay: bool) -> Any:
    content = message.content
    if isinstance(content, str):
        parts = message.additional_kwargs.get("content_parts") if replay else None
        return content if parts is None else _filled(parts, content)
    where = f"message `{message.id}`" if message.id else "an assistant message"
    blocks = [b for b in content if isinstance(b, str) or b.get("type") not in NOT_CONTENT]
    read = [read_block(block, where) for block in blocks]
    return [chat_part(part, where) for part in read if isinstance(part, Text | Raw)]


def _filled(parts: Sequence[Mapping[str, Any]], text: str) -> Any:
    """`content_parts` with the message's text back in its place; the text alone where its place is
    not known.
    """
    if any("text" in part for part in parts if part.get("type") == "text"):
        return text
    placed = any(part.get("type") == "text" for part in parts)
    whole = parts if placed or not text else [*parts, {"type": "text"}]
    return [{**part, "text": text} if part.get("type") == "text" else dict(part) for part in whole]


def _vendor_fields(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    extra = dict(kwargs.get("extra") or {})
    spelling = extra.pop("reasoning_field", "reasoning_content")
    if (reasoning := kwargs.get("reasoning_content")) is not None:
        extra[spelling] = reasoning
    return extra
