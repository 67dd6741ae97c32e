"""One model behind one endpoint: what a turn sends its requests to."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import BaseMessage

from turngraph.providers.clients import transport_of, transport_of_chat_model
from turngraph.providers.config import ProviderConfig
from turngraph.providers.reading.answer import AnswerReader, ReadLimits
from turngraph.providers.reading.error_reader import read_error
from turngraph.providers.transport import HttpStatusError, Transport
from turngraph.providers.vendors.choosing import explain_api
from turngraph.providers.vendors.profiles import VendorProfile
from turngraph.providers.writing.payload import Payload, build_payload
from turngraph.state.errors import ProviderError
from turngraph.state.reply import ProviderReply, StreamChunk
from turngraph.state.request import Api, ChatRequest

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI

__all__ = ["OnChunk", "OpenAIProvider"]

OnChunk = Callable[[StreamChunk], None]
"""Told each piece of an answer as it arrives."""

_PATHS: Final[Mapping[Api, str]] = {"chat": "/chat/completions", "responses": "/responses"}


class OpenAIProvider:
    """A model behind an OpenAI-compatible endpoint: builds the exact JSON, sends it, reads the answer.

    Nothing of a conversation is kept here, so one provider serves any number of turns, threads and event loops.

        >>> provider = OpenAIProvider(ProviderConfig(vendor="ollama", model="llama3.2"))
        >>> provider.api, provider.vendor
        ('chat', 'ollama')
    """

    def __init__(self, config: ProviderConfig, *, transport: Transport | None = None) -> None:
        self.config: Final = config
        self.profile: Final[VendorProfile] = config.profile
        self.vendor: Final[str] = config.vendor
        choice = explain_api(config.model, config.base_url, config.api, vendor=config.vendor)
        self.api: Final[Api] = choice.api
        self.api_reason: Final[str] = choice.reason
        self._transport = transport_of(config) if transport is None else transport

    @classmethod
    def from_chat_model(cls, chat: "BaseChatOpenAI") -> "OpenAIProvider":
        """The provider that `chat`, a LangChain `ChatOpenAI` or its like, is configured for, with its clients."""
        config = ProviderConfig.from_chat_model(chat)
        return cls(config, transport=transport_of_chat_model(chat, vendor=config.vendor))

    def __repr__(self) -> str:
        return f"OpenAIProvider({self.vendor}:{self.config.model}, api={self.api})"

    def payload(self, request: ChatRequest, messages: Sequence[BaseMessage]) -> Payload:
        """The exact JSON of `request` over `messages`, and what the vendor's profile dropped from it.

        Raises TurnValueError where no vendor could be sent this.
        """
        return build_payload(
            request,
            messages,
            self.profile,
            strict=self.config.strict,
            remove_empty_content=self.config.remove_empty_content,
        )

    def send(
        self,
        payload: Payload | Mapping[str, Any],
        *,
        stream: bool = False,
        on_chunk: OnChunk | None = None,
        client_request_id: str | None = None,
        within_s: float | None = None,
    ) -> ProviderReply:
        """Post `payload` (or a plain JSON body) once and read the answer.

        With `stream`, `on_chunk` is told each piece as it arrives. The whole may take `within_s` seconds, where that
        is less than the configuration allows. Nothing is retried. Raises ProviderError for anything but an answer.
        """
        tell = on_chunk or _silently
        content, headers = self._outgoing(payload, stream, client_request_id)
        try:
            with self._transport.post(_PATHS[self.api], content, headers, within_s) as raw:
                reader = self._reader(raw.status_code, raw.headers, stream, within_s)
                for data in raw.iter_bytes():
                    for chunk in reader.feed(data, time.monotonic()):
                        tell(chunk)
                return reader.finish()
        except HttpStatusError as answer:
            raise self._error(answer) from None

    async def asend(
        self,
        payload: Payload | Mapping[str, Any],
        *,
        stream: bool = False,
        on_chunk: OnChunk | None = None,
        client_request_id: str | None = None,
        within_s: float | None = None,
    ) -> ProviderReply:
        """`send`, on the running event loop."""
        tell = on_chunk or _silently
        content, headers = self._outgoing(payload, stream, client_request_id)
        try:
            async with self._transport.apost(_PATHS[self.api], content, headers, within_s) as raw:
                reader = self._reader(raw.status_code, raw.headers, stream, within_s)
                async for data in raw.aiter_bytes():
                    for chunk in reader.feed(data, time.monotonic()):
                        tell(chunk)
                return reader.finish()
        except HttpStatusError as answer:
            raise self._error(answer) from None

    def close(self) -> None:
        """Close the connections opened by `send`."""
        self._transport.close()

    async def aclose(self) -> None:
        """Close the connections opened by `send`, and by `asend` on this event loop."""
        await self._transport.aclose()

    def _outgoing(
        self, payload: Payload | Mapping[str, Any], stream: bool, client_request_id: str | None
    ) -> tuple[bytes, dict[str, str]]:
        whole = payload if isinstance(payload, Payload) else Payload(self.api, {**payload})
        if stream and whole.body.get("stream") is not True:
            whole = Payload(self.api, {**whole.body, "stream": True})
        headers = {"Accept": "text/event-stream" if stream else "application/json", "Accept-Encoding": "identity"}
        if client_request_id is not None:
            headers["X-Client-Request-Id"] = client_request_id
        return whole.content, headers

    def _reader(self, status: int, headers: Mapping[str, str], stream: bool, within_s: float | None) -> AnswerReader:
        timeouts = self.config.timeouts
        return AnswerReader(
            self.api,
            vendor=self.vendor,
            status=status,
            headers=headers,
            streaming=stream,
            limits=ReadLimits(),
            secrets=self.config.secrets,
            finish_reason_optional=self.profile.finish_reason_optional,
            started_at=time.monotonic(),
            idle_s=timeouts.idle_s,
            total_s=timeouts.total_s if within_s is None else min(within_s, timeouts.total_s),
        )

    def _error(self, answer: HttpStatusError) -> ProviderError:
        return read_error(
            answer.status,
            answer.headers,
            answer.body,
            self.vendor,
            secrets=self.config.secrets,
            now=time.time(),
        )


def _silently(chunk: StreamChunk) -> None:
    """Nobody listens."""
