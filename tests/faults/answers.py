"""Correct answers of both APIs, and the pieces of HTTP they are sent in.

A fault starts from the correct answer, so that the row in the table says only what is wrong.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from turngraph.state.request import Api

__all__ = ["ADD", "TEXT", "Call", "Good", "chunked", "head", "pack"]

TEXT: Final = "Forty-two."
COUNTS: Final = {
    "chat": ("prompt_tokens", "completion_tokens"),
    "responses": ("input_tokens", "output_tokens"),
}
UNSET: Final = object()
Event = Mapping[str, Any] | str


@dataclass(frozen=True)
class Call:
    """A tool call in an answer."""

    id: str | None = "call_1"
    name: str = "add"
    arguments: str = '{"a": 40, "b": 2}'


ADD: Final = (Call(),)


def head(*lines: str, status: str = "200 OK", version: str = "HTTP/1.1") -> bytes:
    """The head of a response, its blank line included."""
    return "\r\n".join([f"{version} {status}", *lines, "", ""]).encode("latin-1")


def chunked(body: bytes, size: int = 700) -> bytes:
    """`body` in chunks, the last chunk included."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def pack(events: Sequence[Event], end: str = "\n") -> bytes:
    """Server-sent events with these data; text is sent as it is."""
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return "".join(f"data: {text}{end}{end}" for text in texts).encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Good:
    """The correct answer for one API, streamed or not."""

    api: Api
    stream: bool

    @property
    def kind(self) -> str:
        """Its content type, as a header."""
        return f"Content-Type: {'text/event-stream' if self.stream else 'application/json'}"

    def usage(self, prompt: Any = 100, answer: Any = 10, **more: Any) -> dict[str, Any]:
        """Token counts under the names of the API."""
        names = COUNTS[self.api]
        return {names[0]: prompt, names[1]: answer, **more}

    def body(self, **given: Any) -> bytes:
        """The body of an answer; `given` as `events` and `whole` take it."""
        if self.stream:
            return pack(self.events(**given))
        return json.dumps(self.whole(**given)).encode()

    def whole(
        self, text: Any = TEXT, calls: Sequence[Call] = (), usage: Any = UNSET, **more: Any
    ) -> dict[str, Any]:
        """The JSON of an answer. `more` are members beside the usual ones, or in their place."""
        usage = self.usage() if usage is UNSET else usage
        if self.api == "chat":
            return self._completion(text, calls, usage, **more)
        output = [*self._message(text, calls), *map(_item, calls)]
        common = {"id": "resp_1", "object": "response", "model": "gpt-4o-mini"}
        return {
            **common,
            "status": "completed",
            "error": None,
            "output": output,
            "usage": usage,
            **more,
        }

    def events(self, *, done: bool = True, finish: Any = UNSET, **given: Any) -> list[Event]:
        """The events of a streamed answer, the last one `[DONE]` in Chat Completions."""
        if self.api == "responses":
            return self._response_events(finish, **given)
        return [*self._chunks(finish, **given), *(["[DONE]"] if done else [])]

    def answer(self, body: bytes | None = None, *lines: str, status: str = "200 OK") -> bytes:
        """A whole response, framed by its length."""
        body = self.body() if body is None else body
        return head(self.kind, f"Content-Length: {len(body)}", *lines, status=status) + body

    def zipped(self) -> bytes:
        """The body, compressed."""
        return gzip.compress(self.body())

    def _completion(
        self, text: Any, calls: Sequence[Call], usage: Any, finish: Any = UNSET, **more: Any
    ) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": None if calls else text}
        if calls:
            message["tool_calls"] = [_call(call) for call in calls]
        reason = ("tool_calls" if calls else "stop") if finish is UNSET else finish
        choice = {"index": 0, "message": message, "finish_reason": reason}
        common = {"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o-mini"}
        return {**common, "choices": [choice], "usage": usage, **more}

    def _chunks(
        self,
        finish: Any,
        *,
        text: Any = TEXT,
        calls: Sequence[Call] = (),
        usage: Any = UNSET,
        **more: Any,
    ) -> list[Event]:
        reason = ("tool_calls" if calls else "stop") if finish is UNSET else finish
        halves = [text[:5], text[5:]] if isinstance(text, str) else [text]
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        if calls:
            deltas += [
                {"tool_calls": [{"index": at, **_call(call)}]} for at, call in enumerate(calls)
            ]
        else:
            deltas += [{"content": half} for half in halves]
        usage = self.usage() if usage is UNSET else usage
        return [
            *(_chunk(delta) for delta in deltas),
            _chunk({}, reason),
            *([] if usage is None else [{**_chunk({}), "choices": [], "usage": usage, **more}]),
        ]

    def _response_events(self, finish: Any, **given: Any) -> list[Event]:
        whole = self.whole(**given)
        opened = {**whole, "status": "in_progress", "output": [], "usage": None}
        events: list[dict[str, Any]] = [{"type": "response.created", "response": opened}]
        for at, item in enumerate(whole["output"]):
            begun = {**item, "status": "in_progress"}
            events.append({"type": "response.output_item.added", "output_index": at, "item": begun})
            events += _item_deltas(at, item)
            events.append({"type": "response.output_item.done", "output_index": at, "item": item})
        if finish is not None:
            events.append({"type": "response.completed", "response": whole})
        return [{**event, "sequence_number": n} for n, event in enumerate(events)]

    def _message(self, text: Any, calls: Sequence[Call]) -> list[dict[str, Any]]:
        if calls:
            return []
        part = {"type": "output_text", "text": text, "annotations": []}
        item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
        return [{**item, "content": [part]}]


def _call(call: Call) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    given = {"id": call.id, "type": "function", "function": function}
    return {name: value for name, value in given.items() if value is not None}


def _item(call: Call) -> dict[str, Any]:
    item = {"type": "function_call", "id": f"fc_{call.id}", "status": "completed"}
    given = {**item, "call_id": call.id, "name": call.name, "arguments": call.arguments}
    return {name: value for name, value in given.items() if value is not None}


def _item_deltas(at: int, item: Mapping[str, Any]) -> list[dict[str, Any]]:
    place = {"output_index": at, "item_id": item["id"]}
    if item["type"] == "function_call":
        kind, text, place = "function_call_arguments", item["arguments"], {**place}
    else:
        kind, text = "output_text", item["content"][0]["text"]
        place = {**place, "content_index": 0}
    halves = [text[:5], text[5:]] if isinstance(text, str) else [text]
    return [{"type": f"response.{kind}.delta", **place, "delta": half} for half in halves]


def _chunk(delta: Mapping[str, Any], finish: Any = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "model": "gpt-4o-mini",
        "choices": [choice],
    }
