"""What was spent: by any dimension, as a bill, as rows in a file, and at another model's prices."""

import csv
import json
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from tests.turns import turn_on
from turngraph.billing.budget import Budget
from turngraph.billing.errors import LedgerError
from turngraph.billing.leases.leases import admit
from turngraph.billing.ledger import Ledger
from turngraph.billing.operations.attempt_rows import COLUMN_TYPES, attempt_rows
from turngraph.billing.operations.export import write_rows
from turngraph.billing.operations.results import AttemptRow
from turngraph.billing.operations.spending import COLUMNS
from turngraph.billing.pricing.prices import Prices
from turngraph.billing.store.calls import Call, CostAttribution, Released
from turngraph.billing.store.settlement import correct_closed
from turngraph.graphs import chat_turn
from turngraph.scripted import ScriptedModel

Open = Callable[..., Any]
DAY_S = 86_400


def test_the_columns_of_a_row_are_typed() -> None:
    """`AttemptRow` tells a type checker what each column holds; `COLUMN_TYPES` tells Parquet."""
    hints = get_type_hints(AttemptRow)
    plain = {name: (get_args(hint) or (hint,))[0] for name, hint in hints.items()}
    assert plain == COLUMN_TYPES


@pytest.fixture
def book(open_book: Open) -> Any:
    """Three calls on two days by two accounts, one of them unpriced, one released; a plugin; a
    refund.
    """
    book = open_book(Budget(usd=Decimal(1), per="account", unpriced="mark"))
    attribution = CostAttribution(
        account="acme", api_key_id="k1", thread="t", turn="u", tags=("web", "beta")
    )
    model = Call(attribution=attribution, vendor="openai", model="gpt-5")
    book.ledger.store.run(admit, "u", thread="t", account="acme")
    book.settle(book.begin("a", call=model).attempt_id, "0.004")
    book.settle(book.begin("b", call=model).attempt_id, "0.008", estimated=True)
    book.ledger.store.run(correct_closed, "b.1", Decimal("0.006"), note="invoice")
    book.clock.now += DAY_S
    other = Call(attribution=CostAttribution(account="other", turn="v"), vendor="nobody", model="x")
    book.settle(book.begin("c", usd=None, call=other).attempt_id, None)
    book.begin("d", call=model)
    book.ledger.store.run(book_release, "d.1")
    search = Call(
        attribution=attribution, kind="plugin", plugin="search", tool="search", connection="db"
    )
    book.settle(book.begin("e", call=search).attempt_id, "0.001")
    book.begin("open", call=model)
    return book


def book_release(tx: Any, attempt_id: str) -> None:
    from turngraph.billing.store.outcomes import release

    release(tx, Released(attempt_id=attempt_id, why="429"))


@pytest.mark.parametrize(
    ("by", "lines"),
    [
        ("account", [("acme", "0.011", 4), ("other", "0", 1)]),
        ("api_key_id", [("k1", "0.011", 4), ("", "0", 1)]),
        ("vendor", [("openai", "0.01", 3), ("", "0.001", 1), ("nobody", "0", 1)]),
        ("plugin", [("", "0.01", 4), ("search", "0.001", 1)]),
        ("thread", [("t", "0.011", 4), ("", "0", 1)]),
        ("day", [("2027-01-15", "0.01", 2), ("2027-01-16", "0.001", 3)]),
        ("month", [("2027-01", "0.011", 5)]),
        ("tag", [("beta", "0.011", 4), ("web", "0.011", 4), ("", "0", 1)]),
        ("kind", [("completion", "0.01", 4), ("plugin", "0.001", 1)]),
    ],
)
def test_spending_is_told_by_any_dimension(book: Any, by: Any, lines: Any) -> None:
    """Net of corrections, the dearest first; what was released is no spending."""
    spent = book.ledger.spending(by)
    assert [(line.value, str(line.usd), line.attempts) for line in spent] == lines


def test_guesses_and_unknown_prices_are_told_apart(book: Any) -> None:
    """A total that hides them is no total."""
    acme, other = book.ledger.spending("account")
    assert (acme.estimated_usd, acme.unpriced) == (Decimal("0.006"), 0)
    assert (other.estimated_usd, other.unpriced) == (0, 1)


def test_the_total_is_of_everything(book: Any) -> None:
    """However few lines a report has."""
    everything = book.ledger.total()
    assert everything == ("", Decimal("0.011"), 5, Decimal("0.006"), 1)
    assert book.ledger.total(until=datetime(2026, 1, 1, tzinfo=UTC)).usd == 0


