"""`/v1/responses` and `/v1/conversations`: turns that the server stores."""

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from turngraph.interfaces.server.answer_parts import has_failed, turn_error
from turngraph.interfaces.server.api_page import RESPONSE_BODY
from turngraph.interfaces.server.bodies import read_json
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.caller_route import CallerRoute
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.event_stream import (
    begun,
    event_stream,
    followed_stream,
    replayed_stream,
)
from turngraph.interfaces.server.request_claims import request_cancel
from turngraph.interfaces.server.request_rows import (
    RUNNING,
    ResponseRow,
    delete_response,
)
from turngraph.interfaces.server.responses.conversation_storage import (
    ConversationRow,
    add_conversation,
    delete_conversation,
)
from turngraph.interfaces.server.responses.item_lists import (
    LIST_PARAMETERS,
    ListQuery,
    conversation_page,
    input_page,
)
from turngraph.interfaces.server.responses.item_references import with_referenced_items
from turngraph.interfaces.server.responses.places import not_found, stored_response
from turngraph.interfaces.server.responses.planning import PlannedResponse, ResponsePlanner
from turngraph.interfaces.server.responses.recorded_events import recorded_events
from turngraph.interfaces.server.responses.request import read_metadata, read_response_request
from turngraph.interfaces.server.responses.running import (
    needs_json,
    response_of,
    shown,
    start_response,
)
from turngraph.interfaces.server.responses.stream import ResponseStream
from turngraph.interfaces.server.service import (
    CallerOf,
    ReaderOf,
    Service,
    ServiceOf,
    unless_gone,
)
from turngraph.interfaces.server.stored_requests import REPLAYED, replayed_error
from turngraph.interfaces.server.thread_ids import id_of
from turngraph.interfaces.server.turn_planning import idempotency_key, tokens_needed
from turngraph.interfaces.server.turn_request import member
from turngraph.interfaces.server.turn_runs import TurnRun
from turngraph.state.json_types import JsonObject

__all__ = ["creating", "router"]

router: Final = APIRouter(tags=["responses"])
creating: Final = APIRouter(route_class=CallerRoute)

_EVENT_NUMBER: Final = re.compile(r"-1|[0-9]{1,9}")
"""What a database can compare with the number of an event; -1 is before the first one."""
CANCEL_S: Final = 5.0
"""How long a request to cancel waits for the response to end."""


@creating.post("/v1/responses", openapi_extra=RESPONSE_BODY)
async def create_response(request: Request, caller: CallerOf, service: ServiceOf) -> Response:
    """Runs one turn and returns it as a response: whole, as a stream, or in the background."""
    sent = await read_json(request, service.config.server.body_bytes)
    body = await with_referenced_items(service.store.ledger.store, caller, sent)
    asked = read_response_request(body)
    planner = ResponsePlanner(service.store.ledger.store, service.models, caller)
    planned = await planner.plan(asked, body, idempotency_key(request.headers))
    stream = bool(asked.turn.settings.stream)
    if planned.is_kept and planned.plans:
        row = await service.stored.claim(planned.row, planned.side)
        planned = replace(planned, row=row, plans=() if row.is_over else planned.plans)
    if not planned.plans:
        return _again(planned, stream, service)
    tokens = tokens_needed(asked.turn.settings, planned.plans, request.state.body_bytes)
    if asked.background and not stream:
        service.background.start(caller, planned, tokens)
        return JSONResponse({**planned.started, "status": "queued"})

    async def answer() -> Response:
        run, headers = await start_response(service.stored, caller, planned, tokens=tokens)
        if not stream:
            end = await run.end()
            if has_failed(end):
                raise turn_error(end)
            return JSONResponse(response_of(planned, end), headers=headers)
        await begun(run, is_background=asked.background)
        events = ResponseStream(
            planned.started, planned.token, needs_json(planned), asked.turn.wants_events
        )
        made = _events(run, events, planned)
        if asked.background:
            made = service.background.record(planned.row, made)
        return event_stream(run, made, headers)

    return await unless_gone(request, answer())


router.include_router(creating)


@router.post("/v1/responses/compact", include_in_schema=False)
@router.post("/v1/responses/input_tokens", include_in_schema=False)
async def not_served(request: Request) -> None:
    """Says that OpenAI's endpoint is not here. Without this it would look like a response's id."""
    raise ServerError(404, f"`POST {request.url.path}` is not served here.", code="not_found")


@router.get("/v1/responses/{response_id}")
async def retrieve_response(
    response_id: str,
    caller: ReaderOf,
    service: ServiceOf,
    stream: str = "false",
    starting_after: str = "-1",
) -> Response:
    """Returns a stored response, as far as it is; or its events behind one, until it ends."""
    row = await _find(response_id, caller, service)
    if stream.lower() not in ("true", "1"):
        return JSONResponse(shown(row, service.models))
    if _EVENT_NUMBER.fullmatch(starting_after) is None:
        raise ServerError(
            400, "`starting_after` must be the number of an event.", param="starting_after"
        )
    return _followed(row, int(starting_after), service)


@router.get("/v1/responses/{response_id}/input_items", openapi_extra=LIST_PARAMETERS)
async def list_input_items(
    response_id: str, request: Request, caller: ReaderOf, service: ServiceOf
) -> JsonObject:
    """Lists what the request of a stored response has added to the conversation."""
    query = ListQuery.read(request.query_params)
    return input_page(await _find(response_id, caller, service), query)


