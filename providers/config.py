"""How one model is reached and what is asked of it, checked before anything is sent."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    ValidationInfo,
    model_validator,
)

from turngraph.providers.config_checks import (
    check_api,
    check_header_values,
    check_key,
    check_model,
    check_vector_stores,
)
from turngraph.providers.config_input import ENVIRON, complete_fields, with_api
from turngraph.providers.network_checks import check_base_url, check_proxy, check_query
from turngraph.providers.timeouts import Timeouts
from turngraph.providers.vendors.builtin_tools import check_builtin_tools
from turngraph.providers.vendors.profiles import VENDORS, VendorProfile, find_vendor
from turngraph.providers.wire.url_credentials import basic_auth_password
from turngraph.state.base import Frozen
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject
from turngraph.state.request import Api
from turngraph.state.response_format import check_response_format

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI

__all__ = ["DEFAULT_SYSTEM_ROLE", "ProviderConfig", "ReasoningSummary", "TextVerbosity", "Timeouts"]

DEFAULT_SYSTEM_ROLE: Final = (
    "You are a helpful assistant. Use your tools whenever they can help you answer. "
    "If you lack information that you need, ask for it. If you still cannot help, say so."
)
_SECRET_HEADER: Final = re.compile("auth|key|token|secret|cookie|password", re.IGNORECASE)

ReasoningSummary = Literal["auto", "concise", "detailed"]
"""https://platform.openai.com/docs/api-reference/responses/create#responses-create-reasoning"""

TextVerbosity = Literal["low", "medium", "high"]
"""https://platform.openai.com/docs/api-reference/responses/create#responses-create-text"""


