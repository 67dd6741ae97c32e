"""Starts a response and stores how it ends."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from turngraph.billing.errors import TurnConflictError
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import error_of, is_temporary
from turngraph.interfaces.server.responses.answer import (
    failed_response,
    finished_response,
    output_items,
)
from turngraph.interfaces.server.responses.planning import PlannedResponse
from turngraph.interfaces.server.responses.storage import add_response, finish_response
from turngraph.interfaces.server.served_models import ModelSet
from turngraph.interfaces.server.store import Store
from turngraph.interfaces.server.turn_runs import OnEnd, TurnEnd, TurnPlan, TurnRun
from turngraph.state.json_types import JsonObject

__all__ = ["TurnStarter", "needs_json", "response_of", "start_response", "store_planned"]


class TurnStarter(Protocol):
    """What responses need of the server's `Service`."""

    store: Store
    models: ModelSet

    async def start(
        self, caller: Caller, plans: Sequence[TurnPlan], tokens: int, on_end: OnEnd | None = None
    ) -> tuple[TurnRun, Mapping[str, str]]:
        """See `Service.start`."""
        ...


def response_of(planned: PlannedResponse, end: TurnEnd) -> JsonObject:
    """The response when its turn has stopped."""
    items = output_items(end, planned.token, last_only=needs_json(planned))
    return finished_response(planned.started, end, items)


def needs_json(planned: PlannedResponse) -> bool:
    """Whether the answer must be JSON, so that no other text may stand beside it."""
    return bool(planned.started["text"]["format"].get("type") != "text")


async def store_planned(service: TurnStarter, planned: PlannedResponse) -> None:
    """Stores a response before it runs."""
    if planned.is_kept:
        await service.store.ledger.store.arun(add_response, planned.row)


async def start_response(
    service: TurnStarter, caller: Caller, planned: PlannedResponse, *, tokens: int
) -> tuple[TurnRun, Mapping[str, str]]:
    """Starts the turn of a response. Its end is stored before its client is told.

    Also returns headers for the answer. Raises ServerError (429, 503) at a limit.
    """
    store, account = service.store.ledger.store, planned.row.account

    async def keep(end: TurnEnd | Exception) -> None:
        if not planned.is_kept:
            return
        if isinstance(end, Exception):
            if _is_result(planned, end):
                body = failed_response(planned.started, error_of(end))
                await store.arun(finish_response, account, body)
            return
        last = end.plan.messages_before + len(end.messages)
        body = response_of(planned, end)
        await store.arun(finish_response, account, body, end.plan.thread, last)

    return await service.start(caller, planned.plans, tokens, keep)


def _is_result(planned: PlannedResponse, exc: Exception) -> bool:
    """Whether the response has ended with `exc`.

    A request that was refused before its turn began has not: it may come again. Of a conflict, the
    other run knows the end, unless nobody else is left to run a background response.
    """
    if isinstance(exc, TurnConflictError) and not planned.row.background:
        return False
    return not is_temporary(error_of(exc))
