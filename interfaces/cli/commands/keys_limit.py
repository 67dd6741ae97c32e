"""`turngraph keys limit`: requests and tokens a minute, for accounts and keys."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from turngraph.interfaces.cli.ledger_options import (
    DEFAULT_LEDGER,
    AsJson,
    LedgerUrl,
    open_ledger,
    print_json,
)
from turngraph.interfaces.server.rate_limits.limits import (
    LimitedPer,
    RateLimit,
    list_limits,
    set_limit,
)
from turngraph.interfaces.server.tables import create_server_tables
from turngraph.state.errors import TurnValueError

__all__ = ["limit"]

limit = App(
    name="limit",
    help="List, set and remove how many requests and tokens a minute accounts and keys may have.",
    help_epilogue="**Example:** `turngraph keys limit set --per account --of acme --requests 60 "
    "--tokens 200000`",
)

_Of = Annotated[
    str | None,
    Parameter(help="The one account, or the id of the one key. Default: each without its own."),
]


@limit.command(name="list")
def list_(*, ledger: LedgerUrl = DEFAULT_LEDGER, json: AsJson = False) -> None:
    """Print the limits that are stored, one a line."""
    from turngraph.interfaces.plain_text import printable

    with open_ledger(ledger) as book:
        book.store.run(create_server_tables)
        limits = book.store.read(list_limits)
    if json:
        print_json([each._asdict() for each in limits])
        return
    for each in limits:
        print(printable(_describe(each)))
    if not limits:
        print("No limit is stored: requests and tokens are not counted.", file=sys.stderr)


@limit.command(name="set")
def set_(
    *,
    per: LimitedPer,
    of: _Of = None,
    requests: int | None = None,
    tokens: int | None = None,
    ledger: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """Store a limit, or replace the one of the same account or key.

    Running servers keep it from five seconds later on.

    Parameters
    ----------
    per
        What has this limit: accounts, or keys by their id.
    requests
        The most requests a minute.
    tokens
        The most tokens a minute, input and output together.
    """
    if requests is None and tokens is None:
        raise TurnValueError("Type --requests, --tokens or both: a limit limits something.")
    _store(RateLimit(per, of, requests, tokens), ledger)


@limit.command
def remove(*, per: LimitedPer, of: _Of = None, ledger: LedgerUrl = DEFAULT_LEDGER) -> None:
    """Remove a limit.

    Parameters
    ----------
    per
        What has this limit: accounts, or keys by their id.
    """
    _store(RateLimit(per, of, None, None), ledger)


def _store(changed: RateLimit, ledger: str) -> None:
    with open_ledger(ledger) as book:
        book.store.run(create_server_tables)
        book.store.run(set_limit, changed)
    print(_describe(changed), file=sys.stderr)


def _describe(stored: RateLimit) -> str:
    """Describes a limit in a few words.

    >>> _describe(RateLimit("account", "acme", 60, 200_000))
    'account acme: 60 requests and 200,000 tokens a minute'
    """
    parts = [
        f"{value:,} {unit}"
        for unit, value in (("requests", stored.requests), ("tokens", stored.tokens))
        if value is not None
    ]
    whom = f"each {stored.per}" if stored.name is None else f"{stored.per} {stored.name}"
    return f"{whom}: {' and '.join(parts)} a minute" if parts else f"{whom}: no limit of its own"