class ProviderConfig(Frozen):
    """One model at one endpoint, and the parameters of every request to it.

    A field that is `None` is not sent, so the vendor's own default holds. A parameter that the
    vendor does not take is left out with a warning event, or refused if `strict` is set.

    Raises TurnConfigurationError for an unknown vendor, a missing or malformed endpoint, a missing
    key, or something the vendor does not have; pydantic.ValidationError for a value out of range or
    an unknown field. Neither error quotes a key.

        >>> ProviderConfig(model="llama3.2", base_url="http://localhost:8080/v1").vendor
        'llamacpp'
        >>> ProviderConfig(vendor="groq", model="m", api_key="gsk-secret").api_key
        SecretStr('**********')
        >>> ProviderConfig(model="gpt-5-mini", base_url="https://gateway.example.com/v1",
        ...     headers={"X-Gateway-Key": "secret"}, reasoning_effort="low").vendor
        'custom'
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    model: Annotated[str, Field(min_length=1)]
    """The model's name, as the vendor writes it. For Azure's dated versions, the deployment's.
    A vendor's name and a colon before it, as in `openai:gpt-5`, name the vendor."""
    vendor: str = ""
    """A name or alias from the table of vendors (`turngraph.providers.VENDORS`). By default it is
    the vendor that `base_url` belongs to, or `custom` if it belongs to none; `openai` if there is
    no `base_url` either."""
    base_url: str = ""
    """The endpoint's URL, up to but without `/chat/completions` or `/responses`. By default the
    vendor's own. A user name and password in it are moved into `headers`."""
    api_key: SecretStr | None = None
    """The key. It is sent, and never shown, stored or pickled. At the vendor's own endpoint it is
    by default the one in the vendor's environment variable; no other endpoint gets that one."""
    api: Api | None = None
    """`chat` (Chat Completions) or `responses`. By default, what `select_api` chooses. It may also
    be given as `use_responses_api`, as LangChain's `ChatOpenAI` takes it."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """Randomness of the answer, from 0 to 2. Brought into the vendor's own range if that is
    smaller. 0 is a value, not "unset"."""
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    """Nucleus sampling, from 0 to 1."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """The most tokens an answer may have, reasoning included. It is sent under the name that the
    vendor has for it (`max_completion_tokens`, `max_output_tokens`)."""
    reasoning_effort: str | None = None
    """`none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`, as far as the model knows them.
    `OpenAIProvider.get_capabilities` lists those it knows."""
    reasoning_summary: ReasoningSummary | None = None
    """Asks for a summary of the reasoning. Only the Responses API has it."""
    text_verbosity: TextVerbosity | None = None
    """How long answers should be."""
    store: bool | None = None
    """Whether the vendor stores answers. If `False`, a Responses model's reasoning is returned
    encrypted and sent back with the conversation. If `True`, a lost answer can be looked up."""
    valid_chat_completion_models: tuple[str, ...] | None = None
    """The models that may be asked. `None`: any. A request for another one is refused."""
    add_built_in_tools: bool = False
    """Whether turns are offered all built-in functions of turngraph, beside those they name."""
    tools: bool = True
    """Whether tools are presented to the model at all. If `False`, `tool_choice`, `builtin_tools`
    and `vector_store_ids` have no effect."""
    tool_choice: str | dict[str, JsonValue] | None = None
    """`auto`, `none`, `required`, or a tool's name. It holds for the first request of a turn; later
    requests say `auto`, or the model could never stop calling tools."""
    parallel_tool_calls: bool | None = None
    """Whether one answer may hold several tool calls."""
    builtin_tools: tuple[dict[str, JsonValue], ...] = ()
    """Tools that run at the vendor, sent as they are: `({"type": "web_search"},)`."""
    mcp_authorization: dict[str, SecretStr] = Field(default_factory=dict)
    """Tokens for the remote MCP servers in `builtin_tools`, by server URL or connector id. They
    join the request when it is sent, so they are in no checkpoint."""
    vector_store_ids: tuple[str, ...] = ()
    """Vector stores that `file_search` searches, in every request. Only the Responses API has it.
    """
    response_format: Annotated[
        type[Any] | dict[str, JsonValue] | None, BeforeValidator(check_response_format)
    ] = None
    """The form of the answer: a pydantic class, a dataclass, a TypedDict, a JSON schema, or an
    object as Chat Completions defines it (`{"type": "json_schema", "json_schema": {…}}`)."""
    stop: tuple[str, ...] | None = None
    """Texts at which the answer ends. Only Chat Completions has them."""
    seed: int | None = None
    """Makes sampling repeatable, as far as the vendor can. Only Chat Completions has it."""
    logprobs: bool | None = None
    """Whether the answer reports the log probability of each token."""
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """For how many alternatives to each token, from 0 to 20, that is reported too."""
    remove_empty_content: bool = True
    """Whether an assistant message that holds only tool calls is sent back without `content`. If
    `False`, it is sent with `"content": null`."""
    default_system_role: str = DEFAULT_SYSTEM_ROLE
    """The system message for conversations that have none."""
    organization: str | None = None
    """Sent as `OpenAI-Organization`."""
    project: str | None = None
    """Sent as `OpenAI-Project`."""
    api_version: str | None = None
    """Azure's `api-version`, as `2024-10-21`. By default none: Azure's `/openai/v1` endpoint needs
    no version."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Headers of every request. They are not in `repr`, because a gateway's key may be here."""
    query: dict[str, str] = Field(default_factory=dict)
    """Parameters in the URL of every request. Not for keys: URLs are shown and logged."""
    proxy: Annotated[str | None, Field(repr=False)] = None
    """The URL of the HTTP proxy that requests go through, with a user name and password if it wants
    them. By default the environment's (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`); none
    if it is `""`."""
    ca_bundle: str | None = None
    """The path of a PEM file with the certificate authorities to trust, in place of the system's.
    """
    client_certificate: str | tuple[str, str] | None = None
    """The path of a PEM file with a certificate and its private key to show to the endpoint, or the
    paths of both."""
    extra_body: JsonObject = Field(default_factory=dict)
    """Members put into every request as they are: a vendor's own parameters."""
    timeouts: Timeouts = Timeouts()
    """How long to wait."""
    strict: bool = False
    """Whether a parameter that the vendor does not take is an error (TurnValueError). By default it
    is left out with a warning."""

    @classmethod
    def from_model_string(cls, model: str, *, environ: Mapping[str, str], **fields: object) -> Self:
        """Returns the configuration for a `vendor:model` string.

        Args:
            model: for example `openai:gpt-5-mini`. Only the first colon counts.
            environ: where the vendor's key is looked for, usually `os.environ`. The names of its
                variables are in the vendor's profile (`key_env`).
            **fields: further fields of this class. They win over what `environ` says.

        Raises TurnConfigurationError for a string of another form, and as the class does.

        >>> environ = {"GROQ_API_KEY": "gsk-secret"}
        >>> ProviderConfig.from_model_string("groq:openai/gpt-oss-20b", environ=environ).base_url
        'https://api.groq.com/openai/v1'
        """
        vendor, colon, name = model.partition(":")
        if not colon or not name:
            raise TurnConfigurationError(
                f"`{model[:100]}` must be `vendor:model`, as in `openai:gpt-5-mini`."
            )
        profile = find_vendor(vendor)
        key = profile.key_from(environ)
        given = {"api_key": key, **fields, "model": name, "vendor": profile.name}
        return cls.model_validate(given, context={ENVIRON: environ})

    @classmethod
    def from_chat_model(cls, chat: "BaseChatOpenAI") -> Self:
        """Returns the configuration of a LangChain `ChatOpenAI`, or of a class on the same base.

        Raises TurnConfigurationError for anything else, for one with a rate limiter, a cache or
        callbacks, and as the class does.
        """
        from turngraph.providers.langchain.from_chat_model import (
            config_fields,
            is_chat_model,
            refuse_not_used,
            warn_of_left_out,
        )

        if not is_chat_model(chat):
            raise TurnConfigurationError(
                f"A {type(chat).__name__} is no ChatOpenAI. Give the ChatOpenAI itself: what "
                "`bind` or `with_…` put around one would be lost."
            )
        refuse_not_used(chat)
        warn_of_left_out(chat)
        return cls.model_validate(config_fields(chat))

    @property
    def profile(self) -> VendorProfile:
        """The vendor's row in the table of vendors."""
        return VENDORS[self.vendor]

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must not be shown anywhere: the key, tokens, and headers that may hold one."""
        key = [] if self.api_key is None else [self.api_key.get_secret_value()]
        # Gateways have header names of their own: a value is a secret if its name sounds like one.
        headers = [value for name, value in self.headers.items() if _SECRET_HEADER.search(name)]
        passwords = map(basic_auth_password, headers)
        tokens = [token.get_secret_value() for token in self.mcp_authorization.values()]
        proxy = urlsplit(self.proxy or "").password or ""
        found = (*key, *headers, *passwords, *tokens, proxy, unquote(proxy))
        return tuple(secret for secret in found if secret)

    def replaced(self, **fields: object) -> Self:
        """Returns this configuration with some fields changed. All of it is checked again.

        >>> ProviderConfig(vendor="ollama", model="llama3.2").replaced(temperature=0).temperature
        0.0
        """
        return self.model_validate({**dict(self), **with_api(fields)})

    def __getstate__(self) -> dict[Any, Any]:
        # Pickles lie in queues and caches, where nobody expects a key.
        if self.secrets:
            raise TurnConfigurationError(
                "A configuration that holds a key is not pickled. Make it in the process that uses "
                "it, and read the key there."
            )
        return super().__getstate__()

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, fields: Any, info: ValidationInfo) -> Any:
        return complete_fields(fields, info.context) if isinstance(fields, dict) else fields

    @model_validator(mode="after")
    def _check(self) -> Self:
        profile, key = self.profile, self.api_key
        check_base_url(self.base_url, profile)
        check_query(self.query)
        if self.proxy:
            check_proxy(self.proxy, "`proxy`")
        key_text = None if key is None else key.get_secret_value()
        check_header_values([("api_key", key_text), *self.headers.items()])
        check_key(key is not None, bool(self.headers), self.base_url, profile)
        check_api(self.api, profile)
        check_model(self.model, self.valid_chat_completion_models)
        check_vector_stores(self.vector_store_ids, self.api, profile)
        check_builtin_tools(self.builtin_tools)
        return self
