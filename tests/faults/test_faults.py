"""A sample of `make faults`, and the table that the documentation shows of it."""

import subprocess
import sys
from dataclasses import replace

import pytest

from tests.faults.fault import FORMS, Fault, expect
from tests.faults.run import Outcome, verdict
from tests.faults.table import FAULTS, markdown
from tests.paths import ROOT


@pytest.mark.long
def test_what_the_vendor_does_wrong_ends_as_the_table_says() -> None:
    """One case in 47, always the same ones, in a process of its own: threads are counted."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.faults", "--sample", "47"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert "52 passed, 0 failed" in done.stdout


def test_the_documentation_has_the_table() -> None:
    """`python -m tests.faults --table` prints it."""
    page = (ROOT / "docs" / "reliability.md").read_text()
    assert markdown(FAULTS) in page


def test_reliability_the_documentation_counts_the_faults_and_the_turns() -> None:
    """docs/reliability.md: so many faults, so many forms, and all of them passed."""
    page = " ".join((ROOT / "docs" / "reliability.md").read_text().split())
    turns = f"{len(FAULTS) * len(FORMS):,}"
    assert len(FORMS) == 8
    assert f"{len(FAULTS)} faults in eight forms: {turns} turns" in page
    assert f"{turns} passed, 0 failed" in page


def test_every_fault_has_a_name_of_its_own() -> None:
    """The documentation names them."""
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names) > 120


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_exception_of_a_row_is_one_of_its_forms(fault: Fault) -> None:
    """A misspelled form would never be looked at."""
    for words in fault.but:
        assert any(set(words.split()) <= set(form.name.split()) for form in FORMS), words
        assert expect(fault.but[words]).ends


def test_a_wrong_outcome_is_noticed() -> None:
    """A harness that finds nothing may be one that looks at nothing."""
    expected = expect("completed: held usage; 1 tools")
    right = Outcome("completed", "held usage", tools=1, requests=2, seconds=0.1)
    assert verdict(expected, right) == []
    for wrong in (
        {"ends": "server"},
        {"billed": "usage usage"},
        {"tools": 0},
        {"requests": 3},
        {"wrong": ("The books: …",)},
    ):
        assert len(verdict(expected, replace(right, **wrong))) == 1
