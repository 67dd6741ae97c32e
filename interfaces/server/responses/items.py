"""The items of stored responses: what their requests have brought, and what was answered.

Reference: https://platform.openai.com/docs/api-reference/responses/input-items
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from turngraph.interfaces.server.request_rows import ResponseRow
from turngraph.state.json_types import JsonObject

__all__ = ["given_items", "is_given_item", "response_items", "response_of_item", "stored_items"]

_OWN: Final = re.compile(r"[a-z]+(?:_call)?_([0-9a-f]{24})_(?:in_)?[0-9]+")
"""The id of an item that this server made: it holds that of its response."""
_PREFIXES: Final[Mapping[str, str]] = {
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "mcp_approval_response": "mcpr",
}
"""How the ids of items begin at OpenAI, by their types. Those of messages begin with `msg`."""
_STATUS: Final = ("message", "function_call", "function_call_output", "custom_tool_call")
"""The types of items that have a status when the API lists them."""


def response_of_item(item_id: str) -> str | None:
    """The id of the response in which an item stands; None for an id that the server never made.

    >>> response_of_item("msg_0123456789abcdef01234567_0")
    'resp_0123456789abcdef01234567'
    """
    form = _OWN.fullmatch(item_id)
    return None if form is None else f"resp_{form[1]}"


def is_given_item(item_id: str) -> bool:
    """Whether an id that the server made is that of an item which a request has brought.

    >>> is_given_item("msg_0123456789abcdef01234567_in_0")
    True
    """
    return "_in_" in item_id


def stored_items(row: ResponseRow) -> dict[str, JsonObject]:
    """The items of a stored response by their ids, as they were given and answered."""
    listed = given_items(row)
    given = row.request.get("input")
    whole = given if isinstance(given, list) else listed
    found = {shown["id"]: dict(item) for shown, item in zip(listed, whole, strict=True)}
    return found | {item["id"]: item for item in _answered(row)}


def response_items(row: ResponseRow) -> list[JsonObject]:
    """What the request of a stored response has brought, and behind it what was answered."""
    return [*given_items(row), *_answered(row)]


def given_items(row: ResponseRow) -> list[JsonObject]:
    """What the request of a stored response has added to the conversation.

    Each item has an id of its own, also where the client gave it one: a client may send the same
    item twice, and the pages of a list begin behind an id.
    """
    given = row.request.get("input")
    items = given if isinstance(given, list) else [{"role": "user", "content": str(given)}]
    token = row.response_id.removeprefix("resp_")
    return [_given(item, token, n) for n, item in enumerate(items)]


def _given(item: Mapping[str, Any], token: str, n: int) -> JsonObject:
    kind = str(item.get("type") or "message")
    shown = {**item, "type": kind, "id": f"{_PREFIXES.get(kind, 'msg')}_{token}_in_{n}"}
    if kind in _STATUS:
        shown = {"status": "completed", **shown}
    if kind == "message":
        shown["content"] = _parts(item)
    return shown


def _parts(item: Mapping[str, Any]) -> Any:
    """The content of a message as the API lists it: a text is a list with one part."""
    content = item.get("content")
    if not isinstance(content, str):
        return content
    if item.get("role") == "assistant":
        return [{"type": "output_text", "text": content, "annotations": [], "logprobs": []}]
    return [{"type": "input_text", "text": content}]


def _answered(row: ResponseRow) -> list[JsonObject]:
    return [dict(item) for item in (row.body or {}).get("output", ())]
