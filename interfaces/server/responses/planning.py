"""Decides what a response runs: which models, on which threads, behind which messages."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.request_claims import check_same_request, new_owner
from turngraph.interfaces.server.request_rows import ResponseRow, find_response, take_thread
from turngraph.interfaces.server.responses.answer import unfinished_response
from turngraph.interfaces.server.responses.echo import echo_of
from turngraph.interfaces.server.responses.places import Place, Places
from turngraph.interfaces.server.responses.request import ResponseRequest
from turngraph.interfaces.server.served_models import ModelSet, ServedModel
from turngraph.interfaces.server.thread_ids import id_of
from turngraph.interfaces.server.turn_planning import (
    digest_of,
    find_model,
    gone_on,
    holder_of,
    in_order,
    resumed,
    resumes_of,
    settings_for,
    token_for,
    unless_begun,
)
from turngraph.interfaces.server.turn_runs import TurnPlan
from turngraph.state.json_types import JsonObject

__all__ = ["PREFIX", "PlannedResponse", "ResponsePlanner"]

PREFIX = "resp_"


@dataclass(frozen=True)
class PlannedResponse:
    """A response that can be started, or was made before."""

    row: ResponseRow
    model: ServedModel
    """The model that was asked."""
    plans: Sequence[TurnPlan] = ()
    """The ways to make it. Empty where the answer to the same request is known already."""
    is_kept: bool = True
    """Whether the row is stored."""

    @property
    def token(self) -> str:
        """What the ids of its items are made of."""
        return self.row.response_id.removeprefix(PREFIX)

    @property
    def started(self) -> JsonObject:
        """The object that the API shows while it runs."""
        return self.started_by(self.model)

    def started_by(self, model: ServedModel) -> JsonObject:
        """The same where `model` answers, with the parameters that it is asked with."""
        row = self.row
        echo = echo_of(row.request, model.provider)
        named = str(row.request["model"])
        return unfinished_response(row.response_id, named, "in_progress", row.created, echo)

    @property
    def side(self) -> list[str]:
        """The threads that it may use beside its row's."""
        threads = dict.fromkeys(plan.thread for plan in self.plans[1:] if plan.thread is not None)
        return [thread for thread in threads if thread != self.row.thread]


@dataclass(frozen=True)
class _Request:
    """A request that is being planned."""

    asked: ResponseRequest
    body: JsonObject
    """What `asked` was read from."""
    token: str
    """What the ids of the response and of its items are made of."""
    digest: str | None
    """What its retries are compared with; None without an `Idempotency-Key`."""


