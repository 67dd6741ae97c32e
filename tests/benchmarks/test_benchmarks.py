"""The benchmark itself, in miniature: it runs, it counts, what it says of storage holds. No clock
is judged here.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import results, tables
from benchmarks.aims import lines_of
from benchmarks.case import HAND, Aim, Case, Entry
from benchmarks.cases import CASES, TURN
from benchmarks.chart import draw
from benchmarks.ledger_cost import cells, measured as ledger_measured, rows_on, whole
from benchmarks.measuring import Cell, measured, number_of_samples
from benchmarks.processes import Process
from benchmarks.server import OFFERED, vendor, wrong_with
from benchmarks.setting import MODEL, QUESTION, SYSTEM, conversation_of
from benchmarks.storage import EACH, ONE, turn_bytes

SYSTEM_MESSAGE: dict[str, Any] = {"role": "system", "content": SYSTEM}


def small(case: Case) -> Case:
    """The case with few turns in a sample, and few before it."""
    entries = {name: few_earlier(entry) for name, entry in case.entries.items()}
    return replace(
        case, entries=entries, turns=min(case.turns, 2), at_once=min(case.at_once, 2), apart=False
    )


def few_earlier(entry: Entry) -> Entry:
    if "earlier" not in entry.setting:
        return entry
    return entry._replace(setting={**entry.setting, "earlier": 3})


def only_ours(case: Case) -> Case:
    """The case with turngraph and what it is measured by alone."""
    names = (case.measured_by[1], TURN)
    return replace(case, entries={n: one for n, one in case.entries.items() if n in names})


def named(*names: str) -> list[Case]:
    return [small(case) for case in CASES if case.name in names]


def run(cases: Sequence[Case], folder: Path) -> list[Cell]:
    """One round. `measured` raises where answers or requests are not those that were asked for."""
    ticks: list[None] = []
    with vendor() as origin:
        found = measured(cases, origin, folder, rounds=1, seed=1, tick=lambda: ticks.append(None))
    assert len(found) == len(ticks) == number_of_samples(cases, rounds=1)
    # Memory and a first turn are differences of two readings; of so few turns they may be nothing.
    sums = [cell for cell in found if cell.case.name not in ("memory", "first")]
    assert all(figure > 0 for cell in sums for figure in cell.figures if cell.case.turns > 1)
    return found


@pytest.mark.long
def test_the_benchmark_runs_and_writes_down_what_it_saw(tmp_path: Path) -> None:
    """Every contender gives the same answers by the same requests: `measured` would raise
    otherwise.
    """
    cases = named("plain", "stream")
    found = results.Results(
        results.rows_of(run(cases, tmp_path)), {ONE: {10: 1.0}, EACH: {10: 9e9}}, rounds=1, seed=1
    )
    lock = tmp_path / "lock"
    lock.write_text("agno==1.2.3 \\\n    --hash=sha256:0\nmcp==2.0 \\\n")
    results.write_json(found, tmp_path / "results.json", lock)
    written = json.loads((tmp_path / "results.json").read_text())
    assert {row["case"] for row in written["rows"]} == {case.name for case in cases}
    assert written["versions"]["turngraph"]
    assert written["versions"]["agno"] == "1.2.3"
    ElementTree.fromstring(draw(found.rows))
    lines = lines_of(found, [])
    assert len({line.title for line in lines}) == len(lines) > len(cases)
    stored = [line.cells()[-1] for line in lines if line.title.startswith("bytes: ")]
    assert stored == ["met", "not met"]
    page = tmp_path / "README.md"
    page.write_text("Before.\n<!-- results -->\nold\n<!-- end of results -->\nAfter.\n")
    tables.write_into(page, tables.markdown(found), "results")
    assert page.read_text().count("| turngraph |") == len(cases)
    assert "old" not in page.read_text()


def test_what_needs_a_new_process_gets_one_each_time(tmp_path: Path) -> None:
    """An import and a first turn, like a cold thread and memory, are of a process that did nothing
    else.
    """
    cases = [only_ours(case) for case in named("import", "first")]
    rows = results.rows_of(run(cases, tmp_path))
    assert [(row.case, row.contender) for row in rows if row.aim is not None] == [
        (name, TURN) for name in ("import", "first")
    ]


def without(key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda request: {**request, key: request[key][:-1]}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda request: request, ""),
        (without("tools"), "tools"),
        (lambda request: {**request, "model": "gpt-4o"}, "gpt-4o"),
        (lambda request: {**request, "messages": request["messages"][1:]}, "not the messages"),
        (without("messages"), "After the question"),
        (
            lambda request: {**request, "messages": [SYSTEM_MESSAGE, *request["messages"][2:]]},
            "whole turns",
        ),
    ],
)
def test_a_request_that_leaves_something_out_is_refused(
    change: Callable[[dict[str, Any]], dict[str, Any]], complaint: str
) -> None:
    """Whoever sends less would look cheaper."""
    request: dict[str, Any] = {
        "model": MODEL,
        "tools": [{"function": {"name": name}} for name in sorted(OFFERED)],
        "messages": [SYSTEM_MESSAGE, *conversation_of(2)[:-1]],
    }
    assert request["messages"][-3]["content"] == QUESTION
    wrong = wrong_with(change(request), calls=1)
    assert complaint in wrong
    assert bool(wrong) == bool(complaint)


def test_a_contender_that_fails_ends_the_run_with_its_reason() -> None:
    """A figure of a turn that failed would be a good one."""
    with (
        Process("hand_loop", imported=False) as process,
        pytest.raises(AssertionError, match=r"hand_loop cannot import_name: ModuleNotFoundError"),
    ):
        process.do("import_name", module="no_such_module", name="x")


def test_an_aim_is_judged_by_the_figure_it_is_about(tmp_path: Path) -> None:
    """Multiples by the median over the yardstick's; milliseconds as they are; more may be
    better.
    """
    met = {}
    for figure, absolute in (("cpu_ms", False), ("wall_ms", True), ("turns_per_s", False)):
        entry = Entry("turngraph_turn", aim=Aim("it", 2.0, absolute=absolute))
        case = Case("a", "A", {HAND: Entry("hand_loop"), TURN: entry}, figure)
        setting: Any = None
        found = [
            Cell(case, HAND, case.entries[HAND], setting, tmp_path, figures=[1.0, 2.0, 3.0]),
            Cell(case, TURN, entry, setting, tmp_path, figures=[3.0, 3.0, 9.0]),
        ]
        [hand, ours] = results.rows_of(found)
        assert (hand.times, hand.met) == (1.0, None)
        assert (ours.times, ours.low, ours.high) == (1.5, 3.0, 9.0)
        met[figure] = ours.met
    assert met == {"cpu_ms": True, "wall_ms": False, "turns_per_s": False}


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
    assert len(cells(rows)) == len(whole(rows)["rows"]) == 6
    kept = []
    for url in databases[:2]:
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            kept.append(
                connection.execute("SELECT count(*), sum(charge_nano) FROM attempt").fetchone()
            )
        connection.close()
    assert kept == [(4, 4 * 200_000)] * 2
    nothing = results.Results([], {}, rounds=1, seed=1)
    assert [line.title for line in lines_of(nothing, rows)] == ["a call in the ledger, SQLite"]


def test_what_a_turn_stores_does_not_grow_with_its_thread(tmp_path: Path) -> None:
    """A history copied into every checkpoint fills disks: threads of gigabytes were reported for
    other graphs.
    """
    with vendor() as origin:
        found = asyncio.run(
            turn_bytes(f"{origin}/calls-1/stored/v1", tmp_path, (10, 30), steps="each")
        )
    assert found[30] <= 1.1 * found[10]
