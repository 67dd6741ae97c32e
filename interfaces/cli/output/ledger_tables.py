"""Tables of the ledger's reports, with bars."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from rich.bar import Bar
from rich.table import Table
from rich.text import Text

from turngraph.interfaces.plain_text import money, one_line

if TYPE_CHECKING:
    from turngraph.billing.budget import Budget
    from turngraph.billing.operations.results import AttemptRow, BudgetState, Spent, TurnBill

__all__ = ["align", "bill_table", "describe_budget", "spending_table", "windows_table"]

_BAR_WIDTH: Final = 28
_WARNING_SHARE: Final = Decimal("0.8")
"""From this share of a limit on, a bar is yellow; at the limit it is red."""
_NUMBER_COLUMNS: Final = frozenset({"USD", "share", "attempts", "limit", "spent", "held", "used"})


def spending_table(by: str, lines: "Sequence[Spent]", total: "Spent") -> Table:
    """Returns one row with a bar for each value of the dimension `by`, and a row with the total."""
    table = _table(by, "USD", "", "share", "attempts", "")
    amounts = align([*(line.usd for line in lines), total.usd])
    longest = max((line.usd for line in lines), default=Decimal(0))
    for line, amount in zip(lines, amounts, strict=False):
        bar: Bar | str = ""
        if longest:
            bar = Bar(float(longest), 0, float(line.usd), width=_BAR_WIDTH, color="cyan")
        table.add_row(
            _name(line.value),
            amount,
            bar,
            _share(line.usd, total.usd),
            f"{line.attempts:,}",
            _notes(line),
        )
    table.add_row("total", amounts[-1], "", "", f"{total.attempts:,}", _notes(total), style="bold")
    return table


def bill_table(bill: "TurnBill") -> Table:
    """Returns one row for each attempt of a turn, and a row with the total."""
    table = _table("UTC", "charge", "state", "tokens", "USD", "price", "")
    amounts = align([*(row["usd"] for row in bill.attempts), bill.usd])
    for row, amount in zip(bill.attempts, amounts, strict=False):
        price = row["price_source"] or ""
        table.add_row(
            row["at"][11:19],
            _describe_attempt(row),
            row["state"],
            _tokens(row),
            amount,
            price,
            _marks(row),
        )
    held = f"{money(bill.open_usd)} held" if bill.open_usd else ""
    table.add_row("total", "", "", "", amounts[-1], "", held, style="bold")
    return table


def windows_table(states: "Iterable[BudgetState]") -> Table:
    """Returns one row with a bar for each window of a budget: its limit, spent and held amounts."""
    table = _table("budget", "window", "limit", "spent", "held", "", "used")
    for state in states:
        used = state.spent_usd + state.held_usd
        # A limit of zero is always full; dividing by it is avoided.
        share = float(used / state.limit_usd) if used < state.limit_usd else 1.0
        bar = Bar(1, 0, share, width=_BAR_WIDTH, color=_bar_color(used, state.limit_usd))
        amounts = [money(amount) for amount in (state.limit_usd, state.spent_usd, state.held_usd)]
        table.add_row(
            _name(state.label), state.window, *amounts, bar, _share(used, state.limit_usd)
        )
    return table


def _bar_color(used: Decimal, limit: Decimal) -> str:
    if used >= limit:
        return "red"
    return "yellow" if used >= limit * _WARNING_SHARE else "green"


def describe_budget(budget: "Budget") -> str:
    """Describes a budget in a few words.

    >>> from turngraph.billing.budget import Budget
    >>> monthly = Budget(usd=Decimal(20), per="account", of="acme", period="month", hard=False)
    >>> describe_budget(monthly)
    '$20.00 a month for the account acme, soft'
    >>> describe_budget(Budget(usd=Decimal("0.5")))
    '$0.50 for each turn, hard'
    """
    period = "" if budget.period == "always" else f" a {budget.period}"
    whom = "all calls together" if budget.per == "ledger" else f"each {budget.per}"
    whom = whom if budget.of is None else f"the {budget.per} {one_line(budget.of, 60)}"
    more = []
    if budget.last_answer_usd:
        more.append(f"{money(budget.last_answer_usd)} of it for a last answer")
    if budget.unpriced != "refuse":
        unpriced = "marked" if budget.unpriced == "mark" else f"charged {money(budget.unpriced)}"
        more.append(f"calls without a price are {unpriced}")
    return ", ".join(
        [f"{money(budget.usd)}{period} for {whom}", "hard" if budget.hard else "soft", *more]
    )


def align(amounts: Sequence[Decimal]) -> list[str]:
    """Returns the amounts as texts of equal width, with their decimal points below each other.

    >>> align([Decimal("12.5"), Decimal("0.00008")])
    ['$12.50   ', '$0.00008']
    """
    texts = ["$0.00" if amount == 0 else money(amount) for amount in amounts]
    digits = [len(text.partition(".")[2]) for text in texts]
    most = max(digits, default=0)
    return [text + " " * (most - count) for text, count in zip(texts, digits, strict=True)]


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        numeric = heading in _NUMBER_COLUMNS
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=numeric)
    return table


def _name(value: str) -> Text:
    """Returns a name as plain text: callers choose it, so its markup must not be obeyed."""
    return Text(one_line(value, 60)) if value else Text("(none)", style="dim")


def _describe_attempt(row: "AttemptRow") -> Text:
    if row["kind"] == "completion":
        return Text(one_line(f"{row['vendor']}:{row['model']}", 60))
    return Text(one_line(f"{row['kind']} {row['tool'] or row['plugin'] or ''}", 60))


def _tokens(row: "AttemptRow") -> str:
    """Describes input and output tokens, with those that have a price of their own in brackets."""
    if row["input_tokens"] is None and row["output_tokens"] is None:
        return ""
    parts = (
        (row["input_tokens"] or 0, row["cache_read_tokens"], "cached"),
        (row["output_tokens"] or 0, row["reasoning_tokens"], "reasoning"),
    )
    return " + ".join(
        f"{count:,} ({part:,} {name})" if part else f"{count:,}" for count, part, name in parts
    )


def _marks(row: "AttemptRow") -> str:
    marks = [name for name in ("estimated", "overrun", "unpriced") if row[name]]
    if row["basis"] not in (None, "actual", "unpriced", "released"):
        marks.insert(0, row["basis"])
    if row["state"] in ("reserved", "sent", "answered", "unknown"):
        marks.append(f"{money(row['held_usd'])} held")
    return ", ".join(dict.fromkeys(marks))


def _notes(line: "Spent") -> str:
    notes = [f"{money(line.estimated_usd)} estimated"] if line.estimated_usd else []
    return ", ".join([*notes, *([f"{line.unpriced:,} unpriced"] if line.unpriced else [])])


def _share(part: Decimal, whole: Decimal) -> str:
    return f"{part / whole:.0%}" if whole else ""
