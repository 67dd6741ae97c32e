"""The `spec` of what is not a plugin: databases, web services, secrets, clients, vendors."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from turngraph.tools.manifests.parts import OpenPart, Part

__all__ = [
    "ApiConnectionData",
    "ApiConnectionSpec",
    "LLMClientSpec",
    "ProviderSpec",
    "SecretSpec",
    "SqlConnectionData",
    "SqlConnectionSpec",
]

Reference = Annotated[str, Field(min_length=1)]
"""Where a secret is: the name of a `Secret` manifest, `env:NAME`, `file:PATH` or
`keyring:SERVICE/USER`.
"""


class Unsupported(Part):
    """Fields of connections that turngraph does not carry out, refused by name where they are set."""

    proxy_protocol: Any = None
    proxy_host: Any = None
    proxy_port: Any = None
    proxy_username: Any = None
    proxy_password: Any = None

    @model_validator(mode="after")
    def _none_set(self) -> Self:
        for name in self.model_fields_set & UNSUPPORTED.keys():
            if getattr(self, name) not in (None, "", False):
                raise ValueError(f"{name} is not supported: {UNSUPPORTED[name]}; leave it out")
        return self


PROXY: Final = "a proxy would hide the address really connected to"
UNSUPPORTED: Final[Mapping[str, str]] = MappingProxyType(
    {f"proxy_{name}": PROXY for name in ("host", "port", "username", "password")}
    | {
        "ssh_known_hosts": "turngraph opens no SSH tunnels; open one beside it, and name its local port"
    }
)


class SqlConnectionData(Unsupported):
    """How a database is reached."""

    db_engine: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.+]*$")]
    """`postgresql`, `mysql`, `mariadb`, `sqlite`, `mssql`, `oracle` (Django's long names too), or
    the name of any installed SQLAlchemy dialect.
    """
    hostname: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    database: Annotated[str, Field(min_length=1)]
    """Its name; for SQLite the file, relative to the manifest's folder."""
    username: str | None = None
    password: Reference | None = None
    """A secret: the name of a `Secret` manifest, `env:NAME`, `file:PATH` or `keyring:SERVICE/USER`.
    """
    timeout: Annotated[float, Field(gt=0, le=3600)] = 30
    """Seconds one query may take, and seconds a connection may."""
    use_ssl: bool = False
    ssl_cert: str | None = None
    ssl_key: str | None = None
    ssl_ca: str | None = None
    """Files, relative to the manifest's folder."""
    ssh_known_hosts: Any = None
    pool_size: Annotated[int, Field(ge=1, le=1000)] = 5
    max_overflow: Annotated[int, Field(ge=0, le=1000)] = 10
    authentication_method: Literal["none", "tcpip"] = "tcpip"
    read_only_functions: tuple[str, ...] = ()
    """Further SQL functions the queries may call: such as neither write nor wait (turngraph's own).
    """


class ApiConnectionData(Unsupported):
    """How a web service is reached."""

    base_url: Annotated[str, Field(pattern=r"^https?://[^\s\\@?#]+$")]
    """Up to the path that every endpoint is below; without a query, and without a user or password
    in it.
    """
    api_key: Reference | None = None
    """A secret, used as `auth_method` says; for `basic` it holds `user:password`."""
    auth_method: Literal["none", "basic", "token", "bearer", "header", "oauth"] = "none"
    """`token` and `bearer` send `Authorization: Bearer`; `header` sends `api_key_header`; `oauth`
    gets a token from `token_url` (client credentials), or without one sends the key as a bearer
    token.
    """
    api_key_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] = "X-API-Key"
    username: str | None = None
    """For `basic`, where the secret holds the password alone."""
    token_url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] | None = None
    client_id: str | None = None
    scope: str | None = None
    """OAuth2 client credentials; the secret is `api_key` (turngraph's own)."""
    timeout: Annotated[float, Field(gt=0, le=600)] = 30
    """Seconds for the whole call."""

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
    """A secret's value."""

    value: SecretStr | None = None
    value_from: Reference | None = None
    """Where the value is instead: `env:NAME`, `file:PATH` or `keyring:SERVICE/USER` (turngraph's
    own).
    """
    expiration_date: str | None = None
    """After this moment (ISO 8601; without an offset UTC; a date alone lasts to its end) the secret
    is refused.
    """

    @field_validator("value", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return (
            str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        )

    @model_validator(mode="after")
    def _one_value(self) -> Self:
        from turngraph.tools.manifests.secrets import expiry

        if (self.value is None) == (self.value_from is None):
            raise ValueError("a secret has either value or value_from")
        if self.expiration_date is not None:
            expiry(self.expiration_date)
        return self


class SecretSpec(Part):
    """A secret."""

    config: SecretConfig


class LLMClientConfig(OpenPart):
    """How a client's turns are run. What only dresses a web page (`app*`) is kept and not used."""

    provider: str | None = None
    default_model: str | None = None
    default_system_role: str | None = None
    default_temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    default_max_tokens: Annotated[int, Field(ge=1)] | None = None


class LLMClientSpec(OpenPart):
    """A turn by name: model, settings, plugins and functions."""

    config: LLMClientConfig
    plugins: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()


class ProviderData(OpenPart):
    """A vendor."""

    name: str
    base_url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] | None = None
    api_key: Reference | None = None
    default_model: str | None = None


class ProviderSpec(Part):
    """A vendor's address and key."""

    provider: ProviderData