def test_a_report_is_of_a_period(book: Any) -> None:
    """From a moment to before another."""
    second = datetime.fromtimestamp(book.clock.now, UTC)
    assert next(line.usd for line in book.ledger.spending("account", since=second)) == Decimal(
        "0.001"
    )
    assert sum(line.usd for line in book.ledger.spending("account", until=second)) == Decimal(
        "0.01"
    )
    assert len(book.ledger.spending("account", limit=1)) == 1


def test_days_stand_in_their_order_the_latest_of_them(book: Any) -> None:
    """A calendar sorted by its amounts cannot be read, and the first days of a year are no news."""
    assert [line.value for line in book.ledger.spending("day", limit=1)] == ["2027-01-16"]


def test_an_unknown_dimension_is_refused_with_the_known_ones(book: Any) -> None:
    """A typo must not read as an empty report."""
    with pytest.raises(LedgerError, match=", ".join(COLUMNS)):
        book.ledger.spending("acount")


def test_a_turns_bill_lists_its_attempts(book: Any) -> None:
    """What is still held is told beside what is charged."""
    bill = book.ledger.turn_bill("u")
    assert (bill.status, bill.usd, bill.open_usd) == ("running", Decimal("0.011"), Decimal("0.01"))
    assert [row["attempt_id"] for row in bill.attempts] == ["a.1", "b.1", "d.1", "e.1", "open.1"]
    assert book.ledger.turn_bill("v").status == ""
    with pytest.raises(LedgerError, match="No turn `w`"):
        book.ledger.turn_bill("w")


def test_budgets_are_told_with_what_they_hold(book: Any) -> None:
    """Limit, spent and held of every window that was used."""
    acme, other = book.ledger.budget_states()
    assert (acme.label, acme.limit_usd, acme.spent_usd, acme.held_usd) == (
        "account:acme",
        1,
        Decimal("0.011"),
        Decimal("0.01"),
    )
    assert (other.spent_usd, other.held_usd) == (0, 0)


def test_a_colon_in_a_name_mixes_no_two_budgets(open_book: Open) -> None:
    """The budget `team` of `a:b` and the budget `team:a` of `b` count apart."""
    book = open_book(
        Budget(usd="1", per="account", name="team"), Budget(usd="1", per="account", name="team:a")
    )
    for account in ("a:b", "b"):
        call = Call(attribution=CostAttribution(account=account), vendor="openai", model="gpt-5")
        book.begin(f"x-{account}", call=call)
    seen = {(state.budget, state.value): state.held_usd for state in book.ledger.budget_states()}
    assert set(seen) == {(name, value) for name in ("team", "team:a") for value in ("a:b", "b")}
    assert len(set(seen.values())) == 1, "each holds one call"


def test_a_report_for_one_account_names_and_counts_no_other(book: Any) -> None:
    """Nor a budget whose name begins with it, or that others count in too."""
    ledger = book.ledger
    assert (ledger.total(account="other").usd, ledger.total(account="other").attempts) == (0, 1)
    assert ledger.total(account="acme").usd == ledger.total().usd
    assert [line.value for line in ledger.spending("account", account="acme")] == ["acme"]
    assert ledger.spending("tag", account="other")[0].value == ""
    for budget in (Budget(usd="1", per="account"), Budget(usd="1", per="ledger")):
        ledger.set_budget(budget)
    for account in ("acme", "ac", "acme:acme"):
        call = Call(attribution=CostAttribution(account=account), vendor="openai", model="gpt-5")
        book.begin(f"x-{account}", call=call)
    assert [state.label for state in ledger.budget_states(account="acme")] == ["account:acme"]
    assert ledger.budget_states(account="nobody") == ()


def test_the_fullest_windows_of_now_come_first(open_book: Open) -> None:
    """What is about to refuse calls is looked for; yesterday's window refuses nothing. Nothing is
    fuller than none.
    """
    book = open_book(
        Budget(usd=Decimal("0.1"), per="account"),
        Budget(usd=Decimal("0.01"), per="api_key_id", period="day", hard=False),
        Budget(usd=Decimal(0), per="ledger", period="month", hard=False),
    )
    book.paid("0.004", "a")
    book.clock.now += DAY_S
    book.paid("0.002", "b")
    states = book.ledger.budget_states()
    assert [state.label for state in states] == ["ledger-month", "api_key_id-day", "account:acme"]
    assert [state.spent_usd for state in states] == [
        Decimal("0.006"),
        Decimal("0.002"),
        Decimal("0.006"),
    ]
    assert len(book.ledger.budget_states(limit=1)) == 1


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "parquet"])
def test_every_charge_goes_into_a_file(book: Any, tmp_path: Path, suffix: str) -> None:
    """With every digit, and its price, so that others can count again."""
    path = tmp_path / f"spent.{suffix}"
    assert book.ledger.export(path) == 6
    assert [file.name for file in tmp_path.iterdir() if "spent" in file.name] == [path.name]
    rows = read(path)
    assert [str(row["attempt_id"]) for row in rows] == ["a.1", "b.1", "c.1", "d.1", "e.1", "open.1"]
    assert [Decimal(str(row["usd"])) for row in rows][:2] == [Decimal("0.004"), Decimal("0.006")]
    assert str(rows[0]["input_tokens"]) == "10"
    assert rows[0]["tags"] == "beta,web"


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        return list(csv.DictReader(path.read_text().splitlines()))
    if path.suffix == ".json":
        return list(json.loads(path.read_text()))
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    return list(pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist())


