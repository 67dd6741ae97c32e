"""The one caller of a server that asks for no key: whoever is on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self, get_args

from turngraph.interfaces.server.caller import Caller, Scope
from turngraph.interfaces.server.config import ServerConfig
from turngraph.state.errors import TurnConfigurationError

__all__ = ["LocalCallers"]

_LOCAL: Final = Caller("local", None, frozenset(get_args(Scope)))


@dataclass(frozen=True)
class LocalCallers:
    """Takes every request for one of the account `local`, which may do everything."""

    @classmethod
    def of(cls, config: ServerConfig) -> Self:
        """Returns it, unless other machines reach the server: then TurnConfigurationError."""
        if not config.server.is_loopback:
            raise TurnConfigurationError(
                f"`server.host` is `{config.server.host}`, which other machines reach, and the "
                "server asks for no keys. Create one with `turngraph keys create`, or serve on "
                "127.0.0.1."
            )
        return cls()

    async def identify(self, headers: Mapping[str, str]) -> Caller:
        """Returns the account `local`, whatever key was sent."""
        return _LOCAL
