"""One model at one endpoint. A turn sends its requests through it, and any other code can too."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import BaseMessage
from pydantic import JsonValue

from turngraph.providers.capabilities import ProviderCapabilities, capabilities_of
from turngraph.providers.chunk_stream import ChunkStream
from turngraph.providers.config import ProviderConfig
from turngraph.providers.generation_request import Generation, generation_request
from turngraph.providers.request_template import request_template
from turngraph.providers.session_memory import SessionMemory, UsageStats
from turngraph.providers.tool_specs import split_tools
from turngraph.providers.ui_schema import config_values, ui_schema
from turngraph.providers.vendors.api_selection import explain_api, needs_of
from turngraph.providers.vendors.profiles import VendorProfile
from turngraph.providers.wire.http_transport import HttpTransport
from turngraph.providers.wire.sdk_transport import SdkTransport
from turngraph.providers.wire.transport import Transport
from turngraph.providers.wire.wire import OnChunk, Wire
from turngraph.providers.writing.payload import Payload, build_payload
from turngraph.state.argument_kinds import SEVERAL, Kind, check_kinds, is_a, list_of
from turngraph.state.connected import Connected
from turngraph.state.errors import TurnConfigurationError, TurnValueError
from turngraph.state.json_types import JsonObject
from turngraph.state.messages import coerce_message
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI

__all__ = ["OnChunk", "OpenAIProvider"]


_TOOLS: Final = Kind(list_of(is_a(Mapping)), "a list of objects such as `{'type': 'web_search'}`")


class OpenAIProvider(Connected, Wire):
    """A model at an OpenAI-compatible endpoint: builds the exact JSON, sends it, reads the answer.

    One provider serves any number of turns, threads and event loops, because it keeps nothing of a
    conversation. Only `stream_generate` remembers something, by session id. Its connections are
    closed by `close` and `aclose`, or when it is garbage-collected.

    Args:
        config: the model, the endpoint and the parameters.
        transport: what sends the requests. By default one of its own, with our timeouts.

    Attributes: `config`; `api` (`chat` or `responses`) and `api_reason`, a sentence on why; `url`,
    where requests are posted to; `vendor` and `profile`, its name and its row in the table.

    `send`, `asend`, `stream` and `astream` post a payload (see `Wire`). They raise ProviderError.

    Raises TurnConfigurationError if `config` needs the Responses API and the vendor has none.

        >>> provider = OpenAIProvider(ProviderConfig(vendor="ollama", model="llama3.2"))
        >>> provider.api, provider.url
        ('chat', 'http://localhost:11434/v1/chat/completions')
    """

    def __init__(self, config: ProviderConfig, *, transport: Transport | None = None) -> None:
        if not isinstance(config, ProviderConfig):
            raise TurnConfigurationError(
                f"`config` is a {type(config).__name__}; it must be a ProviderConfig: "
                "`ProviderConfig(vendor='openai', model='gpt-5-mini')`."
            )
        choice = explain_api(
            config.model, config.base_url, config.api, vendor=config.vendor, needs=needs_of(config)
        )
        super().__init__(
            config, choice.api, HttpTransport(config) if transport is None else transport
        )
        self.profile: Final[VendorProfile] = config.profile
        self.vendor: Final[str] = config.vendor
        self.api_reason: Final[str] = choice.reason
        self._sessions: Final = SessionMemory()

    @classmethod
    def from_chat_model(cls, chat: "BaseChatOpenAI") -> "OpenAIProvider":
        """Returns the provider for a LangChain `ChatOpenAI`, or for a class on the same base.

        It uses the configuration and the clients of `chat`, and never closes them. The retries of
        `chat` are not used: a turn has its own.
        """
        from turngraph.providers.langchain.from_chat_model import refuse_not_used

        provider = getattr(chat, "provider", None)  # as a `TurngraphChatModel` has it
        if isinstance(provider, OpenAIProvider):
            refuse_not_used(chat)
            return provider
        config = ProviderConfig.from_chat_model(chat)
        return cls(config, transport=SdkTransport(chat, vendor=config.vendor))

    def __repr__(self) -> str:
        return f"OpenAIProvider({self.vendor}:{self.config.model}, api={self.api})"

    def payload(self, request: ChatRequest, messages: Sequence[BaseMessage]) -> Payload:
        """Returns the exact JSON for `request` and `messages`, and what was left out of it.

        Raises TurnValueError for something that no vendor accepts, or that this vendor does not
        accept and that cannot be left out.
        """
        valid = self.config.valid_chat_completion_models
        if valid is not None and request.model not in valid:
            raise TurnValueError(
                f"`{request.model[:100]}` may not be asked. Allowed: {', '.join(valid)}."
            )
        return build_payload(
            request,
            messages,
            self.profile,
            strict=self.config.strict,
            remove_empty_content=self.config.remove_empty_content,
        )

    def convert_messages_to_provider_format(
        self, messages: Iterable[object], tools: Iterable[Any] | None = None
    ) -> list[JsonObject]:
        """Returns `messages` as they are sent: Chat Completions messages, or Responses items.

        Args:
            messages: a conversation, in any form that LangChain accepts.
            tools: the tools of the same request. They are checked, and are not in the result.

        Raises TurnValueError for what cannot be sent.

            >>> provider = OpenAIProvider(ProviderConfig(vendor="ollama", model="llama3.2"))
            >>> provider.convert_messages_to_provider_format([("user", "Hi")])
            [{'role': 'user', 'content': 'Hi'}]
        """
        check_kinds({"messages": SEVERAL}, {"messages": messages}, TurnValueError)
        functions, builtin = split_tools(() if tools is None else tools)
        request = request_template(self.config, self.api, tools=functions)
        request = request.model_copy(update={"builtin_tools": (*request.builtin_tools, *builtin)})
        body = self.payload(request, [coerce_message(message) for message in messages]).body
        return list(body["messages" if self.api == "chat" else "input"])

    def stream_generate(
        self,
        messages: Iterable[object],
        sequence_number: int | None = None,
        *,
        session_id: str | None = None,
        assistant_name: str | None = None,
        endpoint_name: str | None = None,
        turn_id: str | None = None,
        previous_response_id: str | None = None,
        tool_outputs: Sequence[object] | None = None,
        unanswered_predefined_questions: Sequence[str] | None = None,
        tools: Sequence[object] | None = None,
    ) -> ChunkStream:
        """Returns one streamed call, to be read by `for` or by `async for`.

        It is not a turn: no tool is run, nothing is retried, and nothing is billed.

        Args:
            messages: the conversation, in any form that LangChain accepts. With
                `previous_response_id`, only what is new.
            sequence_number: the number of this request in its turn. With the three names below it
                is sent as metadata, if the vendor has metadata (OpenAI, Azure: on Responses, and
                on Chat Completions with `store`).
            session_id: the session that the last response id, the usage and the vector stores
                belong to. It is not sent.
            assistant_name: the assistant's name, for the vendor's logs.
            endpoint_name: the endpoint's name, for the vendor's logs.
            turn_id: the turn's id, for the vendor's logs.
            previous_response_id: the stored response that this one continues (Responses only).
            tool_outputs: results of the calls in that response: `ToolMessage`s, or objects with
                `call_id` and `output`. They are sent after the messages.
            unanswered_predefined_questions: questions that the model should ask. They are added to
                the system message of this request.
            tools: what the model may call: LangChain tools, functions, JSON, and tools that run at
                the vendor.

        Returns:
            A `ChunkStream` of `StreamChunk`s. Its `reply` is the whole answer, in the end.

        Raises TurnValueError for what cannot be sent. Reading the stream raises ProviderError.

            >>> from turngraph.scripted import Say, ScriptedModel
            >>> with ScriptedModel([Say("Hi there.")]) as model:
            ...     provider = OpenAIProvider(ProviderConfig(model="any", base_url=model.base_url))
            ...     stream = provider.stream_generate([("user", "Hi")])
            ...     [chunk.text for chunk in stream if chunk.type == "text"]
            ['Hi', ' there.']
        """
        generation = Generation(
            names={
                "assistant_name": assistant_name,
                "endpoint_name": endpoint_name,
                "turn_id": turn_id,
                "sequence_number": sequence_number,
            },
            previous_response_id=previous_response_id,
            tool_outputs=tool_outputs or (),
            unanswered_predefined_questions=unanswered_predefined_questions or (),
            tools=tools or (),
            vector_store_ids=() if session_id is None else self._sessions.vector_stores(session_id),
        )
        # Written now and not when the stream is read, so that a mistake is raised by this call.
        payload = self.payload(*generation_request(generation, messages, self.config, self.api))
        return ChunkStream(self, payload, partial(self._remember, session_id))

    def _remember(self, session_id: str | None, reply: ProviderReply) -> None:
        if session_id is not None:
            self._sessions.remember(session_id, reply)

    astream_generate = stream_generate
    """Another name of `stream_generate`, for code that reads it by `async for`."""

    def get_last_response_id(self, session_id: str) -> str | None:
        """Returns the id of the session's last whole answer from `stream_generate`, or None."""
        return self._sessions.last_response_id(session_id)

    def get_usage_stats(self, session_id: str) -> UsageStats:
        """Returns what the session's calls of `stream_generate` used."""
        return self._sessions.usage(session_id)

    def set_vector_store_ids(self, ids: Sequence[str], *, session_id: str) -> None:
        """Set the vector stores that this session's calls of `stream_generate` search.

        They hold for later calls too; an empty `ids` ends them. They belong to one session, because
        one provider serves many: a store set for all would be searched for other tenants too. For
        turns, use `with_vector_store_ids`.

        Raises TurnConfigurationError if the provider uses Chat Completions, which has no
        `file_search`, and TurnInvocationError if too many sessions have vector stores.
        """
        if self.api == "chat":
            raise TurnConfigurationError(
                "`file_search` belongs to the Responses API, and this provider uses Chat "
                f"Completions. Give `api='responses'`, if {self.vendor} has it."
            )
        self._sessions.set_vector_stores(session_id, ids)

    def with_vector_store_ids(self, ids: Sequence[str]) -> "OpenAIProvider":
        """Returns a provider that searches these vector stores in every request.

        It shares this provider's connections.

            >>> config = ProviderConfig(vendor="openai", model="gpt-4o", api_key="k")
            >>> OpenAIProvider(config).with_vector_store_ids(["vs_1"]).api_reason
            'Only the Responses API has `builtin_tools`.'

        Raises TurnConfigurationError if the vendor has no Responses API.
        """
        check_kinds({"ids": SEVERAL}, {"ids": ids})
        return OpenAIProvider(
            self.config.replaced(vector_store_ids=tuple(ids)), transport=self._transport
        )

    def with_builtin_tools(self, tools: Sequence[Mapping[str, JsonValue]]) -> "OpenAIProvider":
        """Returns a provider that offers these tools of the vendor too, in every request.

        It shares this provider's connections. Raises TurnConfigurationError for what is no tool of
        a vendor, or if only the Responses API has it and the vendor does not.
        """
        check_kinds({"tools": _TOOLS}, {"tools": tools})
        own = (*self.config.builtin_tools, *map(dict, tools))
        return OpenAIProvider(self.config.replaced(builtin_tools=own), transport=self._transport)

    def for_model(self, model: str) -> "OpenAIProvider":
        """Returns a provider for another model at this endpoint, over the same connections."""
        return OpenAIProvider(self.config.replaced(model=model), transport=self._transport)

    def get_capabilities(self) -> ProviderCapabilities:
        """Returns what the model can do, as far as the table of vendors knows."""
        return capabilities_of(self.config, self.api)

    def get_ui_config_schema(self, model: str | None = None) -> JsonObject:
        """Returns a JSON schema of what a user interface may show and change.

        It is about another `model` at this endpoint if one is given: levels of reasoning differ.
        """
        provider = self if model is None else self.for_model(model)
        return ui_schema(provider.config, provider.api)

    def get_current_config_values(self) -> JsonObject:
        """Returns the current values of what that schema describes. A key is never among them."""
        return config_values(self.config, self.api)
