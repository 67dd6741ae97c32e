"""One request of either API after it was read, and how its answer is rendered for the wire."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from turngraph.scripted.chat.completion_store import CompletionStore
from turngraph.scripted.chat.request import read_chat
from turngraph.scripted.chat.response import chat_chunks, chat_json
from turngraph.scripted.envelope import Envelope
from turngraph.scripted.prompt import Answer, Message, Prompt
from turngraph.scripted.responses.request import ResponsesRequest, read_responses
from turngraph.scripted.responses.response import responses_events, responses_json
from turngraph.scripted.responses.response_store import ResponseStore, StoredResponse
from turngraph.state.json_types import JsonObject
from turngraph.state.usage import Usage

__all__ = ["ChatExchange", "Exchange", "RenderedAnswer", "ResponsesExchange"]

RenderedAnswer = JsonObject | Iterator[str]
"""An answer in its wire form: one JSON object, or the events of a stream."""


class Exchange(Protocol):
    """A request that was read and can be answered."""

    @property
    def id_prefix(self) -> str:
        """The beginning of every answer id of this API."""

    @property
    def body(self) -> JsonObject:
        """The request as it was sent."""

    @property
    def prompt(self) -> Prompt:
        """What the request asks of the model."""

    def render(self, answer: Answer, usage: Usage, envelope: Envelope) -> RenderedAnswer:
        """Renders the answer as the request wants it: as JSON or as a stream."""


@dataclass(frozen=True)
class ChatExchange:
    """A request to Chat Completions. With `"store": true`, its answer is added to `store`."""

    body: JsonObject
    prompt: Prompt
    store: CompletionStore = field(default_factory=CompletionStore)
    id_prefix: str = "chatcmpl-"

    @classmethod
    def read(
        cls, body: JsonObject, accepts: Collection[str], store: CompletionStore | None = None
    ) -> "ChatExchange":
        """Checks and reads a request. Raises RequestError where the vendor would refuse it."""
        return cls(body, read_chat(body, accepts), store or CompletionStore())

    def render(self, answer: Answer, usage: Usage, envelope: Envelope) -> RenderedAnswer:
        """Renders a `chat.completion` object, or the chunks of a stream."""
        choices, logprobs = self.body.get("n", 1), self.prompt.logprobs
        if self.body.get("store"):
            whole = chat_json(answer, usage, envelope, choices=choices, logprobs=logprobs)
            self.store.add({**whole, "metadata": self.body.get("metadata", {})})
        if not self.body.get("stream"):
            return chat_json(answer, usage, envelope, choices=choices, logprobs=logprobs)
        include_usage = bool(self.body.get("stream_options", {}).get("include_usage"))
        return chat_chunks(
            answer, usage, envelope, choices=choices, logprobs=logprobs, include_usage=include_usage
        )


@dataclass(frozen=True)
class ResponsesExchange:
    """A request to Responses. Its answer is added to `store`, unless it says `"store": false`."""

    body: JsonObject
    request: ResponsesRequest
    store: ResponseStore
    id_prefix: str = "resp_"

    @classmethod
    def read(
        cls, body: JsonObject, store: ResponseStore, accepts: Collection[str]
    ) -> "ResponsesExchange":
        """Checks and reads a request. Raises RequestError where the vendor would refuse it."""
        return cls(body, read_responses(body, store, accepts), store)

    @property
    def prompt(self) -> Prompt:
        """The whole conversation, also the part that was stored by an earlier request."""
        return self.request.prompt

    def render(self, answer: Answer, usage: Usage, envelope: Envelope) -> RenderedAnswer:
        """Renders a `response` object, or the events of a stream that ends with it."""
        logprobs = self.prompt.logprobs
        whole = responses_json(answer, usage, envelope, self.body, logprobs=logprobs)
        if self.body.get("store", True):
            reply = Message("assistant", answer.text, answer.calls)
            added = (*self.request.added, reply)
            self.store.add(StoredResponse(whole, added, self.request.previous))
        if not self.body.get("stream"):
            return whole
        return responses_events(whole, envelope.pieces, logprobs)
