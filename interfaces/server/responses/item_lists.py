"""Lists items page by page, as OpenAI's API does.

Reference: https://platform.openai.com/docs/api-reference/conversations/list-items
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import QueryParams

from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.request_rows import ResponseRow, find_response
from turngraph.interfaces.server.responses.conversation_storage import (
    ConversationRow,
    responses_in,
)
from turngraph.interfaces.server.responses.items import (
    given_items,
    response_items,
    response_of_item,
)
from turngraph.interfaces.server.responses.places import not_found
from turngraph.state.json_types import JsonObject

__all__ = ["LIST_PARAMETERS", "ListQuery", "conversation_page", "input_page"]

_LIMIT: Final = re.compile(r"0*([1-9][0-9]?|100)")
_LONGEST: Final = 100
_LOGPROBS: Final = "message.output_text.logprobs"
_HIDDEN: Final = (
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
)
"""What is listed only for a request that includes it: the type of an item, and the way into it."""
_INCLUDABLE: Final = (*_HIDDEN, _LOGPROBS)
"""What a request may include. By the API's schema, every text has its list of log probabilities."""


def _parameter(name: str, **schema: Any) -> JsonObject:
    return {"name": name, "in": "query", "required": False, "schema": schema}


LIST_PARAMETERS: Final[JsonObject] = {
    "parameters": [
        _parameter("limit", type="integer", minimum=1, maximum=_LONGEST, default=20),
        _parameter("order", enum=["asc", "desc"], default="desc"),
        _parameter("after", type="string"),
        _parameter("include[]", type="array", items={"enum": [*_INCLUDABLE]}),
    ]
}
"""The query of a list, as the OpenAPI page describes it."""


@dataclass(frozen=True)
class ListQuery:
    """Which items a client wants to see."""

    limit: int = 20
    is_descending: bool = True
    after: str | None = None
    """The id of the item behind which the page begins."""
    hidden: Sequence[str] = _HIDDEN
    """What was not included."""

    @classmethod
    def read(cls, query: QueryParams) -> "ListQuery":
        """Returns what `query` asks for. Raises ServerError (400) naming what is wrong in it."""
        given = query.get("limit", "20")
        limit = _LIMIT.fullmatch(given)
        if limit is None:
            raise _wrong("limit", given, f"a whole number from 1 to {_LONGEST}")
        order = query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise _wrong("order", order, "`asc` or `desc`")
        # OpenAI's clients write `include[]`.
        included = [*query.getlist("include"), *query.getlist("include[]")]
        for each in included:
            if each not in _INCLUDABLE:
                raise _wrong("include", each, ", ".join(f"`{one}`" for one in _INCLUDABLE))
        hidden = [each for each in _HIDDEN if each not in included]
        return cls(int(limit[1]), order == "desc", query.get("after"), hidden)

    def ordered(self, items: Sequence[JsonObject]) -> list[JsonObject]:
        """`items`, which are in the order of the conversation, in the order of the list."""
        return [*reversed(items)] if self.is_descending else [*items]

    def behind(self, items: Sequence[JsonObject]) -> list[JsonObject]:
        """Those of `items` that stand behind `after`. Raises ServerError (404) if it is no item."""
        if self.after is None:
            return [*items]
        for n, item in enumerate(items, 1):
            if item["id"] == self.after:
                return [*items[n:]]
        raise not_found("after", self.after)

    def page(self, items: Sequence[JsonObject]) -> JsonObject:
        """The first of `items`, with what tells a client whether there are more."""
        shown = [_without(item, self.hidden) for item in items[: self.limit]]
        return {
            "object": "list",
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
            "has_more": len(items) > self.limit,
        }


def input_page(row: ResponseRow, query: ListQuery) -> JsonObject:
    """A page of what the request of a stored response has brought.

    Raises ServerError (404) for an `after` that does not stand in it.
    """
    return query.page(query.behind(query.ordered(given_items(row))))


async def conversation_page(
    store: LedgerStore, conversation: ConversationRow, query: ListQuery
) -> JsonObject:
    """A page of the items of a conversation: those of its stored responses.

    Raises ServerError (404) for an `after` that does not stand in it.
    """
    items: list[JsonObject] = []
    last: ResponseRow | None = None
    if query.after is not None:
        last = await _response_of(store, conversation, query.after)
        items = query.behind(query.ordered(response_items(last)))
    while len(items) <= query.limit:
        # A response has two items or more, nearly always.
        count = query.limit + 1 - len(items)
        rows = await store.aread(
            responses_in,
            conversation,
            behind=last,
            is_descending=query.is_descending,
            count=count,
        )
        for row in rows:
            items += query.ordered(response_items(row))
        if len(rows) < count:
            break
        last = rows[-1]
    return query.page(items)


async def _response_of(
    store: LedgerStore, conversation: ConversationRow, item_id: str
) -> ResponseRow:
    name = response_of_item(item_id)
    row = None if name is None else await store.aread(find_response, conversation.account, name)
    if row is None or not row.stored or row.thread != conversation.thread:
        raise not_found("after", item_id)
    return row


def _without(item: JsonObject, hidden: Iterable[str]) -> JsonObject:
    for each in hidden:
        kind, *way = each.split(".")
        if item["type"] == kind:
            item = _less(item, way)
    return item


def _less(value: Any, way: Sequence[str]) -> Any:
    """A copy of `value` without what `way` leads to. Into a message it leads by a type of parts."""
    if not isinstance(value, Mapping):
        return value
    first, *rest = way
    if rest and isinstance(parts := value.get("content"), list):
        shown = [_less(part, rest) if _is(part, first) else part for part in parts]
        return {**value, "content": shown}
    if rest:
        return {**value, first: _less(value[first], rest)} if first in value else value
    return {name: one for name, one in value.items() if name != first}


def _is(part: Any, kind: str) -> bool:
    return isinstance(part, Mapping) and part.get("type") == kind


def _wrong(name: str, given: str, allowed: str) -> ServerError:
    return ServerError(
        400,
        f"`{name}` is `{given[:100]}`; it must be {allowed}.",
        param=name,
        code="invalid_value",
    )
