"""`turngraph ledger`, on ledgers that real turns have filled."""

import csv
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from tests.billing.conftest import postgres  # noqa: F401  a fixture
from tests.interfaces.cli.commands import Terminal, one_sentence, turngraph
from tests.postgres import new_database
from turngraph.billing import Budget, Ledger, Prices, ToolPrice
from turngraph.billing.operations.results import Dimension
from turngraph.billing.operations.spending import COLUMNS
from turngraph.billing.store.calls import Call as LedgerCall, Released, UnknownOutcome
from turngraph.graphs import chat_turn
from turngraph.interfaces.cli.app import run_command
from turngraph.providers import ProviderConfig
from turngraph.scripted import Call, Cut, Say, ScriptedModel
from turngraph.state.turn import TurnSettings

SECRET = "s3cret-w0rd"
EVIL = "evil[red]\x1b[2J"
MONTH = f"{datetime.now(UTC):%Y-%m}"


class Filled(NamedTuple):
    """A ledger, and the turns that filled it."""

    url: str
    turns: dict[str, str]


class Printed(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


def fill(url: str) -> Filled:
    """A turn with a priced tool, one of an unpriced model by a nasty account, a stream that was
    cut.
    """
    prices = Prices(tools=(ToolPrice(tool="calculator", usd_per_call=Decimal("0.01")),))
    budget = Budget(usd=Decimal("0.50"), per="account", period="month", unpriced="mark")
    asks = Call(("calculator", {"expression": "6 * 7"}, "call-1"))
    made: dict[str, str] = {}
    with Ledger(url) as ledger:
        for account, name, script in (
            ("acme", "gpt-5", [asks, Say("It is 42.")]),
            (EVIL, "nobodys", [asks, Say("It is 42.")]),
            ("", "gpt-5", [Cut(after=4, answer=Say("one two three four five six seven"))]),
        ):
            with ScriptedModel(script) as model:
                turn = chat_turn(
                    ProviderConfig(
                        vendor="openai",
                        model=name,
                        base_url=model.base_url,
                        api_key="none",
                        api="chat",
                    ),
                    functions=["calculator"],
                    ledger=ledger,
                    prices=prices,
                    budget=budget,
                    stream=account == "",
                )
                settings = TurnSettings(account=account, api_key_id="k1", tags=("web",))
                out = turn.invoke({"messages": [("user", "What is 6 * 7?")], "settings": settings})
                made[account] = out["result"].turn_id
    return Filled(url, made)


@pytest.fixture(params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Filled:
    """On either database."""
    if request.param == "sqlite":
        return fill(f"sqlite:///{tmp_path}/turns.db")
    return fill(new_database(request.getfixturevalue("postgres")))


@pytest.fixture
def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Printed]:
    """Types a command at its entry, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TURNGRAPH_LEDGER", raising=False)

    def types(*tokens: str, ledger: str | None = None) -> Printed:
        capsys.readouterr()
        code = run_command(["ledger", *tokens, *([] if ledger is None else ["--ledger", ledger])])
        return Printed(code, *capsys.readouterr())

    return types


def test_every_dimension_of_the_type_has_a_column() -> None:
    """The command takes its choices from the type, which loads no database library."""
    assert set(get_args(Dimension)) == set(COLUMNS)


def test_spending_is_shown_with_bars_and_told_in_json(
    filled: Filled, typed: Callable[..., Printed]
) -> None:
    """For people, and for other programs: the same amounts; what a caller chose as a name is not
    obeyed.
    """
    printed = typed("top", "--by", "account", ledger=filled.url)
    assert printed.code == 0
    lines = printed.out.splitlines()
    assert lines[0] == "Spent by account, all time"
    acme, evil = (
        next(line for line in lines if line.startswith(name)) for name in ("acme", "evil")
    )
    assert "█" in acme
    assert "$0.010" in acme
    assert evil.startswith("evil[red]␛[2J")
    assert "2 unpriced" in evil
    assert "\x1b" not in printed.out
    assert "estimated" in lines[-1]
    listed = json.loads(typed("top", "--by", "account", "--json", ledger=filled.url).out)
    assert [line["value"] for line in listed][:2] == ["acme", EVIL]
    total = sum(Decimal(line["usd"]) for line in listed)
    assert f"${total}" in lines[-1]


@pytest.mark.parametrize("by", COLUMNS)
def test_every_dimension_is_told(typed: Callable[..., Printed], tmp_path: Path, by: str) -> None:
    """Each adds up to the same total, but for tags, of which a call may have several."""
    filled = fill(f"sqlite:///{tmp_path}/turns.db")
    listed = json.loads(typed("top", "--by", by, "--json", ledger=filled.url).out)
    total = sum(line["attempts"] for line in listed)
    assert total == 7
    lines = typed("top", "--by", by, "--limit", "1", ledger=filled.url).out.splitlines()
    assert [line.split()[2] for line in lines if line.startswith("total")] == ["7"], (
        "the total is of all"
    )


def test_a_report_is_of_the_time_that_is_typed(
    filled: Filled, typed: Callable[..., Printed]
) -> None:
    """A month, or from a day to before a day; in UTC, as the ledger's days are."""
    assert "acme" in typed("top", "--by", "account", "--month", MONTH, ledger=filled.url).out
    for past in (
        ["--month", "2026-01"],
        ["--until", "2026-01-31"],
        ["--since", "2099-12-31T10:30:00"],
    ):
        printed = typed("top", *past, ledger=filled.url)
        assert (printed.code, printed.out) == (0, "")
        assert printed.err.startswith("Nothing was spent")


def test_a_turns_bill_is_shown(filled: Filled, typed: Callable[..., Printed]) -> None:
    """Each call with its tokens, its price's source and its amount; then all of it."""
    printed = typed("show", filled.turns["acme"], ledger=filled.url)
    assert printed.code == 0
    assert printed.out.splitlines()[0].startswith(f"turn {filled.turns['acme']}: done, {MONTH}")
    assert [line.split()[1] for line in printed.out.splitlines() if "settled" in line] == [
        "openai:gpt-5",
        "tool",
        "openai:gpt-5",
    ]
    assert "genai-prices" in printed.out
    assert "override" in printed.out
    bill = json.loads(typed("show", filled.turns["acme"], "--json", ledger=filled.url).out)
    assert Decimal(bill["usd"]) == sum(Decimal(row["usd"]) for row in bill["attempts"])
    cut = typed("show", filled.turns[""], ledger=filled.url)
    assert "partial, estimated" in cut.out
    nobody = typed("show", "nobody", ledger=filled.url)
    assert (nobody.code, nobody.err) == (2, "turngraph: No turn `nobody` in this ledger.\n")


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "parquet"])
def test_every_attempt_is_written_to_a_file(
    filled: Filled, typed: Callable[..., Printed], tmp_path: Path, suffix: str
) -> None:
    """By its suffix, with every digit."""
    printed = typed("export", f"spent.{suffix}", "--month", MONTH, ledger=filled.url)
    assert (printed.code, printed.out, printed.err) == (
        0,
        "",
        f"7 attempts written to spent.{suffix}.\n",
    )
    if suffix == "csv":
        rows = list(csv.DictReader((tmp_path / "spent.csv").read_text().splitlines()))
        assert {row["account"] for row in rows} == {"acme", EVIL, ""}
        assert {row["currency"] for row in rows} == {"USD"}


