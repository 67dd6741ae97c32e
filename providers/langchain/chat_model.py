"""The same wire as a LangChain chat model: for agents, chains and graphs that want a
`BaseChatModel`.
"""

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
from turngraph.providers.langchain.requests import last_response_id, request_of, restored
from turngraph.providers.langchain.structured import structured_by_schema
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.providers.vendors.profiles import find_vendor, vendor_of_url
from turngraph.providers.writing.payload import Payload
from turngraph.state.errors import TurnConfigurationError

if TYPE_CHECKING:
    from langchain_core.language_models import LanguageModelInput, ModelProfile
    from langchain_core.runnables import Runnable

__all__ = ["TurngraphChatModel"]

_UNUSED: Final = (
    *("openai_proxy", "http_client", "http_async_client", "http_socket_options", "default_query"),
    *("include_response_headers", "stream_chunk_timeout"),
)
"""Fields of the base class for a client this class does not use."""


class TurngraphChatModel(BaseChatOpenAI):
    """A model of any vendor of the table, or at any OpenAI-compatible endpoint, as a LangChain chat
    model.

    The fields are those of `ChatOpenAI`, and `vendor`. The key, where none is given, is read from
    the vendor's own environment variable; nothing else is. Requests, quirks and reading are those
    of `OpenAIProvider`: usage comes with every answer, streamed or not; reasoning and whatever else
    a vendor wants back rides on the message and goes back. What a vendor's profile left out of a
    request stands in `response_metadata["warnings"]`. Errors are `ProviderError`s and LangChain's
    `ModelError`s at once. `max_retries` is 0 where it is not given, and one call is then one
    request, which is what a ledger must see.

        >>> from turngraph.scripted import Say, ScriptedModel
        >>> with ScriptedModel([Say("Hi there.")]) as scripted:
        ...     TurngraphChatModel(model="any", base_url=scripted.base_url).invoke("Hi").content
        'Hi there.'
        >>> TurngraphChatModel(vendor="ollama", model="llama3.2")
        TurngraphChatModel(vendor='ollama', model='llama3.2', api='chat')
    """

    model_name: str = Field(alias="model", min_length=1)
    vendor: str | None = None
    """A name of the table of vendors. Not given: whose endpoint `base_url` is, else `custom`;
    `openai` without one.
    """
    openai_api_base: str | None = Field(default=None, alias="base_url", repr=False, exclude=True)
    default_headers: Mapping[str, str] | None = Field(default=None, repr=False, exclude=True)
    provider_config: ProviderConfig | None = Field(default=None, repr=False, exclude=True)
    """What the fields of this class have no place for; where they are set, they come first."""

    _made: tuple[ProviderConfig, OpenAIProvider] | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, provider: OpenAIProvider) -> Self:
        """The chat model of `provider`, over its connections.

        >>> TurngraphChatModel.of(OpenAIProvider(ProviderConfig(vendor="ollama", model="m", temperature=0)))
        TurngraphChatModel(vendor='ollama', model='m', api='chat')
        """
        made = cls.model_validate(
            {"model": provider.config.model, "provider_config": provider.config}
        )
        made._made = (made._config(), provider)
        return made

    @property
    def provider(self) -> OpenAIProvider:
        """What sends this model's requests. Another one as soon as a field changes: keys never mix."""
        config = self._config()
        if self._made is None or self._made[0] != config:
            self._made = (config, OpenAIProvider(config))
        return self._made[1]

    @model_validator(mode="before")
    @classmethod
    def _find_key(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("api_key") or values.get("openai_api_key"):
            return values
        url, vendor = values.get("base_url") or values.get("openai_api_base"), values.get("vendor")
        profile = (
            find_vendor(vendor) if vendor else vendor_of_url(url) if url else find_vendor("openai")
        )
        if profile is None or values.get("provider_config") is not None:
            return values
        key = next((os.environ[name] for name in profile.key_env if os.environ.get(name)), None)
        return values if key is None else {**values, "api_key": key}

    @model_validator(mode="before")
    @classmethod
    def validate_temperature(cls, values: Any) -> Any:
        """Nothing is dropped here: the vendor's profile does that, and says so."""
        return values

    @model_validator(mode="after")
    def _infer_use_responses_api(self) -> Self:
        """The API is chosen by a table, not inferred from a call."""
        return self

    @model_validator(mode="after")
    def validate_environment(self) -> Self:
        """Raises TurnConfigurationError where the model cannot be reached as configured, or is
        asked to use a client.

        The base class makes its clients here.
        """
        unused = [
            name
            for name in _UNUSED
            if name in self.model_fields_set and getattr(self, name) is not None
        ]
        if unused:
            raise TurnConfigurationError(
                f"`{unused[0]}` is for the clients of `ChatOpenAI`: make one, and give "
                "`OpenAIProvider.from_chat_model(…)` of it to `TurngraphChatModel.of`."
            )
        if self.output_version not in (None, "v0", "v1"):
            raise TurnConfigurationError(
                f"`output_version` is `{self.output_version}`; allowed: v0, v1."
            )
        self.provider  # noqa: B018  made here, so that wrong wiring is told at once
        return self

    def _config(self) -> ProviderConfig:
        fields = config_fields(self)
        if self.provider_config is None:
            return ProviderConfig.model_validate(fields)
        fields["extra_body"] = {**self.provider_config.extra_body, **fields.get("extra_body", {})}
        return self.provider_config.replaced(**fields)

    def _call(
        self,
        messages: Iterable[BaseMessage],
        stop: list[str] | None,
        said: Mapping[str, Any],
        *,
        stream: bool,
    ) -> ModelCall:
        provider = self.provider
        if (model := said.get("model", provider.config.model)) != provider.config.model:
            provider = provider.for_model(model)
        conversation = restored(messages)
        if self.use_previous_response_id and provider.api == "responses":
            said = {"previous_response_id": last_response_id(conversation, provider.vendor), **said}
        request = request_of(provider.config, provider.api, said, stop=stop, stream=stream)
        payload = provider.payload(request, conversation)
        if self.stream_usage is False or said.get("stream_usage") is False:
            body = {name: value for name, value in payload.body.items() if name != "stream_options"}
            payload = Payload(payload.api, body, payload.warnings)
        return ModelCall(
            provider, payload, retries=self.max_retries or 0, blocks=self.output_version == "v1"
        )

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._call(messages, stop, kwargs, stream=False).result()

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await self._call(messages, stop, kwargs, stream=False).aresult()

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        return self._call(messages, stop, kwargs, stream=True).chunks()

    def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
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
        **kwargs: Any,
    ) -> "Runnable[LanguageModelInput, Any]":
        """This model with answers that fit `schema`, as in `ChatOpenAI`: by a tool, or by the
        vendor's own means.
        """
        if method == "json_schema" and isinstance(schema, type) and issubclass(schema, BaseModel):
            return structured_by_schema(
                self, schema, include_raw=include_raw, strict=strict, tools=tools or (), said=kwargs
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
        known = (
            super()._resolve_model_profile()
            if self.provider.vendor in ("openai", "azure")
            else None
        )
        return model_profile(self.provider.get_capabilities(), known)

    def _get_invocation_params(
        self, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        # LangChain's caches tell calls apart by these alone.
        values = self.provider.get_current_config_values()
        place = {name: values[name] for name in ("vendor", "base_url", "use_responses_api")}
        return {**super()._get_invocation_params(stop=stop, **kwargs), **place}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
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
