"""Puts in the items that a request names by their ids: `{"type": "item_reference", "id": "msg_…"}`.

Vercel's AI SDK sends so what earlier responses have said.

Reference: https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Mapping
from typing import Any

from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.responses.items import response_of_item, stored_items
from turngraph.interfaces.server.responses.places import stored_response
from turngraph.state.json_types import JsonObject

__all__ = ["with_referenced_items"]


async def with_referenced_items(store: LedgerStore, caller: Caller, body: JsonObject) -> JsonObject:
    """Returns the request with every reference in its `input` replaced by the item.

    Raises ServerError (404) for an item that the caller has not stored, and (400) for a reference
    that names none.
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
        response_id = response_of_item(name) or ""
        if response_id not in known:
            row = await stored_response(store, caller, response_id)
            known[response_id] = {} if row is None else stored_items(row)
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


def _referenced_id(item: Any) -> str | None:
    """The id, if `item` is a reference. The API lets its type be left out.

    Raises ServerError (400) for one that names nothing.
    """
    if not isinstance(item, Mapping):
        return None
    is_bare = item.get("type") is None and "role" not in item
    if item.get("type") != "item_reference" and not is_bare:
        return None
    if not isinstance(item.get("id"), str):
        raise ServerError(
            400,
            "`input` has an item that only names another one, and has no `id`. Write the item "
            "itself, or the `id` of one that is stored.",
            param="input",
            code="invalid_value",
        )
    return str(item["id"])
