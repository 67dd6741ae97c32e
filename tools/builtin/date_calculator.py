"""A calculator for calendar dates: difference, order, format, days added or subtracted.

It never reads the clock, so the same call always has the same answer.
"""

import json
import re
from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal

from langchain_core.tools import ToolException, tool
from pydantic import Field

__all__ = ["DateCalculatorError", "calculate_dates", "date_calculator"]

Format = Literal["ISO", "US", "EU"]
Operation = Literal["difference", "oldest", "newest", "convert", "add", "subtract"]

MAX_DATES: Final = 100
PATTERNS: Final[dict[Format, str]] = {"ISO": "%Y-%m-%d", "US": "%m/%d/%Y", "EU": "%d/%m/%Y"}
NUMERIC: Final = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})", re.ASCII)
"""Two numbers and a year, such as 3/8/2024, with the same separator twice."""


class DateCalculatorError(ToolException):
    """Dates that the calculator cannot read or work with. The sentence is for the model."""


@tool
def date_calculator(
    dates: Annotated[list[str], Field(min_length=1, max_length=MAX_DATES)],
    operation: Operation,
    date_format: Format = "ISO",
    days: int | None = None,
) -> str:
    """Calculate with calendar dates. It does not know today's date; pass every date you mean.

    Args:
        dates: Dates as YYYY-MM-DD, MM/DD/YYYY (with date_format US) or DD/MM/YYYY (with
            date_format EU).
        operation: difference (days from the first date to the last), oldest, newest, convert
            (rewrite in date_format), add or subtract (move each date by days).
        date_format: How dates with slashes are read and how results are written: ISO, US or EU.
        days: How many days to add or subtract.
    """
    return calculate_dates(dates, operation, date_format, days)


date_calculator.handle_tool_error = True
date_calculator.metadata = {"idempotent": True}


def calculate_dates(
    dates: list[str], operation: Operation, date_format: Format = "ISO", days: int | None = None
) -> str:
    """Returns the answer as JSON text.

    Raises DateCalculatorError, with a sentence for the model, for what cannot be calculated.

    >>> calculate_dates(["2024-02-28"], "add", days=2)
    '{"operation": "add", "dates": ["2024-03-01"], "days": 2}'
    >>> calculate_dates(["03/01/2024", "03/08/2024"], "difference", "US")
    '{"operation": "difference", "days": 7, "from": "03/01/2024", "to": "03/08/2024"}'
    """
    parsed = [_parse(text, date_format) for text in dates]
    if not 1 <= len(parsed) <= MAX_DATES:
        raise DateCalculatorError(
            f"dates has {len(parsed)} dates; 1 to {MAX_DATES} dates are allowed."
        )
    return json.dumps({"operation": operation, **_answer(parsed, operation, date_format, days)})


def _answer(
    dates: list[date], operation: Operation, form: Format, days: int | None
) -> dict[str, object]:
    match operation:
        case "difference":
            if len(dates) < 2:
                raise DateCalculatorError("difference needs two dates.")
            return {
                "days": (dates[-1] - dates[0]).days,
                "from": _write(dates[0], form),
                "to": _write(dates[-1], form),
            }
        case "oldest":
            return {"date": _write(min(dates), form)}
        case "newest":
            return {"date": _write(max(dates), form)}
        case "convert":
            return {"dates": [_write(day, form) for day in dates]}
        case "add" | "subtract":
            if days is None:
                raise DateCalculatorError(f"{operation} needs days.")
            moved = [_add_days(day, days if operation == "add" else -days) for day in dates]
            return {"dates": [_write(day, form) for day in moved], "days": days}


def _parse(text: str, form: Format) -> date:
    text = text.strip()
    if numbers := NUMERIC.fullmatch(text):
        return _parse_numeric(text, numbers, form)
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        raise DateCalculatorError(
            f"`{text[:50]}` is not a date. Write it as YYYY-MM-DD, MM/DD/YYYY with date_format US, "
            "or DD/MM/YYYY with EU."
        ) from None


def _parse_numeric(text: str, numbers: re.Match[str], form: Format) -> date:
    """Returns a date written in numbers. `form` decides the order, unless only one order is a
    date.
    """
    first, separator, second, year = numbers.groups()
    if separator == ".":  # dots are used only where the day comes first
        form = "EU"
    us, eu = _date(year, first, second), _date(year, second, first)
    chosen = {
        "US": us or eu,
        "EU": eu or us,
        "ISO": us if eu is None or us == eu else eu if us is None else None,
    }[form]
    if chosen is not None:
        return chosen
    # With ISO the order of slashes is unknown; to guess would give an answer that looks right.
    if us and eu:
        raise DateCalculatorError(
            f"`{text}` may be {us} or {eu}: give date_format US or EU, or write YYYY-MM-DD."
        )
    raise DateCalculatorError(f"`{text}` is on no calendar.")


def _date(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _write(day: date, form: Format) -> str:
    if form == "ISO":
        return day.isoformat()
    # On some systems strftime drops the leading zeros of years before 1000.
    return day.strftime(PATTERNS[form].replace("%Y", f"{day.year:04}"))


def _add_days(day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        raise DateCalculatorError(
            f"{day} and {days} days leave the calendar, which runs from year 1 to year 9999."
        ) from None
