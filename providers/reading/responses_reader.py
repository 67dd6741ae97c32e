"""Responses: reads streamed and JSON answers with one reducer.

The format is https://platform.openai.com/docs/api-reference/responses-streaming. What the response
holds in the end is read by `responses_reply.py`.
"""

from collections.abc import Mapping
from typing import Final, Literal

from turngraph.providers.reading.asked import Asked
from turngraph.providers.reading.error_reader import error_of_event
from turngraph.providers.reading.item_assembler import ItemAssembler
from turngraph.providers.reading.json_values import objects_in, text_or_none
from turngraph.providers.reading.read_limits import ReadLimits
from turngraph.providers.reading.responses_reply import lacks_some, reply_from
from turngraph.providers.reading.think_tags import ThinkSplitter, thinking_chunks
from turngraph.state.errors import ProviderError
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.reply import ProviderReply, StreamChunk, text_chunk

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
UNFINISHED: Final[Mapping[str, str]] = {
    "response.incomplete": "incomplete",
    "response.cancelled": "cancelled",
}
"""The status that a terminal event means, whether or not its response has it."""
STATES: Final = TERMINAL | {"response.created", "response.queued", "response.in_progress"}
"""Events that carry the response as it is at that moment."""
DELTAS: Final[Mapping[str, Literal["text", "refusal", "reasoning"]]] = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_text.delta": "reasoning",
}


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
        self._told: set[str] = set()
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
        if kind in STATES:
            return self._read_response(kind, event)
        if kind == "error":
            raise error_of_event(event, vendor=self._vendor, api="responses")
        self._items.feed(kind, event)
        return []

    def feed_ordinary(self, event: JsonMapping) -> list[StreamChunk] | None:
        """Returns what `event` adds, if it is a piece of a text, and so no error; else None."""
        kind = event.get("type")
        is_piece = isinstance(kind, str) and kind in DELTAS
        if is_piece and event.get("delta") and not event.get("error"):
            return self.feed(event)
        return None

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
        if lacks_some(objects_in(response.get("output")), streamed):
            # ChatGPT's Codex endpoint streams the items, and ends with a response without any;
            # gateways that translate leave out some, or their texts.
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
        self._told.add(DELTAS[kind])
        if DELTAS[kind] == "text":
            return thinking_chunks(*self._think.feed(text))
        if DELTAS[kind] == "reasoning":
            text = self._separator(kind, event) + text
        return [text_chunk(DELTAS[kind], text)]

    def _separator(self, kind: str, event: JsonMapping) -> str:
        """A blank line between two parts of the reasoning, as in `ProviderReply.reasoning`."""
        indexes = ("output_index", "summary_index", "content_index")
        part = (kind, *(event.get(name) for name in indexes))
        before, self._reasoning_part = self._reasoning_part, part
        return "" if before in (None, part) else "\n\n"

    def _read_response(self, kind: str, event: JsonMapping) -> list[StreamChunk]:
        response = event.get("response")
        if not isinstance(response, dict):
            if kind not in TERMINAL:
                return []
            # The end without the response: what was streamed is the answer.
            response = {name: value for name, value in self._response.items() if name != "status"}
        id_before = self._response.get("id")
        if id_before is not None and response.get("id") not in (None, id_before):
            self._notes["The response's id changed within the stream; the last is kept."] = None
        if kind == "response.failed" or response.get("status") == "failed":
            raise error_of_event(
                {**event, "error": response.get("error")}, vendor=self._vendor, api="responses"
            )
        if response.get("status") in (None, "completed") and kind in UNFINISHED:
            response = {**response, "status": UNFINISHED[kind]}
        self._response = response
        if kind not in TERMINAL:
            return []
        self._ended = True
        return self._last_chunks()

    def _last_chunks(self) -> list[StreamChunk]:
        reply = self.finish()
        chunks = thinking_chunks(*self._think.finish())
        # Proxies that do not stream send the texts with the items, and no pieces before them.
        wholes: dict[Literal["reasoning", "text", "refusal"], str | None] = {
            "reasoning": reply.reasoning,
            "text": reply.text,
            "refusal": reply.refusal,
        }
        chunks += [
            StreamChunk(type=name, text=text)
            for name, text in wholes.items()
            if text
            and name not in self._told
            and not (name == "reasoning" and "text" in self._told)
        ]
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
