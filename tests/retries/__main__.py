"""`make retries`: a long run of the scene.

`python -m tests.retries TURNS KILLS [sqlite|postgresql] [SEED]`
"""

import secrets
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.postgres import new_database, postgres_server
from tests.retries.scene import run

if __name__ == "__main__":
    turns, kills, on, *seeds = sys.argv[1:]
    seed = int(seeds[0]) if seeds else secrets.randbelow(10**6)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="retries-"))
        database = ""
        if on == "postgresql":
            server = stack.enter_context(postgres_server())
            database = new_database(server.get_uri())
        report = run(
            Path(folder),
            turns=int(turns),
            kills=int(kills),
            at_once=16,
            seed=seed,
            database=database,
        )
    print(report)
    sys.exit(bool(report.wrong or report.missing or report.double or report.running))
