"""Puts in the items that a request names by their ids: `{"type": "item_reference", "id": "msg_…"}`.

Vercel's AI SDK sends so what earlier responses have said.

Reference: https://platform.openai.com/docs/api-reference/responses/create
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.request_rows import ResponseRow
from turngraph.interfaces.server.responses.places import stored_response
from turngraph.state.json_types import JsonMapping, JsonObject

__all__ = ["given_items", "with_referenced_items"]

_ITEM: Final = re.compile(r"(?:msg|rs|fc)_([0-9a-f]{24})_(?:[0-9]+|in)")
"""The id of an item that this server made: it holds that of its response."""


async def with_referenced_items(store: LedgerStore, caller: Caller, body: JsonObject) -> JsonObject:
    """Returns the request with every reference in its `input` replaced by the item.

    Raises ServerError (404) for an item that the caller has not stored.
    """
    given = body.get("input")
    if not isinstance(given, list) or not any(map(_referenced_id, given)):
        return body
    known: dict[str, Mapping[str, JsonObject]] = {}
    items: list[Any] = []
    for item in given:
        name = _referenced_id(item)
        if name is None:
            items.append(item)
            continue
        form = _ITEM.fullmatch(name)
        response_id = "" if form is None else f"resp_{form[1]}"
        if response_id not in known:
            row = await stored_response(store, caller, response_id)
            known[response_id] = {} if row is None else _items_of(row)
        found = known[response_id].get(name)
        if found is None:
            raise ServerError(
                404,
                f"Item with id `{name[:100]}` not found. Items are kept with the response that "
                "they stand in, until it is deleted, unless `store` was false; send the item "
                "itself.",
                param="input",
            )
        items.append(found)
    return {**body, "input": items}


def given_items(row: ResponseRow) -> list[Any]:
    """What the request of a stored response has added to the conversation."""
    given = row.request.get("input")
    if isinstance(given, list):
        return given
    item = {
        "id": f"msg_{row.response_id.removeprefix('resp_')}_in",
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [{"type": "input_text", "text": str(given)}],
    }
    return [item]


def _referenced_id(item: Any) -> str | None:
    """The id, if `item` is a reference. The API lets its type be left out."""
    if not isinstance(item, Mapping) or not isinstance(item.get("id"), str):
        return None
    is_bare = item.get("type") is None and "role" not in item
    return str(item["id"]) if item.get("type") == "item_reference" or is_bare else None


def _items_of(row: ResponseRow) -> dict[str, JsonObject]:
    """What stands in a stored response, by the ids of the items."""
    answered: Sequence[JsonMapping] = (row.body or {}).get("output", ())
    items = [*given_items(row), *answered]
    return {
        item["id"]: dict(item)
        for item in items
        if isinstance(item, Mapping) and isinstance(item.get("id"), str)
    }
