"""Reads recorded answers without any of the code under test, as a second opinion on it.

The code is plain, and deals with each quirk where it occurs. The rules are those of the vendors'
documentation; where that can be read in two ways, a comment says which was taken.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.replay.recordings import Recording

Call = tuple[str | None, str, str]
"""Id (None if the recording has none, so that any id is right), name, arguments."""


@dataclass
class RecordedAnswer:
    """What a recorded answer holds. `error` is the kind of error that must be raised instead."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: list[Call] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)
    finish_reason: str | None = None
    response_id: str | None = None
    error: str | None = None
    status: int = 200
    truncated: bool | None = None
    """Whether it stopped before its end; None if the recording does not show it."""


def answer_in(recording: Recording) -> RecordedAnswer:
    """The answer in `recording`."""
    response = recording["response"]
    if response["status"] >= 300:
        body = response.get("body") or response.get("body_text") or ""
        return RecordedAnswer(error=error_kind(response["status"], body), status=response["status"])
    if response.get("sse") is not None:
        return of_stream(
            recording["api"], response["sse"], cut=bool(response.get("sse_unterminated"))
        )
    body = response.get("body")
    if body is None and response.get("body_text"):
        try:
            body = json.loads(response["body_text"])
        except ValueError:
            return RecordedAnswer(
                error="truncated" if response["body_text"].lstrip().startswith("{") else "protocol"
            )
    return of_json(recording["api"], body)


def of_json(api: str, body: Any) -> RecordedAnswer:
    if isinstance(body, list) and body and "error" in body[0]:  # Gemini
        body = body[0]
    if not isinstance(body, dict):
        return RecordedAnswer(error="protocol")
    if body.get("error"):
        return RecordedAnswer(error=error_kind(200, body))
    if api == "responses":
        return of_response(body) if "output" in body else RecordedAnswer(error="protocol")
    if not body.get("choices"):
        return RecordedAnswer(error="protocol")
    choice = next(
        (choice for choice in body["choices"] if choice.get("index") == 0), body["choices"][0]
    )
    if choice.get("error"):
        return RecordedAnswer(error=error_kind(200, choice))
    message = choice.get("message") or {}
    said = of_message(message)
    said.calls = [of_call(call) for call in message.get("tool_calls") or []]
    said.calls += old_call(message.get("function_call"))
    said.finish_reason = choice.get("finish_reason") or None
    said.usage = of_usage(body.get("usage"), body.get("cost"))
    said.response_id = body.get("id") or None
    said.truncated = False
    return said


def of_message(message: dict[str, Any]) -> RecordedAnswer:
    content = message.get("content")
    said = RecordedAnswer(refusal=message.get("refusal") or "")
    said.reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    if isinstance(content, list):  # Mistral
        said.text = "".join(part["text"] for part in content if part["type"] == "text")
        thoughts = [part["thinking"] for part in content if part["type"] == "thinking"]
        said.reasoning = "".join(inner["text"] for thought in thoughts for inner in thought)
    else:
        said.text = content or (message.get("audio") or {}).get("transcript") or ""
    if not said.reasoning:
        details = message.get("reasoning_details") or []
        said.reasoning = "".join(
            detail.get("text") or detail.get("summary") or "" for detail in details
        )
    return without_think(said)


def without_think(said: RecordedAnswer) -> RecordedAnswer:
    """Text between think tags at the very start is reasoning; the blanks after them are neither."""
    if (
        thought := re.match(r"\s*<think>(.*?)(?:</think>\s*|\Z)", said.text, re.DOTALL)
    ) is not None:
        said.text = said.text[thought.end() :]
        said.reasoning += thought[1]
    return said


def of_call(call: dict[str, Any]) -> Call:
    function = call.get("function") or {}
    if not function.get("name"):
        custom = call.get("custom") or {}
        return call.get("id") or None, custom.get("name", ""), custom.get("input", "")
    return call.get("id") or None, function["name"], function.get("arguments") or ""


