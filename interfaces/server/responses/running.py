"""Starts a response that was claimed, and says how it is stored when it ends."""

from collections.abc import Mapping

from turngraph.interfaces.server.answer_parts import has_failed, turn_error
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.request_claims import Ended
from turngraph.interfaces.server.request_rows import ResponseRow
from turngraph.interfaces.server.responses.answer import (
    failed_response,
    finished_response,
    output_items,
    unfinished_response,
)
from turngraph.interfaces.server.responses.echo import echo_of
from turngraph.interfaces.server.responses.planning import PlannedResponse
from turngraph.interfaces.server.served_models import ModelSet
from turngraph.interfaces.server.stored_requests import StoredRequests, error_answer
from turngraph.interfaces.server.turn_runs import TurnEnd, TurnRun
from turngraph.state.json_types import JsonObject

__all__ = ["failed", "needs_json", "response_of", "shown", "start_response"]


def response_of(planned: PlannedResponse, end: TurnEnd) -> JsonObject:
    """The response when its turn has stopped."""
    items = output_items(end, planned.token, last_only=needs_json(planned))
    return finished_response(planned.started_by(end.plan.model), end, items)


def needs_json(planned: PlannedResponse) -> bool:
    """Whether the answer must be JSON, so that no other text may stand beside it."""
    return bool(planned.started["text"]["format"].get("type") != "text")


def shown(row: ResponseRow, models: ModelSet) -> JsonObject:
    """A stored response, as far as it is."""
    if row.body is not None:
        return row.body
    status = "in_progress" if row.status == "cancelling" else row.status
    model = models.models.get(row.model)
    echo = echo_of(row.request, None if model is None else model.provider)
    named = str(row.request["model"])
    return unfinished_response(row.response_id, named, status, row.created, echo)


def failed(started: JsonObject, error: ServerError) -> Ended:
    """How a response is stored that has ended with `error`."""
    return Ended("failed", failed_response(started, error), error_answer(error))


async def start_response(
    requests: StoredRequests, caller: Caller, planned: PlannedResponse, *, tokens: int
) -> tuple[TurnRun, Mapping[str, str]]:
    """Starts the turn of a response, which was claimed if it is kept.

    Also returns headers for the answer. Raises ServerError (429, 503) at a limit.
    """

    def end_of(end: TurnEnd | ServerError) -> Ended:
        if isinstance(end, ServerError):
            return failed(planned.started, end)
        body = response_of(planned, end)
        return Ended(
            body["status"],
            body,
            error_answer(turn_error(end)) if has_failed(end) else None,
            end.plan.thread,
            end.plan.model.name,
            end.plan.messages_before + len(end.messages),
        )

    if not planned.is_kept:
        return await requests.service.start(caller, planned.plans, tokens)
    return await requests.start(caller, planned.row, planned.plans, tokens, end_of)
