"""`POST /v1/chat/completions`: one turn behind OpenAI's Chat Completions."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from turngraph.interfaces.server.answer_parts import has_failed, turn_error
from turngraph.interfaces.server.api_page import CHAT_BODY
from turngraph.interfaces.server.bodies import read_json
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.caller_route import CallerRoute
from turngraph.interfaces.server.chat_answer import ChatStream, chat_completion, replayed_chunks
from turngraph.interfaces.server.chat_planning import ChatPlanner, PlannedChat
from turngraph.interfaces.server.chat_request import read_chat_request
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.event_stream import begun, event_stream, replayed_stream
from turngraph.interfaces.server.request_claims import Ended, finish
from turngraph.interfaces.server.request_rows import (
    ResponseRow,
    add_response,
    discard_response,
)
from turngraph.interfaces.server.service import CallerOf, Service, ServiceOf, unless_gone
from turngraph.interfaces.server.stored_requests import REPLAYED, error_answer, replayed_error
from turngraph.interfaces.server.turn_planning import idempotency_key, tokens_needed
from turngraph.interfaces.server.turn_request import TurnRequest
from turngraph.interfaces.server.turn_runs import TurnEnd, TurnPlan, TurnRun
from turngraph.state.json_types import JsonObject

__all__ = ["router"]

router: Final = APIRouter(tags=["chat"], route_class=CallerRoute)
_DONE: Final = "[DONE]"


@router.post("/v1/chat/completions", openapi_extra=CHAT_BODY)
async def create_chat_completion(
    request: Request, caller: CallerOf, service: ServiceOf
) -> Response:
    """Runs one turn and returns its answer, whole or as a stream of chunks."""
    body = await read_json(request, service.config.server.body_bytes)
    asked = read_chat_request(body)
    planner = ChatPlanner(service.store.ledger.store, service.models, caller)
    planned = await planner.plan(asked, body, idempotency_key(request.headers))
    if planned.is_claimed and planned.plans:
        assert planned.row is not None, "it is claimed"
        row = await service.stored.claim(planned.row, planned.side)
        planned = replace(planned, row=row, plans=() if row.is_over else planned.plans)
    if not planned.plans:
        assert planned.row is not None, "only an answer that is stored needs no plan"
        return _again(planned.row, body)
    tokens = tokens_needed(asked.settings, planned.plans, request.state.body_bytes)
    answer_id = _id(planned.plans[0], asked)

    async def answer() -> Response:
        run, headers = await _start(service, caller, planned, asked, answer_id, tokens)
        if asked.settings.stream:
            await begun(run)
            stream = ChatStream(asked, answer_id, _includes_usage(body))
            return event_stream(run, _chunks(run, stream), headers, done=_DONE)
        end = await run.end()
        if has_failed(end):
            raise turn_error(end)
        return JSONResponse(chat_completion(end, asked, id=answer_id), headers=headers)

    return await unless_gone(request, answer())


async def _start(
    service: Service,
    caller: Caller,
    planned: PlannedChat,
    request: TurnRequest,
    answer_id: str,
    tokens: int,
) -> tuple[TurnRun, Mapping[str, str]]:
    """Starts the turn. What must be known of it later is stored: before, and when it ends."""
    row, store = planned.row, service.store.ledger.store

    def end_of(end: TurnEnd | ServerError) -> Ended:
        if isinstance(end, ServerError):
            return Ended("failed", None, error_answer(end))
        where = end.plan.thread, end.plan.model.name
        if has_failed(end):
            return Ended("failed", None, error_answer(turn_error(end)), *where)
        return Ended("completed", chat_completion(end, request, id=answer_id), None, *where)

    async def note_thread(end: TurnEnd | Exception) -> None:
        # The calls of a fallback lead to its thread.
        assert row is not None, "it has a thread to be noted"
        if isinstance(end, TurnEnd) and end.plan.thread != row.thread:
            at = Ended("completed", None, None, end.plan.thread, end.plan.model.name)
            await store.arun(finish, row, at)

    if planned.is_claimed and row is not None:
        return await service.stored.start(caller, row, planned.plans, tokens, end_of)
    if row is None:
        return await service.start(caller, planned.plans, tokens)
    await store.arun(add_response, row, planned.side)
    try:
        return await service.start(caller, planned.plans, tokens, note_thread)
    except BaseException:
        await store.arun(discard_response, row)
        raise


def _again(row: ResponseRow, body: JsonObject) -> Response:
    """The answer to a request that was answered before."""
    if (error := replayed_error(row)) is not None:
        raise error
    assert row.body is not None, "what is no error has an answer"
    if not body.get("stream"):
        return JSONResponse(row.body, headers=REPLAYED)
    return replayed_stream(replayed_chunks(row.body, _includes_usage(body)), REPLAYED, done=_DONE)


async def _chunks(run: TurnRun, stream: ChatStream) -> AsyncIterator[Sequence[JsonObject]]:
    yield [stream.start()]
    async for events in run.events():
        yield [chunk for event in events for chunk in stream.show(event)]
    end = await run.end()
    if has_failed(end):
        raise turn_error(end)
    yield [*stream.finish(end)]


def _includes_usage(body: JsonObject) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _id(plan: TurnPlan, request: TurnRequest) -> str:
    """The id of the answer: the same when an idempotent request is sent again."""
    answered = [place.order for place in {**request.answers, **request.decisions}]
    suffix = f"-{min(answered)}" if answered else ""
    return f"chatcmpl-{plan.token}{suffix}"
