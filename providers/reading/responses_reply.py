"""A Responses object as one reply: its text, reasoning, tool calls and how it ended.

The format is https://platform.openai.com/docs/api-reference/responses/object. An answer is its list
of output items. Everything an item holds is kept, because a later request may have to bring it back
unchanged.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import lt
from typing import Final

from turngraph.providers.reading.arguments import READ_ARGUMENTS_NOTE, one_object
from turngraph.providers.reading.asked import Asked, unserved
from turngraph.providers.reading.call_assembler import SERVED_NOTE, with_unique_ids
from turngraph.providers.reading.finish_reasons import status_finish_reason
from turngraph.providers.reading.json_values import (
    content_text,
    objects_in,
    text_or_none,
    texts_named,
)
from turngraph.providers.reading.read_limits import ReadLimits, too_large
from turngraph.providers.reading.think_tags import split_thinking
from turngraph.providers.waiting_calls import waiting_calls
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.reply import ProviderReply, ToolCall
from turngraph.state.usage_report import read_usage

__all__ = ["lacks_some", "reply_from"]

ARGUMENTS: Final[Mapping[str, str]] = {"function_call": "arguments", "custom_tool_call": "input"}
"""The items that call a tool of the caller's, and the member that holds the arguments."""
ANSWER_ITEMS: Final = frozenset({"message", *ARGUMENTS})
STANDARD: Final = frozenset({"type", "id", "call_id", "name", "arguments", "input", "status"})


def reply_from(
    response: JsonMapping,
    *,
    truncated: bool,
    notes: dict[str, None],
    limits: ReadLimits,
    asked: Asked,
) -> ProviderReply:
    """The reply that `response` holds.

    truncated: whether the stream broke off before the response's end.
    notes: departures from the format that were met so far; those met here are added to it.

    Raises `ProviderError` for more tool calls, or longer arguments, than `limits` allow.

        >>> content = [{"type": "output_text", "text": "Hi"}]
        >>> response = {"status": "completed", "output": [{"type": "message", "content": content}]}
        >>> reply = reply_from(
        ...     response, truncated=False, notes={}, limits=ReadLimits(), asked=Asked()
        ... )
        >>> reply.text, reply.finish_reason
        ('Hi', 'stop')
    """
    items = objects_in(response.get("output"))
    messages = [item for item in items if is_message(item)]
    parts = [part for item in messages for part in content_parts(item.get("content"))]
    all_calls = [call_from(item, notes) for item in items if str(item.get("type")) in ARGUMENTS]
    served = served_ids(items)
    ours = [
        call
        for call in all_calls
        if call.id not in served
        and unserved((call.extra or {}).get("type"), call.id, call.name, asked)
    ]
    if len(ours) < len(all_calls):
        notes[SERVED_NOTE] = None
    for call in waiting_calls(items):
        notes[
            f"The answer has a `{call['type']}`, which a turn does not serve; it has no output."
        ] = None
    calls = with_unique_ids(ours, notes)
    check_limits(calls, limits)
    usage, usage_notes = read_usage(response.get("usage"))
    thought, text = split_thinking("".join(content_text(part.get("text")) for part in parts))
    return ProviderReply(
        text=text,
        reasoning="\n\n".join(filter(None, (*reasoning_texts(items), thought))) or None,
        tool_calls=calls,
        usage=usage,
        finish_reason=None if truncated else finish_reason(response, bool(calls)),
        refusal="".join(texts_named("refusal", parts)) or None,
        response_id=text_or_none(response.get("id")),
        model=text_or_none(response.get("model")),
        truncated=truncated,
        items=tuple(items),
        citations=tuple(note for part in parts for note in objects_in(part.get("annotations"))),
        logprobs=tuple(entry for part in parts for entry in objects_in(part.get("logprobs"))),
        service_tier=text_or_none(response.get("service_tier")),
        notes=(*notes, *usage_notes),
        raw=response,
    )


def is_message(item: JsonMapping) -> bool:
    """Whether an item is a message of the model's. Some servers leave out the type."""
    is_typed = item.get("type") == "message" or ("type" not in item and "content" in item)
    return is_typed and item.get("role") in (None, "assistant")


