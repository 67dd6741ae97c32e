"""Every charge as a row of a file: CSV, JSON, JSON lines or Parquet, by the file's suffix."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final

from turngraph.billing.errors import LedgerError
from turngraph.billing.operations.reports import CHARGE_COLUMNS, charges
from turngraph.billing.store.transaction import Tx

__all__ = ["FORMATS", "export", "write_rows"]

Rows = Iterable[Mapping[str, Any]]
Columns = Mapping[str, type]

_AT_ONCE: Final = 10_000


def export(
    tx: Tx, path: str | Path, *, since: datetime | None = None, until: datetime | None = None
) -> int:
    """Write every attempt begun from `since` to before `until` to `path`, a row each; returns how
    many.

    An operation: `ledger.read(export, "spent.csv")`. Raises `LedgerError` for a suffix that is no
    format, a file that cannot be written, or where Parquet's library is not installed.
    """
    return write_rows(charges(tx, since=since, until=until), path, CHARGE_COLUMNS)


def write_rows(rows: Rows, path: str | Path, columns: Columns) -> int:
    """Write `rows` of `columns` to `path`; returns how many. Amounts keep every digit. A file is
    whole or not there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_rows([{"usd": Decimal("4e-9")}], f"{folder}/spent.csv", {"usd": Decimal})
    ...     Path(f"{folder}/spent.csv").read_text()
    1
    'usd\\n0.000000004\\n'
    """
    target = Path(path)
    write = FORMATS.get(target.suffix.lower())
    if write is None:
        raise LedgerError(
            f"`{target.name}` names no format. Allowed suffixes: {', '.join(FORMATS)}."
        )
    unfinished = target.with_name(f".{target.name}.part")
    counted = _Counted(rows)
    try:
        write(counted, unfinished, columns)
        unfinished.replace(target)
    except OSError as exc:
        raise LedgerError(f"`{target}` cannot be written: {exc.strerror or exc}.") from exc
    finally:
        with suppress(OSError):  # there is none, or no folder for it
            unfinished.unlink()
    return counted.number


class _Counted:
    """Rows, and how many of them went by."""

    def __init__(self, rows: Rows) -> None:
        self.number, self._rows = 0, rows

    def __iter__(self) -> Any:
        for row in self._rows:
            self.number += 1
            yield row


def _csv(rows: Rows, path: Path, columns: Columns) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)


def _harmless(value: Any) -> Any:
    """A spreadsheet runs what begins so as a formula
    (https://owasp.org/www-community/attacks/CSV_Injection).
    """
    if isinstance(value, str):
        return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
    return _plain(value) if isinstance(value, Decimal) else value


def _plain(value: object) -> str:
    """An amount as people write it: 0.000000004, not 4E-9."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _json(rows: Rows, path: Path, columns: Columns) -> None:
    with path.open("w", encoding="utf-8") as file:
        before = "[\n "
        for row in rows:
            file.write(before + json.dumps(dict(row), default=_plain, ensure_ascii=False))
            before = ",\n "
        file.write("\n]\n" if before == ",\n " else "[]\n")


def _json_lines(rows: Rows, path: Path, columns: Columns) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps(dict(row), default=_plain, ensure_ascii=False) + "\n" for row in rows
        )


def _parquet(rows: Rows, path: Path, columns: Columns) -> None:
    try:
        pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as exc:
        raise LedgerError("Parquet needs `pyarrow`: pip install 'turngraph[parquet]'.") from exc
    # Named types: read from the rows, a column that is empty one month would have another type the
    # next.
    kinds = {
        str: pyarrow.string(),
        int: pyarrow.int64(),
        bool: pyarrow.bool_(),
        Decimal: pyarrow.decimal128(38, 9),
    }
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
    left = iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while some := [dict(row) for row in islice(left, _AT_ONCE)]:
            writer.write_table(pyarrow.Table.from_pylist(some, schema=schema))


FORMATS: Final[Mapping[str, Callable[[Rows, Path, Columns], None]]] = {
    ".csv": _csv,
    ".json": _json,
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}
"""Suffixes, and who writes them."""
