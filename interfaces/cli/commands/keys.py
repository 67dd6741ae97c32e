"""`turngraph keys`: the API keys of a server, which stand in the database of its ledger.

`keys_limit.py` has `limit`.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import App, Parameter

from turngraph.interfaces.cli.commands.keys_limit import limit
from turngraph.interfaces.cli.ledger_options import (
    DEFAULT_LEDGER,
    AsJson,
    LedgerUrl,
    open_ledger,
    print_json,
)
from turngraph.interfaces.cli.output.files import report_console
from turngraph.interfaces.server.caller import Scope

if TYPE_CHECKING:
    from turngraph.billing.store.ledger_store import LedgerStore
    from turngraph.interfaces.server.keys.operations import NewKey
    from turngraph.interfaces.server.keys.records import KeyRecord

__all__ = ["keys"]

_DEFAULT_SCOPES: Final[tuple[Scope, ...]] = ("models", "tools")

keys = App(
    name="keys",
    help="Create, list, rotate, revoke and limit the API keys of a server.",
    help_epilogue="**Example:** `turngraph keys create acme --expires-in 90d --ledger "
    "sqlite:///turns.db`",
)

keys.command(limit)


@keys.command
def create(
    account: str,
    /,
    *,
    name: str = "",
    scope: Annotated[tuple[Scope, ...], Parameter(negative="")] = _DEFAULT_SCOPES,
    model: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    expires_in: timedelta | None = None,
    ledger: LedgerUrl = DEFAULT_LEDGER,
    json: AsJson = False,
) -> None:
    """Create a key for an account, and print it.

    It is printed this once: the database has only a hash of it. A ledger that does not exist is
    created.

    Parameters
    ----------
    account
        Who pays for what is done with the key. Accounts see nothing of each other.
    name
        What you call the key, as in `laptop`.
    scope
        What the key is good for; repeat the option for several.
    model
        A model that may be asked; repeat the option for several. Default: all that are served.
    expires_in
        How long the key is valid, as in 90d or 12h. Default: without end.
    """
    from turngraph.billing.ledger import Ledger
    from turngraph.billing.operations.existing import ledger_exists
    from turngraph.billing.store.urls import shown_url
    from turngraph.interfaces.server.keys.operations import create_key

    if not ledger_exists(ledger):
        # A server's keys are often created before its first turn.
        with Ledger(ledger) as new:
            new.store.engine  # noqa: B018  creates the tables
        print(f"A new ledger was created: {shown_url(ledger)}", file=sys.stderr)
    with _open_keys(ledger) as store:
        made = store.run(
            create_key,
            account=account,
            name=name,
            scopes=scope,
            models=model or None,
            valid_s=None if expires_in is None else expires_in.total_seconds(),
        )
    _print_key(made, json=json, remark=f"Key {made.record.key_id} of {account}.")


@keys.command(name="list")
def list_(
    *, account: str | None = None, ledger: LedgerUrl = DEFAULT_LEDGER, json: AsJson = False
) -> None:
    """Print the keys: their ids, accounts, scopes, and when they expire and were used (UTC).

    Parameters
    ----------
    account
        The account whose keys are printed. Default: all.
    """
    from turngraph.interfaces.cli.output.key_tables import key_table
    from turngraph.interfaces.server.keys.operations import list_keys

    with _open_keys(ledger) as store:
        records, now = store.read(list_keys, account), store.now()
    if json:
        print_json([_as_row(record, now) for record in records])
    elif records:
        report_console().print(key_table(records, now))
    else:
        from turngraph.billing.store.urls import shown_url

        print(
            "There are no keys. Create one: "
            f"turngraph keys create ACCOUNT --ledger {shown_url(ledger)}",
            file=sys.stderr,
        )


@keys.command(help_epilogue="**Example:** `turngraph keys rotate 0123456789ab --grace 1d`")
def rotate(
    key_id: str,
    /,
    *,
    grace: timedelta = timedelta(hours=1),
    ledger: LedgerUrl = DEFAULT_LEDGER,
    json: AsJson = False,
) -> None:
    """Give a key a new secret, and print it. The earlier one is accepted for a while.

    The id stays, and with it budgets, rate limits and reports.

    Parameters
    ----------
    key_id
        The id, as `turngraph keys list` prints it.
    grace
        How long the earlier secret is accepted, as in 1h, 7d or 0s.
    """
    from turngraph.interfaces.cli.output.key_tables import moment
    from turngraph.interfaces.server.keys.operations import rotate_key

    with _open_keys(ledger) as store:
        made = store.run(rotate_key, key_id, grace_s=grace.total_seconds())
    until = moment(made.record.previous_until)
    _print_key(made, json=json, remark=f"The earlier secret is accepted until {until} UTC.")


@keys.command
def revoke(key_id: str, /, *, ledger: LedgerUrl = DEFAULT_LEDGER) -> None:
    """End a key for good. Running servers refuse it within five seconds.

    Parameters
    ----------
    key_id
        The id, as `turngraph keys list` prints it.
    """
    from turngraph.interfaces.server.keys.operations import revoke_key

    with _open_keys(ledger) as store:
        record = store.run(revoke_key, key_id)
    print(f"Key {record.key_id} of {record.account} is revoked.", file=sys.stderr)


@contextmanager
def _open_keys(url: str) -> "Iterator[LedgerStore]":
    """Yields the database of the ledger at `url`, which must exist, with the server's tables."""
    from turngraph.interfaces.server.tables import create_server_tables

    with open_ledger(url) as book:
        book.store.run(create_server_tables)
        yield book.store


def _print_key(made: "NewKey", *, json: bool, remark: str) -> None:
    # Standard output has the key alone, so that a script can keep it: KEY=$(turngraph keys …).
    if json:
        print_json({"key": made.key, **_as_row(made.record, made.record.created)})
        return
    print(made.key)
    print(f"{remark} This is the only time it is shown.", file=sys.stderr)


def _as_row(record: "KeyRecord", now: float) -> dict[str, Any]:
    return {**record._asdict(), "status": record.status(now)}
