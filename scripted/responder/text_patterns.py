"""Finds sums, dates, places, numbers and words in a text, by regular expressions.

This is all that the scripted model understands of a question.
"""

import ast
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

__all__ = [
    "DATE",
    "MAX_READ",
    "WORD",
    "find_dates",
    "find_expressions",
    "find_numbers",
    "find_places",
    "find_quoted",
    "find_words",
    "split_tokens",
]

MAX_EXPRESSION: Final = 200
"""Characters of the longest sum that is taken for one."""
MAX_READ: Final = 20_000
"""Characters of a text that are searched; the rest of a longer text is ignored."""

MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
MONTH: Final = "|".join(rf"{month[:3]}(?:{month[3:]})?" if month[3:] else month for month in MONTHS)
DATE: Final = re.compile(
    rf"\b\d{{4}}-\d{{2}}-\d{{2}}\b|\b\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{4}}\b"
    rf"|\b(?P<m1>{MONTH})\.? (?P<d1>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y1>\d{{4}})\b"
    rf"|\b(?P<d2>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<m2>{MONTH})\.?,? (?P<y2>\d{{4}})\b",
    re.IGNORECASE,
)
NUMBER: Final = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?")
QUOTED: Final = re.compile(
    r"\u201c([^\u201d]+)\u201d|\u00ab([^\u00bb]+)\u00bb|\"([^\"]+)\"|`([^`]+)`|(?<!\w)['\u2018]([^'\u2019]+)['\u2019](?!\w)"
)
WORD: Final = re.compile(r"\w+")
TOKEN: Final = re.compile(r"\s*\S+|\s+$")
FUNCTION: Final = r"(?:abs|round|min|max|sqrt|pow|sin|cos|tan|log|exp)(?=\()"
SUM: Final = re.compile(rf"(?:\s*(?:\d+(?:\.\d+)?|\*\*|//|[-+*/%(),]|{FUNCTION}))+")
MARK: Final = re.compile(r"[^\W_][\w'\u2019.-]*[\w\u2019]|[^\W_]|[^\w\s]")

# A pattern of a spoken sum, and what a calculator understands instead. Applied in this order.
SPOKEN: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"(?<=\d),(?=\d{3}\b)", ""),
        (r"(\d+(?:\.\d+)?)\s*(?:%|percent)\s+of\s+", r"\1 / 100 * "),
        (r"square root of (\d+(?:\.\d+)?)", r"sqrt(\1)"),
        (r"(?<=[\d)])\s*(?:\xd7|·|times|multiplied by|x)\s*(?=[\d(])", " * "),
        (r"(?<=[\d)])\s*(?:÷|divided by|over)\s*(?=[\d(])", " / "),
        (r"(?<=[\d)])\s*plus\s*(?=[\d(])", " + "),
        (r"(?<=[\d)])\s*(?:minus|\u2212|\u2013)\s*(?=[\d(])", " - "),
        (r"(?<=[\d)])\s*(?:\^|to the power of)\s*(?=[\d(])", " ** "),
        (r"(?<=[\d)])\s*squared\b", " ** 2"),
    )
)

INSIDE_PLACE: Final = frozenset(
    ("de", "del", "da", "do", "la", "am", "an", "of", "upon", "den", "der")
)
"""Small words inside the name of a place: Frankfurt am Main."""
NO_PLACE: Final = frozenset(
    (
        *WORD.findall(
            """
            a also an and are at between can celsius compare could did do does fahrenheit find for
            forecast from get give how i in is it look near now or please show tell temperature the
            then to today tomorrow use using weather what when where which who why will would
            """
        ),
        *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", *MONTHS),
    )
)
"""Words that may have a capital letter inside a sentence and are no names of places."""


def split_tokens(text: str) -> list[str]:
    """Splits a text into words, each with the blanks before it. Joined, they are the text again.

    >>> split_tokens("It is four. ")
    ['It', ' is', ' four.', ' ']
    """
    return TOKEN.findall(text)


def find_words(text: str) -> set[str]:
    """Returns the words of a text in lower case, without the final s of a plural.

    >>> sorted(find_words("get_current_weather Forecasts"))
    ['current', 'forecast', 'get', 'weather']
    """
    found = WORD.findall(text[:MAX_READ].replace("_", " ").casefold())
    return {
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
        for word in found
    }


