"""Renders an answer for the Responses API: as a `response` object or as the events of a stream.

Reference: https://platform.openai.com/docs/api-reference/responses/object and …/responses-streaming
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

from turngraph.scripted.chat.response import token_logprobs
from turngraph.scripted.envelope import Envelope, compact_json, split_text, total_tokens
from turngraph.scripted.prompt import Answer
from turngraph.state.json_types import JsonObject
from turngraph.state.usage import Usage

__all__ = ["responses_events", "responses_json"]

DEFAULTS: Final[Mapping[str, Any]] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
}
"""What a response repeats of its request, with the value for a request that does not say."""
IN_PROGRESS: Final[JsonObject] = {
    "status": "in_progress",
    "completed_at": None,
    "incomplete_details": None,
    "output": [],
}
"""The members that differ while the response is being made."""
EMPTY_ITEM: Final[Mapping[str, JsonObject]] = {
    "message": {"status": "in_progress", "content": []},
    "reasoning": {"summary": []},
    "function_call": {"status": "in_progress", "arguments": ""},
}
"""What an item holds in `response.output_item.added`, before its content arrives."""
INCOMPLETE_REASONS: Final[Mapping[str, str]] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}
"""The reason of an incomplete response for each finish reason of Chat Completions."""


def responses_json(
    answer: Answer,
    usage: Usage,
    envelope: Envelope,
    request: Mapping[str, Any],
    *,
    logprobs: int | None = None,
) -> JsonObject:
    """Returns the finished `response` object; `request` is the body of the request.

    `logprobs` is the number of alternatives for each token; None sends no log probabilities.

    >>> response = responses_json(Answer("Four."), Usage(), Envelope("resp_1", 0, "m"), {})
    >>> response["status"], response["output"][0]["content"][0]["text"]
    ('completed', 'Four.')
    """
    reasoning, text = request.get("reasoning", {}), request.get("text", {})
    reason, counts = INCOMPLETE_REASONS.get(answer.finish), _usage_json(usage)
    return {
        "id": envelope.id,
        "object": "response",
        "created_at": envelope.created,
        "status": "completed" if reason is None else "incomplete",
        "completed_at": envelope.created if reason is None else None,
        "error": None,
        "incomplete_details": None if reason is None else {"reason": reason},
        "model": envelope.model,
        "output": _items(answer, envelope, request, logprobs),
        **{name: request.get(name, default) for name, default in DEFAULTS.items()},
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "text": {
            "format": text.get("format", {"type": "text"}),
            "verbosity": text.get("verbosity", "medium"),
        },
        "tools": [_repeated_tool(tool) for tool in request.get("tools", ())],
        **({} if counts is None else {"usage": counts}),
    }


def responses_events(
    whole: Mapping[str, object], pieces: int | None = None, logprobs: int | None = None
) -> Iterator[str]:
    """Yields the numbered events that end with the response `whole`, each with its blank line."""
    events = _events(whole, pieces, logprobs)
    for number, (kind, members) in enumerate(events):
        yield f'event: {kind}\ndata: {{"type":"{kind}",{members},"sequence_number":{number}}}\n\n'


def _usage_json(usage: Usage) -> JsonObject | None:
    """Returns the usage as this API nests it, or None where there is nothing to report."""
    total = total_tokens(usage)
    if total is None:
        return None
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens or 0,
            "cache_write_tokens": usage.cache_write_tokens or 0,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": total,
    }


def _repeated_tool(tool: Mapping[str, object]) -> JsonObject:
    # The documented response has these three members of a function even where the request has not.
    if tool["type"] != "function":
        return dict(tool)
    return {"description": None, "strict": True, "parameters": {}} | dict(tool)


def _items(
    answer: Answer, envelope: Envelope, request: Mapping[str, object], logprobs: int | None
) -> list[JsonObject]:
    """Returns reasoning, message and tool calls, in the order in which a model makes them."""
    name = envelope.id.removeprefix("resp_")
    items: list[JsonObject] = []
    if answer.reasoning is not None:
        items.append(_reasoning(f"rs_{name}", answer.reasoning, request))
    if answer.text or answer.refusal or not answer.calls:
        items.append(_message(f"msg_{name}", answer, logprobs))
    for place, call in enumerate(answer.calls):
        items.append(
            {
                "id": f"fc_{name}_{place}",
                "type": "function_call",
                "status": "completed",
                "arguments": call.arguments,
                "call_id": call.id,
                "name": call.name,
            }
        )
    # What was cut off is the last item; the ones before it are whole.
    if answer.finish in INCOMPLETE_REASONS and "status" in items[-1]:
        items[-1]["status"] = "incomplete"
    return items


def _reasoning(id: str, text: str, request: Mapping[str, Any]) -> JsonObject:
    """Returns a reasoning item; summary and encrypted content only if the request asks for them."""
    wants_summary = request.get("reasoning", {}).get("summary") is not None
    item: JsonObject = {
        "id": id,
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text}] if wants_summary else [],
    }
    if "reasoning.encrypted_content" in request.get("include", ()):
        item["encrypted_content"] = base64.b64encode(text.encode()).decode()
    return item


def _message(id: str, answer: Answer, logprobs: int | None) -> JsonObject:
    parts: list[JsonObject] = []
    if answer.text or answer.refusal is None:
        probabilities = [] if logprobs is None else token_logprobs(answer.text, logprobs)
        parts.append(
            {
                "type": "output_text",
                "annotations": [],
                "logprobs": probabilities,
                "text": answer.text,
            }
        )
    if answer.refusal is not None:
        parts.append({"type": "refusal", "refusal": answer.refusal})
    return {
        "id": id,
        "type": "message",
        "status": "completed",
        "content": parts,
        "role": "assistant",
    }


def _events(
    whole: Mapping[str, Any], pieces: int | None, logprobs: int | None
) -> Iterator[tuple[str, str]]:
    """Yields the type of each event and its other members, as JSON text."""
    unfinished = {name: value for name, value in whole.items() if name != "usage"} | IN_PROGRESS
    started = f'"response":{compact_json(unfinished)}'
    yield "response.created", started
    yield "response.in_progress", started
    for place, item in enumerate(whole["output"]):
        at = f'"output_index":{place}'
        yield (
            "response.output_item.added",
            f'{at},"item":{compact_json(item | EMPTY_ITEM[item["type"]])}',
        )
        where = f'"item_id":"{item["id"]}",{at}'
        if item["type"] == "message":
            yield from _message_events(item, where, pieces, logprobs)
        elif item["type"] == "reasoning":
            yield from _summary_events(item, where, pieces)
        else:
            yield from _call_events(item, where, pieces)
        yield "response.output_item.done", f'{at},"item":{compact_json(item)}'
    yield f"response.{whole['status']}", f'"response":{compact_json(whole)}'


def _message_events(
    item: JsonObject, where: str, pieces: int | None, logprobs: int | None
) -> Iterator[tuple[str, str]]:
    for index, part in enumerate(item["content"]):
        at = f'{where},"content_index":{index}'
        empty: JsonObject = {"type": "refusal", "refusal": ""}
        if part["type"] == "output_text":
            empty = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
        yield "response.content_part.added", f'{at},"part":{compact_json(empty)}'
        if part["type"] == "output_text":
            yield from _text_events(part, at, pieces, logprobs)
        else:
            for piece in split_text(part["refusal"], pieces):
                yield "response.refusal.delta", f'{at},"delta":{compact_json(piece)}'
            yield "response.refusal.done", f'{at},"refusal":{compact_json(part["refusal"])}'
        yield "response.content_part.done", f'{at},"part":{compact_json(part)}'


def _text_events(
    part: JsonObject, at: str, pieces: int | None, logprobs: int | None
) -> Iterator[tuple[str, str]]:
    for piece in split_text(part["text"], pieces):
        probabilities = "[]" if logprobs is None else compact_json(token_logprobs(piece, logprobs))
        yield (
            "response.output_text.delta",
            f'{at},"delta":{compact_json(piece)},"logprobs":{probabilities}',
        )
    yield (
        "response.output_text.done",
        f'{at},"text":{compact_json(part["text"])},"logprobs":{compact_json(part["logprobs"])}',
    )


def _summary_events(item: JsonObject, where: str, pieces: int | None) -> Iterator[tuple[str, str]]:
    for index, part in enumerate(item["summary"]):
        at = f'{where},"summary_index":{index}'
        yield (
            "response.reasoning_summary_part.added",
            f'{at},"part":{{"type":"summary_text","text":""}}',
        )
        for piece in split_text(part["text"], pieces):
            yield "response.reasoning_summary_text.delta", f'{at},"delta":{compact_json(piece)}'
        yield "response.reasoning_summary_text.done", f'{at},"text":{compact_json(part["text"])}'
        yield "response.reasoning_summary_part.done", f'{at},"part":{compact_json(part)}'


def _call_events(item: JsonObject, where: str, pieces: int | None) -> Iterator[tuple[str, str]]:
    for piece in split_text(item["arguments"], pieces):
        yield "response.function_call_arguments.delta", f'{where},"delta":{compact_json(piece)}'
    done = f'"name":{compact_json(item["name"])},"arguments":{compact_json(item["arguments"])}'
    yield "response.function_call_arguments.done", f"{where},{done}"
