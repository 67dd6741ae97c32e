"""Where the turn of a response runs: on which thread, and behind which messages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from langchain_core.messages import AnyMessage

from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.request_rows import (
    RUNNING,
    ResponseRow,
    find_response,
    models_before,
    models_of,
    take_thread,
)
from turngraph.interfaces.server.responses.conversation_storage import (
    ConversationRow,
    find_conversation,
)
from turngraph.interfaces.server.responses.request import ResponseRequest
from turngraph.interfaces.server.served_models import ServedModel
from turngraph.interfaces.server.thread_ids import id_of
from turngraph.interfaces.server.turn_planning import may_ask

__all__ = ["Place", "Places", "not_found", "stored_response"]


@dataclass(frozen=True)
class Place:
    """Where a turn runs."""

    thread: str
    history: Sequence[AnyMessage] = ()
    """The messages before this turn."""
    is_stored: bool = False
    """Whether the thread has them already."""
    is_shared: bool = False
    """Whether it is a conversation's, on whose thread every answer must stand."""


@dataclass(frozen=True)
class Places:
    """Finds the places of one caller's responses."""

    store: LedgerStore
    caller: Caller

    async def new(self, asked: ResponseRequest, model: ServedModel, token: str) -> Place:
        """Where a new response runs.

        Raises ServerError for a response or a conversation that the caller does not have, or that
        has not ended.
        """
        own = id_of(self.caller.account, "responses", token)
        if asked.conversation is not None:
            thread = (await self.conversation("conversation", asked.conversation)).thread
            return Place(thread, await _messages_of(model, thread), is_stored=True, is_shared=True)
        if asked.previous is None:
            return Place(own)
        row = await self._previous(asked.previous)
        if row.status in RUNNING:
            raise ServerError(
                409,
                f"`{asked.previous}` has not ended yet.",
                param="previous_response_id",
                code="response_is_running",
                headers={"Retry-After": "1"},
            )
        history = await _messages_until(row, model)
        same = row.holder == model.name
        if same and await self.store.arun(take_thread, self.caller.account, row.response_id):
            return Place(row.thread, history, is_stored=True)
        return Place(own, history)

    async def again(self, row: ResponseRow, asked: ResponseRequest, model: ServedModel) -> Place:
        """Where a response runs again that its process has left unfinished.

        One that was to begin on a copy of a conversation, and whose process ended before it stored
        anything, has an empty thread: its history is read once more.
        """
        shared = asked.conversation is not None
        before = row.first - len(asked.turn.messages)
        if stored := await _messages_of(model, row.thread):
            return Place(row.thread, stored[:before], is_stored=True, is_shared=shared)
        if asked.previous is None:
            return Place(row.thread, is_shared=shared)
        return Place(row.thread, await _messages_until(await self._previous(asked.previous), model))

    async def conversation(self, param: str, conversation_id: str) -> ConversationRow:
        """The conversation of this name.

        Raises ServerError (404) if there is none, or a model has answered in it that the caller may
        not ask. `param` is the request's name for it.
        """
        account = self.caller.account
        row = await self.store.aread(find_conversation, account, conversation_id)
        if row is None or not self._may_ask_all(await self.store.aread(models_of, row.thread)):
            raise not_found(param, conversation_id)
        return row

    async def response(self, response_id: str) -> ResponseRow | None:
        """A response that the caller may continue: it may ask all models that answered before."""
        row = await self.store.aread(find_response, self.caller.account, response_id)
        if row is None or self.caller.models is None:
            return row
        behind = await self.store.aread(models_before, row)
        return row if self._may_ask_all(behind) else None

    async def _previous(self, response_id: str) -> ResponseRow:
        row = await self.response(response_id)
        if row is None or not row.stored:
            raise not_found("previous_response_id", response_id)
        return row

    def _may_ask_all(self, models: Iterable[str]) -> bool:
        return all(may_ask(self.caller, model) for model in models)


async def stored_response(
    store: LedgerStore, caller: Caller, response_id: str
) -> ResponseRow | None:
    """A stored response whose model the caller may ask, or None."""
    row = await store.aread(find_response, caller.account, response_id)
    return row if row is not None and row.stored and may_ask(caller, row.model) else None


async def _messages_of(model: ServedModel, thread: str) -> list[AnyMessage]:
    state = await model.kept.aget_state({"configurable": {"thread_id": thread}})
    return list(state.values.get("messages", ()))


async def _messages_until(row: ResponseRow, model: ServedModel) -> list[AnyMessage]:
    """The messages of a response's thread up to its end; others may have come after it."""
    return (await _messages_of(model, row.thread))[: row.last]


def not_found(param: str, given: str) -> ServerError:
    """Nothing is stored under this name, for this account."""
    return ServerError(
        404,
        f"There is no `{given[:100]}`.",
        type="invalid_request_error",
        param=param,
        code="not_found",
    )
