"""Writes a turn as a `response` object.

Reference: https://platform.openai.com/docs/api-reference/responses/object
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage

from turngraph.interfaces.server.answer_parts import (
    answer_text,
    approvals,
    client_calls,
    extras,
    has_failed,
    message_reasoning,
    turn_error,
    usage_of,
)
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.responses.request import APPROVAL_PREFIX
from turngraph.interfaces.server.turn_runs import TurnEnd
from turngraph.state.json_types import JsonObject
from turngraph.state.usage import Usage

__all__ = [
    "failed_response",
    "finished_response",
    "message_item",
    "output_items",
    "reasoning_item",
    "unfinished_response",
    "waiting_items",
]

_INCOMPLETE: Final[Mapping[str, str]] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}


def unfinished_response(
    response_id: str, model: str, status: str, created: float, echo: JsonObject
) -> JsonObject:
    """The response before its turn has stopped; `status` is the API's word.

    >>> unfinished_response("resp_1", "m", "queued", 0.0, {})["output"]
    []
    """
    return {
        "id": response_id,
        "object": "response",
        "created_at": int(created),
        "status": status,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "usage": None,
        **echo,
    }


def finished_response(
    started: JsonObject, end: TurnEnd, output: Sequence[JsonObject]
) -> JsonObject:
    """The response `started` when its turn has stopped."""
    status = None if end.result is None else end.result.status
    told = {
        "output": list(output),
        "usage": _usage(usage_of(end)),
        "turngraph": extras(end),
    }
    if status == "cancelled":
        return {**started, **told, "status": "cancelled"}
    if has_failed(end):
        return failed_response({**started, **told}, turn_error(end))
    reason = _INCOMPLETE.get(status or "")
    if reason is not None:
        return {
            **started,
            **told,
            "status": "incomplete",
            "incomplete_details": {"reason": reason},
        }
    return {**started, **told, "status": "completed", "completed_at": int(end.at)}


def failed_response(started: JsonObject, error: ServerError) -> JsonObject:
    """The response `started`, which has failed."""
    shown = {"code": error.code or "server_error", "message": error.message}
    return {**started, "status": "failed", "error": shown}


def output_items(end: TurnEnd, token: str, *, last_only: bool) -> list[JsonObject]:
    """What the model said in this run, and the calls that the turn waits for.

    `last_only` leaves out what was said before the last answer, where that must be JSON.
    """
    items: list[JsonObject] = []
    answers = end.answers
    for message in answers:
        if reasoning := message_reasoning(message):
            items.append(reasoning_item(token, len(items), reasoning))
        is_last = message is answers[-1]
        text = answer_text(end, joined=False) if is_last else message.text
        refusal = _refusal(message)
        if (text or refusal) and (is_last or not last_only):
            items.append(message_item(token, len(items), text, refusal))
    return [*items, *waiting_items(end, token, len(items))]


def waiting_items(end: TurnEnd, token: str, first: int) -> list[JsonObject]:
    """The calls that the client is asked to run, and those that a person is asked about."""
    calls: list[JsonObject] = [
        {
            "id": f"fc_{token}_{place}",
            "type": "function_call",
            "status": "completed",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        }
        for place, call in enumerate(client_calls(end), first)
    ]
    asked: list[JsonObject] = [
        {
            "id": f"{APPROVAL_PREFIX}{question['id']}",
            "type": "mcp_approval_request",
            "server_label": "turngraph",
            "name": str(question.get("tool", question.get("type", "question"))),
            "arguments": json.dumps(question.get("arguments", {}), ensure_ascii=False),
        }
        for question in approvals(end)
    ]
    return [*calls, *asked]


def message_item(token: str, place: int, text: str, refusal: str | None = None) -> JsonObject:
    """An item with text, or with the model's own words where it declined."""
    parts: list[JsonObject] = []
    if text or refusal is None:
        parts.append({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
    if refusal is not None:
        parts.append({"type": "refusal", "refusal": refusal})
    return {
        "id": f"msg_{token}_{place}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": parts,
    }


def reasoning_item(token: str, place: int, text: str) -> JsonObject:
    """An item with the reasoning that the vendor shows."""
    return {
        "id": f"rs_{token}_{place}",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text}],
    }


def _refusal(message: AIMessage) -> str | None:
    refusal: Any = message.additional_kwargs.get("refusal")
    return refusal if isinstance(refusal, str) and refusal else None


def _usage(usage: Usage) -> JsonObject:
    read, written = usage.input_tokens or 0, usage.output_tokens or 0
    return {
        "input_tokens": read,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens or 0,
            "cache_write_tokens": usage.cache_write_tokens or 0,
        },
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": read + written,
    }
