"""A PostgreSQL server from the package index, on a unix socket, that can be crashed."""

import itertools
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.postgres import patiently, postgres_server


@dataclass
class Postgres:
    """A running server; `database` makes an empty database and says its URL."""

    server: Any
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def database(self) -> str:
        import psycopg

        name = f"crash{next(self._numbers)}"
        with psycopg.connect(self.server.get_uri(), autocommit=True) as conn:
            conn.execute(f"CREATE DATABASE {name}")
        # A frozen worker is disconnected soon: the default is made for machines, not for a test
        # that waits. `transaction_timeout` ends one that was frozen between two statements of a
        # pipeline, which is not idle.
        options = quote(
            "-c idle_in_transaction_session_timeout=1s -c transaction_timeout=3s -c lock_timeout=5s"
        )
        return str(self.server.get_uri()).replace("/postgres?", f"/{name}?options={options}&")

    def crash(self) -> None:
        """Stops at once, without a shutdown, and starts again: what was committed must be there."""
        pid = self.server.get_pid()
        os.kill(pid, signal.SIGQUIT)
        for _ in range(200):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                break
            time.sleep(0.02)
        patiently(self.server.ensure_postgres_running)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """The server while it is needed."""
    with postgres_server() as server:
        yield Postgres(server)
