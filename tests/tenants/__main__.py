"""`make tenants`: a long run of the scene.

`python -m tests.tenants TURNS KILLS [sqlite|postgresql]`
"""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.postgres import new_database, postgres_server
from tests.tenants.scene import run

if __name__ == "__main__":
    turns, kills = int(sys.argv[1]), int(sys.argv[2])
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tenants-"))
        database = ""
        if "postgresql" in sys.argv:
            server = stack.enter_context(postgres_server())
            database = new_database(server.get_uri())
        report = run(Path(folder), turns=turns, kills=kills, at_once=16, database=database)
    print(report)
    sys.exit(bool(report.missing or report.double or report.crossed or report.leaked))
