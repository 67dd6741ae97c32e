"""The configuration of the server: one TOML file, checked as a whole before anything is served."""

import tomllib
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, ValidationError

from turngraph.state.base import Frozen
from turngraph.state.errors import TurnConfigurationError

__all__ = ["ServerConfig", "ServerSettings", "StoreSettings", "read_config"]

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class ServerSettings(Frozen):
    """Where the server listens, and how much it takes on.

    >>> ServerSettings(port=9000).is_loopback
    True
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    turns_at_once: Annotated[int, Field(ge=1)] = 64
    """Turns that run at the same time in one process."""
    queue: Annotated[int, Field(ge=0)] = 256
    """Turns that wait in one process until others have ended; what comes then is refused (503)."""
    drain_seconds: Annotated[float, Field(ge=0)] = 30.0
    """How long running turns may go on after SIGTERM."""
    body_bytes: Annotated[int, Field(ge=1_000)] = 20_000_000
    """The longest body of a request; a longer one is refused (413)."""

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


class ServerConfig(Frozen):
    """A whole configuration.

    >>> ServerConfig().server.port
    8000
    """

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()


def read_config(file: Path) -> ServerConfig:
    """Returns the configuration in `file`.

    Raises TurnConfigurationError that names the first wrong member, or says why the file cannot be
    read.
    """
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise TurnConfigurationError(f"`{file}` cannot be read: {exc}.") from exc
    try:
        return ServerConfig.model_validate(content)
    except ValidationError as exc:
        problem = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise TurnConfigurationError(f"`{file}`, {where}: {problem['msg']}.") from exc
