"""Responses: reads streamed and JSON answers with one reducer.

The format is https://platform.openai.com/docs/api-reference/responses-streaming. An answer is its
list of output items. Everything an item holds is kept, because a later request may have to bring it
back unchanged.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from turngraph.providers.reading.arguments import READ_ARGUMENTS_NOTE, one_object
from turngraph.providers.reading.asked import Asked, unserved
from turngraph.providers.reading.call_assembler import SERVED_NOTE, with_unique_ids
from turngraph.providers.reading.error_reader import error_of_event
from turngraph.providers.reading.finish_reasons import status_finish_reason
from turngraph.providers.reading.item_assembler import ItemAssembler
from turngraph.providers.reading.json_values import (
    content_text,
    objects_in,
    text_or_none,
    texts_named,
)
from turngraph.providers.reading.read_limits import ReadLimits, too_large
from turngraph.providers.reading.think_tags import (
    ThinkSplitter,
    split_thinking,
    thinking_chunks,
)
from turngraph.providers.reading.usage_reader import read_usage
from turngraph.state.errors import ProviderError
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.reply import ProviderReply, StreamChunk, ToolCall

__all__ = ["ResponsesReader", "read_responses"]

TERMINAL: Final = frozenset(
    {
        "response.completed",
        "response.incomplete",
        "response.failed",
        "response.cancelled",
        "response.done",  # the older name, from the Realtime API, which some gateways send
    }
)
STATES: Final = TERMINAL | {"response.created", "response.queued", "response.in_progress"}
"""Events that carry the response as it is at that moment."""
DELTAS: Final[Mapping[str, Literal["text", "refusal", "reasoning"]]] = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_text.delta": "reasoning",
}
ARGUMENTS: Final[Mapping[str, str]] = {"function_call": "arguments", "custom_tool_call": "input"}
"""The items that call a tool of the caller's, and the member that holds the arguments."""
ANSWER_ITEMS: Final = frozenset({"message", *ARGUMENTS})
STANDARD: Final = frozenset({"type", "id", "call_id", "name", "arguments", "input", "status"})


