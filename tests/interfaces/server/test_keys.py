"""API keys: made, found, rotated, revoked, and never stored."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.billing.conftest import Clock, postgres, url  # noqa: F401  fixtures
from tests.interfaces.server.serving import config_of, serving
from turngraph.billing import Ledger
from turngraph.interfaces.cli.app import run_command
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.config import ServerConfig, ServerSettings, StoreSettings
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.keys.callers import REVOKED_WITHIN_S, KeyCallers
from turngraph.interfaces.server.keys.operations import (
    NewKey,
    create_key,
    list_keys,
    revoke_key,
    rotate_key,
)
from turngraph.interfaces.server.local_caller import LocalCallers, callers_for
from turngraph.interfaces.server.tables import key_t

DAY_S = 86_400.0


class Keys:
    """A server's keys, the moves that tests make with them, and a time that they set."""

    def __init__(self, database: str) -> None:
        self.clock = Clock()
        self.url, self.ledger = database, Ledger(database, clock=self.clock)
        self.callers = KeyCallers(self.ledger.store)

    def create(self, account: str = "acme", **more: Any) -> NewKey:
        given = {"name": "", "scopes": ("models",), "models": None, "valid_s": None, **more}
        return self.ledger.store.run(create_key, account=account, **given)

    async def caller(self, key: str) -> Caller:
        return await self.callers.identify({"authorization": f"Bearer {key}"})

    async def refusal(self, headers: dict[str, str]) -> str:
        with pytest.raises(ServerError) as raised:
            await self.callers.identify(headers)
        assert raised.value.status == 401
        assert raised.value.code == "invalid_api_key"
        return raised.value.message

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[Keys]:
    keys = Keys(f"sqlite:///{tmp_path}/ledger.db")
    yield keys
    keys.ledger.close()


@pytest.fixture
def keys_anywhere(url: str) -> Iterator[Keys]:  # noqa: F811  the fixture
    keys = Keys(url)
    yield keys
    keys.ledger.close()


async def test_a_key_says_who_sends_a_request(keys: Keys) -> None:
    """Account, scopes and models come from the key, whichever header the client uses."""
    made = keys.create(models=("gpt-5", "small"), scopes=("tools", "models"))
    expected = Caller(
        "acme",
        made.record.key_id,
        frozenset({"models", "tools"}),
        frozenset({"gpt-5", "small"}),
    )
    assert await keys.caller(made.key) == expected
    for header in ("x-api-key", "api-key"):
        assert await keys.callers.identify({header: made.key}) == expected
    assert await keys.callers.identify({"authorization": f"bearer  {made.key}"}) == expected


async def test_what_is_no_valid_key_is_refused_without_being_repeated(keys: Keys) -> None:
    """An error may end up in a log, so it never holds what was sent."""
    made = keys.create()
    forged = made.key[:-1] + ("A" if made.key[-1] != "A" else "B")
    unknown = f"tg-{'0' * 12}-{'x' * 43}"
    sent = [forged, unknown, "sk-a-vendors-key", "tg-", made.key + "x", made.key.upper(), "é\x00"]
    for key in sent:
        refusal = await keys.refusal({"authorization": f"Bearer {key}"})
        assert refusal == "This API key is not one of this server's, or was replaced."
    for headers in ({}, {"authorization": made.key}, {"authorization": "Basic Zm9v"}):
        assert "needs an API key" in await keys.refusal(headers)


async def test_an_expired_key_is_refused(keys: Keys) -> None:
    made = keys.create(valid_s=DAY_S)
    keys.pass_time(DAY_S - 1)
    assert (await keys.caller(made.key)).account == "acme"
    keys.pass_time(1)
    refusal = await keys.refusal({"authorization": f"Bearer {made.key}"})
    assert refusal == f"The API key `{made.record.key_id}` is expired. Ask for a new one."


@pytest.mark.parametrize("passed_s", [REVOKED_WITHIN_S, -3600.0], ids=["later", "clock set back"])
async def test_a_key_revoked_elsewhere_is_refused_within_seconds(
    keys: Keys, passed_s: float
) -> None:
    """Another process revokes; this one remembers what it has read for a stated time only."""
    made = keys.create()
    await keys.caller(made.key)
    with Ledger(keys.url, clock=keys.clock) as other:
        other.store.run(revoke_key, made.record.key_id)
    keys.pass_time(passed_s)
    refusal = await keys.refusal({"authorization": f"Bearer {made.key}"})
    assert refusal == f"The API key `{made.record.key_id}` is revoked. Ask for a new one."


async def test_the_first_key_ends_the_time_without_keys(keys: Keys) -> None:
    """A server of this machine alone asks for no key until there is one, also while it runs."""
    local = LocalCallers(keys.ledger.store)
    bad = {"authorization": "Bearer bad", "host": "localhost"}
    assert (await local.identify(bad)).account == "local"
    assert (await local.identify({"host": "127.0.0.1:8000"})).account == "local"
    with Ledger(keys.url, clock=keys.clock) as other:
        made = other.store.run(
            create_key, account="acme", name="", scopes=("models",), models=None, valid_s=None
        )
    # At once: what is done with a key is never billed to another account.
    valid = {"authorization": f"Bearer {made.key}"}
    assert (await local.identify(valid)).key_id == made.record.key_id
    keys.pass_time(REVOKED_WITHIN_S)
    keys.ledger.store.run(revoke_key, made.record.key_id)
    for headers in (bad, {}, {"authorization": f"Bearer tg-{'0' * 12}-{'x' * 43}"}):
        with pytest.raises(ServerError) as raised:
            await local.identify(headers)
        assert raised.value.status == 401


