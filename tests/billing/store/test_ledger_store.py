"""The ledger as a thing that runs: sync and async, two databases, one that goes away, and a spool
for what is left.
"""

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from turngraph.billing.budget import Budget
from turngraph.billing.errors import LedgerError, LedgerUnavailableError
from turngraph.billing.ledger import Ledger
from turngraph.billing.store.attempts import begin
from turngraph.billing.store.calls import AttemptResponse, Call, CostAttribution, Settlement
from turngraph.billing.store.migrations import MIGRATIONS, migrate
from turngraph.billing.store.outcomes import answer, note_id
from turngraph.billing.store.settlement import settle
from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.graphs.chat import chat_turn

Open = Callable[..., Any]


@contextmanager
def broken(
    ledger: Ledger, *, times: int = 10**9, error: type[Exception] = OSError
) -> Iterator[None]:
    """A database that does not answer, for the next `times` statements."""
    left = [times]

    def refuse(*_: Any) -> None:
        if left[0] > 0:
            left[0] -= 1
            raise OperationalError("the database went away", {}, error())

    event.listen(ledger.store.engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        event.remove(ledger.store.engine, "before_cursor_execute", refuse)


async def test_tasks_use_the_same_operations(open_book: Open) -> None:
    """No second body to keep in step: a task's operation is the thread's."""
    book = open_book(Budget(usd=Decimal(1)))
    calls = [
        book.ledger.store.arun(
            begin, book.call, call_id=f"c{n}", request_sha="x", usd=Decimal("0.01")
        )
        for n in range(20)
    ]
    assert {begun.attempt_id for begun in await asyncio.gather(*calls)} == {
        f"c{n}.1" for n in range(20)
    }
    assert book.window("turn:u") == (0, Decimal("0.2"))


def test_a_ledger_that_is_dropped_closes_its_connections(url: str) -> None:
    """A turn opens its ledger by a URL, and many a program closes neither."""
    turn = chat_turn("scripted", ledger=url)
    closed: list[object] = []
    assert turn.ledger is not None
    event.listen(turn.ledger.store.engine, "close", lambda *_: closed.append(1))
    del turn
    gc.collect()
    assert closed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_forked_process_goes_on_with_the_ledger_of_its_parent(open_book: Open) -> None:
    """A server may use the ledger and then fork its workers (`gunicorn --preload`)."""
    book = open_book(Budget(usd=Decimal(1)))

    async def call(call_id: str) -> None:
        await book.ledger.store.arun(
            begin, book.call, call_id=call_id, request_sha="x", usd=Decimal("0.01")
        )

    asyncio.run(call("before"))
    owner, leases = book.ledger.store.owner, book.ledger.leases
    held, forked = threading.Event(), threading.Event()

    def hold_the_lock() -> None:
        with leases._changed:
            held.set()
            forked.wait(60)

    with ThreadPoolExecutor(1) as threads:
        threads.submit(hold_the_lock)
        assert held.wait(60)
        child = os.fork()
        if child == 0:
            signal.alarm(30)  # a child that hangs is killed, and the test fails
            leases.start_renewing("u", 1, 0.0)
            leases.stop_renewing("u", 1)
            asyncio.run(call("child"))
            os._exit(0 if book.ledger.store.owner != owner else 1)
        forked.set()
    assert os.waitpid(child, 0)[1] == 0
    asyncio.run(call("after"))
    assert book.window("turn:u") == (0, Decimal("0.03"))


def test_an_answer_being_stored_while_its_call_begins_again_is_used(open_book: Open) -> None:
    """A slow worker's turn was taken over. The heir waits for the answer that is on its way into
    the ledger, and does not pay for another one.
    """
    slow, heir = open_book(), open_book()
    attempt_id = slow.begin().attempt_id
    heir.ledger.list_budgets()
    open_now, decided = threading.Event(), threading.Event()
    event.listen(
        heir.ledger.store.engine,
        "before_cursor_execute",
        lambda conn, cursor, sql, *_: decided.set() if sql.startswith("UPDATE attempt") else None,
    )

    def answer_slowly(tx: Any) -> None:
        answer(tx, AttemptResponse(attempt_id=attempt_id, response="{}"))
        open_now.set()
        decided.wait(0.2)

    with ThreadPoolExecutor(1) as threads:
        stored = threads.submit(slow.ledger.store.run, answer_slowly)
        assert open_now.wait(60)
        assert heir.begin().reply == "{}"
        stored.result()


def test_an_interrupt_in_a_transaction_leaves_no_lock(tmp_path: Path) -> None:
    """Ctrl-C between two statements: the database is free at once, also while the interrupt is
    being handled.
    """

    def interrupt(conn: Any, cursor: Any, sql: str, *_: Any) -> None:
        if sql.startswith("SELECT"):
            raise KeyboardInterrupt

    with (
        Ledger(f"sqlite:///{tmp_path}/l.db") as ledger,
        Ledger(f"sqlite:///{tmp_path}/l.db", retry_delays_s=()) as other,
    ):
        for book in (ledger, other):
            book.store.run(lambda tx: None)
        event.listen(
            other.store.engine, "connect", lambda conn, _: conn.execute("PRAGMA busy_timeout = 0")
        )
        other.store.engine.dispose()
        event.listen(ledger.store.engine, "after_cursor_execute", interrupt)
        with pytest.raises(KeyboardInterrupt) as held:
            ledger.store.run(lambda tx: tx.conn.execute(text("SELECT 1 UNION SELECT 2")))
        other.store.run(lambda tx: None)
        assert held.traceback, "the interrupt is still being handled"


async def test_a_cancelled_task_does_not_stop_a_transaction(open_book: Open) -> None:
    """What was being written is written, whole; the next reader sees it."""
    book = open_book()
    book.ledger.store.run(lambda tx: None)
    entered, go = threading.Event(), threading.Event()

    def slow(tx: Any) -> None:
        entered.set()
        go.wait(60)
        begin(tx, book.call, call_id="c", request_sha="x", usd=None)

    task = asyncio.create_task(book.ledger.store.arun(slow))
    await asyncio.to_thread(entered.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    await asyncio.to_thread(book.ledger.close)
    assert len(open_book().rows("SELECT * FROM attempt")) == 1


def test_threads_share_a_ledger(open_book: Open) -> None:
    """Tools run in threads, and each may be charged."""
    book = open_book(Budget(usd=Decimal(1)))
    threads = [threading.Thread(target=book.paid, args=("0.01", f"c{n}")) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert book.window("turn:u") == (Decimal("0.08"), 0)
    assert book.verified()


def test_a_short_outage_is_waited_out(open_book: Open) -> None:
    """A lock, a restart, a failover: tried again, in a new transaction."""
    book = open_book(retry_delays_s=(0.0, 0.001))
    with broken(book.ledger, times=2):
        assert book.begin().attempt_id == "c.1"


def test_a_commit_whose_answer_was_lost_is_known_again(open_book: Open) -> None:
    """The transaction was committed and the connection died: the second try must not begin a second
    attempt.
    """
    book = open_book()
    lost = [True]

    def lose(tx: Any) -> Any:
        begun = begin(tx, book.call, call_id="c", request_sha="x", usd=None)
        if lost.pop() if lost else False:
            tx.conn.commit()
            raise OperationalError("lost", {}, OSError())
        return begun

    assert book.ledger.store.run(lose).attempt_id == "c.1"
    assert len(book.rows("SELECT * FROM attempt")) == 1


def test_a_long_outage_is_an_error_that_says_so(open_book: Open) -> None:
    """Fail closed: a call whose money cannot be held is not made."""
    book = open_book()
    with broken(book.ledger), pytest.raises(LedgerUnavailableError, match="did not answer"):
        book.begin()


def test_a_dead_connection_is_an_outage_whatever_the_driver_calls_it(open_book: Open) -> None:
    """Drivers raise all kinds of errors for a connection that is gone."""
    book = open_book()
    times = [0]

    def dead(tx: Any) -> str:
        times[0] += 1
        if times[0] == 1:
            raise DBAPIError("gone", {}, OSError(), connection_invalidated=True)
        return "back"

    assert book.ledger.store.run(dead) == "back"


def test_a_session_that_was_ended_while_it_slept_is_tried_again(open_book: Open) -> None:
    """PostgreSQL ends a transaction whose client froze; psycopg calls that an internal error."""

    class SleptError(Exception):
        sqlstate = "25P03"

    book, times = open_book(), [0]

    def sleepy(tx: Any) -> str:
        times[0] += 1
        if times[0] == 1:
            raise DBAPIError("slept", {}, SleptError())
        return "awake"

    assert book.ledger.store.run(sleepy) == "awake"


def test_a_mistake_is_raised_at_once(book: Any) -> None:
    """Bad SQL does not become good by waiting."""
    with pytest.raises((ProgrammingError, LedgerUnavailableError)):
        book.ledger.store.run(lambda tx: tx.conn.execute(text("SELECT nothing FROM nowhere")))
    tries: list[LedgerTransaction] = []

    def fails(tx: LedgerTransaction) -> None:
        tries.append(tx)
        raise DBAPIError("bad", {}, OSError())

    with pytest.raises(DBAPIError):
        book.ledger.store.run(fails)
    assert len(tries) == 1


def test_what_was_paid_while_the_database_was_away_is_charged_later(
    open_book: Open, tmp_path: Path
) -> None:
    """It is written to the disk, and played back by the next charge or the next process."""
    book = open_book(Budget(usd=Decimal(1)))
    for name in ("a", "b"):
        book.begin(name)
    with broken(book.ledger):
        assert keep(book, "a.1") is None
        assert keep(book, "b.1") is None
    assert len(list((tmp_path / "spool").glob("*.json"))) == 2
    book.begin("c")
    assert keep(book, "c.1").first
    assert list((tmp_path / "spool").iterdir()) == []
    assert book.window("turn:u") == (Decimal("0.012"), 0)
    assert book.verified()


def keep(book: Any, attempt_id: str) -> Any:
    return book.ledger.store.run_or_spool(settle, settlement(attempt_id))


def settlement(attempt_id: str) -> Settlement:
    charge = {
        "id": attempt_id,
        "kind": "completion",
        "attempt_id": attempt_id,
        "vendor": "v",
        "model": "m",
        "amount_usd": "0.004",
    }
    return Settlement.model_validate({"charge": charge})


async def test_a_task_keeps_too(open_book: Open) -> None:
    """The same spool, whoever was interrupted."""
    book = open_book()
    book.begin("a")
    with broken(book.ledger):
        assert await book.ledger.store.arun_or_spool(settle, settlement("a.1")) is None
    assert book.ledger.play_back() == 1
    assert (await book.ledger.store.arun_or_spool(settle, settlement("a.1"))).amount_usd == Decimal(
        "0.004"
    )


async def test_several_records_are_kept_all_or_none(open_book: Open) -> None:
    """An answer and its charge: in one transaction, or both in the spool, in this order."""
    book = open_book()
    for call in ("a", "b"):
        book.begin(call)
    kept = book.ledger.store.run_all_or_spool(
        (answer, response("a.1")), (settle, settlement("a.1"))
    )
    assert kept is not None
    assert (kept[0], kept[1].amount_usd) == (True, Decimal("0.004"))
    records = (answer, response("b.1")), (settle, settlement("nobody"))
    with pytest.raises(LedgerError, match="nobody"):
        await book.ledger.store.arun_all_or_spool(*records)
    assert book.row("b.1")["state"] == "sent"
    with broken(book.ledger):
        records = (answer, response("b.1")), (settle, settlement("b.1"))
        assert await book.ledger.store.arun_all_or_spool(*records) is None
    assert book.ledger.play_back() == 2
    assert [book.row(name)["state"] for name in ("a.1", "b.1")] == ["settled", "settled"]
    assert book.row("b.1")["response"] == "{}"


def response(attempt_id: str) -> AttemptResponse:
    return AttemptResponse(attempt_id=attempt_id, response="{}")


def test_what_only_helps_is_written_without_waiting(
    open_book: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """The id of an answer under way: once, of an attempt that is under way; where it cannot be,
    that is said.
    """
    book = open_book()
    book.begin("a")
    for attempt_id, said in (("a.1", "resp_1"), ("a.1", "resp_2"), ("nobody", "resp_3")):
        book.ledger.store.run_in_background(note_id, attempt_id, said)
    book.ledger.close()  # waits for all of it
    again = open_book()
    assert again.row("a.1")["provider_id"] in ("resp_1", "resp_2")
    with broken(again.ledger):
        again.ledger.store.run_in_background(note_id, "a.1", "resp_4")
        again.ledger.close()
    assert "Not written" in caplog.text


def test_the_spool_of_a_dead_process_is_played_back_by_the_next(open_book: Open) -> None:
    """The worker that could not write may be gone; its folder is not."""
    dead = open_book()
    dead.begin("a")
    with broken(dead.ledger):
        keep(dead, "a.1")
    heir = open_book()
    heir.begin("b")
    keep(heir, "b.1")
    assert heir.row("a.1")["state"] == "settled"


def test_an_answer_in_the_spool_is_used_and_not_paid_for_again(open_book: Open) -> None:
    """The worker that resumes a turn asks the ledger before anything else; what was spooled must be
    there by then.
    """
    dead = open_book()
    dead.begin("a")
    with broken(dead.ledger):
        dead.ledger.store.run_or_spool(
            answer, AttemptResponse(attempt_id="a.1", response="{}", usage=None)
        )
    assert open_book().begin("a").reply == "{}"


def test_a_record_the_ledger_refuses_is_set_aside_and_not_lost(
    open_book: Open, tmp_path: Path
) -> None:
    """One bad record must not stop the good ones behind it, nor disappear."""
    book = open_book()
    book.ledger.store.spool.add("settle", settlement("nobody.1"))
    book.ledger.store.spool.add("gone_operation", settlement("a.1"))
    book.begin("a")
    book.ledger.store.spool.add("settle", settlement("a.1"))
    assert book.ledger.play_back() == 1
    assert len(book.ledger.store.spool.refused()) == 2
    assert book.row("a.1")["state"] == "settled"


@pytest.mark.parametrize("content", ["{", "", "[]", "3", '{"value": {}}', '{"operation": []}'])
def test_a_file_that_is_no_record_is_set_aside(open_book: Open, content: str) -> None:
    """A disk that was full leaves half a file; the records after it are written all the same."""
    book = open_book()
    book.begin("a")
    book.ledger.store.spool.add("settle", settlement("a.1"))
    (book.ledger.store.spool.folder / "0-half.json").write_text(content)
    assert book.ledger.play_back() == 1
    assert [file.name for file in book.ledger.store.spool.refused()] == ["0-half.refused"]


@pytest.mark.parametrize("harm", ["no database", "cut", "overwritten"])
def test_a_damaged_file_is_named_as_what_it_is(tmp_path: Path, harm: str) -> None:
    """A driver's `DatabaseError` says neither whose file it is nor what to do."""
    file = tmp_path / "turns.db"
    with Ledger(f"sqlite:///{file}") as ledger:
        assert ledger.total().attempts == 0
    content = file.read_bytes()
    if harm == "no database":
        file.write_bytes(b"junk" * 3000)
    elif harm == "cut":
        file.write_bytes(content[:6000])
    else:
        file.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with Ledger(f"sqlite:///{file}") as ledger:
        for use in (ledger.total, ledger.verify, ledger.sweep):
            with pytest.raises(LedgerUnavailableError, match="database is damaged"):
                use()


def test_a_record_stays_while_the_database_is_away(open_book: Open, tmp_path: Path) -> None:
    """And one that another worker has just played back is passed over."""
    book = open_book()
    book.begin("a")
    book.ledger.store.spool.add("settle", settlement("a.1"))
    with broken(book.ledger), pytest.raises(LedgerUnavailableError):
        book.ledger.play_back()
    records = book.ledger.store.spool.records()
    first = next((tmp_path / "spool").glob("*.json"))
    (tmp_path / "spool" / f"0{first.name}").symlink_to(tmp_path / "gone")
    assert [path for path, _, _ in records] == [first]
    assert book.ledger.play_back() == 1


def test_tables_are_made_once_by_whoever_comes_first(open_book: Open) -> None:
    """Many workers start at the same moment, on an empty database."""
    books = [open_book(retry_delays_s=(0.1, 0.1, 0.5)) for _ in range(4)]
    failures: list[BaseException] = []

    def use(book: Any) -> None:
        try:
            book.begin(f"c{id(book)}")
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=use, args=(book,)) for book in books]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(books[0].rows("SELECT * FROM ledger_schema")) == len(MIGRATIONS)


def test_a_later_version_adds_its_steps(book: Any) -> None:
    """Each once, in order, with the row that says so; the tables of a newer program are refused."""
    ran: list[int] = []
    steps = (*MIGRATIONS, lambda conn: ran.append(2), lambda conn: ran.append(3))
    for _ in range(2):
        assert book.ledger.store.run(lambda tx: migrate(tx.conn, steps)) == len(steps)
    assert ran == [2, 3]
    with pytest.raises(LedgerError, match=f"version {len(steps)}"):
        book.ledger.store.run(lambda tx: migrate(tx.conn))


def test_every_amount_says_its_currency_in_a_ledger_of_the_first_version_too(
    open_book: Open,
) -> None:
    """The second version added the columns; what had been paid stays as it was."""
    book = open_book(Budget(usd=Decimal(1)))
    book.paid()
    for statement in (
        "ALTER TABLE entry DROP COLUMN currency",
        "ALTER TABLE budget_window DROP COLUMN currency",
        "UPDATE attempt SET currency = 'EUR'",
        "DELETE FROM ledger_schema WHERE version > 1",
    ):
        book.ledger.store.run(lambda tx, statement=statement: tx.conn.execute(text(statement)))
    upgraded = open_book()
    assert [row["turn_id"] for row in upgraded.rows("SELECT * FROM turn_bill")] == ["u"]
    for table in ("attempt", "entry", "budget_window"):
        assert [row["currency"] for row in upgraded.rows(f"SELECT currency FROM {table}")] == [
            "USD"
        ]
    assert upgraded.verified()


def test_a_ledger_of_the_second_version_learns_where_answers_are_kept(open_book: Open) -> None:
    """Attempts of before have no place to look; those after do."""
    book = open_book()
    book.paid()
    for statement in (
        "ALTER TABLE attempt DROP COLUMN stored",
        "DELETE FROM ledger_schema WHERE version > 2",
    ):
        book.ledger.store.run(lambda tx, statement=statement: tx.conn.execute(text(statement)))
    upgraded = open_book()
    upgraded.begin("new", call=Call(vendor="openai", model="gpt-5", stored="responses"))
    assert [
        row["stored"] for row in upgraded.rows("SELECT stored FROM attempt ORDER BY attempt_id")
    ] == [
        None,
        "responses",
    ]


def test_a_ledger_of_the_third_version_renames_the_key_column(open_book: Open) -> None:
    """`key_id` could be read as the id of a database key. The values stay."""
    book = open_book()
    call = Call(attribution=CostAttribution(api_key_id="k_1"), vendor="openai", model="gpt-5")
    book.begin("old", call=call)
    for statement in (
        "ALTER TABLE attempt RENAME COLUMN api_key_id TO key_id",
        "DELETE FROM ledger_schema WHERE version > 3",
    ):
        book.ledger.store.run(lambda tx, statement=statement: tx.conn.execute(text(statement)))
    assert open_book().row("old.1")["api_key_id"] == "k_1"


def test_a_ledger_lives_in_sqlite_or_postgresql() -> None:
    """Another database may lack what the guarantees rest on."""
    with Ledger("mysql://host/db") as ledger, pytest.raises(LedgerError, match="`mysql`"):
        ledger.store.run(lambda tx: None)


def test_a_ledger_in_memory_is_shared_by_its_threads() -> None:
    """For notebooks and tests: one connection, one after the other."""
    with Ledger("sqlite://") as ledger:
        names = [f"c{n}" for n in range(4)]

        def one(name: str) -> None:
            ledger.store.run(begin, Call(), call_id=name, request_sha="x", usd=None)

        threads = [threading.Thread(target=one, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (
            ledger.store.run(
                lambda tx: tx.conn.execute(text("SELECT count(*) FROM attempt")).scalar()
            )
            == 4
        )


def test_a_ledger_that_was_never_used_closes_quietly() -> None:
    """It opened nothing."""
    Ledger("sqlite://").close()


def test_a_reader_does_not_wait_for_a_writer(open_book: Open) -> None:
    """A report over a year must not stop the turns of today."""
    book = open_book()
    book.paid()
    count = text("SELECT count(*) FROM entry")
    seen: list[int] = []

    def write(tx: Any) -> None:
        begin(tx, book.call, call_id="d", request_sha="x", usd=None)
        seen.append(other.store.read(lambda read: read.conn.execute(count).scalar()))

    other = open_book().ledger
    other.store.read(lambda tx: None)
    book.ledger.store.run(write)
    assert seen == [1]


async def test_two_ledgers_meet_in_one_file(open_book: Open) -> None:
    """Processes of one machine share the file; each waits for the other's transaction."""
    one, two = open_book(Budget(usd=Decimal(1))), open_book(Budget(usd=Decimal(1)))
    await asyncio.gather(
        *(
            asyncio.to_thread(book.paid, "0.01", f"{n}{name}")
            for n in range(5)
            for name, book in (("a", one), ("b", two))
        )
    )
    assert one.window("turn:u") == (Decimal("0.1"), 0)
    assert two.verified()


def wait_until_in(thread: threading.Thread, function: str) -> None:
    """Until it has come there, half a minute at most."""
    for _ in range(30_000):
        frame = sys._current_frames().get(thread.ident or 0)
        if frame is not None and frame.f_code.co_name == function:
            return
        time.sleep(0.001)
    pytest.fail(f"it never came to `{function}`")


def test_whoever_comes_while_the_spool_is_played_back_waits_for_it(open_book: Open) -> None:
    """Asked in between, the ledger would not know of an answer that is still in a file: it would be
    paid for again.
    """
    spooling = open_book()
    begun = spooling.begin()
    spooling.ledger.store.spool.add(
        "answer", AttemptResponse(attempt_id=begun.attempt_id, response="{}")
    )
    book, found = open_book(), list[Any]()
    second = threading.Thread(target=lambda: found.append(book.begin().reply))

    def comes(*_: Any) -> None:
        if second.ident is None:
            second.start()
            wait_until_in(second, "_catch_up")

    event.listen(book.ledger.store.engine, "before_cursor_execute", comes)
    assert book.begin().reply == "{}"
    second.join()
    assert found == ["{}"]


def test_a_database_named_by_a_uri_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Ledger(f"sqlite:///file:{tmp_path}/turns.db?uri=true") as ledger:
            assert ledger.list_budgets() == ()
    finally:
        os.umask(before)
    assert (tmp_path / "turns.db").stat().st_mode & 0o777 == 0o600
