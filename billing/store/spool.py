"""What could not be written because the database was away: one file a record, flushed to the disk,
played back later.

Records are played back in the order they were added; every operation may be repeated, so a crash
between playing one back and removing it does no harm.
"""

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

__all__ = ["Spool", "spool_beside"]

_SUFFIX: Final = ".json"


@dataclass(frozen=True)
class Spool:
    """A folder of records: each an operation's name and its one value."""

    folder: Path

    def add(self, operation: str, value: BaseModel) -> None:
        """Write a record, and come back when it is on the disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # Sorted by name is sorted by time; the rest keeps two workers apart.
        path = self.folder / f"{time.time_ns():020d}-{uuid.uuid4().hex}{_SUFFIX}"
        partial = path.with_suffix(".part")
        with partial.open("x", encoding="utf-8") as file:
            json.dump({"operation": operation, "value": value.model_dump(mode="json")}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        self._flush_folder()

    def records(self) -> Iterator[tuple[Path, str, dict[str, Any]]]:
        """Every record, oldest first: its file, the operation, the value."""
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                continue  # another worker played it back meanwhile
            yield path, record["operation"], record["value"]

    def play_back(self, run: Callable[[str, dict[str, Any]], bool]) -> int:
        """Hand every record to `run`; remove those it took, set aside those it did not. Returns how
        many it took.

        Where `run` raises, that record and the later ones stay.
        """
        played = 0
        for path, operation, value in self.records():
            if run(operation, value):
                path.unlink(missing_ok=True)
                played += 1
            else:
                path.rename(path.with_suffix(".refused"))
        return played

    def refused(self) -> list[Path]:
        """The records the ledger did not take, set aside for a person."""
        return sorted(self.folder.glob("*.refused"))

    def _flush_folder(self) -> None:
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)  # the name of a file is as durable as its folder
        finally:
            os.close(handle)


def spool_beside(url: str) -> Path:
    """Where a ledger spools unless told: beside an SQLite file, else in the working directory.

    >>> spool_beside("sqlite:////var/turns.db").as_posix(), spool_beside("postgresql://host/db").as_posix()
    ('/var/turns.db.spool', 'turngraph.spool')
    """
    scheme, _, path = url.partition(":///")
    return (
        Path(f"{path}.spool") if scheme.startswith("sqlite") and path else Path("turngraph.spool")
    )