def old_call(function: dict[str, Any] | None) -> list[Call]:
    if not function or not function.get("name"):
        return []
    return [(None, function["name"], function.get("arguments") or "")]


def of_stream(api: str, blocks: list[str], *, cut: bool) -> RecordedAnswer:
    try:
        events = list(events_of(blocks))
    except ValueError:
        if not cut:
            return RecordedAnswer(error="protocol")
        events = list(events_of(blocks[:-1]))
    for event in events:
        choices = event.get("choices") or [{}]
        if (
            event.get("error")
            or event.get("type") in ("error", "response.failed")
            or choices[0].get("error")
        ):
            inner = (
                event.get("error")
                or choices[0].get("error")
                or (event.get("response") or {}).get("error")
                or event
            )
            return RecordedAnswer(error=error_kind(None, {"error": inner}))
    return (
        of_response_events(events)
        if api == "responses"
        else of_chunks(events, ended="data: [DONE]" in blocks)
    )


def events_of(blocks: list[str]) -> Iterator[dict[str, Any]]:
    for block in blocks:
        lines = block.split("\n")
        # llama.cpp's `error:` field is an error, though the standard ignores unknown fields.
        found = [line[len("error:") :] for line in lines if line.startswith("error:")]
        if found:
            yield {"error": json.loads(found[0])}
            continue
        data = "\n".join(line[5:].removeprefix(" ") for line in lines if line.startswith("data:"))
        if data and data.strip() != "[DONE]":
            yield json.loads(data)


def of_chunks(events: list[dict[str, Any]], *, ended: bool) -> RecordedAnswer:
    choices = [c for event in events for c in event.get("choices") or [] if c.get("index", 0) == 0]
    deltas = [choice.get("delta") or {} for choice in choices]
    reasons = [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]
    if not choices:
        return RecordedAnswer(
            error="protocol" if any(event.get("usage") for event in events) else "truncated"
        )
    # Without a finish reason, but with another sign of the end, it depends on the vendor.
    signs = ended or any(event.get("usage") for event in events)
    said = RecordedAnswer(finish_reason=reasons[0] if reasons else None)
    said.truncated = False if reasons else None if signs else True
    for delta in deltas:
        part = of_delta(delta)
        said.text += part.text
        said.reasoning += part.reasoning
        said.refusal += part.refusal
    said = without_think(said)
    said.calls = streamed_calls(
        [piece for delta in deltas for piece in delta.get("tool_calls") or []]
    )
    functions = [delta["function_call"] for delta in deltas if delta.get("function_call")]
    if functions:
        name = next((function["name"] for function in functions if function.get("name")), "")
        said.calls += old_call(
            {"name": name, "arguments": "".join(f.get("arguments") or "" for f in functions)}
        )
    reports = [event.get("usage") or (event.get("x_groq") or {}).get("usage") for event in events]
    costs = [event["cost"] for event in events if event.get("cost")]
    said.usage = of_usage(
        next((report for report in reversed(reports) if report), None), costs[-1] if costs else None
    )
    said.response_id = next((event["id"] for event in events if event.get("id")), None)
    return said


def of_delta(delta: dict[str, Any]) -> RecordedAnswer:
    content = delta.get("content")
    said = RecordedAnswer(refusal=delta.get("refusal") or "")
    if isinstance(content, list):
        said.text = "".join(part.get("text") or "" for part in content)
        said.reasoning = "".join(
            inner["text"] for part in content for inner in part.get("thinking") or []
        )
        return said
    said.text = content or ""
    said.reasoning = delta.get("reasoning_content") or delta.get("reasoning") or ""
    if not said.reasoning:
        details = delta.get("reasoning_details") or []
        said.reasoning = "".join(
            detail.get("text") or detail.get("summary") or "" for detail in details
        )
    return said


