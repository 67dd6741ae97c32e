"""The server's database on PostgreSQL: opened by several processes, with the longest names."""

import asyncio
import os
from pathlib import Path

import openai
import pytest
from langchain_core.runnables import RunnableConfig

from tests.billing.conftest import postgres  # noqa: F401  a fixture
from tests.interfaces.server.serving import PlainCallers, Vendor, client, model_config, serving
from tests.postgres import new_database
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.config import ServerConfig, StoreSettings
from turngraph.interfaces.server.store import open_store
from turngraph.scripted import Say


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
async def test_a_ledger_that_others_may_open_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that existed keeps its permissions; one that the server creates is the owner's."""
    settings = StoreSettings(database=f"sqlite:///{tmp_path}/turns.db")
    async with open_store(settings) as store:
        await store.ledger.alist_budgets()
    async with open_store(settings):
        assert "Other users" not in caplog.text
    (tmp_path / "turns.db").chmod(0o644)
    async with open_store(settings):
        assert "turns.db (mode 644): chmod 600" in caplog.text


async def test_processes_that_start_together_share_an_empty_database(postgres: str) -> None:  # noqa: F811
    """Servers are started side by side, the first time too; none may fail for the others."""
    settings = StoreSettings(database=new_database(postgres))

    async def opened() -> None:
        async with open_store(settings) as store:
            given: RunnableConfig = {"configurable": {"thread_id": "t"}}
            assert await store.checkpointer.aget_tuple(given) is None

    await asyncio.gather(*(opened() for _ in range(6)))


def test_the_longest_names_are_stored_on_postgresql(
    vendor: Vendor,
    postgres: str,  # noqa: F811
) -> None:
    """Its columns are of limited length, and a name in Cyrillic is longer where it is in an id."""
    name = "Ж" * 200
    caller = Caller(name, "k-1", frozenset({"models", "tools"}))
    store = StoreSettings(database=new_database(postgres))
    config = ServerConfig(models={name: model_config(vendor)}, store=store)
    vendor.play(*[Say("Hi")] * 5)
    with serving(config, callers=PlainCallers({"long": caller})) as url:
        asked = client(url, "long")
        header = {"Idempotency-Key": "1"}
        for _ in range(2):
            chat = asked.chat.completions.create(
                model=name, messages=[{"role": "user", "content": "?"}], extra_headers=header
            )
            assert chat.choices[0].message.content == "Hi"
        answers = [asked.responses.create(model=name, input="?")]
        first, talk = answers[0].id, asked.conversations.create().id
        answers += [
            asked.responses.create(model=name, input="?", extra_body=behind)
            for behind in ({"previous_response_id": first}, {"conversation": talk})
        ]
        assert [each.output_text for each in answers] == ["Hi"] * 3


def test_a_nul_that_postgresql_cannot_store_is_no_bug(
    vendor: Vendor,
    postgres: str,  # noqa: F811
) -> None:
    """An id with one belongs to nothing, and a text with one is a text."""
    store = StoreSettings(database=new_database(postgres))
    config = ServerConfig(models={"m": model_config(vendor)}, store=store)
    vendor.play(Say("Hi"))
    with serving(config) as url:
        asked = client(url)
        for unknown in ("resp_\0", "conv_\0", "x" * 5_000):
            with pytest.raises(openai.NotFoundError):
                asked.responses.retrieve(unknown)
            with pytest.raises(openai.NotFoundError):
                asked.conversations.retrieve(unknown)
            for behind in ({"previous_response_id": unknown}, {"conversation": unknown}):
                with pytest.raises(openai.NotFoundError):
                    asked.responses.create(model="m", input="?", extra_body=behind)
        given = {"instructions": "a\0b", "metadata": {"a\0": "\0"}, "user": "\0"}
        answer = asked.responses.create(model="m", input="a\0b", extra_body=given)
        assert asked.responses.retrieve(answer.id).output_text == "Hi"


@pytest.mark.parametrize("name", ["a" * 201, "a\nb", ""])
def test_a_name_that_cannot_be_stored_is_no_name_of_a_model(vendor: Vendor, name: str) -> None:
    with pytest.raises(ValueError, match="1 to 200 printable characters"):
        ServerConfig(models={name: model_config(vendor)})
