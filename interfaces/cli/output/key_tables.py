"""The table of `turngraph keys list`."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from turngraph.interfaces.plain_text import one_line

if TYPE_CHECKING:
    from turngraph.interfaces.server.keys.records import KeyRecord

__all__ = ["key_table", "moment"]

_COLUMNS = ("id", "account", "name", "status", "scopes", "models", "expires", "last used")


def key_table(records: "Iterable[KeyRecord]", now: float) -> Table:
    """Returns one row for each key. `now` is in seconds since the epoch."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in _COLUMNS:
        table.add_column(heading, no_wrap=heading in ("id", "status"))
    for record in records:
        status = record.status(now)
        if record.previous_until is not None and record.previous_until > now:
            status += f" (earlier secret until {moment(record.previous_until)})"
        table.add_row(
            record.key_id,
            Text(one_line(record.account, 60)),
            Text(one_line(record.name, 60)),
            Text(status, style="" if status.startswith("active") else "red"),
            Text(", ".join(record.scopes)),
            Text("all" if record.models is None else one_line(", ".join(record.models), 200)),
            moment(record.expires) or "never",
            moment(record.last_used) or "never",
        )
    return table


def moment(seconds: float | None) -> str:
    """Returns a time in UTC, to the minute; nothing for None.

    >>> moment(0.0), moment(None)
    ('1970-01-01 00:00', '')
    """
    if seconds is None:
        return ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
