"""Who the callers are: those with a key, or whoever is on this machine where there are no keys."""

import logging
from collections.abc import Mapping
from typing import Final, get_args

from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.billing.store.urls import shown_url
from turngraph.interfaces.foreign_pages import is_from_foreign_page, names_this_machine
from turngraph.interfaces.server.caller import Caller, Callers, Scope
from turngraph.interfaces.server.config import ServerConfig
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.keys.callers import REVOKED_WITHIN_S, KeyCallers, sent_key
from turngraph.interfaces.server.keys.operations import has_keys
from turngraph.interfaces.server.keys.secret_keys import key_id_of
from turngraph.interfaces.server.recency import is_recent
from turngraph.interfaces.server.store import IN_MEMORY
from turngraph.state.errors import TurnConfigurationError

__all__ = ["LocalCallers", "callers_for", "check_reach"]

_log: Final = logging.getLogger("turngraph.server")
_LOCAL: Final = Caller("local", None, frozenset(get_args(Scope)))


class LocalCallers:
    """Takes every request for one of the account `local`, until the database has an API key.

    A key that was created while the server runs is known at once, and from `REVOKED_WITHIN_S`
    seconds later on every request needs one.
    """

    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self._with_keys = KeyCallers(store)
        self._needs_key = False
        self._looked_at = 0.0

    async def identify(self, headers: Mapping[str, str]) -> Caller:
        """Returns the account of the key that was sent, or `local` while there are no keys.

        Raises ServerError (401) where there are keys and the request has none of them, and (403)
        where there are none and a web page has sent the request: it must not spend money here.
        """
        key = sent_key(headers)
        # What looks like a key of this server is one, or it is refused: never billed to `local`.
        if (key is not None and key_id_of(key) is not None) or await self._has_keys():
            return await self._with_keys.identify(headers)
        if not names_this_machine(headers.get("host", "")) or is_from_foreign_page(headers):
            raise ServerError(
                403,
                "Without an API key this server answers only programs that call it 127.0.0.1 or "
                "localhost, and no web pages; create a key with `turngraph keys create ACCOUNT`.",
                code="foreign_request",
            )
        return _LOCAL

    async def _has_keys(self) -> bool:
        now = self._store.now()
        if not self._needs_key and not is_recent(self._looked_at, now, REVOKED_WITHIN_S):
            self._looked_at = now
            self._needs_key = await self._store.aread(has_keys)
        return self._needs_key


def check_reach(config: ServerConfig) -> None:
    """Raises TurnConfigurationError if other machines reach a server that cannot have keys."""
    if not config.server.is_loopback and config.store.database is None:
        raise TurnConfigurationError(
            f"`server.host` is `{config.server.host}`, which other machines reach, and there is no "
            "database to keep API keys in. Set `database` in `[store]` (or type --database) and "
            "create a key in it with `turngraph keys create ACCOUNT --ledger DATABASE`, or serve "
            "on 127.0.0.1."
        )


def callers_for(config: ServerConfig, store: LedgerStore) -> Callers:
    """The callers of a server: those with a key in `store`. Where there is no key yet, and only
    this machine reaches the server, everybody is the account `local`.
    """
    if config.server.is_loopback:
        return LocalCallers(store)
    with_keys = KeyCallers(store)
    if not store.read(has_keys):
        # Without --ledger the command would create the key in a database of its own.
        database = shown_url(config.store.database or IN_MEMORY)
        _log.warning(
            "There is no API key yet: create one with `turngraph keys create ACCOUNT --ledger %s`.",
            database,
        )
    return with_keys
