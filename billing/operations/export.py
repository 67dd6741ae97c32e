"""Writes every attempt to a file: CSV, JSON, JSON lines or Parquet, by the file's suffix."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final

from turngraph.billing.argument_kinds import check_ledger_arguments
from turngraph.billing.errors import LedgerError
from turngraph.billing.operations.attempt_rows import COLUMN_TYPES, attempt_rows
from turngraph.billing.store.transaction import LedgerTransaction

__all__ = ["FORMATS", "export", "write_rows"]

Rows = Iterable[Mapping[str, Any]]
Columns = Mapping[str, type]

_BATCH_ROWS: Final = 10_000


def export(
    tx: LedgerTransaction,
    path: str | Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> int:
    """Writes every attempt that was begun from `since` to before `until`. Returns how many.

    Raises `LedgerError` for an unknown suffix, a file that cannot be written, or where Parquet's
    library is not installed.
    """
    check_ledger_arguments(path=path)
    return write_rows(attempt_rows(tx, since=since, until=until), path, COLUMN_TYPES)


def write_rows(rows: Rows, path: str | Path, columns: Columns) -> int:
    """Writes `rows` with `columns` to `path`. Returns how many. Amounts keep every digit.

    The file appears when it is complete, and only its owner may read it. Raises `LedgerError` as
    `export` does.

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
            f"`{target.name}` has no known format. Allowed suffixes: {', '.join(FORMATS)}."
        )
    # Written beside the target and renamed, so that nobody reads half a file.
    unfinished = target.with_name(f".{target.name}.part")
    counted = _Counted(rows)
    try:
        unfinished.unlink(missing_ok=True)  # of a process that was killed
        unfinished.touch(mode=0o600, exist_ok=False)
        write(counted, unfinished, columns)
        unfinished.replace(target)
    except OSError as exc:
        raise LedgerError(f"`{target}` cannot be written: {exc.strerror or exc}.") from exc
    finally:
        with suppress(OSError):  # it was renamed, or never created
            unfinished.unlink()
    return counted.number


class _Counted:
    """Rows, and how many of them were read."""

    def __init__(self, rows: Rows) -> None:
        self.number, self._rows = 0, rows

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for row in self._rows:
            self.number += 1
            yield row


def _csv(rows: Rows, path: Path, columns: Columns) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _csv_cell(value) for name, value in row.items()} for row in rows)


def _csv_cell(value: object) -> object:
    # A spreadsheet runs a text that begins with one of these as a formula
    # (https://owasp.org/www-community/attacks/CSV_Injection).
    if isinstance(value, str):
        return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
    return _plain(value) if isinstance(value, Decimal) else value


def _plain(value: object) -> str:
    """Returns a value as text; an amount as people write it: 0.000000004, not 4E-9."""
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
    # The types are given: guessed from the rows, a column that is empty in one month would have
    # another type in the next.
    types = {
        str: pyarrow.string(),
        int: pyarrow.int64(),
        bool: pyarrow.bool_(),
        Decimal: pyarrow.decimal128(38, 9),
    }
    schema = pyarrow.schema([(name, types[type_]) for name, type_ in columns.items()])
    remaining = iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while batch := [dict(row) for row in islice(remaining, _BATCH_ROWS)]:
            writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))


FORMATS: Final[Mapping[str, Callable[[Rows, Path, Columns], None]]] = {
    ".csv": _csv,
    ".json": _json,
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}
"""The writer of each suffix."""
