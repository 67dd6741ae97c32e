"""One model behind one endpoint: what a turn sends its requests to, and what others ask without a
turn.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from langchain_core.messages import BaseMessage

from turngraph.providers.capabilities import ProviderCapabilities, capabilities_of
from turngraph.providers.chunk_stream import ChunkStream
from turngraph.providers.config import ProviderConfig
from turngraph.providers.generation_request import Generation, generation_request
from turngraph.providers.request_template import request_template
from turngraph.providers.session_memory import SessionMemory, UsageStats
from turngraph.providers.tool_specs import offered
from turngraph.providers.ui_schema import config_values, ui_schema
from turngraph.providers.vendors.api_selection import explain_api, needs_of
from turngraph.providers.vendors.profiles import VendorProfile
from turngraph.providers.wire.clients import transport_of, transport_of_chat_model
from turngraph.providers.wire.transport import Transport
from turngraph.providers.wire.wire import OnChunk, Wire
from turngraph.providers.writing.payload import Payload, build_payload
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.messages import coerce_message
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI

__all__ = ["OnChunk", "OpenAIProvider"]


class OpenAIProvider(Wire):
    """A model behind an OpenAI-compatible endpoint: builds the exact JSON, sends it, reads the
    answer.

    Nothing of a conversation is kept here, so one provider serves any number of turns, threads and
    event loops. Only `stream_generate` remembers something, by the session ids it is given.

        >>> provider = OpenAIProvider(ProviderConfig(vendor="ollama", model="llama3.2"))
        >>> provider.api, provider.vendor
        ('chat', 'ollama')
    """

    def __init__(self, config: ProviderConfig, *, transport: Transport | None = None) -> None:
        choice = explain_api(
            config.model, config.base_url, config.api, vendor=config.vendor, needs=needs_of(config)
        )
        super().__init__(
            config, choice.api, transport_of(config) if transport is None else transport
        )
        self.profile: Final[VendorProfile] = config.profile
        self.vendor: Final[str] = config.vendor
        self.api_reason: Final[str] = choice.reason
        self._sessions: Final = SessionMemory()

    @classmethod
    def from_chat_model(cls, chat: "BaseChatOpenAI") -> "OpenAIProvider":
        """The provider that `chat`, a LangChain `ChatOpenAI` or its like, is configured for, with
        its clients.
        """
        own = getattr(chat, "provider", None)
        if isinstance(own, OpenAIProvider):
            return own
        config = ProviderConfig.from_chat_model(chat)
        return cls(config, transport=transport_of_chat_model(chat, vendor=config.vendor))

    def __repr__(self) -> str:
        return f"OpenAIProvider({self.vendor}:{self.config.model}, api={self.api})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # it holds connections, and nothing that changes what is sent

    def __reduce__(self) -> NoReturn:
        raise TurnConfigurationError(
            "A provider holds connections and a key, so it is not pickled: make it where it is used."
        )

    def payload(self, request: ChatRequest, messages: Sequence[BaseMessage]) -> Payload:
        """The exact JSON of `request` over `messages`, and what the vendor's profile dropped from
        it.

        Raises TurnValueError where no vendor could be sent this.
        """
        return build_payload(
            request,
            messages,
            self.profile,
            strict=self.config.strict,
            remove_empty_content=self.config.remove_empty_content,
        )

    def convert_messages_to_provider_format(
        self, messages: Iterable[Any], tools: Iterable[Any] | None = None
    ) -> list[dict[str, Any]]:
        """`messages` as they are sent: Chat Completions messages, or Responses items, whichever API
        is used.

        `tools` are not in the list; they are read and checked as a request would offer them. Raises
        TurnValueError for what cannot be sent.

            >>> provider = OpenAIProvider(ProviderConfig(vendor="ollama", model="llama3.2"))
            >>> provider.convert_messages_to_provider_format([("user", "Hi")])
            [{'role': 'user', 'content': 'Hi'}]
        """
        functions, builtin = offered(tools or ())
        request = request_template(self.config, self.api, tools=functions)
        request = request.model_copy(update={"builtin_tools": (*request.builtin_tools, *builtin)})
        body = self.payload(request, [coerce_message(message) for message in messages]).body
        return list(body["messages" if self.api == "chat" else "input"])

    def stream_generate(
        self,
        messages: Iterable[Any],
        sequence_number: int | None = None,
        *,
        session_id: str | None = None,
        assistant_name: str | None = None,
        endpoint_name: str | None = None,
        turn_id: str | None = None,
        previous_response_id: str | None = None,
        tool_outputs: Sequence[Any] = (),
        unanswered_predefined_questions: Sequence[str] = (),
        tools: Sequence[Any] = (),
    ) -> ChunkStream:
        """One call, streamed: its pieces, by `for` or by `async for`. No turn, no tools run,
        nothing billed.

        Args:
            messages: the conversation, in any form LangChain takes; what is new, with
            `previous_response_id`. sequence_number: which request of its turn this is. With the
            three names, it goes into the request's
                metadata, where the vendor has it (OpenAI, Azure: on Responses, and on Chat
                Completions with `store`).
            session_id: whose last response id, usage and vector stores these are. It stays here.
            assistant_name, endpoint_name, turn_id: what the call is known by in the vendor's logs.
            previous_response_id: the response this one continues (Responses). tool_outputs: results
            of the calls that response asked for: `ToolMessage`s, or objects with `call_id` and
                `output`. They follow the messages.
            unanswered_predefined_questions: named in the system message of this request, for the
            model to ask. tools: what the model may call: LangChain tools, functions, or JSON; also
            the vendor's own.

        Returns:
            A `ChunkStream` of `StreamChunk`s; its `reply` is the whole answer in the end.

        Raises TurnValueError for what cannot be sent; reading the stream raises ProviderError.

            >>> from turngraph.scripted import Say, ScriptedModel
            >>> with ScriptedModel([Say("Hi there.")]) as model:
            ...     provider = OpenAIProvider(ProviderConfig(model="any", base_url=model.base_url))
            ...     [chunk.text for chunk in provider.stream_generate([("user", "Hi")]) if chunk.type == "text"]
            ['Hi', ' there.']
        """
        asked = Generation(
            names={
                "assistant_name": assistant_name,
                "endpoint_name": endpoint_name,
                "turn_id": turn_id,
                "sequence_number": sequence_number,
            },
            previous_response_id=previous_response_id,
            tool_outputs=tool_outputs,
            unanswered_predefined_questions=unanswered_predefined_questions,
            tools=tools,
            vector_store_ids=() if session_id is None else self._sessions.vector_stores(session_id),
        )
        payload = self.payload(*generation_request(asked, messages, self.config, self.api))

        def remember(reply: ProviderReply) -> None:
            if session_id is not None:
                self._sessions.remember(session_id, reply)

        return ChunkStream(self, payload, remember)

    astream_generate = stream_generate
    """The same stream, for `async for`."""

    def get_last_response_id(self, session_id: str) -> str | None:
        """The id of the last whole answer that `stream_generate` brought this session."""
        return self._sessions.last_response_id(session_id)

    def get_usage_stats(self, session_id: str) -> UsageStats:
        """What this session's calls of `stream_generate` used: the last one, and all of them."""
        return self._sessions.usage(session_id)

    def set_vector_store_ids(self, ids: Sequence[str], *, session_id: str) -> None:
        """Search these vector stores in this session's calls of `stream_generate`, from now on;
        none of them: no more.

        One session's, since a provider serves many: a store set for all would be searched for other
        tenants too. For turns, and for a whole provider, there is `with_vector_store_ids`. Raises
        TurnConfigurationError where the provider asks through Chat Completions, which has no
        `file_search`.
        """
        if self.api == "chat":
            raise TurnConfigurationError(
                "`file_search` belongs to the Responses API, and this provider asks through Chat Completions: "
                f"give `api='responses'`, if {self.vendor} has it."
            )
        self._sessions.set_vector_stores(session_id, ids)

    def with_vector_store_ids(self, ids: Sequence[str]) -> "OpenAIProvider":
        """A provider that searches these vector stores in every request, over the same connections.

            >>> config = ProviderConfig(vendor="openai", model="gpt-4o", api_key="k")
            >>> OpenAIProvider(config).with_vector_store_ids(["vs_1"]).api_reason
            'Only the Responses API has `builtin_tools`.'

        Raises TurnConfigurationError where the vendor has no Responses API.
        """
        return OpenAIProvider(
            self.config.replaced(vector_store_ids=tuple(ids)), transport=self._transport
        )

    def for_model(self, model: str) -> "OpenAIProvider":
        """A provider for another model at the same endpoint, over the same connections."""
        return OpenAIProvider(self.config.replaced(model=model), transport=self._transport)

    def get_capabilities(self) -> ProviderCapabilities:
        """What the model can do, as far as the table of vendors knows."""
        return capabilities_of(self.config, self.api)

    def get_ui_config_schema(self, model: str | None = None) -> dict[str, Any]:
        """The JSON schema of what a user interface may show and change; for another `model`, with
        its own levels.
        """
        shown = self if model is None else self.for_model(model)
        return ui_schema(shown.config, shown.api)

    def get_current_config_values(self) -> dict[str, Any]:
        """The values of what that schema describes, `use_responses_api` resolved; never a key."""
        return config_values(self.config, self.api)
