"""LangChain messages to the input items of the Responses API. `from_responses` is the way back.

https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from turngraph.providers.writing.content import NOT_CONTENT, Text, read_block, responses_part
from turngraph.providers.writing.roles import role_of
from turngraph.providers.writing.wire_calls import wire_calls
from turngraph.state.arguments import dump_json

__all__ = ["OpenAIResponsesConverter"]


class OpenAIResponsesConverter:
    """Writes messages as Responses does: an answer with tool calls becomes several items, so do its
    reasoning and such.

    vendor: whose items may be sent back as they came. Those of another vendor are left out, since
        no one else can read their encrypted reasoning or knows their ids. `None` replays
        everything.
    stored: whether the vendor kept the earlier answers. Where it did not, reasoning goes along only
        with its encrypted content, and the ids of texts and calls, which cannot be looked up, stay
        behind.
    reasoning: whether the model takes reasoning items at all; others refuse them
        (https://github.com/openai/openai-python/issues/2364).

        >>> OpenAIResponsesConverter().convert_system("Be brief.")
        {'role': 'developer', 'content': [{'type': 'input_text', 'text': 'Be brief.'}]}
    """

    def __init__(
        self, *, vendor: str | None = None, stored: bool = True, reasoning: bool = True
    ) -> None:
        self.vendor: Final = vendor
        self.stored: Final = stored
        self.reasoning: Final = reasoning

    def convert_all(self, messages: Iterable[BaseMessage]) -> list[dict[str, Any]]:
        """The items of every message, in order. Raises TurnValueError naming a message nobody can
        send.
        """
        items: list[dict[str, Any]] = []
        for n, message in enumerate(messages, 1):
            items += self._CONVERT[role_of(message, n)](self, message)
        custom = {item["call_id"] for item in items if item.get("type") == "custom_tool_call"}
        for item in items:
            if (
                custom
                and item.get("call_id") in custom
                and item.get("type") == "function_call_output"
            ):
                item["type"] = "custom_tool_call_output"
        return items

    def left_out(
        self, messages: Iterable[BaseMessage], items: Iterable[Mapping[str, Any]]
    ) -> list[str]:
        """The types of the output items, other than texts and calls, that `messages` hold and
        `items` lack.
        """
        held = [
            i.get("type")
            for message in messages
            for i in message.additional_kwargs.get("output_items", ())
        ]
        return sorted(
            set(Counter(held) - Counter(item.get("type") for item in items))
            - {"message", "function_call"}
        )

    def convert_system(self, message: BaseMessage | str) -> dict[str, Any]:
        """A system message, in the role `developer` that has replaced `system` in this API."""
        return {"role": "developer", "content": _parts(message)}

    def convert_user(self, message: BaseMessage) -> dict[str, Any]:
        """A user message: `input_text` and media blocks. Content that is an object is sent as JSON
        text.
        """
        if isinstance(message.content, Mapping):
            return {"role": "user", "content": _parts(dump_json(message.content))}
        return {"role": "user", "content": _parts(message)}

    def convert_assistant(self, message: BaseMessage) -> list[dict[str, Any]]:
        """An answer's items: reasoning, text, calls, in the order the model made them."""
        calls = (
            {call["id"]: call for call in wire_calls(message)}
            if isinstance(message, AIMessage)
            else {}
        )
        items = self._items(message)
        if items is None or not _still_fits(message, items, calls):
            return _plain(message, calls.values())
        kept = [item for item in items if item.get("type") != "reasoning" or self._takes(item)]
        keep_ids = self.stored and len(kept) == len(items)
        return [_filled(item, message, calls, keep_id=keep_ids) for item in kept]

    def convert_tool_result(self, message: BaseMessage) -> dict[str, Any]:
        """A tool's result under the id of its call: text, or blocks where it has them. Artifacts
        never leave.
        """
        assert isinstance(message, ToolMessage)
        kind = message.additional_kwargs.get("type", "function_call_output")
        output = message.content if isinstance(message.content, str) else _parts(message)
        return {"type": kind, "call_id": message.tool_call_id, "output": output}

    def _items(self, message: BaseMessage) -> Sequence[Mapping[str, Any]] | None:
        made_by = message.response_metadata.get("model_provider")
        if self.vendor is not None and made_by not in (None, self.vendor):
            return None
        return message.additional_kwargs.get("output_items")

    def _takes(self, reasoning: Mapping[str, Any]) -> bool:
        return self.reasoning and (self.stored or "encrypted_content" in reasoning)

    _CONVERT: Final[
        Mapping[str, Callable[["OpenAIResponsesConverter", BaseMessage], list[dict[str, Any]]]]
    ] = {
        "system": lambda self, message: [self.convert_system(message)],
        "user": lambda self, message: [self.convert_user(message)],
        "assistant": convert_assistant,
        "tool": lambda self, message: [self.convert_tool_result(message)],
    }


def _parts(message: BaseMessage | str) -> list[dict[str, Any]]:
    content = message if isinstance(message, str) else message.content
    if isinstance(content, str):
        return [{"type": "input_text", "text": content}]
    where = _where(message)
    return [responses_part(read_block(block, where), where) for block in content]


def _output_parts(message: BaseMessage) -> list[dict[str, Any]]:
    content, refusal = message.content, message.additional_kwargs.get("refusal")
    blocks: list[Any] = [content] if isinstance(content, str) else list(content)
    where = _where(message)
    read = [
        read_block(b, where)
        for b in blocks
        if isinstance(b, str) or b.get("type") not in NOT_CONTENT
    ]
    parts = [
        responses_part(part, where, output=True)
        for part in read
        if isinstance(part, Text) and part.text
    ]
    return [*parts, {"type": "refusal", "refusal": refusal}] if refusal else parts


def _where(message: BaseMessage | str) -> str:
    if isinstance(message, str):
        return "the system message"
    return f"message `{message.id}`" if message.id else f"a message of type {message.type}"


def _plain(message: BaseMessage, calls: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The items of an answer that nobody's items are known of."""
    parts = _output_parts(message)
    said = [{"role": "assistant", "content": parts}] if parts else []
    return said + [
        _call_item({"type": _item_type(call), "call_id": call["id"]}, call) for call in calls
    ]


def _item_type(call: Mapping[str, Any]) -> str:
    return "custom_tool_call" if call.get("type") == "custom" else "function_call"


def _still_fits(
    message: BaseMessage, items: Sequence[Mapping[str, Any]], calls: Mapping[str, Any]
) -> bool:
    """Whether `items` still have a place for everything the message says, and nothing it no longer
    does.

    A reasoning item is refused without the item that followed it, so a message that lost a call
    loses its items.
    """
    called = {
        item.get("call_id")
        for item in items
        if item.get("type") in ("function_call", "custom_tool_call")
    }
    if called != set(calls):
        return False
    texts = [
        part for item in items for part in _message_parts(item) if part.get("type") == "output_text"
    ]
    if not isinstance(message.content, str) or any("text" not in part for part in texts):
        return len(texts) == 1 and isinstance(message.content, str)
    return "".join(part["text"] for part in texts) == message.content


def _message_parts(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = item.get("content") if item.get("type") == "message" else None
    return content if isinstance(content, list) else []


def _filled(
    item: Mapping[str, Any],
    message: BaseMessage,
    calls: Mapping[str, Mapping[str, Any]],
    *,
    keep_id: bool,
) -> dict[str, Any]:
    """An output item, with what stands elsewhere in the message put back."""
    kind = item.get("type")
    if kind not in ("message", "function_call"):
        return dict(item)
    kept = {name: value for name, value in item.items() if name != "id" or keep_id}
    if kind == "function_call":
        return _call_item(kept, calls[item["call_id"]])
    return {**kept, "content": [_filled_text(part, message) for part in item["content"]]}


def _filled_text(part: Mapping[str, Any], message: BaseMessage) -> dict[str, Any]:
    if part.get("type") != "output_text":
        return dict(part)
    return {"text": message.content, "annotations": [], "logprobs": [], **part}


def _call_item(item: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any]:
    if call.get("type") == "custom":
        return {**item, **call["custom"]}
    return {**item, "name": call["function"]["name"], "arguments": call["function"]["arguments"]}
