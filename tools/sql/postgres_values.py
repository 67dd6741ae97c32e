"""Values of PostgreSQL that Python's types cannot hold: `infinity`, 44 BC, the year 20000, 24:00.

psycopg raises for them, so that one such date would cost the model the whole answer. They are
returned as PostgreSQL writes them
(https://www.psycopg.org/psycopg3/docs/advanced/adapt.html#example-handling-infinity-date).
"""

from typing import Any

__all__ = ["load_any_date"]


def load_any_date(connection: Any) -> None:
    """Makes `connection`, one of psycopg, return dates and times out of Python's range as text."""
    from psycopg.types import datetime

    for name, known in {
        "date": datetime.DateLoader,
        "time": datetime.TimeLoader,
        "timetz": datetime.TimetzLoader,
        "timestamp": datetime.TimestampLoader,
        "timestamptz": datetime.TimestamptzLoader,
        "interval": datetime.IntervalLoader,
    }.items():
        connection.adapters.register_loader(name, _lenient(known))


def _lenient(known: type[Any]) -> type[Any]:
    from psycopg import DataError

    class Lenient(known):  # type: ignore[misc]
        def load(self, data: Any) -> Any:
            try:
                return super().load(data)
            except DataError:
                return bytes(data).decode()

    return Lenient