@router.delete("/v1/responses/{response_id}")
async def remove_response(response_id: str, caller: ReaderOf, service: ServiceOf) -> JsonObject:
    """Deletes a stored response, and its conversation when nothing else needs that."""
    await _find(response_id, caller, service)
    threads = await service.store.ledger.store.arun(delete_response, caller.account, response_id)
    service.stored.end(response_id)
    await _forget("response_id", response_id, threads, service)
    return {"id": response_id, "object": "response", "deleted": True}


@router.post("/v1/responses/{response_id}/cancel")
async def cancel_response(response_id: str, caller: ReaderOf, service: ServiceOf) -> Response:
    """Ends a background response, in whichever process it runs."""
    row = await _find(response_id, caller, service)
    if not row.background:
        raise ServerError(
            400, "Only a response with `background` can be cancelled.", param="response_id"
        )
    await service.store.ledger.store.arun(request_cancel, caller.account, response_id)
    service.stored.end(response_id)
    ends_at = time.monotonic() + CANCEL_S
    while row.status in RUNNING and time.monotonic() < ends_at:
        await asyncio.sleep(0.05)
        row = await _find(response_id, caller, service)
    return JSONResponse(shown(row, service.models))


@router.post("/v1/conversations")
async def create_conversation(request: Request, caller: ReaderOf, service: ServiceOf) -> JsonObject:
    """Creates an empty conversation, which responses are then added to."""
    body = await read_json(request, service.config.server.body_bytes)
    if member(body, "items", list):
        raise ServerError(
            400, "`items` cannot be given here: send them as `input` of a response.", param="items"
        )
    token = secrets.token_hex(12)
    thread = id_of(caller.account, "conversations", token)
    now = service.store.ledger.store.now()
    metadata = read_metadata(body)
    row = ConversationRow(f"conv_{token}", caller.account, thread, now, metadata)
    await service.store.ledger.store.arun(add_conversation, row)
    return _conversation(row)


@router.get("/v1/conversations/{conversation_id}")
async def retrieve_conversation(
    conversation_id: str, caller: ReaderOf, service: ServiceOf
) -> JsonObject:
    """Returns a conversation, without its messages."""
    planner = ResponsePlanner(service.store.ledger.store, service.models, caller)
    return _conversation(await planner.places.conversation("conversation_id", conversation_id))


@router.get("/v1/conversations/{conversation_id}/items", openapi_extra=LIST_PARAMETERS)
async def list_conversation_items(
    conversation_id: str, request: Request, caller: ReaderOf, service: ServiceOf
) -> JsonObject:
    """Lists what the stored responses of a conversation were given and have answered."""
    query = ListQuery.read(request.query_params)
    store = service.store.ledger.store
    places = ResponsePlanner(store, service.models, caller).places
    row = await places.conversation("conversation_id", conversation_id)
    return await conversation_page(store, row, query)


@router.delete("/v1/conversations/{conversation_id}")
async def remove_conversation(
    conversation_id: str, caller: ReaderOf, service: ServiceOf
) -> JsonObject:
    """Deletes a conversation, and its messages when no stored response needs them."""
    await retrieve_conversation(conversation_id, caller, service)
    threads = await service.store.ledger.store.arun(
        delete_conversation, caller.account, conversation_id
    )
    await _forget("conversation_id", conversation_id, threads, service)
    return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}


async def _find(response_id: str, caller: Caller, service: Service) -> ResponseRow:
    row = await stored_response(service.store.ledger.store, caller, response_id)
    if row is None:
        raise not_found("response_id", response_id)
    return row


async def _forget(param: str, given: str, threads: Sequence[str] | None, service: Service) -> None:
    """Deletes the messages of what was deleted, unless another request has deleted it first."""
    if threads is None:
        raise not_found(param, given)
    await service.store.delete_messages(threads)


def _again(planned: PlannedResponse, stream: bool, service: Service) -> Response:
    """The answer to a request that came before. One in the background runs perhaps."""
    row = planned.row
    # What runs in the background was answered before it had failed.
    error = None if row.background else replayed_error(row)
    if error is not None:
        raise error
    body = shown(row, service.models)
    if not stream:
        return JSONResponse(body, headers=REPLAYED)
    if row.background:
        return _followed(row, -1, service)
    events = ResponseStream(planned.started, planned.token, holds=False)
    return replayed_stream(events.replay(body), REPLAYED)


def _followed(row: ResponseRow, after: int, service: Service) -> Response:
    started = shown(row._replace(body=None, status="in_progress"), service.models)
    store = service.store.ledger.store
    return followed_stream(recorded_events(store, row, started, after), REPLAYED)


async def _events(
    run: TurnRun, stream: ResponseStream, planned: PlannedResponse
) -> AsyncIterator[Sequence[JsonObject]]:
    yield [*stream.start()]
    async for happened in run.events():
        yield [event for each in happened for event in stream.show(each)]
    end = await run.end()
    yield [*stream.finish(end, planned.started_by(end.plan.model))]


def _conversation(row: ConversationRow) -> JsonObject:
    return {
        "id": row.conversation_id,
        "object": "conversation",
        "created_at": int(row.created),
        "metadata": row.metadata,
    }
