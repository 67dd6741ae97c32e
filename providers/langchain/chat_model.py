"""The same wire as a LangChain chat model, for agents, chains and graphs that want one."""

import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LangSmithParams
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai.chat_models.base import BaseChatOpenAI
from pydantic import BaseModel, Field, PrivateAttr, model_validator

from turngraph.providers.config import ProviderConfig
from turngraph.providers.langchain.from_chat_model import config_fields
from turngraph.providers.langchain.model_call import ModelCall
from turngraph.providers.langchain.model_profile import model_profile
from turngraph.providers.langchain.requests import last_response_id, request_of, restore_messages
from turngraph.providers.langchain.structured import bind_schema
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.providers.vendors.profiles import find_vendor, vendor_of_url
from turngraph.providers.writing.payload import Payload
from turngraph.state.argument_kinds import Kind, check_kinds, is_a, or_none
from turngraph.state.errors import TurnConfigurationError

if TYPE_CHECKING:
    from langchain_core.language_models import LanguageModelInput, ModelProfile
    from langchain_core.runnables import Runnable

__all__ = ["TurngraphChatModel"]

_UNUSED: Final = (
    "client",
    "async_client",
    "root_client",
    "root_async_client",
    "openai_proxy",
    "http_client",
    "http_async_client",
    "http_socket_options",
    "default_query",
    "include_response_headers",
    "stream_chunk_timeout",
)
"""Fields of the base class for clients that this class does not use."""


_KINDS: Final[Mapping[str, Kind]] = {
    "base_url": Kind(or_none(is_a(str)), "the address of an endpoint"),
    "openai_api_base": Kind(or_none(is_a(str)), "the address of an endpoint"),
    "model_kwargs": Kind(is_a(dict), "an object of request members"),
    "vendor": Kind(or_none(is_a(str)), "the name of a vendor"),
}
"""The fields that are read before pydantic has checked them."""


def _model_is_missing() -> str:
    raise TurnConfigurationError("TurngraphChatModel has no model: give its name as `model`.")


