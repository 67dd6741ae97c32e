"""Who pays for what a graph runs: two keys of a run's `configurable`.

Whoever runs a graph for others sets them, as `turngraph serve` does. They reach the turns and
metered models inside, however deep, so that the graph need not pass anything on.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from langchain_core.runnables.config import var_child_runnable_config

__all__ = ["Payer", "payer_of_run"]

_ACCOUNT: Final = "turn_account"
_API_KEY_ID: Final = "turn_api_key_id"


class Payer(NamedTuple):
    """Whom calls are charged to where they name nobody.

    >>> Payer("acme", "k1").configurable
    {'turn_account': 'acme', 'turn_api_key_id': 'k1'}
    """

    account: str
    api_key_id: str | None = None

    @property
    def configurable(self) -> dict[str, Any]:
        """The keys of `configurable` that say it."""
        return {_ACCOUNT: self.account, _API_KEY_ID: self.api_key_id}


def payer_of_run(config: Mapping[str, Any] | None = None) -> Payer | None:
    """Who pays for a run with `config`, or for the run in which this is called; None: nobody says.

    >>> payer_of_run({"configurable": {"turn_account": "acme"}})
    Payer(account='acme', api_key_id=None)
    >>> payer_of_run() is None
    True
    """
    # A node that runs a graph with a `configurable` of its own replaces what it was called with.
    for each in (config, var_child_runnable_config.get()):
        given = (each or {}).get("configurable") or {}
        if given.get(_ACCOUNT):
            return Payer(given[_ACCOUNT], given.get(_API_KEY_ID))
    return None
