"""Recorded exchanges with real vendors are read as recorded; every tool loop among them runs as a
turn.
"""

import subprocess
import sys

import pytest

from tests.paths import ROOT

RECORDED = ROOT.parent / "shared" / "recorded"


@pytest.mark.long
@pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the recorded traffic (../shared/recorded) is not here"
)
@pytest.mark.parametrize("part", [["--every", "3"], ["--turns"]], ids=["exchanges", "turns"])
def test_what_was_recorded_reads_and_runs_as_recorded(part: list[str]) -> None:
    """Thirty vendors, a thousand answers, hundreds of tool loops, none of them made up. `make
    replay` takes them all.
    """
    command = [sys.executable, "-m", "tests.replay", str(RECORDED), *part]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.stdout.rstrip().endswith(" passed, 0 failed")
