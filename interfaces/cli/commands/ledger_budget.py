"""`turngraph ledger budget`: the budgets kept in a ledger."""

import sys
from decimal import Decimal
from typing import Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number

from turngraph.billing.budget import Budget, BudgetDimension, BudgetPeriod
from turngraph.interfaces.cli.ledger_options import (
    DEFAULT,
    Amount,
    AsJson,
    LedgerUrl,
    on_paper,
    opened,
    print_json,
)

__all__ = ["budget"]

budget = App(
    name="budget",
    help="The budgets kept in the ledger: they hold for every call, whoever makes it.",
)


@budget.command(name="list")
def list_(
    *,
    limit: Annotated[int, Parameter(validator=Number(gte=1))] = 20,
    ledger: LedgerUrl = DEFAULT,
    json: AsJson = False,
) -> None:
    """Print the kept budgets, and what budgets have spent and hold now, the fullest first.

    Budgets that a program brings along are among the latter: they are kept nowhere, but what they
    count is.

    Parameters
    ----------
    limit
        At most so many windows; a budget for each turn has one for each turn.
    """
    from turngraph.interfaces.cli.output.ledger_tables import in_words, windows_table
    from turngraph.interfaces.plain_text import printable

    with opened(ledger) as book:
        kept, states = book.list_budgets(), book.budget_states(limit=limit)
    if json:
        print_json(
            {
                "kept": [_kept(each) for each in kept],
                "windows": [state._asdict() for state in states],
            }
        )
        return
    for each in kept:
        print(printable(f"{each.id}: {in_words(each)}"))
    if not kept:
        print(
            "No budget is kept: turngraph ledger budget set 20 --per account --period month",
            file=sys.stderr,
        )
    if states:
        on_paper().print("", windows_table(states), sep="\n")


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
    ledger: LedgerUrl = DEFAULT,
) -> None:
    """Keep a budget, or change the one of that name. It holds from the next call on, in every
    worker.

    Parameters
    ----------
    usd
        The limit, in US dollars.
    per
        What has this limit each; `ledger` is everything together.
    of
        Only this one: an account's name, a tag.
    period
        For ever, or anew each day or month of UTC.
    soft
        Only tell when it is crossed; otherwise calls are refused before they are sent.
    name
        Its name; made of the rest if absent.
    warn_at
        Shares of the limit at which spending is told.
    last_answer
        US dollars kept back for one closing call without tools.
    unpriced
        A call without a known price: `refuse`, `mark`, or the US dollars to hold and charge for it.
    """
    from turngraph.billing.ledger import Ledger
    from turngraph.billing.operations.existing import ledger_exists
    from turngraph.billing.store.urls import shown_url
    from turngraph.interfaces.cli.output.ledger_tables import in_words

    given = {"usd": usd, "per": per, "of": of, "period": period, "hard": not soft, "name": name}
    kept = _checked(
        {**given, "warn_at": warn_at, "last_answer_usd": last_answer, "unpriced": unpriced}
    )
    if not ledger_exists(ledger):
        # The one thing that is typed before the first turn is.
        with Ledger(ledger) as new:
            new.set_budget(kept)
        print(f"A new ledger was made: {shown_url(ledger)}", file=sys.stderr)
    else:
        with opened(ledger) as book:
            book.set_budget(kept)
    print(f"{kept.id}: {in_words(kept)}", file=sys.stderr)


@budget.command
def remove(name: str, /, *, ledger: LedgerUrl = DEFAULT) -> None:
    """Forget a kept budget. What it has counted stays for reports."""
    from turngraph.state.errors import TurnValueError

    with opened(ledger) as book:
        if not book.remove_budget(name):
            kept = ", ".join(f"`{each.id}`" for each in book.list_budgets()) or "none"
            raise TurnValueError(f"No budget `{name}` is kept here. There are: {kept}.")


def _kept(each: Budget) -> dict[str, Any]:
    return {"name": each.id, **each.model_dump(exclude={"name"})}


def _checked(fields: dict[str, Any]) -> Budget:
    """The budget. Raises TurnValueError in the option's own name."""
    from pydantic import ValidationError

    from turngraph.state.errors import TurnValueError

    try:
        return Budget(**fields)
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        field = str(problem["loc"][0])
        if field == "unpriced":
            raise TurnValueError(
                f"--unpriced is `{fields['unpriced']}`; it is `refuse`, `mark` or an amount in US dollars."
            ) from exc
        option = {"usd": "the limit", "last_answer_usd": "--last-answer"}.get(
            field, f"--{field.replace('_', '-')}"
        )
        raise TurnValueError(
            f"{option[0].upper()}{option[1:]} is {problem['input']}: {problem['msg']}."
        ) from exc