def streamed_calls(pieces: list[dict[str, Any]]) -> list[Call]:
    """A piece with a new id starts a call. Any other continues the call of its index, or the last
    call.
    """
    calls: list[dict[str, Any]] = []
    for piece in pieces:
        id_, index, function = (
            piece.get("id") or None,
            piece.get("index"),
            piece.get("function") or {},
        )
        same = [call for call in calls if call["index"] == index and index is not None] or calls[
            -1:
        ]
        if not same or (id_ is not None and id_ not in (None, same[-1]["id"])):
            calls.append({"id": id_, "index": index, "name": "", "arguments": ""})
            same = calls[-1:]
        same[-1]["name"] = same[-1]["name"] or function.get("name") or ""
        same[-1]["arguments"] += function.get("arguments") or ""
    return [(call["id"], call["name"], call["arguments"]) for call in calls]


def of_response_events(events: list[dict[str, Any]]) -> RecordedAnswer:
    ends = ("response.completed", "response.incomplete", "response.cancelled")
    responses = [e["response"] for e in events if str(e.get("type")) in (*ends, *BEGINNINGS)]
    final = next((e["response"] for e in events if e.get("type") in ends), None)
    items = [
        e["item"] for e in sorted(events, key=place) if e.get("type") == "response.output_item.done"
    ]
    if final is not None:
        return of_response(final if final.get("output") else {**final, "output": items})
    # The stream was cut off: its text so far counts, and the items that are done.
    said = of_response(
        {"status": "cut", **(responses[-1] if responses else {"id": None}), "output": items}
    )
    said.text = "".join(e["delta"] for e in events if e.get("type") == "response.output_text.delta")
    said.finish_reason, said.truncated = None, True
    return without_think(said)


def place(event: dict[str, Any]) -> int:
    return int(event.get("output_index") or 0)


BEGINNINGS = ("response.created", "response.queued", "response.in_progress")


def of_response(response: dict[str, Any]) -> RecordedAnswer:
    status = response.get("status") or "completed"
    if status == "failed":
        return RecordedAnswer(error=error_kind(None, response))
    said = RecordedAnswer(
        response_id=response.get("id") or None,
        usage=of_usage(response.get("usage")),
        truncated=False,
    )
    thoughts: list[str] = []
    for item in response["output"]:
        if item["type"] == "message":
            said.text += "".join(part.get("text") or "" for part in item["content"])
            said.refusal += "".join(part.get("refusal") or "" for part in item["content"])
        elif item["type"] == "reasoning":
            parts = [*(item.get("summary") or []), *(item.get("content") or [])]
            thoughts += [part["text"] for part in parts if part.get("text")]
        elif item["type"] == "function_call":
            said.calls.append((item["call_id"], item["name"], item["arguments"]))
        elif item["type"] == "custom_tool_call":
            said.calls.append((item["call_id"], item["name"], item["input"]))
    said.reasoning = "\n\n".join(thoughts)
    said.finish_reason = status if status != "completed" else "tool_calls" if said.calls else "stop"
    if status == "incomplete":
        reason = (response.get("incomplete_details") or {}).get("reason") or "incomplete"
        said.finish_reason = "length" if reason == "max_output_tokens" else reason
    return without_think(said)


