"""`turngraph ledger verify|reconcile|correct|forget`: whether the books are right, and how they
become so.
"""

import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from turngraph.billing.operations.results import Policy
from turngraph.interfaces.cli.ledger_options import (
    DEFAULT,
    Amount,
    AsJson,
    LedgerUrl,
    PriceFile,
    opened,
    prices_of,
    print_json,
)

if TYPE_CHECKING:
    from turngraph.billing.ledger import Ledger
    from turngraph.billing.operations.sweeper import Lookup, Outstanding

__all__ = ["correct", "forget", "reconcile", "verify"]

_AT_ONCE = 10_000


def verify(*, ledger: LedgerUrl = DEFAULT) -> int:
    """Prove that it adds up: every amount is in an entry, every hold belongs to an open attempt.

    Exits with 0 where it does; with 1 where not: each problem on a line.
    """
    from turngraph.interfaces.plain_text import money

    with opened(ledger) as book:
        problems = [*book.verify(), *_refused_records(book)]
        total, waiting = book.total(), len(list(book.store.spool.records()))
    for problem in problems:
        print(problem)
    if waiting:
        print(
            f"{waiting} records wait in `{book.store.spool.folder}`: turngraph ledger reconcile",
            file=sys.stderr,
        )
    if not problems:
        told = f"All adds up: {total.attempts:,} attempts, {money(total.usd)}."
        Console(stderr=True, highlight=False).print(told, style="green")
    return 1 if problems else 0


def _refused_records(book: "Ledger") -> list[str]:
    return [
        f"The ledger refused what stands in `{path}`; look at it."
        for path in book.store.spool.refused()
    ]


def reconcile(
    *,
    policy: Policy = "estimate",
    quiet: Annotated[float, Parameter(validator=Number(gte=0))] = 60.0,
    ask: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    base_url: str | None = None,
    prices: PriceFile = None,
    ledger: LedgerUrl = DEFAULT,
    json: AsJson = False,
) -> None:
    """Close what workers left open: release what was never sent, charge what was answered, correct
    about the rest.

    Safe to run at any time, by many at once, from cron. What was kept on disk while the database
    was away is written first.

    Parameters
    ----------
    policy
        What nobody can find out about is charged what was seen of it, what was held, or left for a
        person.
    quiet
        Seconds a late answer is waited for before that.
    ask A vendor:model whose vendor is asked first for answers it keeps, with the key of its
        variable; may be repeated.
    base_url
        The endpoint to ask, where it is not the vendor's own.
    """
    charging, lookup = prices_of(prices), _lookup(ask, base_url)
    with opened(ledger) as book:
        written = book.play_back()
        swept = book.sweep(charging, lookup=lookup, policy=policy, quiet_s=quiet, limit=_AT_ONCE)
        left = book.outstanding(limit=_AT_ONCE)
    if json:
        told = [{"attempt_id": each.attempt_id, "held_usd": each.held_usd} for each in left]
        print_json({"written": written, **asdict(swept), "open": told})
        return
    done = {"written from disk": written, "released": swept.released, "charged": swept.settled}
    counts = {**done, "corrected": swept.corrected, "open": len(left)}
    print(", ".join(f"{name} {count:,}" for name, count in counts.items()))
    for each in left:
        print(_left_open(each))


def _lookup(models: tuple[str, ...], base_url: str | None) -> "Lookup | None":
    if not models:
        return None
    from turngraph.graphs.attempt_lookup import vendor_lookup
    from turngraph.interfaces.cli.model_options import checked_config

    fields = {} if base_url is None else {"base_url": base_url}
    return vendor_lookup(*(checked_config(model, os.environ, fields) for model in models))


def _left_open(attempt: "Outstanding") -> str:
    from turngraph.interfaces.plain_text import money, printable

    what = (
        f"{attempt.vendor}:{attempt.model}"
        if attempt.kind == "completion"
        else f"{attempt.kind} {attempt.tool}"
    )
    return printable(
        f"  {attempt.attempt_id}  {attempt.state}  {what}  {money(attempt.held_usd)} held"
    )


def correct(attempt_id: str, usd: Amount, /, *, note: str, ledger: LedgerUrl = DEFAULT) -> None:
    """Say what an attempt really cost: an open one is closed with it, a closed one gets a
    correcting entry.

    Parameters
    ----------
    attempt_id
        As `export`, `show --json` and `reconcile` name it.
    usd
        What it cost altogether; 0 for one that was never served.
    note
        Why: the number of an invoice, for example.
    """
    from turngraph.interfaces.plain_text import money

    with opened(ledger) as book:
        settled = book.correct(attempt_id, usd, note=note)
    print(f"{attempt_id} costs {money(settled.amount_usd)}.", file=sys.stderr)


def forget(
    *,
    days: Annotated[float, Parameter(validator=Number(gte=0, lte=36_500))],
    ledger: LedgerUrl = DEFAULT,
) -> None:
    """Drop the kept answers of turns that are long over; what they used and cost stays.

    A replay from an earlier checkpoint of such a turn asks the model again, and pays.

    Parameters
    ----------
    days
        Answers that have stood for so many days.
    """
    with opened(ledger) as book:
        forgotten = book.forget_answers(days=days)
    print(f"{forgotten:,} answers forgotten.", file=sys.stderr)