def test_without_keys_no_web_page_is_answered() -> None:
    """A page that is open in the person's browser, or a name bound to 127.0.0.1, spends nothing."""
    foreign = [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ]
    with serving(config_of({}), callers=None) as base, httpx2.Client(base_url=base) as asks:
        for path in ("/v1/models", "/metrics"):
            assert asks.get(path, headers={"Origin": base}).status_code == 200
            refused = [asks.get(path, headers=headers) for headers in foreign]
            assert {each.status_code for each in refused} == {403}
        assert asks.post("/v1/responses", headers=foreign[0], content="{}").status_code == 403
        assert asks.post("/passthrough/x/y", headers=foreign[3]).status_code == 403
    assert "no web pages" in refused[0].json()["error"]["message"]


def test_a_server_without_keys_names_the_command_that_creates_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command as it is logged creates a key that this server knows."""
    database = f"sqlite:///{tmp_path}/own.db"
    config = ServerConfig(
        server=ServerSettings(host="0.0.0.0"),
        store=StoreSettings(database=database),
    )
    with Ledger(database) as ledger:
        callers = callers_for(config, ledger.store)
        command = caplog.text.partition("`turngraph ")[2].partition("`")[0]
        assert run_command(command.replace("ACCOUNT", "acme").split()) == 0
        key = capsys.readouterr().out.strip()
        found = asyncio.run(callers.identify({"authorization": f"Bearer {key}"}))
    assert found.account == "acme"


async def test_rotation_keeps_the_id_and_for_a_while_the_secret(keys_anywhere: Keys) -> None:
    """Clients change over one after the other; budgets and reports go on under one id."""
    keys = keys_anywhere
    first = keys.create()
    second = keys.ledger.store.run(rotate_key, first.record.key_id, grace_s=DAY_S)
    assert second.key != first.key
    for made in (first, second):
        assert (await keys.caller(made.key)).key_id == first.record.key_id
    keys.pass_time(DAY_S)
    assert (await keys.caller(second.key)).key_id == first.record.key_id
    await keys.refusal({"authorization": f"Bearer {first.key}"})


async def test_a_second_rotation_ends_the_oldest_secret_at_once(keys: Keys) -> None:
    first = keys.create()
    second = keys.ledger.store.run(rotate_key, first.record.key_id, grace_s=DAY_S)
    third = keys.ledger.store.run(rotate_key, first.record.key_id, grace_s=DAY_S)
    await keys.refusal({"authorization": f"Bearer {first.key}"})
    assert {(await keys.caller(made.key)).key_id for made in (second, third)} == {
        first.record.key_id
    }


async def test_the_database_has_no_key(keys: Keys) -> None:
    """Who reads the database, or a copy of it, can send nothing."""
    made = keys.create(name="laptop")
    keys.ledger.store.run(rotate_key, made.record.key_id, grace_s=DAY_S)
    rows = keys.ledger.store.run(lambda tx: tx.conn.execute(key_t.select()).all())
    secret = made.key.split("-", 2)[2]
    assert made.record.key_id in repr(rows)
    assert secret not in repr(rows)


async def test_when_a_key_was_last_used_is_written_once_a_minute(keys: Keys) -> None:
    """A write for each request would be the dearest part of it."""
    made = keys.create()
    for _ in range(3):
        await keys.caller(made.key)
    keys.ledger.store.run(lambda tx: None)  # after what runs in the background
    keys.ledger.close()
    with Ledger(keys.url, clock=keys.clock) as ledger:
        assert [record.last_used for record in ledger.store.read(list_keys)] == [keys.clock.now]


def test_the_command_line_makes_lists_rotates_and_revokes_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key is printed once, alone on standard output; lists never hold one."""
    at = ("--ledger", f"sqlite:///{tmp_path}/new.db")

    def run(*args: str) -> str:
        assert run_command(["keys", *args, *at]) == 0
        return capsys.readouterr().out

    key = run("create", "acme", "--name", "a[b]", "--scope", "models", "--expires-in", "90d")
    assert key.startswith("tg-")
    assert len(key.splitlines()) == 1
    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600
    (row,) = json.loads(run("list", "--json"))
    assert (row["account"], row["name"], row["scopes"]) == ("acme", "a[b]", ["models"])
    assert row["expires"] - row["created"] == 90 * DAY_S
    rotated = json.loads(run("rotate", row["key_id"], "--grace", "1d", "--json"))
    assert rotated["key"] != key.strip()
    assert rotated["previous_until"] is not None
    listed = run("list", "--account", "acme")
    assert "active (earlier secret until" in listed
    assert rotated["key"].split("-", 2)[2] not in listed
    run("revoke", row["key_id"])
    assert "revoked" in run("list")
    assert run("list", "--account", "other") == ""


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["rotate", "nokey"], "There is no key `nokey`."),
        (["create", ""], "An account is 1 to 200"),
        (["create", "a", "--expires-in", "0s"], "valid for some time"),
        (["create", "a", "--scope", "all"], "scope"),
    ],
)
def test_a_wrong_command_is_refused_in_one_sentence(
    args: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--ledger", f"sqlite:///{tmp_path}/new.db"]
    assert run_command(["keys", "create", "acme", *at]) == 0
    assert run_command(["keys", *args, *at]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("turngraph: ")
    assert sentence in error
