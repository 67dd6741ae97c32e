"""The benchmark itself, in miniature: it runs, it counts, what it says of storage holds. No clock
is judged here.
"""

import asyncio
import json
import sqlite3
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from benchmarks import results, tables
from benchmarks.cases import CASES, Case, Entry
from benchmarks.chart import draw
from benchmarks.ledger_cost import cells, measured as ledger_measured, rows_on, whole
from benchmarks.measuring import Cell, measured
from benchmarks.server import vendor
from benchmarks.storage import turn_bytes


def small(case: Case) -> Case:
    """The case with few turns in a sample, and few before it."""
    entries = {name: few_earlier(entry) for name, entry in case.entries.items()}
    return replace(case, entries=entries, turns=1, at_once=min(case.at_once, 2))


def few_earlier(entry: Entry) -> Entry:
    return (
        entry._replace(setting={**entry.setting, "earlier": 3})
        if "earlier" in entry.setting
        else entry
    )


def test_the_benchmark_runs_and_writes_down_what_it_saw(tmp_path: Path) -> None:
    """Every contender gives the same answers by the same number of requests: `measured` would raise
    otherwise.
    """
    seen: list[None] = []
    with vendor() as origin:
        cells: list[Cell] = asyncio.run(
            measured(
                [small(case) for case in CASES],
                origin,
                tmp_path,
                rounds=1,
                seed=1,
                tick=lambda: seen.append(None),
            )
        )
    assert len(cells) == len(seen) == sum(len(case.entries) for case in CASES)
    found = results.Results(results.rows_of(cells), {"turngraph": {10: 1.0}}, rounds=1, seed=1)
    results.write_json(found, tmp_path / "results.json")
    written = json.loads((tmp_path / "results.json").read_text())
    assert {row["case"] for row in written["rows"]} == {case.name for case in CASES}
    assert all(row["median"] > 0 for row in written["rows"])
    assert "turngraph" in written["versions"]
    ElementTree.fromstring(draw(found.rows))
    page = tmp_path / "README.md"
    page.write_text("Before.\n<!-- results -->\nold\n<!-- end of results -->\nAfter.\n")
    tables.write_into(page, tables.markdown(found))
    assert page.read_text().count("| turngraph |") == len(CASES) + 1
    assert "old" not in page.read_text()


def test_what_the_ledger_costs_is_held_against_the_bare_driver(tmp_path: Path) -> None:
    """The driver sends all that the ledger sent: a table it leaves a row out of would be a floor
    nobody stands on.
    """
    databases = [f"sqlite:///{tmp_path}/{n}.db" for n in range(9)]
    opened = iter(databases)
    with ExitStack() as stack:
        rows = rows_on("SQLite", lambda: next(opened), stack, calls=4)
        ledger_measured(rows, rounds=1, calls=2)
    assert [row.floor is None for row in rows] == [True, False, False, True, True, True]
    assert len(cells(rows)) == len(whole(rows, 1, 2)["rows"]) == 6
    kept = []
    for url in databases[:2]:
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            kept.append(
                connection.execute("SELECT count(*), sum(charge_nano) FROM attempt").fetchone()
            )
        connection.close()
    assert kept == [(4, 4 * 200_000)] * 2


def test_what_a_turn_stores_does_not_grow_with_its_thread(tmp_path: Path) -> None:
    """A history copied into every checkpoint fills disks: threads of gigabytes were reported for
    other graphs.
    """
    with vendor() as origin:
        found = asyncio.run(
            turn_bytes(f"{origin}/calls-1/stored/v1", tmp_path, (10, 30), lambda: None)
        )
    assert found[30] <= 1.1 * found[10]
