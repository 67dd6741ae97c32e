"""What the scripted model understands of a text: sums, dates, places, numbers, words. Patterns, no
language model.
"""

import ast
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

__all__ = ["dates", "expressions", "numbers", "places", "quoted", "tokens", "words"]

MAX_EXPRESSION: Final = 200
MAX_READ: Final = 20_000
"""Characters of a text that are read; the rest of a longer one is not searched."""

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
    r"\u201c([^\u201d]+)\u201d|«([^»]+)»|\"([^\"]+)\"|`([^`]+)`|(?<!\w)['\u2018]([^'\u2019]+)['\u2019](?!\w)"
)
WORD: Final = re.compile(r"\w+")
TOKEN: Final = re.compile(r"\s*\S+|\s+$")
FUNCTION: Final = r"(?:abs|round|min|max|sqrt|pow|sin|cos|tan|log|exp)(?=\()"
SUM: Final = re.compile(rf"(?:\s*(?:\d+(?:\.\d+)?|\*\*|//|[-+*/%(),]|{FUNCTION}))+")
MARK: Final = re.compile(r"[^\W_][\w'\u2019.-]*[\w\u2019]|[^\W_]|[^\w\s]")

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
NO_PLACE: Final = frozenset(
    (
        *(
            "i",
            "what",
            "how",
            "is",
            "are",
            "will",
            "which",
            "when",
            "where",
            "why",
            "who",
            "can",
            "could",
            "would",
        ),
        *(
            "please",
            "tell",
            "give",
            "compare",
            "use",
            "using",
            "show",
            "do",
            "does",
            "did",
            "find",
            "get",
            "look",
        ),
        *(
            "the",
            "a",
            "an",
            "and",
            "or",
            "then",
            "also",
            "in",
            "for",
            "at",
            "from",
            "to",
            "near",
            "between",
            "it",
        ),
        *(
            "weather",
            "forecast",
            "temperature",
            "celsius",
            "fahrenheit",
            "today",
            "tomorrow",
            "now",
        ),
        *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", *MONTHS),
    )
)


def tokens(text: str) -> list[str]:
    """The text in pieces, a word with the blanks before it each. Joined, they are the text.

    >>> tokens("It is four. ")
    ['It', ' is', ' four.', ' ']
    """
    return TOKEN.findall(text)


def words(text: str) -> set[str]:
    """The words of a text, folded to lower case, a plural's last s taken off.

    >>> sorted(words("get_current_weather Forecasts"))
    ['current', 'forecast', 'get', 'weather']
    """
    found = WORD.findall(text[:MAX_READ].replace("_", " ").casefold())
    return {
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
        for word in found
    }


def quoted(text: str) -> list[str]:
    """What stands in quotation marks.

    >>> quoted("Keys 'setup' and 'punchline', don't forget")
    ['setup', 'punchline']
    """
    return ["".join(match.groups("")) for match in QUOTED.finditer(text[:MAX_READ])]


def dates(text: str) -> list[str]:
    """The dates, written in numbers as they stand, with a month's name as YYYY-MM-DD.

    >>> dates("From 2024-01-31 to March 5, 2024, or 7 Mar 2024 or 12/25/2024")
    ['2024-01-31', '2024-03-05', '2024-03-07', '12/25/2024']
    """
    return [_date(match) for match in DATE.finditer(text[:MAX_READ])]


def numbers(text: str) -> list[int | float]:
    """The numbers outside dates.

    >>> numbers("Add 10 days and 2.5 to 1,000 after 2024-01-01")
    [10, 2.5, 1000]
    """
    found = (
        match.group().replace(",", "") for match in NUMBER.finditer(DATE.sub(" ", text[:MAX_READ]))
    )
    return [float(number) if "." in number else int(number) for number in found if len(number) < 40]


def expressions(text: str) -> list[str]:
    """The sums in a text, in signs a calculator knows.

    >>> expressions("What is 17% of 2,340? And 6 times 7, and 2 to the power of 10?")
    ['17 / 100 * 2340', '6 * 7', '2 ** 10']
    """
    text = DATE.sub(" ; ", text[:MAX_READ])
    for pattern, replacement in SPOKEN:
        text = pattern.sub(replacement, text)
    found = (_sum(match.group()) for match in SUM.finditer(text))
    return [one for one in found if one]


def places(text: str) -> list[str]:
    """The names of places: what follows «in», «for», …, or is written with a capital inside a
    sentence.

    >>> places("What is the weather in San Francisco, CA and Oslo?"), places("is it raining in paris?")
    (['San Francisco, CA', 'Oslo'], ['paris'])
    """
    marks = MARK.findall(text[:MAX_READ])
    named = _capitalised(marks)
    if named:
        return list(dict.fromkeys(named))
    after = [second for first, second in pairwise(marks) if first.casefold() in ("in", "for")]
    return [word for word in after if word.isalpha() and word.casefold() not in NO_PLACE]


def _capitalised(marks: list[str]) -> list[str]:
    """Runs of capitalised words that are not everyday ones; a state's two letters join their town."""
    found: list[str] = []
    before = ""
    joint: str | None = (
        None  # what joins the next capitalised word to the place being read; None where none is
    )
    for mark in marks:
        folded = mark.casefold()
        if not mark[0].isupper() or folded in NO_PLACE or "'" in folded:
            joint = f"{joint}{mark} " if joint and folded in INSIDE_PLACE else None
        elif before == "," and found and len(mark) == 2 and mark.isupper():
            found[-1] += f", {mark}"
        elif joint:
            found[-1] += f"{joint}{mark}"
            joint = " "
        else:
            found.append(mark)
            joint = " "
        before = mark
    return found


def _date(match: re.Match[str]) -> str:
    parts: Mapping[str, str | None] = match.groupdict()
    month, day, year = (parts[f"{key}1"] or parts[f"{key}2"] for key in "mdy")
    if month is None or day is None:
        return match.group()
    number = next(
        place for place, name in enumerate(MONTHS, 1) if name.startswith(month[:3].casefold())
    )
    return f"{year}-{number:02}-{int(day):02}"


def _sum(run: str) -> str | None:
    """The expression in a run of numbers and signs, or None where it is only a number."""
    run = run.strip(" ,\t\n").rstrip("+-*/%(, ").lstrip("*/%), ")
    run = run[:-1].rstrip() if run.count(")") > run.count("(") and run.endswith(")") else run
    run = run[1:].lstrip() if run.count("(") > run.count(")") and run.startswith("(") else run
    if not run or len(run) > MAX_EXPRESSION:
        return None
    try:
        tree = ast.parse(run, mode="eval")
    except (SyntaxError, MemoryError, RecursionError):
        return None
    return run if isinstance(tree.body, ast.BinOp | ast.Call) else None
