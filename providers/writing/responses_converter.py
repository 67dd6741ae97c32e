"""LangChain messages to the input items of the Responses API. `from_responses` is the way back.

https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from turngraph.providers.waiting_calls import output_ids, without_waiting_calls
from turngraph.providers.writing.content import (
    NOT_CONTENT,
    Part,
    Raw,
    Text,
    part_or_note,
    place_of,
    responses_part,
)
from turngraph.providers.writing.content_readers import read_block, read_result_block
from turngraph.providers.writing.roles import role_of, tool_message_of
from turngraph.providers.writing.unique_ids import without_sent_ids
from turngraph.providers.writing.wire_calls import wire_calls
from turngraph.state.arguments import json_text
from turngraph.state.errors import TurnValueError
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.messages import coerce_message

__all__ = ["OpenAIResponsesConverter"]

_Item = TypeVar("_Item", bound=JsonMapping)
_CALL_ITEMS: Final = ("function_call", "custom_tool_call")


class OpenAIResponsesConverter:
    """Writes messages as Responses does. An answer becomes several items: reasoning, text, calls.

    vendor: the vendor whose items may be sent back as they came. Items of others are left out,
        since no one else can read their encrypted reasoning or knows their ids. None sends all.
    stored: whether the vendor kept the earlier answers. If it did not, reasoning is sent only with
        its encrypted content, and ids of texts and calls are left out, because the vendor would
        look them up in vain.
    reasoning: whether the model takes reasoning items. Models that do not reason refuse them:
        https://github.com/openai/openai-python/issues/2364

        >>> OpenAIResponsesConverter().convert_system("Be brief.")
        {'role': 'developer', 'content': [{'type': 'input_text', 'text': 'Be brief.'}]}
    """

    def __init__(
        self, *, vendor: str | None = None, stored: bool = True, reasoning: bool = True
    ) -> None:
        self.vendor: Final = vendor
        self.stored: Final = stored
        self.reasoning: Final = reasoning
        self.noted_media: Final[set[str]] = set()
        """Kinds of content in tools' results that were written as a note."""

    def convert_all(self, messages: Iterable[BaseMessage | JsonMapping]) -> list[JsonObject]:
        """The items of every message, in order.

        Raises TurnValueError naming a message that cannot be sent.
        """
        items: list[JsonObject] = []
        sent_ids: set[str] = set()
        conversation = [coerce_message(message) for message in messages]
        answered = _answered_calls(conversation)
        for n, message in enumerate(conversation, 1):
            role = role_of(message, n)
            if role == "assistant":
                converted = self.convert_assistant(message, answered=answered)
            else:
                converted = [self._CONVERT[role](self, message)]
            items += _without_lone_reasoning(without_sent_ids(converted, sent_ids))
        # A result must be of the type of its call, and a ToolMessage does not know that type.
        custom = {item["call_id"] for item in items if item.get("type") == "custom_tool_call"}
        for item in items:
            if item.get("type") == "function_call_output" and item.get("call_id") in custom:
                item["type"] = "custom_tool_call_output"
        return items

    def left_out(self, messages: Iterable[BaseMessage], items: Iterable[JsonMapping]) -> list[str]:
        """The types of output items in `messages` that `items` lack, except texts and calls."""
        stored_types = [
            item.get("type")
            for message in messages
            for item in message.additional_kwargs.get("output_items", ())
        ]
        missing = Counter(stored_types) - Counter(item.get("type") for item in items)
        return sorted(set(missing) - {"message", "function_call"})

    def convert_system(self, message: BaseMessage | JsonMapping | str) -> JsonObject:
        """A system message, in the role `developer` that has replaced `system` in this API."""
        given = message if isinstance(message, str) else coerce_message(message)
        return {"role": "developer", "content": _input_parts(given)}

    def convert_user(self, message: BaseMessage | JsonMapping) -> JsonObject:
        """A user message: text and media. Content that is an object is sent as JSON text."""
        message = coerce_message(message)
        if isinstance(message.content, Mapping):
            text = json_text(message.content, "A message's content")
            return {"role": "user", "content": _input_parts(text)}
        return {"role": "user", "content": _input_parts(message)}

    def convert_assistant(
        self, message: BaseMessage | JsonMapping, *, answered: Collection[str] | None = None
    ) -> list[JsonObject]:
        """The items of an answer (reasoning, text, calls), in the order the model made them.

        answered: ids of the calls that have an output in the conversation. Calls for a computer, a
            shell or an approval that have none are left out: the vendor would refuse the request.
            None sends all.
        """
        message = coerce_message(message)
        made = wire_calls(message) if isinstance(message, AIMessage) else []
        calls = {call["id"]: call for call in made}
        items = self._stored_items(message)
        if items is None or len(calls) < len(made) or not _items_fit(message, items, calls):
            return _items_from_message(message, made)
        sendable = items if answered is None else without_waiting_calls(items, answered)
        kept = [item for item in sendable if item.get("type") != "reasoning" or self._takes(item)]
        kept = [item for item in kept if not (_was_served(item, calls) or _is_empty(item))]
        kept = _without_lone_reasoning(kept)
        # An id is looked up together with the reasoning before it: without that, none may be sent.
        keep_ids = self.stored and len(kept) == len(items)
        return [_complete_item(item, message, calls, keep_id=keep_ids) for item in kept]

    def convert_tool_result(self, message: BaseMessage | JsonMapping) -> JsonObject:
        """A tool's result under the id of its call: text, or parts. Artifacts are never sent."""
        message = tool_message_of(message)
        kind = message.additional_kwargs.get("type", "function_call_output")
        output: Any = message.content
        if isinstance(output, list):
            place = place_of(message)
            parts = [read_result_block(block, place, self.noted_media) for block in output]
            output = [
                part_or_note(part, place, _result_part, self.noted_media) for part in parts
            ] or ""
        return {"type": kind, "call_id": message.tool_call_id, "output": output}

    def _stored_items(self, message: BaseMessage) -> Sequence[JsonMapping] | None:
        made_by = message.response_metadata.get("model_provider")
        if self.vendor is not None and made_by not in (None, self.vendor):
            return None
        return message.additional_kwargs.get("output_items")

    def _takes(self, reasoning: JsonMapping) -> bool:
        return self.reasoning and (self.stored or "encrypted_content" in reasoning)

    _CONVERT: Final[
        Mapping[str, Callable[["OpenAIResponsesConverter", BaseMessage], JsonObject]]
    ] = {"system": convert_system, "user": convert_user, "tool": convert_tool_result}


