"""`POST /v1/chat/completions`: one turn behind OpenAI's Chat Completions."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from langgraph.types import Command

from turngraph.interfaces.server.answer_parts import has_failed, turn_error
from turngraph.interfaces.server.api_page import CHAT_BODY
from turngraph.interfaces.server.bodies import read_json
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.chat_answer import ChatStream, chat_completion
from turngraph.interfaces.server.chat_request import read_chat_request
from turngraph.interfaces.server.event_stream import begun, event_stream
from turngraph.interfaces.server.rate_limits.limiter import estimated_tokens
from turngraph.interfaces.server.responses.storage import ResponseRow, add_response
from turngraph.interfaces.server.service import CallerOf, Service, ServiceOf, unless_gone
from turngraph.interfaces.server.turn_planning import plan_turn
from turngraph.interfaces.server.turn_request import TurnRequest
from turngraph.interfaces.server.turn_runs import TurnPlan, TurnRun
from turngraph.state.json_types import JsonObject

__all__ = ["router"]

router: Final = APIRouter(tags=["chat"])


@router.post("/v1/chat/completions", openapi_extra=CHAT_BODY)
async def create_chat_completion(
    request: Request, caller: CallerOf, service: ServiceOf
) -> Response:
    """Runs one turn and returns its answer, whole or as a stream of chunks."""
    body = await read_json(request, service.config.server.body_bytes)
    asked = read_chat_request(body)
    key = request.headers.get("idempotency-key")
    plans = await plan_turn(asked, caller, service.models, key)
    answer_id = _id(plans[0], asked)
    await _note_threads(plans, caller, service)
    longest = asked.settings.max_tokens or plans[0].model.max_tokens
    tokens = estimated_tokens(request.state.body_bytes, longest)
    run, headers = await unless_gone(request, service.start(caller, plans, tokens))
    if asked.settings.stream:
        await unless_gone(request, begun(run))
        stream = ChatStream(asked, answer_id, _includes_usage(body))
        drain_s = service.config.server.drain_seconds
        return event_stream(run, _chunks(run, stream), headers, drain_s=drain_s, done="[DONE]")
    end = await unless_gone(request, run.end())
    if has_failed(end):
        raise turn_error(end)
    return JSONResponse(chat_completion(end, asked, id=answer_id), headers=headers)


async def _note_threads(plans: Sequence[TurnPlan], caller: Caller, service: Service) -> None:
    """Notes the threads of new turns that are kept, so that they are deleted when they are old."""
    now = service.store.ledger.store.now()
    for plan in plans:
        if plan.thread is not None and not isinstance(plan.given, Command):
            row = ResponseRow(
                response_id=f"chat_{plan.token}_{plan.model.name}"[:64],
                account=caller.account,
                api_key_id=caller.key_id,
                scopes=None,
                models=None,
                model=plan.model.name,
                thread=plan.thread,
                turn_id=plan.thread,
                status="completed",
                stored=False,
                continued=False,
                background=False,
                created=now,
                seen=now,
                first=0,
                last=0,
                request={},
                body=None,
            )
            await service.store.ledger.store.arun(add_response, row)


async def _chunks(run: TurnRun, stream: ChatStream) -> AsyncIterator[JsonObject]:
    yield stream.start()
    async for event in run.events():
        for chunk in stream.show(event):
            yield chunk
    end = await run.end()
    if has_failed(end):
        raise turn_error(end)
    for chunk in stream.finish(end):
        yield chunk


def _includes_usage(body: JsonObject) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _id(plan: TurnPlan, request: TurnRequest) -> str:
    """The id of the answer: the same when an idempotent request is sent again."""
    answered = [place.order for place in {**request.answers, **request.decisions}]
    suffix = f"-{min(answered)}" if answered else ""
    return f"chatcmpl-{plan.token}{suffix}"
