"""A calculator for calendar dates: differences, order, formats, days added and taken away. It reads
no clock.
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
WRITTEN: Final[dict[Format, str]] = {"ISO": "%Y-%m-%d", "US": "%m/%d/%Y", "EU": "%d/%m/%Y"}
PARTS: Final = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})", re.ASCII)


class DateCalculatorError(ToolException):
    """Dates the calculator cannot read or work with; the sentence is for the model."""


@tool
def date_calculator(
    dates: Annotated[list[str], Field(min_length=1, max_length=MAX_DATES)],
    operation: Operation,
    date_format: Format = "ISO",
    days: int | None = None,
) -> str:
    """Calculate with calendar dates. It does not know today's date; pass every date you mean.

    Args:
        dates: Dates as YYYY-MM-DD, MM/DD/YYYY (with date_format US) or DD/MM/YYYY (with date_format
        EU). operation: difference (days from the first date to the last), oldest, newest, convert
        (rewrite in date_format),
            add or subtract (move each date by days).
        date_format: How dates with slashes are read and how results are written: ISO, US or EU.
        days: How many days to add or subtract.
    """
    return calculate_dates(dates, operation, date_format, days)


date_calculator.handle_tool_error = True


def calculate_dates(
    dates: list[str], operation: Operation, date_format: Format = "ISO", days: int | None = None
) -> str:
    """The answer as JSON text. Raises DateCalculatorError, with a sentence, for what cannot be
    worked out.

    >>> calculate_dates(["2024-02-28"], "add", days=2)
    '{"operation": "add", "dates": ["2024-03-01"], "days": 2}'
    >>> calculate_dates(["03/01/2024", "03/08/2024"], "difference", "US")
    '{"operation": "difference", "days": 7, "from": "03/01/2024", "to": "03/08/2024"}'
    """
    read = [_read(text, date_format) for text in dates]
    if not 1 <= len(read) <= MAX_DATES:
        raise DateCalculatorError(f"dates holds {len(read)} dates; 1 to {MAX_DATES} are taken.")
    return json.dumps({"operation": operation, **_answer(read, operation, date_format, days)})


def _answer(
    read: list[date], operation: Operation, form: Format, days: int | None
) -> dict[str, object]:
    match operation:
        case "difference":
            if len(read) < 2:
                raise DateCalculatorError("difference needs two dates.")
            return {
                "days": (read[-1] - read[0]).days,
                "from": _write(read[0], form),
                "to": _write(read[-1], form),
            }
        case "oldest":
            return {"date": _write(min(read), form)}
        case "newest":
            return {"date": _write(max(read), form)}
        case "convert":
            return {"dates": [_write(day, form) for day in read]}
        case "add" | "subtract":
            if days is None:
                raise DateCalculatorError(f"{operation} needs days.")
            moved = [_moved(day, days if operation == "add" else -days) for day in read]
            return {"dates": [_write(day, form) for day in moved], "days": days}


def _read(text: str, form: Format) -> date:
    text = text.strip()
    if parts := PARTS.fullmatch(text):
        return _read_parts(text, parts, form)
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        raise DateCalculatorError(
            f"`{text[:50]}` is no date. Write it as YYYY-MM-DD, MM/DD/YYYY with date_format US, or DD/MM/YYYY with EU."
        ) from None


def _read_parts(text: str, parts: re.Match[str], form: Format) -> date:
    """A date in numbers: `form` says which comes first, unless only one reading is a date."""
    first, mark, second, year = parts.groups()
    if mark == ".":  # only written so where the day comes first
        form = "EU"
    us, eu = _day(year, first, second), _day(year, second, first)
    wanted = {
        "US": us or eu,
        "EU": eu or us,
        "ISO": us if eu is None or us == eu else eu if us is None else None,
    }[form]
    if wanted is not None:
        return wanted
    if us and eu:
        raise DateCalculatorError(
            f"`{text}` may be {us} or {eu}: say date_format US or EU, or write YYYY-MM-DD."
        )
    raise DateCalculatorError(f"`{text}` is on no calendar.")


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _write(day: date, form: Format) -> str:
    # strftime drops leading zeros of years before 1000 on some systems
    return (
        day.isoformat()
        if form == "ISO"
        else day.strftime(WRITTEN[form].replace("%Y", f"{day.year:04}"))
    )


def _moved(day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        raise DateCalculatorError(
            f"{day} and {days} days leave the calendar, which runs from 0001 to 9999."
        ) from None
