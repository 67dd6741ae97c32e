"""One request of either API, read, and the writing of its answer."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from turngraph.scripted.chat.request import read_chat
from turngraph.scripted.chat.response import chat_chunks, chat_json
from turngraph.scripted.chat.storage import CompletionMemory
from turngraph.scripted.envelope import Envelope
from turngraph.scripted.prompt import Answer, Message, Prompt
from turngraph.scripted.responses.request import ResponsesRequest, read_responses
from turngraph.scripted.responses.response import responses_events, responses_json
from turngraph.scripted.responses.storage import KeptResponse, ResponseMemory
from turngraph.state.usage import Usage

__all__ = ["ChatExchange", "Exchange", "ResponsesExchange", "Written"]

Written = Mapping[str, Any] | Iterator[str]
"""An answer on the wire: a JSON object, or the events of a stream."""


class Exchange(Protocol):
    """A request that was read and can be answered."""

    @property
    def prefix(self) -> str:
        """What the ids of this API's answers begin with."""

    @property
    def body(self) -> Mapping[str, Any]:
        """The request as it was sent."""

    @property
    def prompt(self) -> Prompt:
        """What the model is asked."""

    def written(self, answer: Answer, usage: Usage, envelope: Envelope) -> Written:
        """The answer, in the form that was asked for."""


@dataclass(frozen=True)
class ChatExchange:
    """A request to Chat Completions. Its answer is kept in `memory`, if `store` was true."""

    body: Mapping[str, Any]
    prompt: Prompt
    memory: CompletionMemory = field(default_factory=CompletionMemory)
    prefix: str = "chatcmpl-"

    @classmethod
    def read(
        cls,
        body: Mapping[str, Any],
        accepts: Collection[str],
        memory: CompletionMemory | None = None,
    ) -> "ChatExchange":
        """Raises RequestError for what the vendor would not take."""
        return cls(body, read_chat(body, accepts), memory or CompletionMemory())

    def written(self, answer: Answer, usage: Usage, envelope: Envelope) -> Written:
        """A `chat.completion`, or its chunks."""
        choices, logprobs = self.body.get("n", 1), self.prompt.logprobs
        if self.body.get("store"):
            whole = chat_json(answer, usage, envelope, choices=choices, logprobs=logprobs)
            self.memory.keep({**whole, "metadata": self.body.get("metadata", {})})
        if not self.body.get("stream"):
            return chat_json(answer, usage, envelope, choices=choices, logprobs=logprobs)
        counted = bool(self.body.get("stream_options", {}).get("include_usage"))
        return chat_chunks(
            answer, usage, envelope, choices=choices, logprobs=logprobs, include_usage=counted
        )


@dataclass(frozen=True)
class ResponsesExchange:
    """A request to Responses. Its answer is kept in `memory`, unless `store` was false."""

    body: Mapping[str, Any]
    request: ResponsesRequest
    memory: ResponseMemory
    prefix: str = "resp_"

    @classmethod
    def read(
        cls, body: Mapping[str, Any], memory: ResponseMemory, accepts: Collection[str]
    ) -> "ResponsesExchange":
        """Raises RequestError for what the vendor would not take."""
        return cls(body, read_responses(body, memory, accepts), memory)

    @property
    def prompt(self) -> Prompt:
        """The whole conversation, whatever part of it was sent."""
        return self.request.prompt

    def written(self, answer: Answer, usage: Usage, envelope: Envelope) -> Written:
        """A `response`, or the events that end in it."""
        logprobs = self.prompt.logprobs
        whole = responses_json(answer, usage, envelope, self.body, logprobs=logprobs)
        if self.body.get("store", True):
            said = Message("assistant", answer.text, answer.calls)
            self.memory.keep(KeptResponse(whole, (*self.request.added, said), self.request.before))
        return (
            responses_events(whole, envelope.pieces, logprobs) if self.body.get("stream") else whole
        )
