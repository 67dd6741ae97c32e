"""Writes a turn as an answer of `POST /v1/chat/completions`: one object, or the chunks of a stream.

Reference: https://platform.openai.com/docs/api-reference/chat/object and …/chat-streaming
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from turngraph.interfaces.server.answer_parts import (
    answer_text,
    client_calls,
    extras,
    reasoning_text,
    shown_event,
    usage_of,
)
from turngraph.interfaces.server.turn_request import TurnRequest
from turngraph.interfaces.server.turn_runs import TurnEnd
from turngraph.state.events import AnyEvent, ResponseReceived, Token
from turngraph.state.json_types import JsonObject
from turngraph.state.usage import Usage

__all__ = ["ChatStream", "chat_completion", "chat_usage", "replayed_chunks"]

_DELTAS = {"text": "content", "reasoning": "reasoning_content", "refusal": "refusal"}


def chat_completion(end: TurnEnd, request: TurnRequest, *, id: str) -> JsonObject:
    """The `chat.completion` object of a turn that has an answer, or waits for its client."""
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in client_calls(end)
    ]
    text = answer_text(end, joined=not wants_format(request))
    message: JsonObject = {
        "role": "assistant",
        "content": text if text or not calls else None,
        "refusal": None if end.result is None else end.result.refusal,
        "annotations": [],
    }
    if reasoning := reasoning_text(end):
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = calls
    return {
        "id": id,
        "object": "chat.completion",
        "created": int(end.at),
        "model": request.model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": _logprobs(end),
                "finish_reason": _finish_reason(end),
            }
        ],
        "usage": chat_usage(usage_of(end)),
        "turngraph": extras(end),
    }


def chat_usage(usage: Usage) -> JsonObject:
    """The usage as Chat Completions nests it. What no vendor reported is 0: clients add it up.

    >>> chat_usage(Usage(input_tokens=2, output_tokens=3))["total_tokens"]
    5
    """
    prompt, completion = usage.input_tokens or 0, usage.output_tokens or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens or 0,
            "audio_tokens": usage.input_audio_tokens or 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens or 0,
            "audio_tokens": usage.output_audio_tokens or 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def wants_format(request: TurnRequest) -> bool:
    """Whether the answer must be JSON, so that no other text may stand beside it."""
    form = request.settings.response_format
    return form is not None and form.get("type") != "text"


@dataclass
class ChatStream:
    """Makes the chunks of one stream. Between several answers of the model stands a blank line.

    Where the answer must be JSON, only the last answer is shown, when it is known to be the last.
    """

    request: TurnRequest
    id: str
    include_usage: bool
    _created: int = field(default_factory=lambda: int(time.time()))
    _text: str = ""
    _spoken: bool = False
    _break: bool = False

    def start(self) -> JsonObject:
        """The first chunk."""
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def show(self, event: AnyEvent) -> Iterator[JsonObject]:
        """The chunks that show `event`, if it is one to be shown."""
        if isinstance(event, Token):
            yield from self._token(event)
        elif isinstance(event, ResponseReceived):
            self._break = self._spoken
        if self.request.wants_events and (shown := shown_event(event)) is not None:
            yield {**self._chunk({}), "turngraph": {"event": shown}}

    def finish(self, end: TurnEnd) -> Iterator[JsonObject]:
        """The last chunks: what was not shown yet, calls for the client, the end, the usage."""
        whole = answer_text(end, joined=not self._holds)
        # What came without tokens: of a vendor or a node that does not stream, or held back.
        if whole.startswith(self._text) and len(whole) > len(self._text):
            yield self._chunk({"content": whole[len(self._text) :]})
        if not self._spoken and end.result is not None and end.result.refusal:
            yield self._chunk({"refusal": end.result.refusal})
        for index, call in enumerate(client_calls(end)):
            function = {"name": call.name, "arguments": call.arguments}
            delta = {"index": index, "id": call.id, "type": "function", "function": function}
            yield self._chunk({"tool_calls": [delta]})
        yield {**self._chunk({}, _finish_reason(end)), "turngraph": extras(end)}
        if self.include_usage:
            yield {**self._head(), "choices": [], "usage": chat_usage(usage_of(end))}

    @property
    def _holds(self) -> bool:
        return wants_format(self.request)

    def _token(self, event: Token) -> Iterator[JsonObject]:
        if event.kind == "text" and self._holds:
            return
        text = event.text
        if event.kind == "text":
            text = f"\n\n{text}" if self._break else text
            self._break = False
            self._text += text
        self._spoken = self._spoken or event.kind != "reasoning"
        yield self._chunk({_DELTAS[event.kind]: text})

    def _chunk(self, delta: JsonObject, finish: str | None = None) -> JsonObject:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {
            **self._head(),
            "choices": [choice],
            **({"usage": None} if self.include_usage else {}),
        }

    def _head(self) -> JsonObject:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self.request.model,
        }


def replayed_chunks(completion: JsonObject, include_usage: bool) -> Iterator[JsonObject]:
    """The chunks of an answer that is whole already.

    >>> message = {"role": "assistant", "content": "Hi", "refusal": None}
    >>> choice = {"index": 0, "message": message, "finish_reason": "stop"}
    >>> whole = {"id": "c", "created": 1, "model": "m", "choices": [choice], "usage": {}}
    >>> [each["choices"][0]["delta"] for each in replayed_chunks(whole, False)][1:]
    [{'content': 'Hi'}, {}]
    """
    [choice] = completion["choices"]
    message = choice["message"]
    head = {
        **{name: completion[name] for name in ("id", "created", "model")},
        "object": "chat.completion.chunk",
    }
    usage = {"usage": None} if include_usage else {}

    def chunk(delta: JsonObject, finish: str | None = None) -> JsonObject:
        part = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**head, "choices": [part], **usage}

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    for name in ("reasoning_content", "content", "refusal"):
        if message.get(name):
            yield chunk({name: message[name]})
    for index, call in enumerate(message.get("tool_calls", ())):
        yield chunk({"tool_calls": [{"index": index, **call}]})
    yield {**chunk({}, choice["finish_reason"]), "turngraph": completion.get("turngraph")}
    if include_usage:
        yield {**head, "choices": [], "usage": completion["usage"]}


def _finish_reason(end: TurnEnd) -> str:
    if client_calls(end):
        return "tool_calls"
    status = None if end.result is None else end.result.status
    return status if status in ("length", "content_filter") else "stop"


def _logprobs(end: TurnEnd) -> JsonObject | None:
    replies = () if end.result is None else end.result.responses
    if not replies or not replies[-1].logprobs:
        return None
    return {"content": list(replies[-1].logprobs), "refusal": None}
