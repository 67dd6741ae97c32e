"""How one model is reached and asked, checked before anything is sent."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue, SecretStr, model_validator

from turngraph.providers.response_format import response_format_of
from turngraph.providers.vendors.builtin_tools import check_builtin_tools
from turngraph.providers.vendors.profiles import VENDORS, VendorProfile, find_vendor, vendor_of_url
from turngraph.providers.wire.endpoint import basic_password, with_header
from turngraph.state.base import Frozen
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.request import Api

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI

__all__ = ["DEFAULT_SYSTEM_ROLE", "ProviderConfig", "Timeouts"]

DEFAULT_SYSTEM_ROLE: Final = (
    "You are a helpful assistant. Use your tools whenever they can help you answer. "
    "If you lack information that you need, ask for it. If you still cannot help, say so."
)


class Timeouts(Frozen):
    """How long to wait, in seconds.

    >>> Timeouts(total_s=30).connect_s
    10.0
    """

    connect_s: Annotated[float, Field(gt=0)] = 10.0
    first_byte_s: Annotated[float, Field(gt=0)] = 120.0
    """From the request to the first byte of the answer; a reasoning model thinks before it."""
    idle_s: Annotated[float, Field(gt=0)] = 60.0
    """Between two pieces of an answer."""
    total_s: Annotated[float, Field(gt=0)] = 600.0
    """From the request to the end of the answer."""


class ProviderConfig(Frozen):
    """One model at one endpoint, with how it is asked. What is `None` is left to the vendor.

    Raises TurnConfigurationError for an unknown vendor, a missing endpoint or a missing key.

        >>> ProviderConfig(model="llama3.2", base_url="http://localhost:8080/v1").vendor
        'llamacpp'
        >>> ProviderConfig(vendor="groq", model="m", api_key="gsk-secret").api_key
        SecretStr('**********')
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    model: Annotated[str, Field(min_length=1)]
    vendor: str = ""
    """A name of the table of vendors. Not given: whose endpoint `base_url` is, else `custom`;
    `openai` without one.
    """
    base_url: str = ""
    """The endpoint, up to but without `/chat/completions`. Not given: the vendor's own."""
    api_key: SecretStr | None = None
    api: Api | None = None
    """Chat Completions or Responses, whatever `select_api` would choose."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """The cap on an answer's tokens, reasoning included."""
    reasoning_effort: str | None = None
    """`none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`, as far as the model knows them.
    """
    reasoning_summary: Literal["auto", "concise", "detailed"] | None = None
    text_verbosity: Literal["low", "medium", "high"] | None = None
    store: bool | None = None
    """Whether the vendor keeps answers (Responses). `False`: reasoning travels encrypted, in the
    conversation.
    """
    tools: bool = True
    """Whether tools are offered to the model at all."""
    tool_choice: str | dict[str, JsonValue] | None = None
    """`auto`, `none`, `required`, or a tool's name, for a turn's first request; its later ones say
    `auto`.
    """
    parallel_tool_calls: bool | None = None
    builtin_tools: tuple[dict[str, JsonValue], ...] = ()
    """The vendor's own tools, passed through as they are: `({"type": "web_search"},)`."""
    mcp_authorization: dict[str, SecretStr] = Field(default_factory=dict)
    """Tokens of the remote MCP servers among `builtin_tools`, by server URL or connector id. Sent,
    never kept.
    """
    vector_store_ids: tuple[str, ...] = ()
    """Vector stores that `file_search` looks through, in every request through the Responses API.
    """
    response_format: Annotated[dict[str, JsonValue] | None, BeforeValidator(response_format_of)] = (
        None
    )
    """The form of the answer: a pydantic class, or `{"type": "json_schema", "json_schema": {…}}` as
    it is sent.
    """
    stop: tuple[str, ...] | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    remove_empty_content: bool = True
    """Whether an answer of tool calls alone goes back without `content`, not with `content: null`.
    """
    default_system_role: str = DEFAULT_SYSTEM_ROLE
    """The system message of a conversation that has none."""
    organization: str | None = None
    project: str | None = None
    api_version: str | None = None
    """Azure's `api-version`. Not given: its version-less `/openai/v1` endpoint is meant."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Sent with every request. Hidden from `repr`: a gateway's key may stand here."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Members put into every request as they are."""
    timeouts: Timeouts = Timeouts()
    strict: bool = False
    """Raise where the vendor's profile would leave something out of a request with a warning."""

    @classmethod
    def from_model_string(cls, model: str, *, environ: Mapping[str, str], **fields: Any) -> Self:
        """The preset of a `vendor:model` string, its key out of `environ`; `fields` are those of
        this class.

        >>> ProviderConfig.from_model_string("groq:llama-3.3-70b-versatile", environ={})
        Traceback (most recent call last):
        turngraph.state.errors.TurnConfigurationError: groq needs a key: set GROQ_API_KEY, or give `api_key`.
        """
        vendor, colon, name = model.partition(":")
        if not colon or not name:
            raise TurnConfigurationError(
                f"`{model[:100]}` must be `vendor:model`, as in `openai:gpt-5-mini`."
            )
        profile = find_vendor(vendor)
        key = next((environ[env] for env in profile.key_env if environ.get(env)), None)
        return cls.model_validate({"api_key": key, **fields, "model": name, "vendor": profile.name})

    @classmethod
    def from_chat_model(cls, chat: "BaseChatOpenAI") -> Self:
        """The configuration of a LangChain `ChatOpenAI`, or of another class on the same base."""
        from turngraph.providers.langchain.from_chat_model import config_fields

        return cls.model_validate(config_fields(chat))

    @property
    def profile(self) -> VendorProfile:
        """The vendor's row of the table."""
        return VENDORS[self.vendor]

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown anywhere: the key, what stands in telling headers, MCP servers'
        tokens.
        """
        key = [] if self.api_key is None else [self.api_key.get_secret_value()]
        headers = [value for name, value in self.headers.items() if _TELLING.search(name)]
        tokens = [token.get_secret_value() for token in self.mcp_authorization.values()]
        passwords = map(basic_password, headers)
        return tuple(secret for secret in (*key, *headers, *passwords, *tokens) if secret)

    def replaced(self, **fields: Any) -> Self:
        """This configuration with some fields changed, all of it checked again.

        >>> ProviderConfig(vendor="ollama", model="llama3.2").replaced(temperature=0).temperature
        0.0
        """
        return self.model_validate({**dict(self), **fields})

    def __getstate__(self) -> dict[Any, Any]:
        if self.secrets:
            raise TurnConfigurationError(
                "A configuration that holds a key is not pickled: make it where it is used, with the key from there."
            )
        return super().__getstate__()

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        fields = with_header(fields)
        vendor, base_url = fields.get("vendor"), fields.get("base_url")
        if vendor:
            profile = find_vendor(vendor)
        elif base_url:
            profile = vendor_of_url(base_url) or VENDORS["custom"]
        else:
            profile = VENDORS["openai"]
        return {**fields, "vendor": profile.name, "base_url": base_url or profile.base_url or ""}

    @model_validator(mode="after")
    def _complete(self) -> Self:
        profile = self.profile
        if not self.base_url:
            example = (
                "" if profile.base_url_pattern is None else f", as in {profile.base_url_pattern}"
            )
            raise TurnConfigurationError(
                f"{self.vendor} has no endpoint for everyone: give `base_url`{example}."
            )
        if urlsplit(self.base_url).scheme not in ("http", "https"):
            raise TurnConfigurationError(
                f"`base_url` starts with https:// or http://, not `{self.base_url[:80]}`."
            )
        if "@" in urlsplit(self.base_url).netloc:
            raise TurnConfigurationError(
                "`base_url` holds a user name or password: give them in `headers` instead."
            )
        for name, value in (
            ("api_key", self.api_key and self.api_key.get_secret_value()),
            *self.headers.items(),
        ):
            if value and not (value.isascii() and value.isprintable()):
                raise TurnConfigurationError(
                    f"`{name}` holds a line break or a character no HTTP header can carry: strip what a file put there."
                )
        if self.base_url.rstrip("/").endswith(("/chat/completions", "/responses")):
            raise TurnConfigurationError(
                "`base_url` ends before `/chat/completions` and `/responses`."
            )
        if (
            self.api_key is None
            and profile.key_env
            and self.base_url == profile.base_url
            and not self.headers
        ):
            named = " or ".join(profile.key_env)
            raise TurnConfigurationError(
                f"{self.vendor} needs a key: set {named}, or give `api_key`."
            )
        if self.api == "responses" and profile.responses == "none" and self.vendor != "custom":
            raise TurnConfigurationError(
                f"{self.vendor} does not have the Responses API: choose `chat`."
            )
        if self.vector_store_ids and (self.api == "chat" or profile.responses == "none"):
            raise TurnConfigurationError(
                "`vector_store_ids` are searched by `file_search`, which only the Responses API has: "
                + (
                    f"{self.vendor} does not have it."
                    if profile.responses == "none"
                    else "do not ask for `chat`."
                )
            )
        check_builtin_tools(self.builtin_tools)
        return self


_TELLING: Final = re.compile("auth|key|token|secret|cookie|password", re.IGNORECASE)
