"""Responses: one reducer for its streams and its JSON answers.

https://platform.openai.com/docs/api-reference/responses-streaming, and what vendors make of it. An
answer is its list of output items; whatever an item holds is kept, because a later request may have
to bring it back as it was.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from turngraph.providers.reading.call_assembler import named_apart
from turngraph.providers.reading.error_reader import error_of_event
from turngraph.providers.reading.item_writer import ItemWriter
from turngraph.providers.reading.read_limits import ReadLimits, too_large
from turngraph.providers.reading.usage_reader import read_usage
from turngraph.state.errors import ProviderError
from turngraph.state.reply import ProviderReply, StreamChunk, ToolCall

__all__ = ["ResponsesReader", "read_responses"]

TERMINAL: Final = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "response.cancelled"}
)
STATES: Final = TERMINAL | {"response.created", "response.queued", "response.in_progress"}
DELTAS: Final[Mapping[str, str]] = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_text.delta": "reasoning",
}
CALLS: Final[Mapping[str, str]] = {"function_call": "arguments", "custom_tool_call": "input"}
"""The items that ask for a tool of the caller's, and the member that holds its arguments."""
INCOMPLETE: Final[Mapping[str, str]] = {"max_output_tokens": "length"}
STANDARD: Final = frozenset({"type", "id", "call_id", "name", "arguments", "input", "status"})


class ResponsesReader:
    """Takes the events of a stream in order, gives the pieces of the answer, and at last the
    answer.

    Raises `ResponsesAPIError` for an `error` or `response.failed` event.

        >>> reader = ResponsesReader()
        >>> reader.feed({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hi"})
        [StreamChunk(type='text', text='Hi', tool_call=None, usage=None)]
        >>> reader.finish().truncated
        True
    """

    def __init__(self, *, vendor: str = "", limits: ReadLimits | None = None) -> None:
        self._vendor = vendor
        self._limits = limits or ReadLimits()
        self._items = ItemWriter(self._limits)
        self._response: dict[str, Any] = {}
        self._ended = False
        self._part: object = None
        self._sequence: int | None = None
        self._notes: dict[str, None] = {}

    def feed(self, event: Mapping[str, Any]) -> list[StreamChunk]:
        """What `event` adds to the answer; an unknown event adds nothing."""
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
        """The vendor's id of the response, as soon as it was told."""
        return text_or_none(self._response.get("id"))

    def finish(self, *, ended: bool = False) -> ProviderReply:
        """The answer. Without a terminal event it is `truncated`; `[DONE]` (`ended`) is not one."""
        if not self._ended and not self._response and not self._items:
            text = "The stream held no response."
            raise ProviderError(
                text,
                kind="protocol" if ended else "truncated",
                vendor=self._vendor or None,
                billed="unknown",
            )
        streamed = self._items.whole()
        response = self._response
        if not response.get("output") and streamed:
            response = {**response, "output": streamed}
            if self._ended:
                self._notes["The final response lacks its output; what was streamed is kept."] = (
                    None
                )
        return to_reply(response, truncated=not self._ended, notes=self._notes, limits=self._limits)

    def _read_delta(self, kind: str, event: Mapping[str, Any]) -> list[StreamChunk]:
        self._items.feed(kind, event)
        text = event.get("delta")
        if not isinstance(text, str) or not text:
            return []
        told: Any = DELTAS[kind]
        if told == "reasoning":
            text = self._parted(kind, event) + text
        return [StreamChunk(type=told, text=text)]

    def _parted(self, kind: str, event: Mapping[str, Any]) -> str:
        """A blank line between two parts of the reasoning, as in the whole of it."""
        part = (
            kind,
            event.get("output_index"),
            event.get("summary_index"),
            event.get("content_index"),
        )
        before, self._part = self._part, part
        return "" if before in (None, part) else "\n\n"

    def _read_response(
        self, kind: str, response: dict[str, Any], event: Mapping[str, Any]
    ) -> list[StreamChunk]:
        if (before := self._response.get("id")) is not None and response.get("id") not in (
            None,
            before,
        ):
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
        chunks = []
        if reply.finish_reason == "tool_calls":
            chunks = [StreamChunk(type="tool_call", tool_call=call) for call in reply.tool_calls]
        return (
            chunks
            if reply.usage is None
            else [*chunks, StreamChunk(type="usage", usage=reply.usage)]
        )

    def _check_sequence(self, number: object) -> None:
        if not isinstance(number, int):
            return
        if self._sequence is not None and number != self._sequence + 1:
            self._notes["The events' sequence numbers have a gap."] = None
        self._sequence = number