def test_a_cell_cannot_become_a_formula(tmp_path: Path) -> None:
    """A tool's name in somebody's spreadsheet must not run."""
    columns = {"tool": str, "usd": Decimal}
    write_rows([{"tool": "=1+1", "usd": Decimal("-1e-9")}], tmp_path / "x.csv", columns)
    assert (tmp_path / "x.csv").read_text().splitlines()[1] == "'=1+1,-0.000000001"


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "parquet"])
def test_a_period_without_charges_is_a_file_without_rows(
    book: Any, tmp_path: Path, suffix: str
) -> None:
    """With its columns, where the format has any: whoever reads all months reads this one too."""
    path = tmp_path / f"empty.{suffix}"
    assert book.ledger.export(path, until=datetime(2026, 1, 1, tzinfo=UTC)) == 0
    assert read(path) == []
    if suffix == "csv":
        assert path.read_text().splitlines() == [",".join(COLUMN_TYPES)]
    if suffix == "parquet":
        names = pytest.importorskip("pyarrow.parquet").read_schema(path).names
        assert names == list(COLUMN_TYPES)


def test_a_row_has_the_columns_that_are_named(book: Any) -> None:
    """In that order, for those who read by place."""
    assert all(
        list(row) == list(COLUMN_TYPES)
        for row in book.ledger.store.read(lambda tx: list(attempt_rows(tx)))
    )


def test_an_export_is_for_its_owner_alone(book: Any, tmp_path: Path) -> None:
    """It says who spent what, whatever the process lets new files be."""
    before = os.umask(0)
    try:
        book.ledger.export(tmp_path / "x.csv")
    finally:
        os.umask(before)
    assert (tmp_path / "x.csv").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("usage", "garbage"),
        ("tags", "garbage"),
        ("tags", 5),
        ("tags", "5"),
        ("tags", b"\xff"),
        ("model", b"\xff"),
        ("hold_nano", "garbage"),
        ("hold_nano", b"\xff"),
    ],
)
def test_a_row_that_is_no_json_or_number_is_a_named_error(
    tmp_path: Path, column: str, value: object
) -> None:
    """Not an error of the library that read it."""
    url = f"sqlite:///{tmp_path}/l.db"
    with Ledger(url) as ledger:
        chat_turn("scripted", ledger=ledger).run("Hi")
    with closing(sqlite3.connect(tmp_path / "l.db")) as database, database:
        database.execute(f"update attempt set {column} = ?", [value])
    with Ledger(url) as ledger, pytest.raises(LedgerError, match="row of the ledger is damaged"):
        ledger.export(tmp_path / "x.csv")


@pytest.mark.parametrize("column", ["limit_nano", "held_nano", "settled_nano"])
def test_a_damaged_window_of_a_budget_is_a_named_error(tmp_path: Path, column: str) -> None:
    url = f"sqlite:///{tmp_path}/l.db"
    with Ledger(url) as ledger:
        ledger.set_budget(Budget(usd="1", per="account", period="day"))
        assert chat_turn("scripted", ledger=ledger).run("Hi").ok
        with closing(sqlite3.connect(tmp_path / "l.db")) as database, database:
            database.execute(f"update budget_window set {column} = ?", [b"\xff"])
        with pytest.raises(LedgerError, match="row of the ledger is damaged"):
            ledger.budget_states()


@pytest.mark.parametrize("value", ["garbage", b"\xff", 1.5])
@pytest.mark.parametrize("column", ["held_nano", "settled_nano"])
@pytest.mark.parametrize("hard", [True, False])
def test_a_damaged_window_of_a_budget_lets_no_call_through(
    tmp_path: Path, column: str, value: object, hard: bool
) -> None:
    """SQLite counts a text as zero: a budget that was spent was open again."""
    url = f"sqlite:///{tmp_path}/l.db"
    budget = Budget(usd="1", per="account", period="day", hard=hard)
    with Ledger(url, budgets=(budget,)) as ledger, ScriptedModel() as model:
        turn = turn_on(model, ledger=ledger)
        assert turn.run("Hi").ok
        with closing(sqlite3.connect(tmp_path / "l.db")) as database, database:
            database.execute(f"update budget_window set {column} = ?", [value])
        with pytest.raises(LedgerError, match=f"row of the ledger is damaged .{column} is of the"):
            turn.run("Again")
        assert len(model.requests) == 1


