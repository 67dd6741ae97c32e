"""What is looked for after tenants have used a server: in the books, the threads and all files."""

import re
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

from turngraph.billing import Ledger
from turngraph.billing.store.schema import attempt_t

_COMPRESSED = re.compile(b"\x78[\x01\x5e\x9c\xda]")
"""How what zlib has written begins."""


def wrong_books(
    url: str, answers: Mapping[str, Mapping[str, object]], second_calls: int
) -> tuple[list[str], list[str]]:
    """What the ledger lacks, and what it has twice: one charged call for each answer of a tenant,
    and `second_calls` more for each.
    """
    missing: list[str] = []
    double: list[str] = []
    with Ledger(url) as ledger:
        ledger.sweep()
        rows = ledger.store.read(lambda tx: tx.conn.execute(attempt_t.select()).all())
        assert ledger.verify() == []
    for tenant, given in answers.items():
        own = [row for row in rows if row.account == tenant]
        charged = Counter(row.turn_id for row in own if row.basis == "actual")
        more = charged.total() - len(given) - second_calls
        if more:
            (double if more > 0 else missing).append(f"{tenant}: {abs(more)} calls")
        missing += [
            f"{tenant}: an attempt is {row.state}" for row in own if row.charge_nano is None
        ]
        double += [f"{turn}: {calls} calls" for turn, calls in charged.items() if calls > 2]
    return missing, double


def crossed_threads(file: Path, said: Mapping[str, str]) -> list[str]:
    """Stored threads of one tenant in which the word of another stands."""
    holds = {
        (thread, tenant)
        for thread, row in _thread_rows(file)
        for tenant, word in said.items()
        if word.encode() in row
    }
    assert {tenant for _, tenant in holds} == set(said), "the threads could not be read"
    return [
        f"{thread} holds what {tenant} said"
        for thread, tenant in holds
        if not thread.startswith(f"{tenant}/")
    ]


def _thread_rows(file: Path) -> Iterator[tuple[str, bytes]]:
    """The id of every stored thread, and what stands in each of its rows."""
    with closing(sqlite3.connect(file)) as conn:
        for table in ("checkpoints", "writes"):
            for row in conn.execute(f"SELECT thread_id, * FROM {table}"):
                blobs = [part for part in row[1:] if isinstance(part, bytes)]
                yield str(row[0]), b" ".join(map(_plain, blobs))


def _plain(blob: bytes) -> bytes:
    """A blob, and what is compressed in it."""
    plain = [blob]
    for match in _COMPRESSED.finditer(blob):
        with suppress(zlib.error):
            plain.append(zlib.decompressobj().decompress(blob[match.start() :]))
    return b" ".join(plain)


def leaks(
    folder: Path, pages: list[str], planted: Mapping[str, str], said: Mapping[str, str]
) -> list[str]:
    """Where something planted stands: keys in any file, and what tenants say in logs and pages."""
    found: list[str] = []
    for file in folder.iterdir():
        content = file.read_bytes()
        secrets = {**planted, **said} if file.suffix == ".log" else planted
        found += [
            f"{name}: {file.name}" for name, text in secrets.items() if text.encode() in content
        ]
    for page in pages:
        found += [f"a page: {name}" for name, text in {**planted, **said}.items() if text in page]
    return found
