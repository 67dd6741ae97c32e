"""The configuration of the server: one TOML file, checked as a whole before anything is served."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from turngraph.billing.budget import Budget
from turngraph.interfaces.config_file import read_config_file
from turngraph.interfaces.server.passthrough.settings import PassthroughConfig
from turngraph.state.base import Frozen
from turngraph.state.errors import ErrorKind, TurnConfigurationError
from turngraph.state.limits import TurnLimits

__all__ = [
    "FallbackConfig",
    "ModelConfig",
    "ServerConfig",
    "ServerSettings",
    "StoreSettings",
    "StudioSettings",
    "TelemetrySettings",
    "checked_config",
    "read_config",
    "waits_for_start",
]

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
NAME_LENGTH: Final = 200
"""How long the name of a model may be, which the database stores."""
_LONGEST_S: Final = 365 * 86_400
"""The longest time that can be waited for: a timer of an event loop takes no infinity."""
_FROM_START: Final = {
    "server": ("host", "port", "workers", "turns_at_once", "queue"),
    "store": ("database", "lease_seconds"),
    "telemetry": ("opentelemetry", "content"),
    "studio": ("enabled",),
}
"""By table, what holds from the start of a process until its end."""
_OWN_TURN: Final = ("system", "functions", "tools", "approve", "budgets", "prices", "provider")
"""What a user's own graph sets by itself."""


class ServerSettings(Frozen):
    """Where the server listens, and how much it takes on.

    >>> ServerSettings(port=9000).is_loopback
    True
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """How many processes serve. More than one need a database that all of them reach."""
    turns_at_once: Annotated[int, Field(ge=1)] = 64
    """Turns that run at the same time in one process."""
    queue: Annotated[int, Field(ge=0)] = 256
    """Turns that wait in one process until others have ended; what comes then is refused (503)."""
    drain_seconds: Annotated[float, Field(ge=0, le=_LONGEST_S)] = 30.0
    """How long running turns may go on after SIGTERM."""
    body_bytes: Annotated[int, Field(ge=1_000)] = 20_000_000
    """The longest body of a request; a longer one is refused (413)."""
    sweep_seconds: Annotated[float, Field(gt=0, le=_LONGEST_S)] = 30.0
    """How often calls whose cost is not known, as of clients that left, are looked up or estimated.
    """

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the server."""
        return self.host in _LOOPBACK


class StoreSettings(Frozen):
    """Where keys, money, conversations and stored responses are kept.

    >>> StoreSettings(database="sqlite:///turns.db").database
    'sqlite:///turns.db'
    """

    database: str | None = None
    """An SQLAlchemy URL: `sqlite:///turns.db` or `postgresql://user@host/db`. Without one, all is
    kept in the memory of one process, and lost when it ends.
    """
    lease_seconds: Annotated[float, Field(gt=0, le=_LONGEST_S)] = 60.0
    """How long a turn of a process that was killed keeps others from going on with it."""
    days: Annotated[float, Field(gt=0, le=36_500)] = 30.0
    """How long conversations and stored responses are kept."""


class TelemetrySettings(Frozen):
    """What of the server's turns OpenTelemetry is told.

    >>> TelemetrySettings(opentelemetry=True).content
    False
    """

    opentelemetry: bool = False
    """Whether turns have spans and metrics. OpenTelemetry itself is set up from outside, as by
    `opentelemetry-instrument turngraph serve`.
    """
    content: bool = False
    """Whether spans also hold what is said."""


class StudioSettings(Frozen):
    """The studio at `/studio`.

    >>> StudioSettings(enabled=True).enabled
    True
    """

    enabled: bool = False
    """Whether keys with the scope `studio` may look at their account's threads and spending there.
    """


class FallbackConfig(Frozen):
    """Another model that answers where this one cannot.

    >>> FallbackConfig(model="small").on[0]
    'connection'
    """

    model: str
    """The name of another served model."""
    on: tuple[ErrorKind, ...] = ("connection", "timeout", "rate_limit", "server", "overloaded")
    """The kinds of errors that it answers to."""


