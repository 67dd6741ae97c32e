"""Reports of the ledger on a terminal: bars, because people look before they read."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from rich.bar import Bar
from rich.table import Table
from rich.text import Text

from turngraph.interfaces.plain_text import money, one_line

if TYPE_CHECKING:
    from turngraph.billing.budget import Budget
    from turngraph.billing.operations.results import BudgetState, Spent, TurnBill

__all__ = ["aligned", "bill_table", "in_words", "spending_table", "windows_table"]

_BAR: Final = 28
_NUMBERS: Final = frozenset({"USD", "share", "attempts", "limit", "spent", "held", "used"})


def spending_table(by: str, lines: "Sequence[Spent]", total: "Spent") -> Table:
    """What was spent by one dimension, a bar each, and all of it together."""
    table = _table(by, "USD", "", "share", "attempts", "")
    amounts = aligned([*(line.usd for line in lines), total.usd])
    longest = max((line.usd for line in lines), default=Decimal(0))
    for line, amount in zip(lines, amounts, strict=False):
        bar = Bar(float(longest), 0, float(line.usd), width=_BAR, color="cyan") if longest else ""
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
    """A turn's attempts, a row each, and what they add up to."""
    table = _table("UTC", "charge", "state", "tokens", "USD", "price", "")
    amounts = aligned([*(row["usd"] for row in bill.attempts), bill.usd])
    for row, amount in zip(bill.attempts, amounts, strict=False):
        price = row["price_source"] or ""
        table.add_row(
            row["at"][11:19], _what(row), row["state"], _tokens(row), amount, price, _marks(row)
        )
    held = f"{money(bill.open_usd)} held" if bill.open_usd else ""
    table.add_row("total", "", "", "", amounts[-1], "", held, style="bold")
    return table


def windows_table(states: "Iterable[BudgetState]") -> Table:
    """What budgets allow, have spent and hold, a bar each."""
    table = _table("budget", "window", "limit", "spent", "held", "", "used")
    for state in states:
        used = state.spent_usd + state.held_usd
        full = used >= state.limit_usd
        colour = (
            "red" if full else "yellow" if used >= state.limit_usd * Decimal("0.8") else "green"
        )
        bar = Bar(1, 0, 1 if full else float(used / state.limit_usd), width=_BAR, color=colour)
        amounts = [money(amount) for amount in (state.limit_usd, state.spent_usd, state.held_usd)]
        table.add_row(
            _name(state.budget), state.window, *amounts, bar, _share(used, state.limit_usd)
        )
    return table


def in_words(budget: "Budget") -> str:
    """A budget as a person says it.

    >>> from turngraph.billing.budget import Budget
    >>> in_words(Budget(usd=Decimal(20), per="account", of="acme", period="month", hard=False))
    '$20.00 a month for the account acme, soft'
    >>> in_words(Budget(usd=Decimal("0.5")))
    '$0.50 for each turn, hard'
    """
    often = "" if budget.period == "always" else f" a {budget.period}"
    whom = "all together" if budget.per == "ledger" else f"each {budget.per}"
    whom = whom if budget.of is None else f"the {budget.per} {one_line(budget.of, 60)}"
    more = (
        [f"{money(budget.last_answer_usd)} of it for a last answer"]
        if budget.last_answer_usd
        else []
    )
    if budget.unpriced != "refuse":
        unpriced = "marked" if budget.unpriced == "mark" else f"taken at {money(budget.unpriced)}"
        more.append(f"calls without a price are {unpriced}")
    return ", ".join(
        [f"{money(budget.usd)}{often} for {whom}", "hard" if budget.hard else "soft", *more]
    )


def aligned(amounts: Sequence[Decimal]) -> list[str]:
    """Amounts whose dots stand below each other.

    >>> aligned([Decimal("12.5"), Decimal("0.00008")])
    ['$12.50   ', '$0.00008']
    """
    told = ["$0.00" if amount == 0 else money(amount) for amount in amounts]
    widest = max((len(text.partition(".")[2]) for text in told), default=0)
    return [text + " " * (widest - len(text.partition(".")[2])) for text in told]


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        numeric = heading in _NUMBERS
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=numeric)
    return table


def _name(value: str) -> Text:
    """Callers choose these names: no markup and no control character in them is obeyed."""
    return Text(one_line(value, 60)) if value else Text("(none)", style="dim")


def _what(row: dict[str, Any]) -> Text:
    if row["kind"] == "completion":
        return Text(one_line(f"{row['vendor']}:{row['model']}", 60))
    return Text(one_line(f"{row['kind']} {row['tool'] or row['plugin'] or ''}", 60))


def _tokens(row: dict[str, Any]) -> str:
    """Of the prompt and of the answer, and how many of them have a price of their own."""
    if row["input_tokens"] is None and row["output_tokens"] is None:
        return ""
    sides = (
        ("input_tokens", "cache_read_tokens", "cached"),
        ("output_tokens", "reasoning_tokens", "reasoning"),
    )
    parts = ((row[side] or 0, row[part], name) for side, part, name in sides)
    return " + ".join(
        f"{count:,} ({part:,} {name})" if part else f"{count:,}" for count, part, name in parts
    )


def _marks(row: dict[str, Any]) -> str:
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
