"""What is looked for after tenants have used a server: in the books, the threads and all files."""

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from sqlalchemy import MetaData, select

from turngraph.billing import Ledger
from turngraph.billing.store.database import open_engine
from turngraph.billing.store.schema import attempt_t
from turngraph.state.stored_names import DICTIONARY

_COMPRESSED = re.compile(b"\x78[\x01\x3f\x5e\x9c\xda]")
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


def crossed_threads(url: str, said: Mapping[str, str]) -> list[str]:
    """Stored threads of one tenant in which the word of another stands."""
    holds = {
        (thread, tenant)
        for thread, content in _rows(url)
        for tenant, word in said.items()
        if thread is not None and word.encode() in content
    }
    assert {tenant for _, tenant in holds} == set(said), "the threads could not be read"
    return [
        f"{thread} holds what {tenant} said"
        for thread, tenant in holds
        if not str(thread).startswith(f"{tenant}/")
    ]


def _rows(url: str) -> Iterator[tuple[str | None, bytes]]:
    """What stands in each row of a database, and the thread that the row belongs to."""
    engine = open_engine(url)
    tables = MetaData()
    with engine.connect() as conn:
        tables.reflect(conn)
        for table in tables.tables.values():
            for row in conn.execute(select(table)).mappings():
                parts = [
                    _plain(one) if isinstance(one, bytes) else repr(one).encode()
                    for one in row.values()
                ]
                yield row.get("thread_id"), b" ".join(parts)
    engine.dispose()


def _plain(blob: bytes) -> bytes:
    """A blob, and what is compressed in it."""
    plain = [blob]
    for match in _COMPRESSED.finditer(blob):
        with suppress(zlib.error):
            plain.append(zlib.decompressobj(zdict=DICTIONARY).decompress(blob[match.start() :]))
    return b" ".join(plain)


def leaks(
    folder: Path,
    urls: list[str],
    pages: list[str],
    planted: Mapping[str, str],
    said: Mapping[str, str],
) -> list[str]:
    """Where something planted stands: keys in a file or a database, and what tenants say in logs
    and on pages.
    """
    everything = {**planted, **said}
    found: list[str] = []
    for file in folder.iterdir():
        content = file.read_bytes()
        secrets = everything if file.suffix == ".log" else planted
        found += [f"{file.name}: {name}" for name in secrets if secrets[name].encode() in content]
    for url in urls:
        for _, row in _rows(url):
            found += [f"a row: {name}" for name, text in planted.items() if text.encode() in row]
    for page in pages:
        found += [f"a page: {name}" for name, text in everything.items() if text in page]
    return found
