"""Keeps on disk what could not be written to the database, one file per record, until it can be.

Records are played back in the order they were added. Every operation may be repeated, so a crash
between playing a record back and removing its file does no harm.
"""

import json
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from turngraph.state.json_types import JsonObject
from turngraph.state.private_files import create_private_file, create_private_folder

__all__ = ["Spool", "spool_beside"]

_log: Final = logging.getLogger("turngraph.billing")

_SUFFIX: Final = ".json"


@dataclass(frozen=True)
class Spool:
    """A folder of records. Each is the name of an operation and the value it is called with."""

    folder: Path

    def add(self, operation: str, value: BaseModel) -> None:
        """Writes a record. Returns when it is on the disk."""
        create_private_folder(self.folder)
        # The time sorts the files; the rest keeps those of two workers apart.
        path = self.folder / f"{time.time_ns():020d}-{uuid.uuid4().hex}{_SUFFIX}"
        partial = path.with_suffix(".part")
        create_private_file(partial)
        with partial.open("w", encoding="utf-8") as file:
            json.dump({"operation": operation, "value": value.model_dump(mode="json")}, file)
            file.flush()
            os.fsync(file.fileno())
        # Renamed when complete, so that nobody plays back half a record.
        partial.rename(path)
        self._flush_folder()

    def records(self) -> Iterator[tuple[Path, str, JsonObject]]:
        """Yields every record, oldest first: its file, the operation's name, the value.

        A file that is no record is renamed to `….refused`.
        """
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                operation, value = record["operation"], record["value"]
            except FileNotFoundError:
                continue  # another worker played it back meanwhile
            except (ValueError, TypeError, LookupError, RecursionError):
                # A damaged file must not keep the other records, and all later turns, from the
                # ledger.
                _refuse(path)
                continue
            yield path, operation, value

    def play_back(self, run: Callable[[str, JsonObject], bool]) -> int:
        """Passes every record to `run`. Returns how many of them `run` accepted.

        A record that `run` accepts (returns True) is removed; another one is renamed to
        `….refused`. If `run` raises, this record and the later ones stay.
        """
        played = 0
        for path, operation, value in self.records():
            if run(operation, value):
                path.unlink(missing_ok=True)
                played += 1
            else:
                _refuse(path)
        return played

    def refused(self) -> list[Path]:
        """Returns the files of records that the ledger did not accept, for a person to look at."""
        return sorted(self.folder.glob("*.refused"))

    def _flush_folder(self) -> None:
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)  # a new file's name is part of its folder
        finally:
            os.close(handle)


def _refuse(path: Path) -> None:
    refused = path.with_suffix(".refused")
    path.rename(refused)
    _log.warning("The ledger does not accept what `%s` holds; look at it.", refused)


def spool_beside(url: str) -> Path:
    """Returns the default spool of a ledger: beside an SQLite file, else in the working directory.

    >>> spool_beside("sqlite:////var/turns.db").as_posix()
    '/var/turns.db.spool'
    >>> spool_beside("postgresql://host/db").as_posix()
    'turngraph.spool'
    """
    scheme, _, path = url.partition(":///")
    in_file = scheme.startswith("sqlite") and path
    return Path(f"{path}.spool") if in_file else Path("turngraph.spool")