class ResponsesReader:
    """Reads the events of a stream: `feed` returns pieces of the answer, `finish` the whole.

    Raises `ResponsesAPIError` for an `error` or `response.failed` event.

        >>> reader = ResponsesReader()
        >>> event = {"type": "response.output_text.delta", "output_index": 0, "delta": "Hi"}
        >>> reader.feed(event)
        [StreamChunk(type='text', text='Hi', tool_call=None, usage=None)]
        >>> reader.finish().truncated
        True
    """

    def __init__(
        self,
        *,
        vendor: str = "",
        limits: ReadLimits | None = None,
        asked: Asked = Asked(),  # noqa: B008, a tuple does not change
    ) -> None:
        self._vendor = vendor
        self._asked = asked
        self._limits = limits or ReadLimits()
        self._items = ItemAssembler(self._limits)
        self._response: JsonObject = {}
        self._ended = False
        self._think = ThinkSplitter()
        self._reasoning_part: object = None
        self._sequence: int | None = None
        self._notes: dict[str, None] = {}

    def feed(self, event: JsonMapping) -> list[StreamChunk]:
        """Returns what `event` adds to the answer. An unknown event adds nothing."""
        kind = str(event.get("type"))
        self._check_sequence(event.get("sequence_number"))
        if self._ended:
            self._notes["Something came after the end of the response; it was ignored."] = None
            return []
        if kind in DELTAS:
            return self._read_delta(kind, event)
        if kind in STATES and isinstance(response := event.get("response"), dict):
            return self._read_response(kind, response, event)
        if kind == "error":
            raise error_of_event(event, vendor=self._vendor, api="responses")
        self._items.feed(kind, event)
        return []

    @property
    def response_id(self) -> str | None:
        """The vendor's id of the response, or None until it has come."""
        return text_or_none(self._response.get("id"))

    def finish(self, *, ended: bool = False) -> ProviderReply:
        """Returns the answer, which is `truncated` without a terminal event.

        `[DONE]` (`ended`) is not a terminal event: the API's own streams have none.
        """
        if not self._ended and not self._response and not self._items:
            raise ProviderError(
                "The stream held no response.",
                kind="protocol" if ended else "truncated",
                vendor=self._vendor or None,
                billed="unknown",
            )
        streamed = self._items.items()
        response = self._response
        if not response.get("output") and streamed:
            # ChatGPT's Codex endpoint streams the items, and ends with a response without any.
            response = {**response, "output": streamed}
            if self._ended:
                note = "The final response lacks its output; what was streamed is kept."
                self._notes[note] = None
        return reply_from(
            response,
            truncated=not self._ended,
            notes=self._notes,
            limits=self._limits,
            asked=self._asked,
        )

    @property
    def whole(self) -> bool:
        """Whether the terminal event has come."""
        return self._ended

    @property
    def complete(self) -> bool:
        """The same: the terminal event has the usage too."""
        return self._ended

    def end(self, *, ended: bool) -> list[StreamChunk]:
        """Returns what the end of the stream adds: text that could have begun a think tag. The
        terminal event has told everything else.
        """
        return thinking_chunks(*self._think.finish())

    def _read_delta(self, kind: str, event: JsonMapping) -> list[StreamChunk]:
        self._items.feed(kind, event)
        text = event.get("delta")
        if not isinstance(text, str) or not text:
            return []
        if DELTAS[kind] == "text":
            return thinking_chunks(*self._think.feed(text))
        if DELTAS[kind] == "reasoning":
            text = self._separator(kind, event) + text
        return [StreamChunk(type=DELTAS[kind], text=text)]

    def _separator(self, kind: str, event: JsonMapping) -> str:
        """A blank line between two parts of the reasoning, as in `ProviderReply.reasoning`."""
        indexes = ("output_index", "summary_index", "content_index")
        part = (kind, *(event.get(name) for name in indexes))
        before, self._reasoning_part = self._reasoning_part, part
        return "" if before in (None, part) else "\n\n"

    def _read_response(
        self, kind: str, response: JsonObject, event: JsonMapping
    ) -> list[StreamChunk]:
        id_before = self._response.get("id")
        if id_before is not None and response.get("id") not in (None, id_before):
            self._notes["The response's id changed within the stream; the last is kept."] = None
        if kind == "response.failed" or response.get("status") == "failed":
            raise error_of_event(
                {**event, "error": response.get("error")}, vendor=self._vendor, api="responses"
            )
        self._response = response
        if kind not in TERMINAL:
            return []
        self._ended = True
        return self._last_chunks()

    def _last_chunks(self) -> list[StreamChunk]:
        reply = self.finish()
        chunks = thinking_chunks(*self._think.finish())
        # After an incomplete response the last call may be cut off, so none is announced.
        if reply.finish_reason == "tool_calls":
            chunks += [StreamChunk(type="tool_call", tool_call=call) for call in reply.tool_calls]
        if reply.usage is not None:
            chunks.append(StreamChunk(type="usage", usage=reply.usage))
        return chunks

    def _check_sequence(self, number: object) -> None:
        if not isinstance(number, int):
            return
        if self._sequence is not None and number != self._sequence + 1:
            self._notes["The events' sequence numbers have a gap."] = None
        self._sequence = number


def read_responses(
    body: JsonMapping,
    *,
    vendor: str = "",
    limits: ReadLimits | None = None,
    asked: Asked = Asked(),  # noqa: B008, a tuple does not change
) -> ProviderReply:
    """The answer in the JSON body of a Responses call.

    A response that runs in the background has its status (`queued`, `in_progress`) as finish
    reason, and an id to fetch it by. Raises `ResponsesAPIError` if the response failed, and
    `ProviderError` if the body is not a response.

        >>> read_responses({"id": "resp_1", "status": "queued", "output": []}).finish_reason
        'queued'
    """
    if body.get("status") == "failed":
        raise error_of_event(body, vendor=vendor, api="responses")
    if not isinstance(body.get("output"), list):
        raise ProviderError(
            "The answer has no output.", kind="protocol", vendor=vendor or None, billed="unknown"
        )
    return reply_from(body, truncated=False, notes={}, limits=limits or ReadLimits(), asked=asked)


def reply_from(
    response: JsonMapping,
    *,
    truncated: bool,
    notes: dict[str, None],
    limits: ReadLimits,
    asked: Asked,
) -> ProviderReply:
    items = objects_in(response.get("output"))
    messages = [item for item in items if item.get("type") == "message"]
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