class ModelConfig(Frozen):
    """A model as clients see it: a turn with its tools, an `LLMClient` manifest, or a graph.

    >>> ModelConfig(model="scripted", functions=("calculator",)).functions
    ('calculator',)
    """

    model: str | None = None
    """`vendor:model`, as in `openai:gpt-5-mini`, or `scripted`."""
    manifest: str | None = None
    """The name of an `LLMClient` in the files of `plugins`, in place of a model."""
    graph: str | None = None
    """A compiled graph of your own, as in `agent.py:app`, in place of a model."""
    provider: dict[str, JsonValue] = Field(default_factory=dict)
    """Other fields of a `ProviderConfig`: `base_url`, `temperature`, `max_tokens`, …"""
    key_env: str | None = None
    """The environment variable that holds the vendor's key. Default: the vendor's own."""
    system: str | None = None
    """The system message. A client's own system message is put behind it."""
    plugins: tuple[str, ...] = ()
    """Files of plugin manifests, or folders of them."""
    functions: tuple[str, ...] = ()
    """Built-in tools to offer, as in `calculator`."""
    tools: tuple[str, ...] = ()
    """Tools of your own to offer, as in `my_tools.py:search`."""
    approve: bool | tuple[str, ...] = False
    """The tools whose calls a person must agree to; true means all."""
    limits: TurnLimits = TurnLimits()
    budgets: tuple[Budget, ...] = ()
    """What each turn may cost, beside the budgets that are stored in the database."""
    prices: dict[str, dict[str, str | float]] = Field(default_factory=dict)
    """Prices that come before the list prices: `vendor:model` to USD per million tokens."""
    fallbacks: tuple[FallbackConfig, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in ("model", "manifest", "graph") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "give one of `model`, `manifest` and `graph`, not "
                + (" and ".join(f"`{name}`" for name in given) or "none")
            )
        if self.manifest is not None and not self.plugins:
            raise ValueError("`manifest` needs `plugins`, the files in which it stands")
        if "api_key" in self.provider:
            raise ValueError(
                "`provider.api_key` would be a secret in a file; name the variable in `key_env`"
            )
        own = [name for name in _OWN_TURN if getattr(self, name)] if self.graph else []
        if own:
            raise ValueError(f"a `graph` sets `{own[0]}` by itself; leave it out")
        return self


class ServerConfig(Frozen):
    """A whole configuration.

    >>> ServerConfig().server.port
    8000
    """

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    models: dict[str, ModelConfig] = Field(default_factory=dict)
    """What is served, by the name that clients ask for."""
    telemetry: TelemetrySettings = TelemetrySettings()
    studio: StudioSettings = StudioSettings()
    passthrough: dict[str, PassthroughConfig] = Field(default_factory=dict)
    """Vendors whose own requests are forwarded, by their name in the path."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, model in self.models.items():
            if not name or len(name) > NAME_LENGTH or not name.isprintable():
                raise ValueError(
                    f"the name of a model is 1 to {NAME_LENGTH} printable characters; "
                    f"that of `models.{name[:40]}` has {len(name)}"
                )
            unknown = [each.model for each in model.fallbacks if each.model not in self.models]
            if unknown:
                raise ValueError(
                    f"`models.{name}` falls back to `{unknown[0]}`, which is not served"
                )
        if self.server.workers > 1 and self.store.database in (None, "sqlite://"):
            raise ValueError("several workers need a database: set `database` in `[store]`")
        if self.server.workers > 1 and self.studio.enabled:
            raise ValueError(
                "the studio keeps logins and open runs in one process: serve it with "
                "`workers = 1`, from a server of its own on the same database"
            )
        return self


def waits_for_start(old: ServerConfig, new: ServerConfig) -> list[str]:
    """The members that differ and that a running server does not take over.

    >>> now = ServerConfig()
    >>> waits_for_start(now, ServerConfig(server=ServerSettings(queue=9)))
    ['server.queue']
    """
    return [
        f"{table}.{member}"
        for table, members in _FROM_START.items()
        for member in members
        if getattr(getattr(old, table), member) != getattr(getattr(new, table), member)
    ]


def read_config(file: Path) -> ServerConfig:
    """Returns the configuration in `file`.

    Raises TurnConfigurationError that names the first wrong member, or says why the file cannot be
    read.
    """
    return checked_config(read_config_file(file, tomllib.loads), f"`{file}`")


def checked_config(content: Mapping[str, Any], source: str) -> ServerConfig:
    """Returns `content` as a configuration; an error begins with `source`, where it stands."""
    try:
        return ServerConfig.model_validate(content)
    except ValidationError as exc:
        problem = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        raise TurnConfigurationError(f"{source}{', ' if where else ''}{where}: {message}.") from exc