def test_verify_says_so_or_names_what_is_wrong(
    filled: Filled, typed: Callable[..., Printed]
) -> None:
    """Exit code 0 or 1, for whoever asks every night."""
    from sqlalchemy import text

    printed = typed("verify", ledger=filled.url)
    assert (printed.code, printed.out) == (0, "")
    assert printed.err.startswith("Everything adds up: 7 attempts, $0.0")
    with Ledger(filled.url) as ledger:
        ledger.store.run(lambda tx: tx.conn.execute(text("UPDATE budget_window SET held_nano = 5")))
        ledger.store.spool.add("release", Released(attempt_id="nobody.1", why="never sent"))
        ledger.store.run(
            lambda tx: tx.conn.execute(
                text("UPDATE attempt SET charge_nano = 7 WHERE basis = 'partial'")
            )
        )
    printed = typed("verify", ledger=filled.url)
    assert printed.code == 1
    assert (
        len(
            [line for line in printed.out.splitlines() if line.startswith("Budget `account-month:")]
        )
        == 3
    )
    assert "is settled at 7 nano-dollars, and its first entry is" in printed.out
    assert "1 records wait" in printed.err


def test_what_the_ledger_refused_is_a_problem_that_verify_names(
    typed: Callable[..., Printed], tmp_path: Path
) -> None:
    """Money was spent and is in no entry: a person must look."""
    url = f"sqlite:///{tmp_path}/turns.db"
    with Ledger(url) as ledger:
        ledger.store.run(lambda tx: None)
        ledger.store.spool.add("gone_operation", Released(attempt_id="nobody.1", why="never sent"))
        assert ledger.play_back() == 0
    printed = typed("verify", ledger=url)
    assert printed.code == 1
    assert "turns.db.spool" in printed.out
    assert ".refused" in printed.out


