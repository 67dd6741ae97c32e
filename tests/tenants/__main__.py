"""`make tenants`: a long run of the scene. `python -m tests.tenants TURNS KILLS`."""

import sys
import tempfile
from pathlib import Path

from tests.tenants.scene import run

if __name__ == "__main__":
    turns, kills = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="tenants-") as folder:
        report = run(Path(folder), turns=turns, kills=kills, at_once=16)
    print(report)
    sys.exit(bool(report.missing or report.double or report.crossed or report.leaked))