@dataclass(frozen=True)
class ResponsePlanner:
    """Plans the responses of one caller."""

    store: LedgerStore
    models: ModelSet
    caller: Caller

    @property
    def places(self) -> Places:
        """Where its responses run."""
        return Places(self.store, self.caller)

    async def plan(
        self, asked: ResponseRequest, body: JsonObject, key: str | None
    ) -> PlannedResponse:
        """Plans the response to `body`, which was read as `asked`.

        Args:
            key: the request's `Idempotency-Key`.

        Raises ServerError for a model, a response or a conversation that the caller does not have,
        and (422) for a key that was used for another request.
        """
        model = find_model(self.models, asked.turn.model, self.caller)
        offers = asked.turn.settings.caller_tools
        if offers and "tools" not in self.caller.scopes:
            raise ServerError(403, "This key may not offer tools of its own.", param="tools")
        if offers and not model.is_turn:
            raise ServerError(
                400, f"`{model.name}` runs its own tools and takes none.", param="tools"
            )
        token = token_for(self.caller, PREFIX, key)
        digest = None if key is None else digest_of(body)
        known = None if key is None else await self._known(token)
        if known is not None:
            check_same_request(known, digest)
            if known.is_over or known.background:
                return PlannedResponse(known, model)
            return await self.again(known, asked, model)
        request = _Request(asked, body, token, digest)
        plan = await self._waiting(request)
        if plan is not None:
            return self._planned(request, model, [plan])
        place = await self.places.new(asked, model, token)
        turn_id = id_of(self.caller.account, token)
        return self._planned(request, model, self._plans(request, model, place, turn_id))

    async def again(
        self, row: ResponseRow, asked: ResponseRequest, model: ServedModel
    ) -> PlannedResponse:
        """Plans a response once more that its process has left unfinished."""
        request = _Request(asked, row.request, row.response_id.removeprefix(PREFIX), row.digest)
        if row.resumes is not None:
            plans: Sequence[TurnPlan] = [await self._resumed_again(row, request)]
        else:
            # The turn's id is the same, so the ledger and the thread know how far it came.
            place = await self.places.again(row, asked, model)
            begun = self._plans(request, model, place, row.turn_id)
            plans = [await unless_begun(plan, len(asked.turn.messages)) for plan in begun]
        row = row._replace(owner=new_owner())
        return PlannedResponse(row, model, plans)

    async def of_row(self, row: ResponseRow, asked: ResponseRequest) -> PlannedResponse:
        """Plans a stored response of a dead process, which this one has claimed.

        Raises ServerError (404) if its model is not served any more.
        """
        model = find_model(self.models, row.model, self.caller)
        return replace(await self.again(row, asked, model), row=row)

    async def _resumed_again(self, row: ResponseRow, request: _Request) -> TurnPlan:
        assert row.resumes is not None, "the caller has looked"
        holder = holder_of(row, self.models)
        turn, token = request.asked.turn, request.token
        given = {**turn.answers, **turn.decisions}
        waiting = await resumed(holder, row.thread, row.resumes["token"], token, given)
        return waiting or gone_on(holder, row, token)

    def _planned(
        self, request: _Request, model: ServedModel, plans: Sequence[TurnPlan]
    ) -> PlannedResponse:
        asked, now, first = request.asked, self.store.now(), plans[0]
        may_stop = bool(asked.turn.settings.caller_tools) or model.asks_person
        given = first.given if isinstance(first.given, dict) else {}
        row = ResponseRow(
            PREFIX + request.token,
            self.caller.account,
            self.caller.key_id,
            tuple(sorted(self.caller.scopes)),
            None if self.caller.models is None else tuple(sorted(self.caller.models)),
            asked.turn.model,
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
            request.body,
            None,
            digest=request.digest,
            owner=new_owner(),
            answered_by=first.model.name,
            resumes=resumes_of(first, asked.turn),
        )
        is_kept = asked.stored or may_stop or request.digest is not None
        return PlannedResponse(row, model, plans, is_kept=is_kept)

    def _plans(
        self, request: _Request, model: ServedModel, place: Place, turn_id: str
    ) -> list[TurnPlan]:
        """The model that was asked, and those behind it, in their order."""

        def one(each: ServedModel, n: int) -> TurnPlan:
            where, name = place, turn_id
            if n > 1:
                name = f"{turn_id}~{n}"
                own = id_of(self.caller.account, "responses", f"{request.token}~{n}")
                where = place if place.is_shared else Place(own, place.history)
            return self._turn(request, each, where, name)

        return in_order(model, self.models, one)

    def _turn(self, request: _Request, model: ServedModel, place: Place, turn_id: str) -> TurnPlan:
        asked, token = request.asked, request.token
        new = list(asked.turn.messages)
        if place.is_shared:
            # Another model that answers in the first one's place must not add them a second time.
            new = [_named(message, f"{token}_in_{n}") for n, message in enumerate(new)]
        messages = new if place.is_stored else [*place.history, *new]
        given: Any = {"messages": messages}
        if model.is_turn:
            settings = settings_for(asked.turn.settings, messages, self.caller, model)
            given |= {"turn_id": turn_id, "settings": settings}
        keeps = (
            asked.stored
            or request.digest is not None
            or bool(asked.turn.settings.caller_tools)
            or model.asks_person
            or not model.is_turn
        )
        before = len(place.history) + len(new)
        return TurnPlan(model, given, place.thread if keeps else None, token, before)

    async def _known(self, token: str) -> ResponseRow | None:
        row = await self.store.aread(find_response, self.caller.account, PREFIX + token)
        if row is not None:
            find_model(self.models, row.model, self.caller)
        return row

    async def _waiting(self, request: _Request) -> TurnPlan | None:
        """The turn that goes on with the results that the request brings."""
        asked = request.asked
        given = {**asked.turn.answers, **asked.turn.decisions}
        tokens = {place.token for place in given}
        row = await self.places.response(PREFIX + tokens.pop()) if len(tokens) == 1 else None
        holder = None if row is None else self.models.models.get(row.holder)
        if row is None or holder is None:
            return None
        asked_token = row.response_id.removeprefix(PREFIX)
        plan = await resumed(holder, row.thread, asked_token, request.token, given)
        if plan is not None:
            await self.store.arun(take_thread, self.caller.account, row.response_id)
        return plan


def _named(message: Any, name: str) -> Any:
    return message if message.id else message.model_copy(update={"id": name})
