"""The date calculator agrees with Python's calendar and never guesses which number is the month."""

import json
from datetime import date, timedelta
from typing import get_args

import pytest
from hypothesis import given, strategies as st

from turngraph.tools.builtin.date_calculator import (
    DateCalculatorError,
    Format,
    Operation,
    calculate_dates,
    date_calculator,
)


@given(st.dates(), st.dates())
def test_difference_is_what_the_calendar_says(first: date, last: date) -> None:
    """Leap years and centuries are included."""
    answer = json.loads(calculate_dates([first.isoformat(), last.isoformat()], "difference"))
    assert answer["days"] == (last - first).days


@given(st.dates(date(1000, 1, 1)), st.sampled_from(get_args(Format)))
def test_a_result_can_be_read_again(day: date, form: Format) -> None:
    """A model passes one answer on in the next call."""
    [text] = json.loads(calculate_dates([day.isoformat()], "convert", form))["dates"]
    assert json.loads(calculate_dates([text], "oldest", form))["date"] == text
    assert json.loads(calculate_dates([text, day.isoformat()], "difference", form))["days"] == 0


@given(st.dates(date(2, 1, 1), date(9998, 1, 1)), st.integers(-300, 300))
def test_add_and_subtract_undo_each_other(day: date, days: int) -> None:
    """This holds across the ends of months and years."""
    [later] = json.loads(calculate_dates([day.isoformat()], "add", days=days))["dates"]
    assert later == (day + timedelta(days=days)).isoformat()
    assert json.loads(calculate_dates([later], "subtract", days=days))["dates"] == [day.isoformat()]


def test_oldest_and_newest_are_found_in_any_order_and_format() -> None:
    """The order and the format of the dates do not matter."""
    dates = ["2024-03-01", "12/31/2023", "2024-02-29T23:59:00+02:00"]
    assert json.loads(calculate_dates(dates, "oldest", "US"))["date"] == "12/31/2023"
    assert json.loads(calculate_dates(dates, "newest"))["date"] == "2024-03-01"


@pytest.mark.parametrize(
    ("text", "form", "wanted"),
    [
        ("03/04/2024", "US", "2024-03-04"),
        ("03/04/2024", "EU", "2024-04-03"),
        ("31/12/2024", "US", "2024-12-31"),
        ("12/31/2024", "ISO", "2024-12-31"),
        ("31.12.2024", "US", "2024-12-31"),
        ("05/05/2024", "ISO", "2024-05-05"),
        ("3-4-2024", "US", "2024-03-04"),
    ],
)
def test_a_written_date_is_read_as_its_format_says(text: str, form: Format, wanted: str) -> None:
    """If only one order of the numbers is a date, that order is used."""
    assert json.loads(calculate_dates([text, wanted], "difference", form))["days"] == 0


@pytest.mark.parametrize(
    ("dates", "operation", "form", "days", "message"),
    [
        (["03/04/2024"], "convert", "ISO", None, "may be 2024-03-04 or 2024-04-03"),
        (["2024-02-30"], "convert", "ISO", None, "is not a date"),
        (["13/13/2024"], "convert", "US", None, "on no calendar"),
        (["today"], "convert", "ISO", None, "is not a date"),
        ([""], "convert", "ISO", None, "is not a date"),
        (["2024-01-01"], "difference", "ISO", None, "two dates"),
        (["2024-01-01"], "add", "ISO", None, "needs days"),
        (["9999-12-31"], "add", "ISO", 1, "leave the calendar"),
        (["2024-01-01"], "subtract", "ISO", 10**18, "leave the calendar"),
        (["2024-01-01"], "add", "ISO", 10**10, "leave the calendar"),
        ([], "oldest", "ISO", None, "1 to 100"),
        (["2024-01-01"] * 101, "oldest", "ISO", None, "1 to 100"),
        (["\ud800"], "oldest", "ISO", None, "is not a date"),
        (
            ["\u0662\u0660\u0662\u0664-\u0660\u0661-\u0660\u0661"],
            "oldest",
            "ISO",
            None,
            "is not a date",
        ),
    ],
)
def test_wrong_dates_are_refused_with_a_message(
    dates: list[str], operation: Operation, form: Format, days: int, message: str
) -> None:
    """The message says what to write instead."""
    with pytest.raises(DateCalculatorError, match=message):
        calculate_dates(dates, operation, form, days)


def test_the_model_sees_the_documented_arguments() -> None:
    """The names and choices are part of the documented interface."""
    schema = date_calculator.get_input_jsonschema()["properties"]
    assert set(schema) == {"dates", "operation", "date_format", "days"}
    assert schema["operation"]["enum"] == [
        "difference",
        "oldest",
        "newest",
        "convert",
        "add",
        "subtract",
    ]
