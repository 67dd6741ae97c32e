"""Requests and tokens a minute hold for all processes of a server together."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from tests.billing.conftest import Clock, postgres  # noqa: F401  a fixture
from tests.interfaces.server import hammer
from tests.postgres import new_database
from turngraph.billing import Ledger
from turngraph.interfaces.cli.app import run_command
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.rate_limits.limiter import CHANGED_WITHIN_S, RateLimiter
from turngraph.interfaces.server.rate_limits.limits import LimitedPer, RateLimit, set_limit

ACME = Caller("acme", "k1", frozenset({"models"}))


class Limited:
    """A rate limiter, and a time that tests set."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self.ledger, self.clock = ledger, clock
        self.limiter = RateLimiter(ledger.store)

    def limit(
        self, name: str | None = "acme", requests: int | None = None, tokens: int | None = None
    ) -> None:
        per: LimitedPer = "api_key_id" if name == "k1" else "account"
        self.ledger.store.run(set_limit, RateLimit(per, name, requests, tokens))
        self.clock.now += CHANGED_WITHIN_S

    async def passes(self, times: int = 1, tokens: int = 10, caller: Caller = ACME) -> bool:
        for _ in range(times):
            await self.limiter.admit(caller, tokens=tokens)
        return True

    async def refusal(self, tokens: int = 10, caller: Caller = ACME) -> ServerError:
        with pytest.raises(ServerError) as raised:
            await self.limiter.admit(caller, tokens=tokens)
        assert raised.value.status == 429
        assert raised.value.code == "rate_limit_exceeded"
        return raised.value


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Limited]:
    clock = Clock()
    with Ledger(f"sqlite:///{tmp_path}/ledger.db", clock=clock) as ledger:
        yield Limited(ledger, clock)


async def test_no_more_than_the_limit_passes_in_a_minute(limited: Limited) -> None:
    """The refusal says when to come again, in words and as OpenAI's clients read it."""
    limited.limit(requests=3)
    assert await limited.passes(3)
    refused = await limited.refusal()
    assert refused.message == (
        "The account `acme` may have 3 requests a minute; 3 are used. Try again in 55 seconds."
    )
    assert refused.headers == {
        "retry-after": "55",
        "x-ratelimit-limit-requests": "3",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "55s",
    }
    assert refused.type == "requests"
    limited.clock.now += 55
    assert await limited.passes(3)


async def test_an_answer_says_what_is_left(limited: Limited) -> None:
    """Of a key's and its account's limit, the one that is reached first."""
    limited.limit(requests=9, tokens=100)
    limited.limit("k1", requests=2)
    admitted = await limited.limiter.admit(ACME, tokens=30)
    assert admitted.headers == {
        "x-ratelimit-limit-requests": "2",
        "x-ratelimit-remaining-requests": "1",
        "x-ratelimit-reset-requests": "50s",
        "x-ratelimit-limit-tokens": "100",
        "x-ratelimit-remaining-tokens": "70",
        "x-ratelimit-reset-tokens": "50s",
    }


async def test_tokens_are_corrected_when_they_are_known(limited: Limited) -> None:
    """An estimate that was too high gives its rest back; one that was too low is paid for."""
    limited.limit(tokens=100)
    admitted = await limited.limiter.admit(ACME, tokens=90)
    await limited.refusal(tokens=20)
    await limited.limiter.settle(admitted, tokens=40)
    admitted = await limited.limiter.admit(ACME, tokens=60)
    await limited.limiter.settle(admitted, tokens=80)
    refused = await limited.refusal(tokens=1)
    assert "may have 100 tokens a minute; 120 are used" in refused.message


async def test_tokens_are_not_given_back_to_another_minute(limited: Limited) -> None:
    """What the next minute allows is not raised by what an earlier one did not need."""
    limited.limit(tokens=100)
    slow = await limited.limiter.admit(ACME, tokens=90)
    limited.clock.now += 60
    assert await limited.passes(tokens=90)
    await limited.limiter.settle(slow, tokens=0)
    await limited.refusal(tokens=20)


async def test_a_request_that_never_fits_is_not_worth_another_try(limited: Limited) -> None:
    limited.limit(tokens=100)
    refused = await limited.refusal(tokens=101)
    assert refused.message == (
        "The account `acme` may have 100 tokens a minute, and this request alone may need 101. "
        "Send less."
    )
    assert refused.headers["x-should-retry"] == "false"
    assert "retry-after" not in refused.headers


