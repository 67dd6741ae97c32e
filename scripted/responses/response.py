"""Responses, the way out: an answer as the documented object, or as the events of a stream.

Reference: https://platform.openai.com/docs/api-reference/responses/object and …/responses-streaming
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

from turngraph.scripted.chat.response import token_logprobs
from turngraph.scripted.envelope import Envelope, cut, dump
from turngraph.scripted.prompt import Answer
from turngraph.state.usage import Usage

__all__ = ["responses_events", "responses_json"]

Item = dict[str, Any]

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
"""What the response repeats of the request, and what it says where nothing was asked."""
BEGUN: Final[Item] = {
    "status": "in_progress",
    "completed_at": None,
    "incomplete_details": None,
    "output": [],
}
"""What a response says of itself while it is being made."""
ANNOUNCED: Final[Mapping[str, Item]] = {
    "message": {"status": "in_progress", "content": []},
    "reasoning": {"summary": []},
    "function_call": {"status": "in_progress", "arguments": ""},
}
"""What an item has when a stream announces it."""
INCOMPLETE: Final[Mapping[str, str]] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}


def responses_json(
    answer: Answer,
    usage: Usage,
    envelope: Envelope,
    asked: Mapping[str, Any],
    *,
    logprobs: int | None = None,
) -> Item:
    """The finished `response` object. `asked` is the request.

    >>> made = responses_json(Answer("Four."), Usage(), Envelope("resp_1", 0, "m"), {})
    >>> made["status"], made["output"][0]["content"][0]["text"]
    ('completed', 'Four.')
    """
    reasoning, text = asked.get("reasoning", {}), asked.get("text", {})
    reason, counted = INCOMPLETE.get(answer.finish), usage_json(usage)
    return {
        "id": envelope.id,
        "object": "response",
        "created_at": envelope.created,
        "status": "completed" if reason is None else "incomplete",
        "completed_at": envelope.created if reason is None else None,
        "error": None,
        "incomplete_details": None if reason is None else {"reason": reason},
        "model": envelope.model,
        "output": _items(answer, envelope, asked, logprobs),
        **{name: asked.get(name, default) for name, default in DEFAULTS.items()},
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "text": {
            "format": text.get("format", {"type": "text"}),
            "verbosity": text.get("verbosity", "medium"),
        },
        "tools": [_echoed(tool) for tool in asked.get("tools", ())],
        **({} if counted is None else {"usage": counted}),
    }


def responses_events(
    whole: Mapping[str, Any], pieces: int | None = None, logprobs: int | None = None
) -> Iterator[str]:
    """The events that end in this response, numbered, each with the blank line that ends it."""
    events = _events(whole, pieces, logprobs)
    for number, (kind, members) in enumerate(events):
        yield f'event: {kind}\ndata: {{"type":"{kind}",{members},"sequence_number":{number}}}\n\n'


def usage_json(usage: Usage) -> dict[str, Any] | None:
    """Usage as the API nests it; None where there is nothing to report."""
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    total = (
        usage.input_tokens + usage.output_tokens
        if usage.total_tokens is None
        else usage.total_tokens
    )
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


def _echoed(tool: Mapping[str, Any]) -> Item:
    if tool["type"] != "function":
        return dict(tool)
    return {"description": None, "strict": True, "parameters": {}} | dict(tool)


def _items(
    answer: Answer, envelope: Envelope, asked: Mapping[str, Any], logprobs: int | None
) -> list[Item]:
    """Reasoning, message and calls, in the order a model makes them."""
    name = envelope.id.removeprefix("resp_")
    items = (
        [_reasoning(f"rs_{name}", answer.reasoning, asked)] if answer.reasoning is not None else []
    )
    if answer.text or answer.refusal or not answer.calls:
        items.append(_message(f"msg_{name}", answer, logprobs))
    for place, call in enumerate(answer.calls):
        items.append({"id": f"fc_{name}_{place}", "type": "function_call", "status": "completed"})
        items[-1] |= {"arguments": call.arguments, "call_id": call.id, "name": call.name}
    if answer.finish in INCOMPLETE and "status" in items[-1]:
        items[-1]["status"] = "incomplete"
    return items


def _reasoning(id: str, text: str, asked: Mapping[str, Any]) -> Item:
    """Shown only where a summary was asked for, and handed back unreadable only where that was
    asked for.
    """
    shown = asked.get("reasoning", {}).get("summary") is not None
    item: Item = {
        "id": id,
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text}] if shown else [],
    }
    if "reasoning.encrypted_content" in asked.get("include", ()):
        item["encrypted_content"] = base64.b64encode(text.encode()).decode()
    return item


def _message(id: str, answer: Answer, logprobs: int | None) -> Item:
    parts: list[Item] = []
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
    """Kind and members, as JSON text, of every event."""
    begun = {name: value for name, value in whole.items() if name != "usage"} | BEGUN
    started = f'"response":{dump(begun)}'
    yield "response.created", started
    yield "response.in_progress", started
    for place, item in enumerate(whole["output"]):
        at = f'"output_index":{place}'
        yield "response.output_item.added", f'{at},"item":{dump(item | ANNOUNCED[item["type"]])}'
        where = f'"item_id":"{item["id"]}",{at}'
        if item["type"] == "message":
            yield from _message_events(item, where, pieces, logprobs)
        elif item["type"] == "reasoning":
            yield from _summary_events(item, where, pieces)
        else:
            yield from _call_events(item, where, pieces)
        yield "response.output_item.done", f'{at},"item":{dump(item)}'
    yield f"response.{whole['status']}", f'"response":{dump(whole)}'


def _message_events(
    item: Item, where: str, pieces: int | None, logprobs: int | None
) -> Iterator[tuple[str, str]]:
    for index, part in enumerate(item["content"]):
        at = f'{where},"content_index":{index}'
        empty: Item = {"type": "refusal", "refusal": ""}
        if part["type"] == "output_text":
            empty = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
        yield "response.content_part.added", f'{at},"part":{dump(empty)}'
        if part["type"] == "output_text":
            yield from _text_events(part, at, pieces, logprobs)
        else:
            for piece in cut(part["refusal"], pieces):
                yield "response.refusal.delta", f'{at},"delta":{dump(piece)}'
            yield "response.refusal.done", f'{at},"refusal":{dump(part["refusal"])}'
        yield "response.content_part.done", f'{at},"part":{dump(part)}'


def _text_events(
    part: Item, at: str, pieces: int | None, logprobs: int | None
) -> Iterator[tuple[str, str]]:
    for piece in cut(part["text"], pieces):
        probabilities = "[]" if logprobs is None else dump(token_logprobs(piece, logprobs))
        yield "response.output_text.delta", f'{at},"delta":{dump(piece)},"logprobs":{probabilities}'
    yield (
        "response.output_text.done",
        f'{at},"text":{dump(part["text"])},"logprobs":{dump(part["logprobs"])}',
    )


def _summary_events(item: Item, where: str, pieces: int | None) -> Iterator[tuple[str, str]]:
    for index, part in enumerate(item["summary"]):
        at = f'{where},"summary_index":{index}'
        yield (
            "response.reasoning_summary_part.added",
            f'{at},"part":{{"type":"summary_text","text":""}}',
        )
        for piece in cut(part["text"], pieces):
            yield "response.reasoning_summary_text.delta", f'{at},"delta":{dump(piece)}'
        yield "response.reasoning_summary_text.done", f'{at},"text":{dump(part["text"])}'
        yield "response.reasoning_summary_part.done", f'{at},"part":{dump(part)}'


def _call_events(item: Item, where: str, pieces: int | None) -> Iterator[tuple[str, str]]:
    for piece in cut(item["arguments"], pieces):
        yield "response.function_call_arguments.delta", f'{where},"delta":{dump(piece)}'
    done = f'"name":{dump(item["name"])},"arguments":{dump(item["arguments"])}'
    yield "response.function_call_arguments.done", f"{where},{done}"