def of_usage(raw: dict[str, Any] | None, beside: Any = None) -> dict[str, Any]:
    """The counts under the names of the fields of `Usage`, without those that were not reported."""
    raw = raw or {}
    of_prompt = raw.get("prompt_tokens_details") or raw.get("input_tokens_details") or {}
    of_completion = raw.get("completion_tokens_details") or raw.get("output_tokens_details") or {}
    cached = (
        "prompt_cache_hit_tokens",
        "cache_read_input_tokens",
        "cached_tokens",
        "num_cached_tokens",
    )
    flat = {
        "cached in details": of_prompt.get("cached_tokens"),
        "written in details": of_prompt.get("cache_write_tokens"),
        "audio in details": of_prompt.get("audio_tokens"),
        "reasoning in details": of_completion.get("reasoning_tokens"),
    } | raw
    usage = {
        "input_tokens": either(raw, "prompt_tokens", "input_tokens"),
        "output_tokens": either(raw, "completion_tokens", "output_tokens"),
        "total_tokens": raw.get("total_tokens"),
        "cache_read_tokens": either(flat, "cached in details", *cached),
        "cache_write_tokens": either(flat, "written in details", "cache_creation_input_tokens"),
        "reasoning_tokens": either(flat, "reasoning in details", "reasoning_tokens"),
        "input_audio_tokens": either(flat, "audio in details", "audio_prompt_tokens"),
        "output_audio_tokens": of_completion.get("audio_tokens"),
        "cost_usd": cost(raw, beside),
    }
    usage = {name: value for name, value in usage.items() if value is not None}
    if {"input_tokens", "output_tokens", "total_tokens"} <= usage.keys():
        missing = usage["total_tokens"] - usage["input_tokens"] - usage["output_tokens"]
        if missing and missing == usage.get("reasoning_tokens"):  # xAI counts it outside
            usage["output_tokens"] += missing
        elif missing and missing == usage.get("input_audio_tokens"):  # so does Mistral's Voxtral
            usage["input_tokens"] += missing
    return usage


def either(raw: dict[str, Any], *names: str) -> Any:
    return next((raw[name] for name in names if raw.get(name) is not None), None)


def cost(raw: dict[str, Any], beside: Any) -> Decimal | None:
    reported = raw.get("cost")
    if raw.get("is_byok") is True:  # OpenRouter's fee, and what the vendor takes from the caller
        upstream = raw["cost_details"]["upstream_inference_cost"]
        return Decimal(str(reported or 0)) + Decimal(str(upstream))
    if isinstance(reported, dict):  # Perplexity
        reported = reported["total_cost"]
    if reported is None and raw.get("cost_in_usd_ticks"):  # xAI; 0 is what Azure makes of it
        return Decimal(raw["cost_in_usd_ticks"]) / 10**10
    if reported is None and isinstance(beside, dict):  # Venice
        reported = beside["usd"]
    return None if reported is None else Decimal(str(reported))


NUMBERS = {
    401: "authentication",
    402: "quota",
    403: "permission",
    404: "not_found",
    408: "timeout",
    409: "conflict",
    413: "too_large",
    429: "rate_limit",
    500: "server",
    502: "server",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
NO_MODEL = {"model_not_found", "DeploymentNotFound", "invalid_model", "previous_response_not_found"}
TOO_LONG = (
    r"max\w* context length|available context size|context_length_exceeded|context window"
    r"|prompt is too long"
)
WORDS = {
    "insufficient_quota": "quota",
    "content_filter": "content_filter",
    "rate_limit_exceeded": "rate_limit",
    "overloaded_error": "overloaded",
}


def error_kind(status: int | None, body: Any) -> str:
    """The kind by the vendor's words, else by the status, of the response or within the error."""
    while isinstance(body, list) and body:
        body = body[0]
    body = body if isinstance(body, dict) else {"message": body}
    said = body["error"] if isinstance(body.get("error"), dict) else body
    if said.get("code") in NO_MODEL or said.get("type") in NO_MODEL:
        return "not_found"
    if status in (None, 200, 400, 413, 422) and re.search(TOO_LONG, json.dumps(body).lower()):
        return "context_length"
    if said.get("code") in WORDS or said.get("type") in WORDS:
        return WORDS.get(said.get("code"), "") or WORDS[said["type"]]
    if status in (None, 200):
        number = said.get("status_code") or said.get("code")
        status = number if isinstance(number, int) else 500
    return NUMBERS.get(
        status, "server" if status >= 500 else "bad_request" if status >= 400 else "protocol"
    )
