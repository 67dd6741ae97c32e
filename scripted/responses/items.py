"""Reads the `input` of a Responses request: its items, as messages of the conversation.

Reference: https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from turngraph.scripted import checks
from turngraph.scripted.checks import RequestError
from turngraph.scripted.prompt import Message, RequestedCall
from turngraph.scripted.responder.text_patterns import WORD
from turngraph.scripted.responses.response_store import ResponseStore

__all__ = ["read_input"]

ROLES: Final = ("assistant", "system", "developer", "user")
INPUT_PARTS: Final = ("input_text", "input_image", "input_file", "input_audio")
OUTPUT_PARTS: Final = ("output_text", "refusal")
TEXT_PARTS: Final = ("input_text", "output_text", "refusal")
READ_ITEMS: Final = ("message", "function_call", "function_call_output", "reasoning")
"""Types of items that are read."""
VENDOR_ITEMS: Final = frozenset(
    WORD.findall(
        """
        apply_patch_call apply_patch_call_output code_interpreter_call compaction computer_call
        computer_call_output custom_tool_call custom_tool_call_output file_search_call
        image_generation_call item_reference local_shell_call local_shell_call_output
        mcp_approval_request mcp_approval_response mcp_call mcp_list_tools shell_call
        shell_call_output tool_search_call tool_search_output web_search_call
        """
    )
)
"""Types of items that belong to the vendor's own tools: accepted, and not read."""
ID_PREFIXES: Final[Mapping[str, str]] = {
    "message": "msg",
    "function_call": "fc",
    "reasoning": "rs",
}


def read_input(
    body: Mapping[str, Any], history: Sequence[Message], store: ResponseStore
) -> tuple[Message, ...]:
    """Returns the messages that the request adds to `history`.

    Raises RequestError for a malformed item, and for a tool call or a result without the other.
    """
    items = body.get("input")
    if isinstance(items, str):
        return (Message("user", items),)
    if items is None:
        if "prompt" in body or "conversation" in body or "previous_response_id" in body:
            return ()
        checks.refuse_missing("input")
    checks.array("input", items)
    added = tuple(message for n, item in enumerate(items) for message in _item(item, f"input[{n}]"))
    _check_reasoning(items, store)
    _check_all_answered((*history, *added))
    return added


def _item(item: Any, at: str) -> list[Message]:
    """Returns the message that an item stands for; none for reasoning and the vendor's items."""
    checks.mapping(at, item)
    # Only messages may come without a type.
    kind = item.get("type", "message")
    checks.text(f"{at}.type", kind)
    prefix = ID_PREFIXES.get(kind, "")
    # An id is optional in a request. One that is given must have the prefix of its kind.
    if prefix and not str(item.get("id") or prefix).startswith(prefix):
        message = f"Invalid '{at}.id': '{item['id']}'. Expected an ID that begins with '{prefix}'."
        raise RequestError(message, param=f"{at}.id", code="invalid_value")
    if kind == "message":
        return [_message(item, at)]
    if kind == "function_call":
        return [Message("assistant", "", (_call(item, at),))]
    if kind == "function_call_output":
        return [_tool_message(item, at)]
    checks.one_of(*READ_ITEMS, *sorted(VENDOR_ITEMS))(f"{at}.type", kind)
    return []


def _message(item: Mapping[str, Any], at: str) -> Message:
    checks.require(item, at, "role")
    checks.one_of(*ROLES)(f"{at}.role", item["role"])
    checks.require(item, at, "content")
    parts = OUTPUT_PARTS if item["role"] == "assistant" else INPUT_PARTS
    return Message(item["role"], _content(item["content"], parts, f"{at}.content"))


def _call(item: Mapping[str, Any], at: str) -> RequestedCall:
    for name in ("call_id", "name", "arguments"):
        checks.require(item, at, name)
        checks.text(f"{at}.{name}", item[name])
    return RequestedCall(item["name"], item["arguments"], item["call_id"])


def _tool_message(item: Mapping[str, Any], at: str) -> Message:
    checks.require(item, at, "call_id", "output")
    checks.text(f"{at}.call_id", item["call_id"])
    output = _content(item["output"], INPUT_PARTS, f"{at}.output")
    return Message("tool", output, (), item["call_id"])


def _content(content: Any, allowed: Sequence[str], at: str) -> str:
    """Returns the text of a message; its parts are joined by blanks."""
    if isinstance(content, str):
        return content
    checks.array(at, content)
    return " ".join(_part(part, allowed, f"{at}[{n}]") for n, part in enumerate(content))


def _part(part: Any, allowed: Sequence[str], at: str) -> str:
    """Returns the text of a part, or its type in brackets where it is no text: `[input_image]`."""
    checks.mapping(at, part)
    checks.require(part, at, "type")
    kind = part["type"]
    checks.one_of(*allowed)(f"{at}.type", kind)
    if kind not in TEXT_PARTS:
        return f"[{kind}]"
    member = "refusal" if kind == "refusal" else "text"
    checks.require(part, at, member)
    checks.text(f"{at}.{member}", part[member])
    return str(part[member])


def _check_reasoning(items: Sequence[Mapping[str, Any]], store: ResponseStore) -> None:
    """Checks that reasoning is stored here or sent encrypted, and precedes what it led to.

    Source: https://platform.openai.com/docs/guides/reasoning#keeping-reasoning-items-in-context
    """
    for place, item in enumerate(items):
        if item.get("type") != "reasoning":
            continue
        checks.require(item, f"input[{place}]", "id")
        checks.text(f"input[{place}].id", item["id"])
        if not item.get("encrypted_content") and not store.has_item(item["id"]):
            message = (
                f"Item with id '{item['id']}' not found. Items are not persisted when `store` is "
                "set to false."
            )
            raise RequestError(message, param="input", status=404)
        if place == len(items) - 1 or items[place + 1].get("role") == "user":
            message = (
                f"Item '{item['id']}' of type 'reasoning' was provided without its required "
                "following item."
            )
            raise RequestError(message, param="input")


def _check_all_answered(messages: Sequence[Message]) -> None:
    # Dictionaries instead of sets, so that the first id in the order of the messages is reported.
    requested = {call.id: None for message in messages for call in message.calls}
    answered = {message.call_id: None for message in messages if message.role == "tool"}
    for call_id in answered:
        if call_id not in requested:
            message = f"No tool call found for function call output with call_id {call_id}."
            raise RequestError(message, param="input")
    for call_id in requested:
        if call_id not in answered:
            raise RequestError(f"No tool output found for function call {call_id}.", param="input")
