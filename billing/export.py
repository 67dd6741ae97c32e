"""Rows of a report as a file: CSV, JSON, JSON lines or Parquet, by the file's suffix."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from turngraph.billing.errors import LedgerError

__all__ = ["FORMATS", "export"]

Rows = Iterable[Mapping[str, Any]]


def export(rows: Rows, path: str | Path) -> int:
    """Write `rows` to `path`; returns how many. Amounts keep every digit.

    Raises `LedgerError` for a suffix that is no format, or where Parquet's library is not installed.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     export([{"usd": "0.004"}], f"{folder}/spent.csv")
        1
    """
    target = Path(path)
    write = FORMATS.get(target.suffix)
    if write is None:
        raise LedgerError(f"`{target.name}` names no format. Allowed suffixes: {', '.join(FORMATS)}.")
    listed = list(rows)
    write(listed, target)
    return len(listed)


def _csv(rows: list[Mapping[str, Any]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)


def _harmless(value: Any) -> Any:
    """A spreadsheet runs what begins so as a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _json(rows: list[Mapping[str, Any]], path: Path) -> None:
    path.write_text(json.dumps([dict(row) for row in rows], default=str, ensure_ascii=False, indent=1), "utf-8")


def _json_lines(rows: list[Mapping[str, Any]], path: Path) -> None:
    lines = (json.dumps(dict(row), default=str, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), "utf-8")


def _parquet(rows: list[Mapping[str, Any]], path: Path) -> None:
    try:
        pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as exc:
        raise LedgerError("Parquet needs `pyarrow`: pip install 'turngraph[parquet]'.") from exc
    parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), path)


FORMATS: Final[Mapping[str, Callable[[list[Mapping[str, Any]], Path], None]]] = {
    ".csv": _csv,
    ".json": _json,
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}
"""Suffixes, and who writes them."""