def find_quoted(text: str) -> list[str]:
    """Returns the texts in quotation marks, without the marks.

    >>> find_quoted("Keys 'setup' and 'punchline', don't forget")
    ['setup', 'punchline']
    """
    return ["".join(match.groups("")) for match in QUOTED.finditer(text[:MAX_READ])]


def find_dates(text: str) -> list[str]:
    """Returns the dates. A date with the name of its month becomes YYYY-MM-DD; others stay as is.

    >>> find_dates("From 2024-01-31 to March 5, 2024, or 7 Mar 2024 or 12/25/2024")
    ['2024-01-31', '2024-03-05', '2024-03-07', '12/25/2024']
    """
    return [_date(match) for match in DATE.finditer(text[:MAX_READ])]


def find_numbers(text: str) -> list[int | float]:
    """Returns the numbers that are not part of a date.

    >>> find_numbers("Add 10 days and 2.5 to 1,000 after 2024-01-01")
    [10, 2.5, 1000]
    """
    matches = NUMBER.finditer(DATE.sub(" ", text[:MAX_READ]))
    numbers = (match.group().replace(",", "") for match in matches)
    return [
        float(number) if "." in number else int(number) for number in numbers if len(number) < 40
    ]


def find_expressions(text: str) -> list[str]:
    """Returns the sums in a text, written for a calculator.

    >>> find_expressions("What is 17% of 2,340? And 6 times 7, and 2 to the power of 10?")
    ['17 / 100 * 2340', '6 * 7', '2 ** 10']
    """
    # The digits and dashes of a date would look like a subtraction.
    text = DATE.sub(" ; ", text[:MAX_READ])
    for pattern, replacement in SPOKEN:
        text = pattern.sub(replacement, text)
    expressions = (_expression(match.group()) for match in SUM.finditer(text))
    return [expression for expression in expressions if expression]


def find_places(text: str) -> list[str]:
    """Returns the names of places: capitalized names, or else the words after `in` and `for`.

    >>> find_places("What is the weather in San Francisco, CA and Oslo?")
    ['San Francisco, CA', 'Oslo']
    >>> find_places("is it raining in paris?")
    ['paris']
    """
    marks = MARK.findall(text[:MAX_READ])
    names = _capitalized_names(marks)
    if names:
        return list(dict.fromkeys(names))
    after = [second for first, second in pairwise(marks) if first.casefold() in ("in", "for")]
    return [word for word in after if word.isalpha() and word.casefold() not in NO_PLACE]


def _capitalized_names(marks: list[str]) -> list[str]:
    """Joins capitalized words that stand together, and a state's two letters to their town."""
    names: list[str] = []
    before = ""
    # What joins the next capitalized word to the last name; None where it begins a new name.
    joint: str | None = None
    for mark in marks:
        folded = mark.casefold()
        if not mark[0].isupper() or folded in NO_PLACE or "'" in folded:
            joint = f"{joint}{mark} " if joint and folded in INSIDE_PLACE else None
        elif before == "," and names and len(mark) == 2 and mark.isupper():
            names[-1] += f", {mark}"
        elif joint:
            names[-1] += f"{joint}{mark}"
            joint = " "
        else:
            names.append(mark)
            joint = " "
        before = mark
    return names


def _date(match: re.Match[str]) -> str:
    parts: Mapping[str, str | None] = match.groupdict()
    month, day, year = (parts[f"{key}1"] or parts[f"{key}2"] for key in "mdy")
    if month is None or day is None:
        return match.group()
    prefix = month[:3].casefold()
    number = next(place for place, name in enumerate(MONTHS, 1) if name.startswith(prefix))
    return f"{year}-{number:02}-{int(day):02}"


def _expression(run: str) -> str | None:
    """Returns the sum in a run of numbers and signs, or None where it is only a number."""
    run = run.strip(" ,\t\n").rstrip("+-*/%(, ").lstrip("*/%), ")
    # A sentence in parentheses leaves one of its two around the sum.
    run = run[:-1].rstrip() if run.count(")") > run.count("(") and run.endswith(")") else run
    run = run[1:].lstrip() if run.count("(") > run.count(")") and run.startswith("(") else run
    if not run or len(run) > MAX_EXPRESSION:
        return None
    try:
        tree = ast.parse(run, mode="eval")
    except (SyntaxError, MemoryError, RecursionError):
        return None
    return run if isinstance(tree.body, ast.BinOp | ast.Call) else None
