"""What is left of requests that are old or were deleted: their charges, and no message."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.interfaces.server.serving import Vendor, client, config_of, model_config, serving
from tests.interfaces.server.test_operations import eventually
from turngraph.billing.ledger import Ledger
from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.interfaces.server.config import ServerConfig, StoreSettings
from turngraph.interfaces.server.request_rows import delete_response
from turngraph.interfaces.server.tables import create_server_tables
from turngraph.interfaces.server.unused_threads import note_unused, unused_threads
from turngraph.scripted import Call, Say

ASK: list[Any] = [{"role": "user", "content": "Hi"}]
TOOL: Any = {"type": "function", "function": {"name": "locate"}}


def configuration(vendor: Vendor, folder: Path, *, days: float, **server: Any) -> ServerConfig:
    models = {"assistant": model_config(vendor)}
    config = config_of(models, **{"sweep_seconds": 0.1, **server})
    store = StoreSettings(database=f"sqlite:///{folder}/turns.db", days=days)
    return ServerConfig(server=config.server, store=store, models=config.models)


def count_of(folder: Path, *tables: str) -> int:
    """Counts the rows of tables in either database."""
    count = 0
    for table in tables:
        name = "turns-threads.db" if table == "checkpoints" else "turns.db"
        with closing(sqlite3.connect(folder / name)) as database:
            count += database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count


def test_what_is_old_is_forgotten(vendor: Vendor, tmp_path: Path) -> None:
    """Threads that wait for a client, and stored responses; their charges stay."""
    with serving(configuration(vendor, tmp_path, days=0.00001)) as served:
        vendor.play(Call(("locate", {})), Say("one"))
        client(served).chat.completions.create(model="assistant", messages=ASK, tools=[TOOL])
        made = client(served).responses.create(model="assistant", input="?")
        eventually(
            lambda: (
                count_of(tmp_path, "server_response", "server_unused_thread", "checkpoints") == 0
            )
        )
        with pytest.raises(openai.NotFoundError):
            client(served).responses.retrieve(made.id)
    with Ledger(f"sqlite:///{tmp_path}/turns.db") as ledger:
        assert sum(row.usd for row in ledger.spending("account")) > 0


def chat(api: openai.OpenAI) -> Any:
    return api.chat.completions.create(model="assistant", messages=ASK, tools=[TOOL])


def chat_with_a_key(api: openai.OpenAI) -> Any:
    keyed = {"Idempotency-Key": "k"}
    return api.chat.completions.create(model="assistant", messages=ASK, extra_headers=keyed)


def response(api: openai.OpenAI) -> Any:
    return api.responses.create(model="assistant", input="?")


def response_with_tools(api: openai.OpenAI) -> Any:
    tool: Any = {"type": "function", "name": "locate", "parameters": {}, "strict": False}
    return api.responses.create(model="assistant", input="?", tools=[tool], store=False)


@pytest.mark.parametrize("ask", [chat, chat_with_a_key, response, response_with_tools])
def test_a_turn_that_is_old_before_it_ends_leaves_no_message(
    vendor: Vendor, tmp_path: Path, ask: Callable[[openai.OpenAI], Any]
) -> None:
    """Its request is forgotten while it runs. What it writes at its end is deleted then."""
    with (
        serving(configuration(vendor, tmp_path, days=0.00001)) as served,
        ThreadPoolExecutor(1) as clients,
    ):
        vendor.play(Say("one"))
        vendor.held, before = True, vendor.asked
        try:
            answer = clients.submit(ask, client(served))
            eventually(lambda: vendor.asked > before)
            eventually(lambda: count_of(tmp_path, "server_response") == 0)
        finally:
            vendor.held = False
        answer.exception(60)
        eventually(lambda: count_of(tmp_path, "server_unused_thread", "checkpoints") == 0)


def test_messages_are_deleted_after_the_process_that_deleted_their_request_has_ended(
    vendor: Vendor, tmp_path: Path
) -> None:
    with serving(configuration(vendor, tmp_path, days=1)) as served:
        vendor.play(Say("one"))
        made = response(client(served))
    with Ledger(f"sqlite:///{tmp_path}/turns.db") as ledger:
        threads = ledger.store.run(delete_response, "acme", made.id)
        assert threads is not None
        assert len(threads) == 1
    assert count_of(tmp_path, "checkpoints") > 0
    with serving(configuration(vendor, tmp_path, days=1)):
        eventually(lambda: count_of(tmp_path, "server_unused_thread", "checkpoints") == 0)


def test_messages_that_could_not_be_deleted_are_deleted_later(
    vendor: Vendor, tmp_path: Path
) -> None:
    refuses = "BEFORE DELETE ON checkpoints BEGIN SELECT RAISE(ROLLBACK, 'no'); END"
    with serving(configuration(vendor, tmp_path, days=1)) as served:
        vendor.play(Say("one"))
        made = response(client(served))
        with closing(sqlite3.connect(tmp_path / "turns-threads.db")) as threads:
            threads.execute(f"CREATE TRIGGER t {refuses}")
            with pytest.raises(openai.InternalServerError):
                client(served).responses.delete(made.id)
            threads.execute("DROP TRIGGER t")
        eventually(lambda: count_of(tmp_path, "server_unused_thread", "checkpoints") == 0)
        with pytest.raises(openai.NotFoundError):
            client(served).responses.retrieve(made.id)


def test_a_request_that_found_no_place_leaves_no_thread_to_delete(
    vendor: Vendor, tmp_path: Path
) -> None:
    """Its retry has the same thread, whose messages nobody may delete meanwhile."""
    config = configuration(vendor, tmp_path, days=1, turns_at_once=1, queue=0, sweep_seconds=60)
    with serving(config) as served, ThreadPoolExecutor(1) as clients:
        vendor.play(Say("one"))
        vendor.held, before = True, vendor.asked
        try:
            first = clients.submit(response, client(served))
            eventually(lambda: vendor.asked > before)
            with pytest.raises(openai.InternalServerError) as refused:
                chat_with_a_key(client(served))
            assert refused.value.status_code == 503
        finally:
            vendor.held = False
        assert first.result(60).output_text == "one"
        assert count_of(tmp_path, "server_unused_thread") == 0


def test_more_threads_than_a_statement_may_name_are_forgotten_at_once() -> None:
    """As after the days were lowered."""
    threads = [f"t{n}" for n in range(1_200)]

    def forget(tx: LedgerTransaction) -> list[str]:
        driver: Any = tx.conn.connection.driver_connection
        driver.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)
        assert note_unused(tx, threads) == threads
        return unused_threads(tx)

    with Ledger("sqlite://") as ledger:
        ledger.store.run(create_server_tables)
        assert sorted(ledger.store.run(forget)) == sorted(threads)
