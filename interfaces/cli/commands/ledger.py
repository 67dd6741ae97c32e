"""`turngraph ledger`: reports of what was spent, exports, and the subcommands of other files.

`ledger_maintenance.py` has `verify`, `reconcile`, `correct` and `forget`; `ledger_budget.py` has
`budget`.
"""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from turngraph.billing.operations.results import Dimension
from turngraph.interfaces.cli.commands.ledger_budget import budget
from turngraph.interfaces.cli.commands.ledger_maintenance import (
    correct,
    forget,
    reconcile,
    verify,
)
from turngraph.interfaces.cli.ledger_options import (
    DEFAULT_LEDGER,
    AsJson,
    LedgerUrl,
    Period,
    PriceFile,
    load_prices,
    open_ledger,
    print_json,
)
from turngraph.interfaces.cli.output.files import report_console

__all__ = ["ledger"]

ledger = App(
    name="ledger",
    help="Report spending, keep budgets, and verify the ledger.",
    help_epilogue="**Example:** `turngraph ledger top --by account --month 2026-10 --ledger "
    "sqlite:///turns.db`",
)
ledger.command(budget)
ledger.command(
    verify,
    help_epilogue="**Example:** `turngraph ledger verify --ledger sqlite:///turns.db`\n\n"
    "**Exit codes:** 0 everything adds up; 1 problems, one a line.",
)
ledger.command(
    reconcile,
    help_epilogue="**Example:** `turngraph ledger reconcile --policy estimate --ask "
    "openai:gpt-5-mini`\n\nIt may run at any time, in several processes at once, and from cron.",
)
ledger.command(
    correct,
    help_epilogue='**Example:** `turngraph ledger correct ATTEMPT 0.0012 --note "invoice 4711"`',
)
ledger.command(
    forget,
    help_epilogue="**Example:** `turngraph ledger forget --days 30`\n\nA replay from an earlier "
    "checkpoint of such a turn asks the model again, and pays again.",
)


@ledger.command(
    help_epilogue="**Example:** `turngraph ledger show order-4711 --ledger sqlite:///turns.db`"
)
def show(turn_id: str, /, *, ledger: LedgerUrl = DEFAULT_LEDGER, json: AsJson = False) -> None:
    """Print what one turn has cost, attempt by attempt.

    Parameters
    ----------
    turn_id
        The id of the turn: `result.turn_id`, or a line of `turngraph ledger top --by turn`.
    """
    from turngraph.interfaces.cli.output.ledger_tables import bill_table

    with open_ledger(ledger) as book:
        bill = book.turn_bill(turn_id)
    if json:
        print_json(bill._asdict())
        return
    console = report_console()
    date = f", {bill.attempts[0]['at'][:10]}" if bill.attempts else ""
    # A turn's id is chosen by its caller. Without `markup=False`, brackets in it would be styles.
    console.print(
        f"turn {bill.turn_id}: {bill.status or 'not admitted here'}{date}\n", markup=False
    )
    console.print(bill_table(bill))


@ledger.command(help_epilogue="**Example:** `turngraph ledger top --by account --month 2026-10`")
def top(
    *,
    by: Dimension = "model",
    period: Period = Period(),  # noqa: B008  frozen
    limit: Annotated[int, Parameter(validator=Number(gte=1))] = 20,
    ledger: LedgerUrl = DEFAULT_LEDGER,
    json: AsJson = False,
) -> None:
    """Print spending by account, model or another dimension, with bars.

    The largest amounts come first; days and months stand in their order.

    Parameters
    ----------
    by
        The dimension to add up by.
    limit
        The most lines to print. The total counts all of them.
    """
    from turngraph.interfaces.cli.output.ledger_tables import spending_table

    since, until = period.bounds()
    with open_ledger(ledger) as book:
        lines = book.spending(by, since=since, until=until, limit=limit)
        # Asked for separately: the lines end at `limit`, so they need not add up to the total.
        total = book.total(since=since, until=until)
    if json:
        print_json([line._asdict() for line in lines])
    elif lines:
        report_console().print(
            f"Spent by {by}, {period}\n", spending_table(by, lines, total), sep="\n"
        )
    else:
        print(f"Nothing was spent in this period: {period}.", file=sys.stderr)


@ledger.command(
    help_epilogue="**Example:** `turngraph ledger export spent.csv --since 2026-10-01 --until "
    "2026-11-01`"
)
def export(file: Path, /, *, period: Period = Period(), ledger: LedgerUrl = DEFAULT_LEDGER) -> None:  # noqa: B008
    """Write every attempt to a file, with its usage, its price and what it has cost.

    Parameters
    ----------
    file
        The file to write. Its suffix chooses the format: .csv, .json, .jsonl or .parquet.
    """
    since, until = period.bounds()
    with open_ledger(ledger) as book:
        written = book.export(file, since=since, until=until)
    print(f"{written:,} attempts written to {file}.", file=sys.stderr)


@ledger.command(
    help_epilogue="**Example:** `turngraph ledger reprice --model openai:gpt-5-nano --month "
    "2026-10`\n\n**Exit codes:** 0 a comparison was printed; 1 nothing can be compared."
)
def reprice(
    *,
    model: str,
    period: Period = Period(),  # noqa: B008  frozen
    prices: PriceFile = None,
    ledger: LedgerUrl = DEFAULT_LEDGER,
    json: AsJson = False,
) -> int:
    """Print what the calls of a period would have cost with another model.

    The prices of the same days are used, and the tokens as they were counted, although the other
    model's tokenizer would count a little differently.

    Parameters
    ----------
    model
        The other model, as vendor:model.
    """
    from turngraph.interfaces.plain_text import money
    from turngraph.state.errors import TurnValueError

    vendor, colon, name = model.partition(":")
    if not (vendor and colon and name):
        raise TurnValueError(
            f"--model is `{model}`; type a vendor and a model, as in openai:gpt-5-mini."
        )
    since, until = period.bounds()
    with open_ledger(ledger) as book:
        other = book.reprice(
            load_prices(prices), vendor=vendor, model=name, since=since, until=until
        )
    if json:
        print_json(other._asdict())
    elif other.attempts:
        change = f" ({other.other_usd / other.actual_usd - 1:+.0%})" if other.actual_usd else ""
        print(f"{other.attempts:,} calls, {period}: {money(other.actual_usd)}")
        print(f"with {model}: {money(other.other_usd)}{change}")
    if other.not_comparable and not json:
        print(
            f"{other.not_comparable:,} calls have no usage, or {model} has no price for them.",
            file=sys.stderr,
        )
    elif not other.attempts and not json:
        print(f"No call to compare in this period: {period}.", file=sys.stderr)
    return 0 if other.attempts else 1
