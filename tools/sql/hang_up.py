"""Ends a query whose server does not look at its own time limit, by closing the connection.

PostgreSQL looks at `statement_timeout` between the steps of a query. One call of a function can be
a step of minutes: `format('%1000000000s', 'x')` writes a gigabyte of spaces.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["OverTimeError", "hang_up_after"]

GRACE_S: Final = 1.0
"""Seconds that the server has to end the query itself, which keeps the connection usable."""


class OverTimeError(Exception):
    """The connection was closed because the query was over its time."""


@contextmanager
def hang_up_after(connection: "Connection", timeout_s: float) -> Iterator[None]:
    """Closes `connection` if the work inside is not over a second after `timeout_s` seconds.

    Raises OverTimeError then. Does nothing for drivers without a socket of their own: SQLite runs
    in this process and has a limit that holds.
    """
    from sqlalchemy.exc import DBAPIError

    descriptor = getattr(connection.connection.dbapi_connection, "fileno", None)
    if descriptor is None:
        yield
        return
    hung_up = threading.Event()
    # A copy, which stays valid if the driver closes its own and another file gets the number.
    line = socket.socket(fileno=os.dup(descriptor()))

    def hang_up() -> None:
        hung_up.set()
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(timeout_s + GRACE_S, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except DBAPIError as error:
        if hung_up.is_set():
            raise OverTimeError from error
        raise
    finally:
        timer.cancel()
        line.close()
