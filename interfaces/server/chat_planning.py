"""Decides what a request to Chat Completions runs, and what is stored of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.request_claims import check_same_request, new_owner
from turngraph.interfaces.server.request_rows import ResponseRow, find_response
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
from turngraph.interfaces.server.turn_request import TurnRequest
from turngraph.interfaces.server.turn_runs import TurnPlan
from turngraph.state.json_types import JsonObject

__all__ = ["ChatPlanner", "PlannedChat"]

_PREFIX = "chat_"


@dataclass(frozen=True)
class PlannedChat:
    """A request that can be started, or was answered before."""

    plans: Sequence[TurnPlan]
    """The ways to answer, to be tried in order. Empty where the answer is known already."""
    row: ResponseRow | None = None
    """What is stored of it; None if nothing is."""

    @property
    def is_claimed(self) -> bool:
        """Whether its answer is stored, for retries with its key, so that only one may run it."""
        return self.row is not None and self.row.digest is not None

    @property
    def side(self) -> list[str]:
        """The threads that it may use beside its row's."""
        return [plan.thread for plan in self.plans[1:] if plan.thread is not None]


@dataclass(frozen=True)
class ChatPlanner:
    """Plans the requests of one caller."""

    store: LedgerStore
    models: ModelSet
    caller: Caller

    async def plan(self, request: TurnRequest, body: JsonObject, key: str | None) -> PlannedChat:
        """Plans the answer to `body`, which was read as `request`.

        Args:
            key: the request's `Idempotency-Key`.

        Raises ServerError for a model or a tool that the caller may not use, for answers that leave
        out a call of the turn that waits, and (422) for a key that was used for another request.
        """
        model = find_model(self.models, request.model, self.caller)
        if request.settings.caller_tools and "tools" not in self.caller.scopes:
            raise ServerError(403, "This key may not offer tools of its own.", param="tools")
        token = token_for(self.caller, _PREFIX, key)
        digest = None if key is None else digest_of(body)
        known = None if key is None else await self._row(token)
        if known is not None:
            check_same_request(known, digest)
            if known.is_over:
                return PlannedChat((), known)
            plans = await self._again(known, request, model, token)
            return PlannedChat(plans, known._replace(owner=new_owner()))
        waiting = await self._waiting(request, model)
        if waiting is not None:
            plans = [waiting]
        else:
            plans = self._new(request, model, token, keeps=key is not None)
        if plans[0].thread is None or (waiting is not None and key is None):
            return PlannedChat(plans)
        return PlannedChat(plans, self._stored(request, model, token, digest, plans[0]))

    async def _again(
        self, known: ResponseRow, request: TurnRequest, model: ServedModel, token: str
    ) -> Sequence[TurnPlan]:
        """The plans of a request whose process may have died."""
        if known.resumes is None:
            begun = self._new(request, model, token, keeps=True)
            return [await unless_begun(plan, len(request.messages)) for plan in begun]
        waiting = await self._waiting(request, model)
        asked = known.resumes["token"]
        return [waiting or gone_on(holder_of(known, self.models), known, asked)]

    async def _waiting(self, request: TurnRequest, model: ServedModel) -> TurnPlan | None:
        """The turn that goes on with what `request` brings; None if no turn waits for it."""
        given = {**request.answers, **request.decisions}
        tokens = {place.token for place in given}
        if len(tokens) != 1:
            return None
        token = tokens.pop()
        row = await self._row(token)
        if row is None or row.model != model.name or row.holder not in self.models.models:
            return None
        return await resumed(holder_of(row, self.models), row.thread, token, token, given)

    def _new(
        self, request: TurnRequest, model: ServedModel, token: str, *, keeps: bool
    ) -> list[TurnPlan]:
        def one(each: ServedModel, n: int) -> TurnPlan:
            name = token if n == 1 else f"{token}~{n}"
            thread = id_of(self.caller.account, each.name, name)
            may_stop = bool(request.settings.caller_tools) or each.asks_person
            is_kept = keeps or may_stop or not each.is_turn
            given = _input_of(request, self.caller, each, thread)
            kept = thread if is_kept else None
            return TurnPlan(each, given, kept, token, len(request.messages))

        return in_order(model, self.models, one)

    async def _row(self, token: str) -> ResponseRow | None:
        return await self.store.aread(find_response, self.caller.account, _PREFIX + token)

    def _stored(
        self,
        request: TurnRequest,
        model: ServedModel,
        token: str,
        digest: str | None,
        first: TurnPlan,
    ) -> ResponseRow:
        now = self.store.now()
        return ResponseRow(
            response_id=_PREFIX + token,
            account=self.caller.account,
            api_key_id=self.caller.key_id,
            scopes=None,
            models=None,
            model=model.name,
            thread=first.thread or "",
            turn_id=first.thread or "",
            # Of a request without a key nothing is stored but where its turn waits.
            status="completed" if digest is None else "in_progress",
            stored=False,
            continued=False,
            background=False,
            created=now,
            seen=now,
            first=first.messages_before,
            last=first.messages_before,
            request={},
            body=None,
            digest=digest,
            owner=new_owner(),
            answered_by=first.model.name,
            resumes=resumes_of(first, request),
        )


def _input_of(
    request: TurnRequest, caller: Caller, model: ServedModel, turn_id: str
) -> dict[str, Any]:
    """What the graph of a model is given, of a turn that is new or submitted again."""
    messages = [*request.messages]
    if model.is_turn:
        settings = settings_for(request.settings, messages, caller, model)
        return {"messages": messages, "turn_id": turn_id, "settings": settings}
    if request.settings.caller_tools:
        raise ServerError(
            400,
            f"`{model.name}` runs its own tools and takes none from clients.",
            param="tools",
            code="unsupported_parameter",
        )
    return {"messages": messages}
