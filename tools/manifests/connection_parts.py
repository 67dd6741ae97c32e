"""The `spec` of the kinds that are not plugins: connections, secrets, clients, providers."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from turngraph.tools.manifests.parts import OpenPart, Part
from turngraph.tools.manifests.secret_expiry import expires_at

__all__ = [
    "ApiConnectionData",
    "ApiConnectionSpec",
    "LLMClientSpec",
    "ProviderSpec",
    "SecretSpec",
    "SqlConnectionData",
    "SqlConnectionSpec",
]

SecretReference = Annotated[str, Field(min_length=1)]
"""Where a secret is: the name of a `Secret` manifest, `env:NAME`, `file:PATH` or
`keyring:SERVICE/USER`.
"""

HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s]+$")]


class RefusedFields(Part):
    """Fields of connections that are not supported. A manifest that sets one is refused."""

    proxy_protocol: Any = None
    """Not supported, and ignored."""
    proxy_host: Any = None
    """Not supported; must be empty."""
    proxy_port: Any = None
    """Not supported; must be empty."""
    proxy_username: Any = None
    """Not supported; must be empty."""
    proxy_password: Any = None
    """Not supported; must be empty."""

    @model_validator(mode="after")
    def _refuse(self) -> Self:
        # To ignore them silently would send traffic past the proxy or tunnel the author asked for.
        # In the order of the table, so that a manifest always gets the same message.
        named = [name for name in REFUSED if getattr(self, name, None) not in (None, "", False)]
        reasons = {
            REFUSED[name]: [n for n in named if REFUSED[n] == REFUSED[name]] for name in named
        }
        if reasons:
            raise ValueError(
                "; ".join(
                    f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} not supported: "
                    f"{reason}; leave {'it' if len(names) == 1 else 'them'} out"
                    for reason, names in reasons.items()
                )
            )
        return self


REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        f"proxy_{name}": "the address check could not see where a proxy connects to"
        for name in ("host", "port", "username", "password")
    }
    | {
        "ssh_known_hosts": "turngraph opens no SSH tunnels. Open one yourself and give its local "
        "port"
    }
)
"""The refused fields, and the reason for each."""


class SqlConnectionData(RefusedFields):
    """How to reach a database."""

    db_engine: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.+]*$")]
    """`postgresql`, `mysql`, `mariadb`, `sqlite`, `mssql`, `oracle` (Django's long names too), or
    the name of any installed SQLAlchemy dialect.
    """
    hostname: str | None = None
    """The server; not used for SQLite."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """By default the port of the engine."""
    database: Annotated[str, Field(min_length=1)]
    """The name of the database; for SQLite the file, relative to the manifest's folder."""
    username: str | None = None
    """A user who may only read is best."""
    password: SecretReference | None = None
    """A secret: the name of a `Secret` manifest, `env:NAME`, `file:PATH` or `keyring:SERVICE/USER`.
    """
    timeout: Annotated[float, Field(gt=0, le=3600)] = 30
    """Seconds that one query may take, and seconds that connecting may take."""
    use_ssl: bool = False
    """Whether the connection is encrypted with TLS."""
    ssl_cert: str | None = None
    """The client's certificate, a file relative to the manifest's folder."""
    ssl_key: str | None = None
    """The client's private key, a file relative to the manifest's folder."""
    ssl_ca: str | None = None
    """The certificates that are trusted, a file relative to the manifest's folder."""
    ssh_known_hosts: Any = None
    """Not supported; must be empty."""
    pool_size: Annotated[int, Field(ge=1, le=1000)] = 5
    """Connections that stay open."""
    max_overflow: Annotated[int, Field(ge=0, le=1000)] = 10
    """Further connections that may be open for a short time."""
    authentication_method: Literal["none", "tcpip"] = "tcpip"
    """Has no effect."""
    read_only_functions: tuple[str, ...] = ()
    """SQL functions that queries may call in addition to the built-in list. Name only functions
    that neither write nor wait (only in turngraph).
    """


class ApiConnectionData(RefusedFields):
    """How to reach a web service."""

    base_url: Annotated[str, Field(pattern=r"^https?://[^\s\\@?#]+$")]
    """The address up to the path that all endpoints are below, without a query, a user or a
    password.
    """
    api_key: SecretReference | None = None
    """A secret that is used as `auth_method` says; for `basic` it holds `user:password`."""
    auth_method: Literal["none", "basic", "token", "bearer", "header", "oauth"] = "none"
    """`token` and `bearer` send `Authorization: Bearer`; `header` sends `api_key_header`; `oauth`
    fetches a token from `token_url` (client credentials), or without one sends the key as a bearer
    token.
    """
    api_key_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] = "X-API-Key"
    """The header for `auth_method: header`."""
    username: str | None = None
    """The user for `basic`, if the secret holds only the password."""
    token_url: HttpUrl | None = None
    """The OAuth2 token endpoint; the client secret is `api_key`."""
    client_id: str | None = None
    """The OAuth2 client id."""
    scope: str | None = None
    """The OAuth2 scope to ask for (only in turngraph)."""
    timeout: Annotated[float, Field(gt=0, le=600)] = 30
    """Seconds for the whole call."""

    @field_validator("base_url")
    @classmethod
    def _is_well_formed(cls, base_url: str) -> str:
        from turngraph.tools.web.hosts import well_formed

        try:
            well_formed(base_url)
        except ValueError as error:
            raise ValueError(f"is not an address that can be asked: {error}") from None
        return base_url

    @model_validator(mode="after")
    def _has_its_secret(self) -> Self:
        if self.auth_method != "none" and self.api_key is None:
            raise ValueError(f"auth_method {self.auth_method} needs api_key, the name of a secret")
        if self.token_url is not None and self.client_id is None:
            raise ValueError("token_url needs client_id")
        return self


