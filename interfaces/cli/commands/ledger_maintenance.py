"""`turngraph ledger verify|reconcile|correct|forget`: finds errors and closes open attempts."""

import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from turngraph.billing.operations.results import Policy
from turngraph.interfaces.cli.ledger_options import (
    DEFAULT_LEDGER,
    Amount,
    AsJson,
    LedgerUrl,
    PriceFile,
    load_prices,
    open_ledger,
    print_json,
)

if TYPE_CHECKING:
    from turngraph.billing.ledger import Ledger
    from turngraph.billing.operations.sweeper import Lookup, Outstanding

__all__ = ["correct", "forget", "reconcile", "verify"]

_AT_ONCE = 10_000


def verify(*, ledger: LedgerUrl = DEFAULT_LEDGER) -> int:
    """Verify that the ledger adds up, and name every problem.

    Every amount must be in an entry, and every hold must belong to an open attempt.
    """
    # Imports stand inside the commands, so that `turngraph --help` loads no database driver.
    from turngraph.interfaces.plain_text import money

    with open_ledger(ledger) as book:
        problems = [*book.verify(), *_refused_records(book)]
        total, waiting = book.total(), len(list(book.store.spool.records()))
    # Problems are the output, so they go to stdout; what is only said to a person goes to stderr.
    for problem in problems:
        print(problem)
    if waiting:
        print(
            f"{waiting} records wait in `{book.store.spool.folder}`; "
            "`turngraph ledger reconcile` writes them to the ledger.",
            file=sys.stderr,
        )
    if not problems:
        summary = f"Everything adds up: {total.attempts:,} attempts, {money(total.usd)}."
        Console(stderr=True, highlight=False).print(summary, style="green")
    return 1 if problems else 0


def _refused_records(book: "Ledger") -> list[str]:
    return [
        f"The ledger refused the record in `{path}`, whose cost is in no entry; look into the file."
        for path in book.store.spool.refused()
    ]


def reconcile(
    *,
    policy: Policy = "estimate",
    quiet: Annotated[float, Parameter(validator=Number(gte=0))] = 60.0,
    ask: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    base_url: str | None = None,
    prices: PriceFile = None,
    ledger: LedgerUrl = DEFAULT_LEDGER,
    json: AsJson = False,
) -> None:
    """Close the attempts that workers left open.

    What was never sent is released, what was answered is charged, and the rest is closed by
    --policy. Records that were kept on disk while the database was away are written first.

    Parameters
    ----------
    policy
        How to close an attempt whose outcome is unknown: charge an estimate of what arrived, charge
        the maximum that was held, or leave it open for `turngraph ledger correct`.
    quiet
        The seconds that must have passed since the attempt was sent, in case it is still answered.
    ask
        A vendor:model whose vendor is asked for its stored answers first, with the API key of its
        environment variable. May be given several times.
    base_url
        The URL of the vendor's API. Default: the vendor's own.
    """
    charging, lookup = load_prices(prices), _lookup(ask, base_url)
    with open_ledger(ledger) as book:
        # Records on disk come first: an attempt whose cost one of them has must not be charged by
        # policy.
        written = book.play_back()
        swept = book.sweep(charging, lookup=lookup, policy=policy, quiet_s=quiet, limit=_AT_ONCE)
        left = book.outstanding(limit=_AT_ONCE)
    if json:
        rows = [{"attempt_id": each.attempt_id, "held_usd": each.held_usd} for each in left]
        print_json({"written": written, **asdict(swept), "open": rows})
        return
    done = {"written from disk": written, "released": swept.released, "charged": swept.settled}
    counts = {**done, "corrected": swept.corrected, "open": len(left)}
    print(", ".join(f"{name} {count:,}" for name, count in counts.items()))
    for each in left:
        print(_describe_open(each))


def _lookup(models: tuple[str, ...], base_url: str | None) -> "Lookup | None":
    if not models:
        return None
    from turngraph.graphs.attempt_lookup import vendor_lookup
    from turngraph.interfaces.cli.model_options import config_from_model_string

    fields = {} if base_url is None else {"base_url": base_url}
    configs = (config_from_model_string(model, os.environ, fields) for model in models)
    return vendor_lookup(*configs)


def _describe_open(attempt: "Outstanding") -> str:
    from turngraph.interfaces.plain_text import money, printable

    what = (
        f"{attempt.vendor}:{attempt.model}"
        if attempt.kind == "completion"
        else f"{attempt.kind} {attempt.tool}"
    )
    return printable(
        f"  {attempt.attempt_id}  {attempt.state}  {what}  {money(attempt.held_usd)} held"
    )


def correct(
    attempt_id: str, usd: Amount, /, *, note: str, ledger: LedgerUrl = DEFAULT_LEDGER
) -> None:
    """Enter what an attempt has really cost.

    An open attempt is closed with this amount; a closed one gets a correcting entry.

    Parameters
    ----------
    attempt_id
        The id of the attempt, as `export`, `show --json` and `reconcile` print it.
    usd
        The whole cost in US dollars; 0 for an attempt that was never served.
    note
        The reason, for example the number of an invoice.
    """
    from turngraph.interfaces.plain_text import money

    with open_ledger(ledger) as book:
        settled = book.correct(attempt_id, usd, note=note)
    print(f"{attempt_id} costs {money(settled.amount_usd)}.", file=sys.stderr)


def forget(
    *,
    days: Annotated[float, Parameter(validator=Number(gte=0, lte=36_500))],
    ledger: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """Delete the stored answers of turns that ended long ago; their usage and cost stay.

    Parameters
    ----------
    days
        Delete answers that are at least this many days old.
    """
    with open_ledger(ledger) as book:
        forgotten = book.forget_answers(days=days)
    print(f"{forgotten:,} answers forgotten.", file=sys.stderr)
