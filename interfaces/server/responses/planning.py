"""Decides what a response runs: on which thread, after which messages."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from langchain_core.messages import AnyMessage

from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.responses.answer import unfinished_response
from turngraph.interfaces.server.responses.request import ResponseRequest
from turngraph.interfaces.server.responses.storage import (
    RUNNING,
    ConversationRow,
    ResponseRow,
    find_conversation,
    find_response,
    models_before,
    models_of,
    take_thread,
)
from turngraph.interfaces.server.served_models import ModelSet, ServedModel
from turngraph.interfaces.server.turn_planning import (
    find_model,
    may_ask,
    resumed,
    settings_for,
    token_for,
)
from turngraph.interfaces.server.turn_runs import TurnPlan
from turngraph.state.json_types import JsonObject

__all__ = ["PREFIX", "PlannedResponse", "ResponsePlanner", "not_found"]

PREFIX = "resp_"


@dataclass(frozen=True)
class PlannedResponse:
    """A response that can be started, or was made before."""

    row: ResponseRow
    started: JsonObject
    """The object that the API shows while it runs."""
    plans: Sequence[TurnPlan] = ()
    """The ways to make it. Empty where `row.body` has the answer to the same request already."""
    is_kept: bool = True
    """Whether the row is stored."""

    @property
    def token(self) -> str:
        """What the ids of its items are made of."""
        return self.row.response_id.removeprefix(PREFIX)


@dataclass(frozen=True)
class _Place:
    """Where a new turn runs."""

    thread: str
    history: Sequence[AnyMessage] = ()
    """The messages before this turn."""
    is_stored: bool = False
    """Whether the thread has them already."""


@dataclass(frozen=True)
class ResponsePlanner:
    """Plans the responses of one caller."""

    store: LedgerStore
    models: ModelSet
    caller: Caller

    async def plan(
        self, asked: ResponseRequest, body: JsonObject, key: str | None
    ) -> PlannedResponse:
        """Plans the response to `body`, which was read as `asked`.

        Args:
            key: the request's `Idempotency-Key`.

        Raises ServerError for a model, a response or a conversation that the caller does not have.
        """
        model = find_model(self.models, asked.turn.model, self.caller)
        offers = asked.turn.settings.caller_tools
        if offers and "tools" not in self.caller.scopes:
            raise ServerError(403, "This key may not offer tools of its own.", param="tools")
        if offers and not model.is_turn:
            raise ServerError(
                400, f"`{model.name}` runs its own tools and takes none.", param="tools"
            )
        token = token_for(self.caller, key)
        known = None if key is None else await self._row(PREFIX + token)
        if known is not None:
            find_model(self.models, known.model, self.caller)
            return await self._again(known, asked, body, model)
        plan = await self._waiting(asked, token)
        if plan is not None:
            return self._planned(asked, body, model, token, [plan])
        place = await self._place(asked, model, token)
        turn_id = f"{quote(self.caller.account, safe='')}/{token}"
        plans = [self._turn(asked, model, place, token, turn_id)]
        if asked.conversation is None:
            plans += self._fallbacks(asked, model, place, token, turn_id)
        kinds = [*(each.on for each in model.config.fallbacks), ()]
        plans = [replace(plan, next_on=on) for plan, on in zip(plans, kinds, strict=False)]
        return self._planned(asked, body, model, token, plans)

    async def of_row(self, row: ResponseRow, asked: ResponseRequest) -> PlannedResponse:
        """Plans a stored response again that its process has left unfinished."""
        model = find_model(self.models, row.model, self.caller)
        return await self._again(row, asked, row.request, model)

    async def _again(
        self, row: ResponseRow, asked: ResponseRequest, body: JsonObject, model: ServedModel
    ) -> PlannedResponse:
        if row.request != json.loads(json.dumps(body)):
            raise ServerError(
                422,
                "The `Idempotency-Key` was used for another request.",
                code="idempotency_key_reused",
            )
        started = self._started(row, asked)
        if row.body is not None:
            return PlannedResponse(row, started)
        # The turn's id is the same, so the ledger and the thread know how far it came.
        place = await self._place_again(row, asked, model)
        token = row.response_id.removeprefix(PREFIX)
        plan = self._turn(asked, model, place, token, row.turn_id, first=row.first)
        return PlannedResponse(row, started, [plan])

    async def _place_again(
        self, row: ResponseRow, asked: ResponseRequest, model: ServedModel
    ) -> _Place:
        """Where a response runs again. One that was to begin on a copy of a conversation, and whose
        process ended before it stored anything, has an empty thread: its history is read once more.
        """
        if asked.previous is None or await _messages_of(model, row.thread):
            return _Place(row.thread, is_stored=True)
        before = await self._find(asked.previous)
        if before is None:
            raise not_found("previous_response_id", asked.previous)
        return _Place(row.thread, await _messages_until(before, model))

    def _planned(
        self,
        asked: ResponseRequest,
        body: JsonObject,
        model: ServedModel,
        token: str,
        plans: Sequence[TurnPlan],
    ) -> PlannedResponse:
        now, first = self.store.now(), plans[0]
        may_stop = bool(asked.turn.settings.caller_tools) or model.asks_person
        given = first.given if isinstance(first.given, dict) else {}
        row = ResponseRow(
            PREFIX + token,
            self.caller.account,
            self.caller.key_id,
            tuple(sorted(self.caller.scopes)),
            None if self.caller.models is None else tuple(sorted(self.caller.models)),
            first.model.name,
            first.thread or "",
            given.get("turn_id", ""),
            "queued" if asked.background else "in_progress",
            asked.stored,
            False,
            asked.background,
            now,
            now,
            first.messages_before,
            first.messages_before,
            body,
            None,
        )
        return PlannedResponse(
            row, self._started(row, asked), plans, is_kept=asked.stored or may_stop
        )

    def _started(self, row: ResponseRow, asked: ResponseRequest) -> JsonObject:
        return unfinished_response(
            row.response_id, asked.turn.model, "in_progress", row.created, asked.echo
        )

    def _turn(
        self,
        asked: ResponseRequest,
        model: ServedModel,
        place: _Place,
        token: str,
        turn_id: str,
        *,
        first: int | None = None,
    ) -> TurnPlan:
        new = list(asked.turn.messages)
        messages = new if place.is_stored else [*place.history, *new]
        given: Any = {"messages": messages}
        if model.is_turn:
            settings = settings_for(asked.turn.settings, messages, self.caller, model)
            given |= {"turn_id": turn_id, "settings": settings}
        before = len(place.history) + len(new) if first is None else first
        keeps = (
            asked.stored
            or bool(asked.turn.settings.caller_tools)
            or model.asks_person
            or not model.is_turn
        )
        return TurnPlan(model, given, place.thread if keeps else None, token, before)

    def _fallbacks(
        self,
        asked: ResponseRequest,
        model: ServedModel,
        place: _Place,
        token: str,
        turn_id: str,
    ) -> list[TurnPlan]:
        return [
            self._turn(
                asked,
                self.models.models[each.model],
                _Place(f"{place.thread}~{n}", place.history),
                token,
                f"{turn_id}~{n}",
            )
            for n, each in enumerate(model.config.fallbacks, 2)
        ]

    async def find_conversation(self, param: str, conversation_id: str) -> ConversationRow:
        """The conversation of this name.

        Raises ServerError (404) if there is none, or a model has answered in it that the caller may
        not ask. `param` is the request's name for it.
        """
        account = self.caller.account
        row = await self.store.aread(find_conversation, account, conversation_id)
        if row is None or not self._may_ask_all(await self.store.aread(models_of, row.thread)):
            raise not_found(param, conversation_id)
        return row

    async def _find(self, response_id: str) -> ResponseRow | None:
        """A response that the caller may continue: it may ask all models that answered before."""
        row = await self._row(response_id)
        if row is None or self.caller.models is None:
            return row
        behind = await self.store.aread(models_before, row)
        return row if self._may_ask_all(behind) else None

    async def _row(self, response_id: str) -> ResponseRow | None:
        return await self.store.aread(find_response, self.caller.account, response_id)

    def _may_ask_all(self, models: Iterable[str]) -> bool:
        return all(may_ask(self.caller, model) for model in models)

    async def _waiting(self, asked: ResponseRequest, token: str) -> TurnPlan | None:
        """The turn that goes on with the results that the request brings."""
        given = {**asked.turn.answers, **asked.turn.decisions}
        tokens = {place.token for place in given}
        row = await self._find(PREFIX + tokens.pop()) if len(tokens) == 1 else None
        if row is None or row.model not in self.models.models:
            return None
        asked_token = row.response_id.removeprefix(PREFIX)
        model = self.models.models[row.model]
        plan = await resumed(model, row.thread, asked_token, token, given)
        if plan is not None:
            await self.store.arun(take_thread, self.caller.account, row.response_id)
        return plan

    async def _place(self, asked: ResponseRequest, model: ServedModel, token: str) -> _Place:
        account = quote(self.caller.account, safe="")
        new = f"{account}/responses/{token}"
        if asked.conversation is not None:
            found = await self.find_conversation("conversation", asked.conversation)
            return _Place(found.thread, await _messages_of(model, found.thread), is_stored=True)
        if asked.previous is None:
            return _Place(new)
        row = await self._find(asked.previous)
        if row is None or not row.stored:
            raise not_found("previous_response_id", asked.previous)
        if row.status in RUNNING:
            raise ServerError(
                409,
                f"`{asked.previous}` has not ended yet.",
                param="previous_response_id",
                code="response_is_running",
                headers={"Retry-After": "1"},
            )
        history = await _messages_until(row, model)
        same = row.model == model.name
        if same and await self.store.arun(take_thread, self.caller.account, row.response_id):
            return _Place(row.thread, history, is_stored=True)
        return _Place(new, history)


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
