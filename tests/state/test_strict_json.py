"""The one reader of JSON that tools' arguments and requests' bodies share."""

import re

import pytest

from turngraph.state.strict_json import read_strictly


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ('{"a": ]', "Expecting value at line 1, column 7"),
        ('{"a": ["\\ud83d"]}', "half of a surrogate pair at `a[0]` is no character"),
        ("[[[]]]", "objects and arrays are nested deeper than 2 levels"),
        ("[8, 9]", "`9` is too large for a number"),
        ("[-9]", "`-9` is too large for a number"),
        ("1" * 4301, f"`{'1' * 100}…` is too large for a number"),
    ],
)
def test_what_is_wrong_is_a_clause_with_its_place(text: str, clause: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(clause)}$"):
        read_strictly(text, levels=2, integers=range(-8, 9))


def test_what_every_program_reads_alike_is_read() -> None:
    """An emoji is a whole pair; without bounds of their own, integers may be long."""
    assert read_strictly('[0, -1.5, "\\ud83d\\ude00", {}]') == [0, -1.5, "\U0001f600", {}]
    assert read_strictly("9" * 4300) == int("9" * 4300)