def lose(url: str, name: str) -> str:
    """An attempt that was sent an hour ago and of which nobody knows."""
    from turngraph.billing.store.attempts import begin
    from turngraph.billing.store.outcomes import mark_unknown

    with Ledger(url, clock=lambda: datetime.now(UTC).timestamp() - 3600) as ledger:
        call = LedgerCall(vendor="openai", model="gpt-5")
        begun = ledger.store.run(begin, call, call_id=name, request_sha="x", usd=Decimal("0.02"))
        assert begun.attempt_id is not None
        ledger.store.run(mark_unknown, UnknownOutcome(attempt_id=begun.attempt_id, why="cut"))
        return begun.attempt_id


def test_reconcile_closes_what_was_left_open(filled: Filled, typed: Callable[..., Printed]) -> None:
    """By the policy that is typed; what is left for a person is named, with what it holds."""
    attempt = lose(filled.url, "lost")
    printed = typed("reconcile", "--policy", "manual", ledger=filled.url)
    assert printed.code == 0
    assert (
        printed.out.splitlines()[0]
        == "written from disk 0, released 0, charged 0, corrected 0, open 1"
    )
    assert printed.out.splitlines()[1] == f"  {attempt}  unknown  openai:gpt-5  $0.02 held"
    waiting = json.loads(typed("reconcile", "--quiet", "7200", "--json", ledger=filled.url).out)
    assert waiting["open"] == [{"attempt_id": attempt, "held_usd": "0.02"}]
    done = json.loads(typed("reconcile", "--policy", "max", "--json", ledger=filled.url).out)
    assert (done["settled"], done["open"]) == (1, [])
    assert typed("verify", ledger=filled.url).code == 0


def test_reconcile_writes_first_what_was_kept_on_disk(
    typed: Callable[..., Printed], tmp_path: Path
) -> None:
    """The worker that could not write it may be gone."""
    url = f"sqlite:///{tmp_path}/turns.db"
    attempt = lose(url, "lost")
    with Ledger(url) as ledger:
        ledger.store.spool.add(
            "release", Released(attempt_id=attempt, why="the vendor had no such request")
        )
    printed = typed("reconcile", ledger=url)
    assert printed.out == "written from disk 1, released 0, charged 0, corrected 0, open 0\n"