@pytest.mark.parametrize(
    "statement",
    ["update budget_window set settled_nano = 'garbage'", "delete from budget_window"],
)
def test_a_window_that_is_damaged_while_a_call_runs_is_a_named_error(
    tmp_path: Path, statement: str
) -> None:
    """Its charge would be lost in a sum that counts a text as zero."""
    url = f"sqlite:///{tmp_path}/l.db"

    def damage(event: object) -> None:
        with closing(sqlite3.connect(tmp_path / "l.db")) as database, database:
            database.execute(statement)

    with Ledger(url, budgets=(Budget(usd="1"),)) as ledger, ScriptedModel() as model:
        turn = turn_on(model, ledger=ledger, on_event=damage)
        with pytest.raises(LedgerError, match="row of the ledger is damaged"):
            turn.run("Hi")


@pytest.mark.parametrize("value", ["garbage", b"\xff", 1.5])
def test_a_damaged_amount_is_in_no_report(tmp_path: Path, value: object) -> None:
    """A sum of SQLite counts it as zero."""
    url = f"sqlite:///{tmp_path}/l.db"
    with Ledger(url) as ledger:
        chat_turn("scripted", ledger=ledger).run("Hi")
        with closing(sqlite3.connect(tmp_path / "l.db")) as database, database:
            triggers = database.execute("select name from sqlite_master where type = 'trigger'")
            for (name,) in triggers.fetchall():
                database.execute(f"drop trigger {name}")
            database.execute("update entry set amount_nano = ?", [value])
        for report in (ledger.total, lambda: ledger.spending("model"), ledger.verify):
            with pytest.raises(LedgerError, match="row of the ledger is damaged"):
                report()


def test_a_text_that_is_none_is_damage(tmp_path: Path) -> None:
    """It read as a database that did not answer, which may be waited for."""
    url = f"sqlite:///{tmp_path}/l.db"
    with Ledger(url) as ledger:
        chat_turn("scripted", ledger=ledger).run("Hi")
        with closing(sqlite3.connect(tmp_path / "l.db")) as database, database:
            database.execute("update attempt set model = cast(x'ff' as text)")
        with pytest.raises(LedgerError, match="is damaged: Could not decode"):
            ledger.spending("model")


def test_a_file_that_cannot_be_written_is_named(book: Any, tmp_path: Path) -> None:
    """And one that was there before stays whole."""
    with pytest.raises(LedgerError, match=r"nowhere/x\.csv` cannot be written: No such file"):
        book.ledger.export(tmp_path / "nowhere" / "x.csv")

    def broken() -> Any:
        yield {"usd": Decimal(1)}
        raise RuntimeError

    (tmp_path / "x.json").write_text("before")
    with pytest.raises(RuntimeError):
        write_rows(broken(), tmp_path / "x.json", {"usd": Decimal})
    assert (tmp_path / "x.json").read_text() == "before"
    assert [file.name for file in tmp_path.iterdir() if "x." in file.name] == ["x.json"]


def test_an_unknown_format_is_refused_with_the_known_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And Parquet without its library says what to install."""
    with pytest.raises(LedgerError, match=r"\.csv, \.json, \.jsonl, \.parquet"):
        write_rows([], tmp_path / "x.xls", {})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(LedgerError, match="pyarrow"):
        write_rows([], tmp_path / "x.parquet", {})


def test_a_period_can_be_priced_as_another_model(book: Any) -> None:
    """The same tokens at the other model's prices of the same moments; what has none is counted,
    not guessed.
    """
    other = book.ledger.reprice(Prices(), vendor="openai", model="gpt-5-mini")
    # 10 and 5 tokens, twice, at 0.25 and 2 USD per million; the third call has no price to compare
    # with.
    assert other == (2, Decimal("0.01"), Decimal("0.000025"), 1)
    assert book.ledger.reprice(Prices(), vendor="nobody", model="x").not_comparable == 3
    told = book.begin("f", usd=None, call=Call(vendor="openai", model="gpt-5"), budgets=())
    book.settle(told.attempt_id, "0.001", without_usage=True)
    assert book.ledger.reprice(Prices(), vendor="openai", model="gpt-5-mini").not_comparable == 2