def _answered_calls(messages: Sequence[BaseMessage]) -> set[str]:
    """The ids of the calls that have an output: a tool message, or an item of an answer."""
    ids = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    for message in messages:
        if items := message.additional_kwargs.get("output_items"):
            ids |= output_ids(items)
    return ids


def _input_parts(message: BaseMessage | str) -> list[JsonObject]:
    content = message if isinstance(message, str) else message.content
    if isinstance(content, str):
        return [{"type": "input_text", "text": content}]
    place = place_of(message)
    return [responses_part(read_block(block, place), place) for block in content]


def _result_part(part: Part, place: str) -> JsonObject:
    """`part` of a tool's result, which holds text, images and files only."""
    if isinstance(part, Raw):
        raise TurnValueError(f"In {place}, a tool's result holds `{part.part.get('type')}`.")
    return responses_part(part, place)


def _output_parts(message: BaseMessage) -> list[JsonObject]:
    content, refusal = message.content, message.additional_kwargs.get("refusal")
    blocks: list[Any] = [content] if isinstance(content, str) else list(content)
    place = place_of(message)
    read = [
        read_block(block, place)
        for block in blocks
        if isinstance(block, str) or str(block.get("type")) not in NOT_CONTENT
    ]
    parts = [
        responses_part(part, place, output=True)
        for part in read
        if isinstance(part, Text) and part.text
    ]
    return [*parts, {"type": "refusal", "refusal": refusal}] if refusal else parts


def _items_from_message(message: BaseMessage, calls: Iterable[JsonMapping]) -> list[JsonObject]:
    """The items of an answer whose own items are not known, or not right any more."""
    parts = _output_parts(message)
    items: list[JsonObject] = [{"role": "assistant", "content": parts}] if parts else []
    for call in calls:
        kind = "custom_tool_call" if call.get("type") == "custom" else "function_call"
        items.append(_call_item({"type": kind, "call_id": call["id"]}, call))
    return items


def _items_fit(
    message: BaseMessage, items: Sequence[JsonMapping], calls: Mapping[str, object]
) -> bool:
    """Whether `items` have a place for everything that the message holds, and nothing it lost.

    A reasoning item is refused without the item that followed it, so a message whose text or calls
    were edited loses all its items.
    """
    called = {
        item.get("call_id")
        for item in items
        if item.get("type") in _CALL_ITEMS and not _was_served(item, calls)
    }
    if called != set(calls):
        return False
    texts = [
        part for item in items for part in _message_parts(item) if part.get("type") == "output_text"
    ]
    if not isinstance(message.content, str) or any("text" not in part for part in texts):
        return len(texts) == 1 and isinstance(message.content, str)
    return "".join(part["text"] for part in texts) == message.content


def _was_served(item: JsonMapping, calls: Mapping[str, Any]) -> bool:
    """Whether `item` is a call of a tool of the vendor's own, which is no call of the message."""
    return item.get("type") == "custom_tool_call" and item.get("call_id") not in calls


def _is_empty(item: JsonMapping) -> bool:
    """Whether `item` is a message that was cut before its first word."""
    return item.get("type") == "message" and not item.get("content")


def _without_lone_reasoning(items: Sequence[_Item]) -> list[_Item]:
    """The items of an answer without reasoning that nothing follows.

    A reasoning item is refused without the item that followed it, and an answer that was cut while
    the model reasoned has none: every later request of the thread would fail.
    """
    kept = list(items)
    while kept and kept[-1].get("type") == "reasoning":
        kept.pop()
    return kept


def _message_parts(item: JsonMapping) -> list[JsonMapping]:
    content = item.get("content") if item.get("type") == "message" else None
    return content if isinstance(content, list) else []


def _complete_item(
    item: JsonMapping, message: BaseMessage, calls: Mapping[str, JsonMapping], *, keep_id: bool
) -> JsonObject:
    """An output item, with what is stored elsewhere on the message put back."""
    kind = item.get("type")
    if kind not in ("message", "function_call"):
        return dict(item)
    kept = {name: value for name, value in item.items() if name != "id" or keep_id}
    if kind == "function_call":
        return _call_item(kept, calls[item["call_id"]])
    return {**kept, "content": [_complete_text(part, message) for part in item["content"]]}


def _complete_text(part: JsonMapping, message: BaseMessage) -> JsonObject:
    if part.get("type") != "output_text":
        return dict(part)
    # The API's schema requires both lists, also where they are empty.
    return {"text": message.content, "annotations": [], "logprobs": [], **part}


def _call_item(item: JsonMapping, call: JsonMapping) -> JsonObject:
    if call.get("type") == "custom":
        return {**item, **call["custom"]}
    return {**item, "name": call["function"]["name"], "arguments": call["function"]["arguments"]}