def test_reconcile_asks_the_vendor_first(
    typed: Callable[..., Printed], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that was cut is charged by what the vendor kept of it; the key comes out of its
    variable.
    """
    url = f"sqlite:///{tmp_path}/turns.db"
    with ScriptedModel(
        [Cut(after=8, answer=Say("one two three four five six seven eight"))]
    ) as model:
        config = ProviderConfig(
            vendor="openai", model="gpt-5", base_url=model.base_url, api_key="none", api="responses"
        )
        with Ledger(url) as ledger:
            chat_turn(config, ledger=ledger, stream=True).invoke({"messages": [("user", "Count.")]})
        ask = ("reconcile", "--ask", "openai:gpt-5", "--base-url", model.base_url, "--ledger", url)
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        assert "set OPENAI_API_KEY" in typed("reconcile", "--ask", "openai:gpt-5", ledger=url).err
        monkeypatch.setenv("OPENAI_API_KEY", SECRET)
        printed = typed(*ask)
        assert printed.out == "written from disk 0, released 0, charged 0, corrected 1, open 0\n"
        assert SECRET in str(model.requests[-1].headers)
    assert SECRET not in printed.out + printed.err
    assert json.loads(typed("top", "--json", ledger=url).out)[0]["estimated_usd"] == "0"
    assert typed("reconcile", "--ask", "nobody:x", ledger=url).code == 2


def test_a_person_says_what_an_attempt_cost(filled: Filled, typed: Callable[..., Printed]) -> None:
    """An open one is closed with it; then corrected, by a further entry; never below nothing."""
    attempt = lose(filled.url, "lost")
    assert typed("correct", attempt, "0.0150", "--note", "invoice 4711", ledger=filled.url).err == (
        f"{attempt} costs $0.015.\n"
    )
    assert typed("correct", attempt, "0", "--note", "refund", ledger=filled.url).code == 0
    debt = typed("correct", attempt, "--note", "x", "--ledger", filled.url, "--", "-1")
    assert "An attempt cannot cost -1 USD" in debt.err
    assert typed("correct", "nobody.1", "1", "--note", "x", ledger=filled.url).code == 2
    assert typed("verify", ledger=filled.url).code == 0


def test_answers_are_forgotten_and_their_charges_stay(
    filled: Filled, typed: Callable[..., Printed]
) -> None:
    """Conversations need not stand in the ledger for as long as the books must."""
    spent = typed("top", "--json", ledger=filled.url).out
    assert typed("forget", "--days", "1", ledger=filled.url).err == "0 answers forgotten.\n"
    forgotten = typed("forget", "--days", "0", ledger=filled.url).err
    assert forgotten != "0 answers forgotten.\n"
    assert typed("forget", "--days", "0", ledger=filled.url).err == "0 answers forgotten.\n"
    assert typed("top", "--json", ledger=filled.url).out == spent
    assert typed("verify", ledger=filled.url).code == 0
    assert typed("forget", "--days", "-1", ledger=filled.url).code == 2


def test_a_period_is_told_at_another_models_prices(
    filled: Filled, typed: Callable[..., Printed], tmp_path: Path
) -> None:
    """From the list, or from a file of one's own; what cannot be compared is counted."""
    printed = typed("reprice", "--model", "openai:gpt-5-nano", "--month", MONTH, ledger=filled.url)
    assert printed.code == 0
    assert printed.out.splitlines()[1].startswith("with openai:gpt-5-nano: $0.0000")
    assert printed.out.splitlines()[1].endswith("%)")
    assert "2 calls have no usage" in printed.err
    (tmp_path / "prices.yaml").write_text(
        "prices:\n- vendor: mine\n  model: small\n"
        "  rates: {input: {usd_per_mtok: 1}, output: {usd_per_mtok: 0}}\n"
    )
    own = ("reprice", "--model", "mine:small", "--json", "--prices", "prices.yaml")
    assert json.loads(typed(*own, ledger=filled.url).out)["attempts"] == 3
    nobody = typed("reprice", "--model", "nobody:x", ledger=filled.url)
    assert (nobody.code, nobody.out) == (1, "")
    past = typed("reprice", "--model", "openai:gpt-5", "--month", "2026-01", ledger=filled.url)
    assert past.err.startswith("No call")


def test_budgets_are_kept_listed_and_removed(filled: Filled, typed: Callable[..., Printed]) -> None:
    """What is kept holds for turns that name no budget; what it counts is shown with a bar."""
    set_ = (
        "budget",
        "set",
        "0.0000001",
        "--per",
        "account",
        "--of",
        "acme",
        "--period",
        "day",
        "--unpriced",
        "0.05",
    )
    printed = typed(*set_, ledger=filled.url)
    assert printed.err == "account-day-acme: $0.0000001 a day for the account acme, hard, " + (
        "calls without a price are charged $0.05\n"
    )
    with Ledger(filled.url) as ledger, ScriptedModel() as model:
        config = ProviderConfig(
            vendor="openai", model="gpt-5", base_url=model.base_url, api_key="none"
        )
        turn = chat_turn(config, ledger=ledger)
        refused = turn.invoke(
            {"messages": [("user", "Hi")], "settings": TurnSettings(account="acme")}
        )["result"]
        free = turn.invoke(
            {"messages": [("user", "Hi")], "settings": TurnSettings(account="bolt")}
        )["result"]
    assert (refused.status, free.status) == ("budget", "completed")
    assert "`account-day-acme:acme`" in refused.error.message
    printed = typed("budget", "list", ledger=filled.url)
    assert printed.out.startswith("account-day-acme: $0.0000001 a day")
    assert re.search("^account-month:acme .*[█-▏]", printed.out, re.MULTILINE)
    listed = json.loads(typed("budget", "list", "--json", ledger=filled.url).out)
    assert [each["name"] for each in listed["kept"]] == ["account-day-acme"]
    windows = {(each["budget"], each["value"]) for each in listed["windows"]}
    assert windows >= {("account-month", "acme")}
    assert typed("budget", "remove", "account-day-acme", ledger=filled.url).code == 0
    again = typed("budget", "remove", "account-day-acme", ledger=filled.url)
    assert (again.code, again.err) == (
        2,
        "turngraph: No budget `account-day-acme` is stored in this ledger. Stored are: none.\n",
    )
    assert "No budget is stored" in typed("budget", "list", ledger=filled.url).err


def test_a_budget_may_be_the_first_thing_in_a_ledger(
    typed: Callable[..., Printed], tmp_path: Path
) -> None:
    """The one command that makes a ledger, and says so."""
    printed = typed(
        "budget",
        "set",
        "20",
        "--per",
        "ledger",
        "--soft",
        "--last-answer",
        "1",
        "--unpriced",
        "mark",
    )
    assert printed.code == 0
    assert printed.err.splitlines()[0] == "A new ledger was created: sqlite:///turngraph.db"
    assert printed.err.splitlines()[1].startswith(
        "ledger: $20.00 for all calls together, soft, $1.00 of it for a last answer"
    )
    assert (tmp_path / "turngraph.db").exists()


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        (["top"], "There is no ledger at `sqlite:///turngraph.db`: no such file."),
        (["verify", "--ledger", "turns.db"], "such as `sqlite:///turns.db`"),
        (["top", "--ledger", "sqlite:///notes.txt"], "cannot be opened: file is not a database"),
        (["top", "--ledger", "sqlite:///other.db"], "the database has none of its tables"),
        (
            ["export", "x.csv", "--ledger", "mysql://bob@host/db"],
            "SQLite or PostgreSQL, not in `mysql`",
        ),
        (["top", "--by", "acount"], '"account", "api_key_id", "vendor"'),
        (
            ["top", "--month", "October"],
            "--month is `October`; type a year and a month, as in 2026-10.",
        ),
        (["top", "--month", "2026-10", "--since", "2026-10-01"], "not both"),
        (["top", "--since", "yesterday"], "--since"),
        (["top", "--limit", "0"], "--limit"),
        (["reconcile", "--policy", "guess"], '"estimate", "max", "manual"'),
        (["reprice", "--model", "gpt-5"], "type a vendor and a model, as in openai:gpt-5-mini"),
        (["budget", "set", "3"], "--per"),
        (
            ["budget", "set", "3", "--per", "turn", "--unpriced", "free"],
            "--unpriced is `free`; type `refuse`, `mark`",
        ),
        (["budget", "set", "NaN", "--per", "turn"], "`NaN` is no amount in US dollars"),
        (["budget", "set", "--per", "turn", "--", "-3"], "The limit is -3"),
        (["correct", "a.1", "much", "--note", "x"], "`much` is no amount in US dollars"),
        (["budget", "set", "1", "--per", "turn", "--last-answer=-1"], "--last-answer is -1"),
        (["budget", "set", "many", "--per", "turn"], "`many` is no amount in US dollars"),
        (["budget", "set", "1", "--per", "turn", "--warn-at", "0"], "--warn-at is 0"),
    ],
)
def test_what_is_typed_wrongly_is_said_in_a_sentence(
    typed: Callable[..., Printed], tmp_path: Path, tokens: list[str], says: str
) -> None:
    """With what was seen and what is allowed; no traceback, and nothing is made."""
    import sqlite3

    (tmp_path / "notes.txt").write_text("no database, and long enough to be taken for one " * 20)
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE mine (x)").connection.close()
    printed = typed(*tokens)
    assert (printed.code, printed.out) == (2, "")
    assert printed.err.startswith("turngraph: ")
    assert says in printed.err
    assert len(printed.err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "other.db"]