def read_responses(
    body: Mapping[str, Any], *, vendor: str = "", limits: ReadLimits | None = None
) -> ProviderReply:
    """The answer in the JSON body of a Responses call.

    A response in the background (`queued`, `in_progress`) has that as its finish reason, and an id
    to ask for it again. Raises `ResponsesAPIError` where it failed, `ProviderError` where it is no
    response.

        >>> read_responses({"id": "resp_1", "status": "queued", "output": []}).finish_reason
        'queued'
    """
    if body.get("status") == "failed":
        raise error_of_event(body, vendor=vendor, api="responses")
    if not isinstance(body.get("output"), list):
        raise ProviderError(
            "The answer has no output.", kind="protocol", vendor=vendor or None, billed="unknown"
        )
    return to_reply(body, truncated=False, notes={}, limits=limits or ReadLimits())


def to_reply(
    response: Mapping[str, Any], *, truncated: bool, notes: dict[str, None], limits: ReadLimits
) -> ProviderReply:
    items = [item for item in as_list(response.get("output")) if isinstance(item, dict)]
    parts = [
        part
        for item in items
        if item.get("type") == "message"
        for part in dicts(item.get("content"))
    ]
    calls = named_apart([call_of(item) for item in items if str(item.get("type")) in CALLS], notes)
    if len(calls) > limits.tool_calls or any(
        len(call.arguments) > limits.argument_chars for call in calls
    ):
        raise too_large("Too many tool calls, or arguments too long.")
    usage, usage_notes = read_usage(response.get("usage"))
    return ProviderReply(
        text="".join(texts(parts, "text")),
        reasoning="\n\n".join(reasoning_texts(items)) or None,
        tool_calls=calls,
        usage=usage,
        finish_reason=None if truncated else finish_reason(response, bool(calls)),
        refusal="".join(texts(parts, "refusal")) or None,
        response_id=text_or_none(response.get("id")),
        model=text_or_none(response.get("model")),
        truncated=truncated,
        items=tuple(items),
        citations=tuple(note for part in parts for note in dicts(part.get("annotations"))),
        logprobs=tuple(entry for part in parts for entry in dicts(part.get("logprobs"))),
        service_tier=text_or_none(response.get("service_tier")),
        notes=(*notes, *usage_notes),
        raw=response,
    )


def finish_reason(response: Mapping[str, Any], has_calls: bool) -> str:
    """Chat Completions' word for how the response ended; anything else is the response's own
    status.
    """
    status = response.get("status")
    if status == "incomplete":
        details = response.get("incomplete_details")
        reason = str(details.get("reason")) if isinstance(details, dict) else "incomplete"
        return INCOMPLETE.get(reason, reason)
    if status in (None, "", "completed"):
        return "tool_calls" if has_calls else "stop"
    return str(status)


def call_of(item: Mapping[str, Any]) -> ToolCall:
    kind = str(item["type"])
    arguments = item.get(CALLS[kind])
    extra = {
        name: value for name, value in item.items() if name not in STANDARD and value is not None
    }
    if item.get("id"):
        extra["item_id"] = item["id"]
    if kind != "function_call":
        extra["type"] = kind
    return ToolCall(
        id=text_or_none(item.get("call_id")) or text_or_none(item.get("id")) or "",
        name=text_or_none(item.get("name")) or "",
        arguments=arguments if isinstance(arguments, str) else "",
        extra=extra or None,
    )


def reasoning_texts(items: list[dict[str, Any]]) -> Iterator[str]:
    for item in items:
        if item.get("type") == "reasoning":
            yield from texts([*dicts(item.get("summary")), *dicts(item.get("content"))], "text")


def texts(parts: list[dict[str, Any]], name: str) -> Iterator[str]:
    return (text for part in parts if isinstance(text := part.get(name), str) and text)


def dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in as_list(value) if isinstance(item, dict)]


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
