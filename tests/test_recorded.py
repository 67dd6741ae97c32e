"""Every recorded exchange with a real vendor is read as the recording says."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RECORDED = ROOT.parent / "shared" / "recorded"


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded traffic (../shared/recorded) is not here")
def test_every_recorded_exchange_reads_as_recorded() -> None:
    """Thirty vendors, thousands of answers, none of them made up: what `make replay` shows."""
    command = [sys.executable, "-m", "tests.replay", str(RECORDED)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.stdout.rstrip().endswith(" passed, 0 failed")