@pytest.mark.parametrize("file", ["x.xls", "nowhere/x.csv"])
def test_a_file_that_cannot_be_written_is_said(
    typed: Callable[..., Printed], tmp_path: Path, file: str
) -> None:
    """Its format or its folder."""
    filled = fill(f"sqlite:///{tmp_path}/turns.db")
    printed = typed("export", file, ledger=filled.url)
    assert printed.code == 2
    assert Path(file).name in printed.err


def test_what_the_database_says_later_is_a_sentence_too(
    typed: Callable[..., Printed], tmp_path: Path
) -> None:
    """Tables that were tampered with, rights that are lacking: no traceback."""
    import sqlite3

    filled = fill(f"sqlite:///{tmp_path}/turns.db")
    with sqlite3.connect(tmp_path / "turns.db") as conn:
        conn.execute("ALTER TABLE attempt DROP COLUMN service_tier")
        conn.execute("ALTER TABLE attempt DROP COLUMN note")
    conn.close()
    printed = typed("show", filled.turns["acme"], ledger=filled.url)
    assert printed.code == 2
    assert "no such column" in printed.err


def test_no_password_is_printed_by_the_process(tmp_path: Path) -> None:
    """Not from the option, not from the variable, not where the server is away, not in the help."""
    url = f"postgresql://bob:{SECRET}@127.0.0.1:1/turns"
    by_variable = turngraph(tmp_path, "ledger", "top", TURNGRAPH_LEDGER=url)
    by_option = turngraph(
        tmp_path, "ledger", "budget", "set", "1", "--per", "turn", "--ledger", url
    )
    for done in (by_variable, by_option):
        assert done.returncode == 2
        assert SECRET not in done.stdout + done.stderr
        assert "postgresql://bob:***@127.0.0.1:1/turns" in one_sentence(done)
    assert SECRET not in turngraph(tmp_path, "ledger", "top", "--help", TURNGRAPH_LEDGER=url).stdout
    assert list(tmp_path.iterdir()) == []


def test_the_variable_names_the_ledger_on_a_terminal(tmp_path: Path) -> None:
    """As a person meets it, in color."""
    filled = fill(f"sqlite:///{tmp_path}/turns.db")
    with Terminal(
        tmp_path, "ledger", "top", "--by", "account", TURNGRAPH_LEDGER=filled.url
    ) as terminal:
        terminal.until("total")
        assert terminal.end() == 0
    assert "\x1b[2J" not in terminal.shown
    assert "acme" in terminal.shown