def lacks_some(items: Sequence[JsonMapping], streamed: Sequence[JsonMapping]) -> bool:
    """Whether `items` lack a text, a call or arguments that the items that were streamed have.

    >>> lacks_some([], [{"type": "message", "content": "Hi"}]), lacks_some([], [])
    (True, False)
    """
    if not items:
        return bool(streamed)
    return any(map(lt, held_by(items), held_by(streamed)))


def held_by(items: Sequence[JsonMapping]) -> tuple[bool, int, int]:
    """Whether `items` hold text, how many calls, and how many of these have arguments."""
    parts = [
        part for item in items if is_message(item) for part in content_parts(item.get("content"))
    ]
    calls = [item for item in items if str(item.get("type")) in ARGUMENTS]
    with_arguments = [call for call in calls if call.get(ARGUMENTS[str(call["type"])])]
    has_text = any(part.get("text") or part.get("refusal") for part in parts)
    return has_text, len(calls), len(with_arguments)


def content_parts(content: object) -> list[JsonObject]:
    """The parts of a message; a text, as messages of a request may have, is one part."""
    if isinstance(content, str):
        return [{"type": "output_text", "text": content}]
    return objects_in(content)


def served_ids(items: Iterable[JsonMapping]) -> set[str]:
    """The ids of calls whose results are in the answer too: the vendor served them itself.

    The result is an item of its own, or the `output` of the call.

    >>> served_ids([{"type": "function_call_output", "call_id": "c1"}])
    {'c1'}
    """
    return {
        id_
        for item in items
        if (str(item.get("type")).endswith("_call_output") or item.get("output") is not None)
        and (id_ := text_or_none(item.get("call_id")) or text_or_none(item.get("id")))
    }


def check_limits(calls: Iterable[ToolCall], limits: ReadLimits) -> None:
    lengths = [len(call.arguments) for call in calls]
    if len(lengths) > limits.tool_calls or any(n > limits.argument_chars for n in lengths):
        raise too_large(
            f"The answer has more than {limits.tool_calls} tool calls, or arguments longer than "
            f"{limits.argument_chars} characters."
        )


def finish_reason(response: JsonMapping, has_calls: bool) -> str:
    """How the response ended, in the words of Chat Completions; without one, its own status."""
    if (unfinished := status_finish_reason(response)) is not None:
        return unfinished
    # An item that the vendor serves may fail in a whole answer; a message or a call may not. Some
    # vendors leave `in_progress` on the items of a response that is completed.
    for item in objects_in(response.get("output")):
        kind, status = str(item.get("type")), item.get("status")
        has_failed = kind in ANSWER_ITEMS and status in ("failed", "cancelled")
        if has_failed or status == "incomplete":
            return "incomplete"
    return "tool_calls" if has_calls else "stop"


def call_from(item: JsonMapping, notes: dict[str, None]) -> ToolCall:
    kind = str(item["type"])
    written = item.get(ARGUMENTS[kind])
    if isinstance(written, dict):
        written = json.dumps(written, ensure_ascii=False)
    arguments = written if isinstance(written, str) else ""
    if kind == "function_call":
        arguments = one_object(arguments)
    if arguments != (item.get(ARGUMENTS[kind]) or ""):
        notes[READ_ARGUMENTS_NOTE] = None
    extra: JsonObject = {
        name: value for name, value in item.items() if name not in STANDARD and value is not None
    }
    if item.get("id"):
        extra["item_id"] = item["id"]
    if kind != "function_call":
        extra["type"] = kind
    return ToolCall(
        # A result refers to `call_id`; a server that leaves it out means the item's own id.
        id=text_or_none(item.get("call_id")) or text_or_none(item.get("id")) or "",
        name=text_or_none(item.get("name")) or "",
        arguments=arguments,
        extra=extra or None,
    )


def reasoning_texts(items: Iterable[JsonMapping]) -> Iterator[str]:
    """The summaries OpenAI shows, and the reasoning itself, which open models show as `content`."""
    for item in items:
        if item.get("type") == "reasoning":
            parts = [*objects_in(item.get("summary")), *objects_in(item.get("content"))]
            yield from texts_named("text", parts)