class TurngraphChatModel(BaseChatOpenAI):
    """A LangChain chat model for any vendor in the table, or any OpenAI-compatible endpoint.

    It takes the fields of `ChatOpenAI` (`model`, `base_url`, `api_key`, `temperature`, …), and
    `vendor` and `provider_config`. Requests, quirks and reading are those of `OpenAIProvider`:

    - Every answer has its usage, streamed or not.
    - Reasoning, signatures and whatever else a vendor wants back is kept on the message and is sent
      back.
    - A parameter that the vendor does not take is left out; `response_metadata["warnings"]` says
      so.
    - The API is the one that `select_api` chooses, unless `use_responses_api` is given.

    Without a key, the vendor's own environment variable is read, and no other: the key of one
    vendor must not reach another. `max_retries` is 0 by default, so one call is one request, which
    is what a ledger must see.

    Errors of a call are a ProviderError and LangChain's ModelError at the same time, and
    TurnValueError for what cannot be sent. Constructing it raises TurnConfigurationError if the
    model cannot be reached as configured, or if a field is given that only makes sense for the
    clients of `ChatOpenAI`.

        >>> from turngraph.scripted import Say, ScriptedModel
        >>> with ScriptedModel([Say("Hi there.")]) as scripted:
        ...     TurngraphChatModel(model="any", base_url=scripted.base_url).invoke("Hi").content
        'Hi there.'
        >>> TurngraphChatModel(vendor="ollama", model="llama3.2")
        TurngraphChatModel(vendor='ollama', model='llama3.2', api='chat')
    """

    # `model` is required. A field without a default would have to be given by its own name wherever
    # mypy runs with pydantic's plugin, and every LangChain model takes `model=`.
    model_name: str = Field(default_factory=_model_is_missing, alias="model", min_length=1)
    vendor: str | None = None
    """A name or alias from the table of vendors. By default it is the vendor that `base_url`
    belongs to, or `custom` if it belongs to none; `openai` if there is no `base_url` either."""
    openai_api_base: str | None = Field(default=None, alias="base_url", repr=False, exclude=True)
    default_headers: Mapping[str, str] | None = Field(default=None, repr=False, exclude=True)
    provider_config: ProviderConfig | None = Field(default=None, repr=False, exclude=True)
    """A configuration with fields that LangChain has no name for. A field of this class that is set
    wins over it."""

    _provider: tuple[ProviderConfig, OpenAIProvider] | None = PrivateAttr(default=None)

    @classmethod
    def from_provider(cls, provider: OpenAIProvider) -> Self:
        """Returns the chat model for `provider`, with its configuration and its connections.

        >>> config = ProviderConfig(vendor="ollama", model="m", temperature=0)
        >>> TurngraphChatModel.from_provider(OpenAIProvider(config))
        TurngraphChatModel(vendor='ollama', model='m', api='chat')
        """
        model = cls.model_validate(
            {"model": provider.config.model, "provider_config": provider.config}
        )
        model._provider = (model._config(), provider)
        return model

    @property
    def provider(self) -> OpenAIProvider:
        """The provider that sends this model's requests."""
        # `model_copy(update=…)` changes fields and keeps private attributes, so a copy with another
        # key must not use the old provider's connections.
        config = self._config()
        if self._provider is None or self._provider[0] != config:
            self._provider = (config, OpenAIProvider(config))
        return self._provider[1]

    @model_validator(mode="before")
    @classmethod
    def _find_key(cls, values: Any) -> Any:
        # The base class would read OPENAI_API_KEY for any endpoint. Here the vendor is known first.
        if isinstance(values, dict):
            check_kinds(_KINDS, values)
        if not isinstance(values, dict) or values.get("api_key") or values.get("openai_api_key"):
            return values
        url, vendor = values.get("base_url") or values.get("openai_api_base"), values.get("vendor")
        profile = (
            find_vendor(vendor) if vendor else vendor_of_url(url) if url else find_vendor("openai")
        )
        if profile is None or values.get("provider_config") is not None:
            return values
        key = profile.key_from(os.environ)
        return values if key is None else {**values, "api_key": key}

    @model_validator(mode="before")
    @classmethod
    def validate_temperature(cls, values: Any) -> Any:
        """Changes nothing: the vendor's profile decides what is left out, and a warning says so."""
        return values

    @model_validator(mode="after")
    def _infer_use_responses_api(self) -> Self:
        """Changes nothing: `select_api` chooses the API."""
        return self

    @model_validator(mode="after")
    def validate_environment(self) -> Self:
        """Raises TurnConfigurationError if the model cannot be reached as configured.

        The base class makes its clients here; this class has none of its own.
        """
        unused = [
            name
            for name in _UNUSED
            if name in self.model_fields_set and getattr(self, name) is not None
        ]
        if unused:
            raise TurnConfigurationError(
                f"`{unused[0]}` is for the clients of `ChatOpenAI`, which this class does not use. "
                "Make a `ChatOpenAI` with it, and the chat model by "
                "`TurngraphChatModel.from_provider(OpenAIProvider.from_chat_model(chat))`."
            )
        if self.output_version not in (None, "v0", "v1"):
            raise TurnConfigurationError(
                f"`output_version` is `{self.output_version}`; allowed: v0, v1."
            )
        self.provider  # noqa: B018  made now, so that a wrong configuration is an error now
        return self

    def _config(self) -> ProviderConfig:
        fields = config_fields(self)
        if self.provider_config is None:
            return ProviderConfig.model_validate(fields)
        # All other fields replace those of the configuration; extra members are merged.
        fields["extra_body"] = {**self.provider_config.extra_body, **fields.get("extra_body", {})}
        return self.provider_config.replaced(**fields)

    def _call(
        self,
        messages: Iterable[BaseMessage],
        stop: list[str] | None,
        parameters: Mapping[str, Any],
        *,
        stream: bool,
    ) -> ModelCall:
        provider = self.provider
        if (model := parameters.get("model", provider.config.model)) != provider.config.model:
            provider = provider.for_model(model)
        conversation = restore_messages(messages)
        if self.use_previous_response_id and provider.api == "responses":
            response_id = last_response_id(conversation, provider.vendor)
            parameters = {"previous_response_id": response_id, **parameters}
        request = request_of(provider.config, provider.api, parameters, stop=stop, stream=stream)
        payload = provider.payload(request, conversation)
        # Some servers refuse `stream_options`, and their users turn it off as in `ChatOpenAI`.
        if self.stream_usage is False or parameters.get("stream_usage") is False:
            body = {name: value for name, value in payload.body.items() if name != "stream_options"}
            payload = Payload(payload.api, body, payload.warnings)
        blocks = self.output_version == "v1"
        return ModelCall(provider, payload, max_retries=self.max_retries or 0, blocks=blocks)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: object,
    ) -> ChatResult:
        return self._call(messages, stop, kwargs, stream=False).result()

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: object,
    ) -> ChatResult:
        return await self._call(messages, stop, kwargs, stream=False).aresult()

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: object,
    ) -> Iterator[ChatGenerationChunk]:
        return self._call(messages, stop, kwargs, stream=True).chunks()

    def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: object,
    ) -> AsyncIterator[ChatGenerationChunk]:
        return self._call(messages, stop, kwargs, stream=True).achunks()

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Literal["function_calling", "json_mode", "json_schema"] = "function_calling",
        include_raw: bool = False,
        strict: bool | None = None,
        tools: list[Any] | None = None,
        **kwargs: object,
    ) -> "Runnable[LanguageModelInput, Any]":
        """Returns this model with answers that fit `schema`, as `ChatOpenAI` does.

        `method` says how: by a tool call (`function_calling`), by the vendor's own structured
        output (`json_schema`), or by asking for JSON (`json_mode`).
        """
        if method == "json_schema" and isinstance(schema, type) and issubclass(schema, BaseModel):
            return bind_schema(
                self,
                schema,
                include_raw=include_raw,
                strict=strict,
                tools=tools or (),
                parameters=kwargs,
            )
        return super().with_structured_output(
            schema, method=method, include_raw=include_raw, strict=strict, tools=tools, **kwargs
        )

    @property
    def _llm_type(self) -> str:
        return "turngraph-chat"

    def _use_responses_api(self, payload: dict[str, Any]) -> bool:
        return self.provider.api == "responses"

    def _resolve_model_profile(self) -> "ModelProfile | None":
        # LangChain's own table is about OpenAI's models. Another vendor may serve a model of the
        # same name with fewer features.
        known = None
        if self.provider.vendor in ("openai", "azure"):
            known = super()._resolve_model_profile()
        return model_profile(self.provider.get_capabilities(), known)

    def _get_invocation_params(
        self, stop: list[str] | None = None, **kwargs: object
    ) -> dict[str, Any]:
        # LangChain's caches tell calls apart by these parameters only, so they must name the
        # endpoint: the same model name at two vendors is two models.
        values = self.provider.get_current_config_values()
        endpoint = {name: values[name] for name in ("vendor", "base_url", "use_responses_api")}
        return {**super()._get_invocation_params(stop=stop, **kwargs), **endpoint}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: object) -> LangSmithParams:
        config = self.provider.config
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = config.vendor
        if params.get("ls_temperature") is None:
            params["ls_temperature"] = config.temperature
        if params.get("ls_max_tokens") is None and config.max_tokens is not None:
            params["ls_max_tokens"] = config.max_tokens
        return params

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        provider = self.provider
        return iter(
            (("vendor", provider.vendor), ("model", provider.config.model), ("api", provider.api))
        )
