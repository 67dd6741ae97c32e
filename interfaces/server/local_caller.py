"""Who the callers are: those with a key, or whoever is on this machine where there are no keys."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.interfaces.server.caller import Caller, Callers, Scope
from turngraph.interfaces.server.config import ServerConfig
from turngraph.interfaces.server.keys.callers import KeyCallers
from turngraph.interfaces.server.keys.operations import list_keys
from turngraph.state.errors import TurnConfigurationError

__all__ = ["LocalCallers", "callers_for", "check_reach"]

_log: Final = logging.getLogger("turngraph.server")
_LOCAL: Final = Caller("local", None, frozenset(get_args(Scope)))


@dataclass(frozen=True)
class LocalCallers:
    """Takes every request for one of the account `local`, which may do everything."""

    async def identify(self, headers: Mapping[str, str]) -> Caller:
        """Returns the account `local`, whatever key was sent."""
        return _LOCAL


def check_reach(config: ServerConfig) -> None:
    """Raises TurnConfigurationError if other machines reach a server that cannot have keys."""
    if not config.server.is_loopback and config.store.database is None:
        raise TurnConfigurationError(
            f"`server.host` is `{config.server.host}`, which other machines reach, and there is no "
            "database to keep API keys in. Set `database` in `[store]` and create a key with "
            "`turngraph keys create`, or serve on 127.0.0.1."
        )


def callers_for(config: ServerConfig, store: LedgerStore) -> Callers:
    """The callers of a server: those with a key in `store`. Where there is no key yet, and only
    this machine reaches the server, everybody is the account `local`.
    """
    with_keys = KeyCallers(store)
    has_keys = bool(store.read(list_keys))
    if not has_keys and config.server.is_loopback:
        return LocalCallers()
    if not has_keys:
        _log.warning("There is no API key yet: create one with `turngraph keys create`.")
    return with_keys
