"""`turngraph ledger budget`: the budgets kept in a ledger."""

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from turngraph.interfaces.cli.ledger_options import (
    DEFAULT,
    Amount,
    AsJson,
    LedgerUrl,
    on_paper,
    opened,
    print_json,
)

if TYPE_CHECKING:
    from turngraph.billing.store.budgets import Budget

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
    from turngraph.billing.operations.reports import budget_states
    from turngraph.billing.store.budgets import list_budgets
    from turngraph.interfaces.cli.output.ledger_tables import in_words, windows_table
    from turngraph.interfaces.plain_text import printable

    with opened(ledger) as book:
        kept, states = book.read(list_budgets), book.read(budget_states, limit=limit)
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
    per: Literal["turn", "thread", "account", "key", "tag", "ledger"],
    of: str | None = None,
    period: Literal["always", "day", "month"] = "always",
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
    from turngraph.billing.operations.existing import is_there
    from turngraph.billing.store.budgets import set_budget
    from turngraph.billing.store.urls import shown_url
    from turngraph.interfaces.cli.output.ledger_tables import in_words

    given = {"usd": usd, "per": per, "of": of, "period": period, "hard": not soft, "name": name}
    kept = _checked(
        {**given, "warn_at": warn_at, "last_answer_usd": last_answer, "unpriced": unpriced}
    )
    if not is_there(ledger):
        # The one thing that is typed before the first turn is.
        with Ledger(ledger) as new:
            new.do(set_budget, kept)
        print(f"A new ledger was made: {shown_url(ledger)}", file=sys.stderr)
    else:
        with opened(ledger) as book:
            book.do(set_budget, kept)
    print(f"{kept.id}: {in_words(kept)}", file=sys.stderr)


@budget.command
def remove(name: str, /, *, ledger: LedgerUrl = DEFAULT) -> None:
    """Forget a kept budget. What it has counted stays for reports."""
    from turngraph.billing.store.budgets import list_budgets, remove_budget
    from turngraph.state.errors import TurnValueError

    with opened(ledger) as book:
        if not book.do(remove_budget, name):
            kept = ", ".join(f"`{each.id}`" for each in book.read(list_budgets)) or "none"
            raise TurnValueError(f"No budget `{name}` is kept here. There are: {kept}.")


def _kept(each: "Budget") -> dict[str, Any]:
    return {"name": each.id, **each.model_dump(exclude={"name"})}


def _checked(fields: dict[str, Any]) -> "Budget":
    """The budget. Raises TurnValueError in the option's own name."""
    from pydantic import ValidationError

    from turngraph.billing.store.budgets import Budget
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