class SqlConnectionSpec(Part):
    """A database."""

    connection: SqlConnectionData


class ApiConnectionSpec(Part):
    """A web service."""

    connection: ApiConnectionData


class SecretConfig(Part):
    """The value of a secret, or where to find it."""

    value: SecretStr | None = None
    """The value itself. A reference in `value_from` keeps it out of the file."""
    value_from: SecretReference | None = None
    """Where the value is instead: `env:NAME`, `file:PATH` or `keyring:SERVICE/USER` (only in
    turngraph).
    """
    expiration_date: str | None = None
    """The secret is refused after this moment (ISO 8601). A date alone lasts until its end; a time
    without an offset is UTC.
    """

    @field_validator("value", mode="before")
    @classmethod
    def _number_as_text(cls, value: Any) -> Any:
        # YAML reads an unquoted `value: 12345` as a number.
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return str(value) if is_number else value

    @model_validator(mode="after")
    def _one_value(self) -> Self:
        if (self.value is None) == (self.value_from is None):
            raise ValueError("a secret has either value or value_from, and not both")
        if self.expiration_date is not None:
            expires_at(self.expiration_date)
        return self


class SecretSpec(Part):
    """A secret."""

    config: SecretConfig


class LLMClientConfig(OpenPart):
    """How the turns of a client run. Fields that begin with `app` configure a web page; they are
    kept and not used.
    """

    provider: str | None = None
    """A vendor that turngraph knows, or the name of a `Provider`."""
    default_model: str | None = None
    """The model."""
    default_system_role: str | None = None
    """The system message."""
    default_temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """0 to 2."""
    default_max_tokens: Annotated[int, Field(ge=1)] | None = None
    """The largest number of tokens in one answer."""


class LLMClientSpec(OpenPart):
    """A turn by name: model, settings, plugins and functions."""

    config: LLMClientConfig
    plugins: tuple[str, ...] = ()
    """Names of plugins among the manifests."""
    functions: tuple[str, ...] = ()
    """Names of built-in functions."""


class ProviderData(OpenPart):
    """A vendor."""

    name: str
    """The name that `provider` fields use."""
    base_url: HttpUrl | None = None
    """The address of its OpenAI-compatible API."""
    api_key: SecretReference | None = None
    """A secret: the name of a `Secret` manifest, `env:NAME`, `file:PATH` or `keyring:SERVICE/USER`.
    """
    default_model: str | None = None
    """The model if a client names none."""


class ProviderSpec(Part):
    """The address and the key of a vendor."""

    provider: ProviderData