async def test_a_refused_request_counts_against_no_limit(limited: Limited) -> None:
    """The account's count is undone where the key's limit refuses."""
    limited.limit(requests=10)
    limited.limit("k1", requests=1)
    await limited.passes()
    for _ in range(20):
        await limited.refusal()
    assert await limited.passes(9, caller=Caller("acme", "k2", frozenset()))


async def test_accounts_are_counted_apart(limited: Limited) -> None:
    """A limit without a name is that of each account; an account's own replaces it."""
    limited.limit(None, requests=1)
    limited.limit("rich", requests=2)
    assert await limited.passes()
    await limited.refusal()
    assert await limited.passes(caller=Caller("other", None, frozenset()))
    assert await limited.passes(2, caller=Caller("rich", None, frozenset()))


async def test_nothing_is_counted_where_nothing_is_limited(limited: Limited) -> None:
    assert (await limited.limiter.admit(ACME, tokens=10)).headers == {}
    limited.limit(requests=1)
    assert await limited.passes()
    limited.limit()
    assert await limited.passes(5)


async def test_limits_are_read_once_for_all_requests_at_once_and_none_of_other_accounts(
    limited: Limited,
) -> None:
    """Where thousands of accounts have limits of their own, a request reads those of its caller."""
    for name in ("acme", "rich", "other"):
        limited.limit(name, requests=100)
    read: list[Any] = []

    def note(conn: Any, cursor: Any, statement: str, given: Any, context: Any, many: bool) -> None:
        if "FROM server_limit" in statement:
            read.append(given)

    event.listen(limited.ledger.store.engine, "before_cursor_execute", note)
    callers = [ACME, Caller("acme", "k2", frozenset())] * 10
    await asyncio.gather(*(limited.limiter.admit(each, tokens=1) for each in callers))
    names = [("account", "acme"), ("account", ""), ("api_key_id", "k1"), ("api_key_id", "")]
    assert read == [tuple(part for name in names for part in name), ("api_key_id", "k2")]


async def test_a_clock_that_is_set_back_refuses_nobody_for_long(limited: Limited) -> None:
    """The count of a minute that is an hour ahead is of a clock that was wrong."""
    limited.limit(requests=2)
    assert await limited.passes(2)
    limited.clock.now -= 3600
    assert await limited.passes(2)
    await limited.refusal()
    limited.limit(requests=3)
    assert await limited.passes()


async def test_the_minute_of_a_clock_that_is_a_little_ahead_counts(limited: Limited) -> None:
    """Machines whose clocks differ by seconds keep one limit together."""
    limited.clock.now += 60 - limited.clock.now % 60
    limited.limit(requests=2)
    assert await limited.passes(2)
    limited.clock.now -= 15
    await limited.refusal()


def test_two_processes_together_keep_the_limit(tmp_path: Path, postgres: str) -> None:  # noqa: F811
    """Each has more requests than the limit allows; exactly the limit passes, on both databases."""
    urls = [f"sqlite:///{tmp_path}/ledger.db", new_database(postgres)]
    for url, limit in zip(urls, ((30, None), (None, 300)), strict=True):
        with Ledger(url) as ledger:
            RateLimiter(ledger.store)
            ledger.store.run(set_limit, RateLimit("account", "acme", *limit))
    command = [sys.executable, hammer.__file__, "50", *urls]
    workers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        for _ in range(2)
    ]
    printed = [worker.communicate(timeout=120)[0].split() for worker in workers]
    assert [int(one) + int(other) for one, other in zip(*printed, strict=True)] == [30, 30]


def test_limits_are_kept_by_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--ledger", f"sqlite:///{tmp_path}/new.db"]
    run_command(["keys", "create", "acme", *at])
    limit = ["keys", "limit"]
    assert run_command([*limit, "set", "--per", "account", "--requests", "60", *at]) == 0
    assert (
        run_command([*limit, "set", "--per", "api_key_id", "--of", "k", "--tokens", "9", *at]) == 0
    )
    capsys.readouterr()
    assert run_command([*limit, "list", *at]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "each account: 60 requests a minute",
        "api_key_id k: 9 tokens a minute",
    ]
    assert run_command([*limit, "remove", "--per", "account", *at]) == 0
    assert run_command([*limit, "set", "--per", "account", "--tokens", "0", *at]) == 2
    assert capsys.readouterr().err.endswith("turngraph: A limit of 0 tokens a minute is below 1.\n")
    assert run_command([*limit, "set", "--per", "account", *at]) == 2
