"""`turngraph ledger budget`: the budgets that are stored in a ledger."""

import sys
from decimal import Decimal
from typing import Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number

from turngraph.billing.budget import Budget, BudgetDimension, BudgetPeriod
from turngraph.interfaces.cli.ledger_options import (
    DEFAULT_LEDGER,
    Amount,
    AsJson,
    LedgerUrl,
    open_ledger,
    print_json,
)
from turngraph.interfaces.cli.output.files import report_console

__all__ = ["budget"]

budget = App(
    name="budget",
    help="List, set and remove the budgets stored in the ledger, which hold in every worker.",
    help_epilogue="**Example:** `turngraph ledger budget set 20 --per account --period month`",
)


@budget.command(name="list")
def list_(
    *,
    limit: Annotated[int, Parameter(validator=Number(gte=1))] = 20,
    ledger: LedgerUrl = DEFAULT_LEDGER,
    json: AsJson = False,
) -> None:
    """Print the stored budgets, and what each window has spent and holds, the fullest first.

    A window is the count of one budget for one account, key, turn and so on, in one period. Budgets
    that a program passes to `chat_turn` are not stored, but their windows are.

    Parameters
    ----------
    limit
        The most windows to print.
    """
    from turngraph.interfaces.cli.output.ledger_tables import describe_budget, windows_table
    from turngraph.interfaces.plain_text import printable

    with open_ledger(ledger) as book:
        kept, states = book.list_budgets(), book.budget_states(limit=limit)
    if json:
        print_json(
            {
                "kept": [_as_row(each) for each in kept],
                "windows": [state._asdict() for state in states],
            }
        )
        return
    for each in kept:
        print(printable(f"{each.id}: {describe_budget(each)}"))
    if not kept:
        print(
            "No budget is stored. Set one, as in: "
            "turngraph ledger budget set 20 --per account --period month",
            file=sys.stderr,
        )
    if states:
        report_console().print("", windows_table(states), sep="\n")


@budget.command(name="set")
def set_(
    usd: Amount,
    /,
    *,
    per: BudgetDimension,
    of: str | None = None,
    period: BudgetPeriod = "always",
    soft: Annotated[bool, Parameter(negative="")] = False,
    name: str | None = None,
    warn_at: tuple[float, ...] = (0.8, 1.0),
    last_answer: Amount = Decimal(0),
    unpriced: str = "refuse",
    ledger: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """Store a budget, or change the one with the same name.

    It holds from the next call on, in every worker. A ledger that does not exist is created.

    Parameters
    ----------
    usd
        The limit, in US dollars.
    per
        What each has this limit; `ledger` limits all calls together.
    of
        The one account, key or tag that is limited. Default: each of them.
    period
        How long spending is counted: always, or anew each day or month (UTC).
    soft
        Only warn when the limit is crossed. Default: refuse calls before they are sent.
    name
        The name of the budget. Default: made of the other options, as in account-month.
    warn_at
        Shares of the limit at which a warning is given; 0.8 is 80 %.
    last_answer
        US dollars of the limit that are reserved for one last call without tools.
    unpriced
        What to do with a call without a known price: `refuse` it, `mark` its charge, or an amount
        in US dollars to hold and charge for it.
    """
    from turngraph.billing.ledger import Ledger
    from turngraph.billing.operations.existing import ledger_exists
    from turngraph.billing.store.urls import shown_url
    from turngraph.interfaces.cli.output.ledger_tables import describe_budget

    given = {"usd": usd, "per": per, "of": of, "period": period, "hard": not soft, "name": name}
    kept = _budget_from(
        {**given, "warn_at": warn_at, "last_answer_usd": last_answer, "unpriced": unpriced}
    )
    if not ledger_exists(ledger):
        # A budget is often set before the first turn, so this command alone creates a ledger.
        with Ledger(ledger) as new:
            new.set_budget(kept)
        print(f"A new ledger was created: {shown_url(ledger)}", file=sys.stderr)
    else:
        with open_ledger(ledger) as book:
            book.set_budget(kept)
    print(f"{kept.id}: {describe_budget(kept)}", file=sys.stderr)


@budget.command
def remove(name: str, /, *, ledger: LedgerUrl = DEFAULT_LEDGER) -> None:
    """Remove a stored budget. What it has counted stays in reports.

    Parameters
    ----------
    name
        The name, as `turngraph ledger budget list` prints it.
    """
    from turngraph.state.errors import TurnValueError

    with open_ledger(ledger) as book:
        if not book.remove_budget(name):
            kept = ", ".join(f"`{each.id}`" for each in book.list_budgets()) or "none"
            raise TurnValueError(
                f"No budget `{name}` is stored in this ledger. Stored are: {kept}."
            )


def _as_row(each: Budget) -> dict[str, Any]:
    # A budget that was given no name is known by its id, which is made of its other fields.
    return {"name": each.id, **each.model_dump(exclude={"name"})}


def _budget_from(fields: dict[str, Any]) -> Budget:
    """Returns the budget. Raises TurnValueError that names the option with the wrong value."""
    from pydantic import ValidationError

    from turngraph.state.errors import TurnValueError

    try:
        return Budget(**fields)
    except ValidationError as exc:
        # pydantic reports fields; a person typed options, and mends one at a time.
        problem = exc.errors(include_url=False)[0]
        field = str(problem["loc"][0])
        if field == "unpriced":
            raise TurnValueError(
                f"--unpriced is `{fields['unpriced']}`; type `refuse`, `mark` or an amount in US "
                "dollars."
            ) from exc
        option = {"usd": "the limit", "last_answer_usd": "--last-answer"}.get(
            field, f"--{field.replace('_', '-')}"
        )
        raise TurnValueError(
            f"{option[0].upper()}{option[1:]} is {problem['input']}: {problem['msg']}."
        ) from exc
