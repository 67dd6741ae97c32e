"""`turngraph ledger`: what was spent, on whom and on what; whether it adds up; what is still open."""

import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter
from cyclopts.validators import Number

from turngraph.billing.operations.results import Dimension
from turngraph.interfaces.cli.ledger_options import (
    DEFAULT,
    AsJson,
    LedgerUrl,
    Period,
    PriceFile,
    on_paper,
    opened,
    prices_of,
    print_json,
)

__all__ = ["ledger"]

ledger = App(
    name="ledger",
    help="What was spent, on whom and on what; whether it adds up; what is still open.",
)
ELSEWHERE: Final = {
    "verify": ("ledger_maintenance", "Prove that it adds up; name what does not."),
    "reconcile": (
        "ledger_maintenance",
        "Close what workers left open: release, charge, ask the vendor, or decide by policy.",
    ),
    "correct": ("ledger_maintenance", "Say what an attempt really cost."),
    "forget": (
        "ledger_maintenance",
        "Drop the kept answers of turns that are long over; what they cost stays.",
    ),
    "budget": ("ledger_budget", "The budgets kept in the ledger: list, set, remove."),
}
"""Commands that stand in files of their own."""
for _name, (_file, _help) in ELSEWHERE.items():
    ledger.command(f"turngraph.interfaces.cli.commands.{_file}:{_name}", name=_name, help=_help)


@ledger.command
def show(turn_id: str, /, *, ledger: LedgerUrl = DEFAULT, json: AsJson = False) -> None:
    """Print what one turn cost, attempt by attempt.

    Parameters
    ----------
    turn_id
        The turn's id: `result.turn_id`, or a line of `turngraph ledger top --by turn`.
    """
    from turngraph.interfaces.cli.output.ledger_tables import bill_table

    with opened(ledger) as book:
        bill = book.turn_bill(turn_id)
    if json:
        print_json(bill._asdict())
        return
    console = on_paper()
    begun = f", {bill.attempts[0]['at'][:10]}" if bill.attempts else ""
    console.print(
        f"turn {bill.turn_id}: {bill.status or 'not admitted here'}{begun}\n", markup=False
    )
    console.print(bill_table(bill))


@ledger.command
def top(
    *,
    by: Dimension = "model",
    period: Period = Period(),  # noqa: B008  frozen
    limit: Annotated[int, Parameter(validator=Number(gte=1))] = 20,
    ledger: LedgerUrl = DEFAULT,
    json: AsJson = False,
) -> None:
    """Print who or what was the dearest, with bars. Days and months stand in their order.

    Parameters
    ----------
    by
        What to add up by.
    limit
        At most so many lines; the total is of all.
    """
    from turngraph.interfaces.cli.output.ledger_tables import spending_table

    since, until = period.bounds()
    with opened(ledger) as book:
        lines = book.spending(by, since=since, until=until, limit=limit)
        total = book.total(since=since, until=until)
    if json:
        print_json([line._asdict() for line in lines])
    elif lines:
        on_paper().print(f"Spent by {by}, {period}\n", spending_table(by, lines, total), sep="\n")
    else:
        print(f"Nothing was spent: {period}.", file=sys.stderr)


@ledger.command
def export(file: Path, /, *, period: Period = Period(), ledger: LedgerUrl = DEFAULT) -> None:  # noqa: B008
    """Write every attempt as a row of a file, with its usage, its price and what it cost.

    Parameters
    ----------
    file
        Its suffix says how: .csv, .json, .jsonl or .parquet.
    """
    since, until = period.bounds()
    with opened(ledger) as book:
        written = book.export(file, since=since, until=until)
    print(f"{written:,} attempts written to {file}.", file=sys.stderr)


@ledger.command
def reprice(
    *,
    model: str,
    period: Period = Period(),  # noqa: B008  frozen
    prices: PriceFile = None,
    ledger: LedgerUrl = DEFAULT,
    json: AsJson = False,
) -> int:
    """Tell what the calls of a period would have cost with another model, at its prices of the same
    days.

    Exits with 1 where nothing can be compared.

    Parameters
    ----------
    model
        As vendor:model. Its tokenizer would count somewhat otherwise; the tokens are taken as they
        were counted.
    """
    from turngraph.interfaces.plain_text import money
    from turngraph.state.errors import TurnValueError

    vendor, colon, name = model.partition(":")
    if not (vendor and colon and name):
        raise TurnValueError(
            f"--model is `{model}`; it is a vendor and a model, as openai:gpt-5-mini."
        )
    since, until = period.bounds()
    with opened(ledger) as book:
        other = book.reprice(prices_of(prices), vendor=vendor, model=name, since=since, until=until)
    if json:
        print_json(other._asdict())
    elif other.attempts:
        change = f" ({other.other_usd / other.actual_usd - 1:+.0%})" if other.actual_usd else ""
        print(f"{other.attempts:,} calls, {period}: {money(other.actual_usd)}")
        print(f"with {model}: {money(other.other_usd)}{change}")
    if other.not_comparable and not json:
        print(
            f"{other.not_comparable:,} calls have no usage, or {model} no price: not compared.",
            file=sys.stderr,
        )
    elif not other.attempts and not json:
        print(f"No call to compare: {period}.", file=sys.stderr)
    return 0 if other.attempts else 1
