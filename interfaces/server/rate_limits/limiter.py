"""Lets a request pass, or answers 429 with the headers that OpenAI's API has.

Source: https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.rate_limits.counting import (
    MINUTE_S,
    Count,
    LimitReached,
    correct_tokens,
    count,
)
from turngraph.interfaces.server.rate_limits.limits import (
    Limit,
    LimitedName,
    RateLimit,
    find_limits,
    limits_of,
    names_for,
)
from turngraph.interfaces.server.recency import is_recent
from turngraph.interfaces.server.tables import create_server_tables

if TYPE_CHECKING:
    from turngraph.billing.store.ledger_store import LedgerStore

__all__ = ["CHANGED_WITHIN_S", "Admitted", "RateLimiter", "estimated_tokens"]

CHANGED_WITHIN_S: Final = 5.0
"""How many seconds a process remembers a limit that it has read, and that there is none."""
_BYTES_PER_TOKEN: Final = 4
ANSWER_TOKENS: Final = 1_000
"""What an answer is thought to need where neither the request nor the model has a limit for it."""
_MOST_TOKENS: Final = 2**40
"""No limit is higher; a database could not add up what clients may write."""
_WHOSE: Final = {"account": "account", "api_key_id": "key"}


@dataclass(frozen=True)
class Admitted:
    """A request that passed. `tokens` is what it was thought to need."""

    counts: tuple[Count, ...]
    tokens: int
    headers: dict[str, str]
    """What is left, for the headers of the answer. Empty where nothing is limited."""


class RateLimiter:
    """Holds requests and tokens a minute for each key and account.

    The counts stand in the database of the ledger, so they hold for all processes together. A
    minute is one of the clock: what was used is forgotten when the next one begins.
    """

    def __init__(self, store: "LedgerStore") -> None:
        self._store = store
        self._known: dict[LimitedName, tuple[float, RateLimit | None]] = {}
        self._reading = asyncio.Lock()
        store.run(create_server_tables)

    async def admit(self, caller: Caller, *, tokens: int) -> Admitted:
        """Counts a request of about `tokens` tokens, input and output.

        `settle` corrects them later. Raises ServerError (429) where a limit has no room; then
        nothing is counted.
        """
        limits = await self._limits_of(caller)
        if not limits:
            return Admitted((), tokens, {})
        try:
            counts = await self._store.arun(count, limits, tokens)
        except LimitReached as reached:
            raise _too_many(reached, self._store.now()) from None
        return Admitted(counts, tokens, _headers(counts, self._store.now()))

    async def settle(self, admitted: Admitted, *, tokens: int) -> None:
        """Replaces the estimate of an admitted request by the tokens that it used."""
        if admitted.counts and tokens != admitted.tokens:
            await self._store.arun(correct_tokens, admitted.counts, tokens - admitted.tokens)

    async def _limits_of(self, caller: Caller) -> tuple[Limit, ...]:
        names = names_for(caller)
        if self._forgotten(names):
            async with self._reading:  # of many requests at once, the first one reads for all
                if forgotten := self._forgotten(names):
                    await self._read(forgotten)
        return limits_of(caller, {name: self._known[name][1] for name in names})

    def _forgotten(self, names: Sequence[LimitedName]) -> list[LimitedName]:
        now = self._store.now()
        return [
            name
            for name in names
            if name not in self._known or not is_recent(self._known[name][0], now, CHANGED_WITHIN_S)
        ]

    async def _read(self, names: Sequence[LimitedName]) -> None:
        stored = await self._store.aread(find_limits, names)
        now = self._store.now()
        self._known |= {name: (now, stored.get(name)) for name in names}


def estimated_tokens(body_bytes: int, max_output: int | None, answers: int = 1) -> int:
    """Returns about how many tokens a request needs: its body's, and the longest answers it allows.

    >>> estimated_tokens(400, 50), estimated_tokens(400, 50, answers=3), estimated_tokens(400, None)
    (150, 250, 1100)
    """
    longest = ANSWER_TOKENS if max_output is None else max_output
    return min(math.ceil(body_bytes / _BYTES_PER_TOKEN) + longest * answers, _MOST_TOKENS)


def _headers(counts: Sequence[Count], now: float) -> dict[str, str]:
    headers: dict[str, str] = {}
    for unit in ("requests", "tokens"):
        of_unit = [counted for counted in counts if counted.limit.unit == unit]
        if not of_unit:
            continue
        # Of a key's and its account's limit, the one that is reached first.
        tightest = min(of_unit, key=lambda counted: counted.limit.a_minute - counted.used)
        left = max(0, tightest.limit.a_minute - tightest.used)
        headers[f"x-ratelimit-limit-{unit}"] = str(tightest.limit.a_minute)
        headers[f"x-ratelimit-remaining-{unit}"] = str(left)
        headers[f"x-ratelimit-reset-{unit}"] = f"{_seconds_left(tightest, now)}s"
    return headers


def _seconds_left(counted: Count, now: float) -> int:
    return max(1, math.ceil((counted.minute + 1) * MINUTE_S - now))


def _too_many(reached: LimitReached, now: float) -> ServerError:
    limit, used = reached.count.limit, reached.count.used
    allowed = (
        f"The {_WHOSE[limit.per]} `{limit.name}` may have {limit.a_minute:,} {limit.unit} a minute"
    )
    headers = _headers((reached.count,), now)
    if reached.amount > limit.a_minute:
        message = f"{allowed}, and this request alone may need {reached.amount:,}. Send less."
        # OpenAI's clients would send it again, in vain.
        headers["x-should-retry"] = "false"
    else:
        seconds = _seconds_left(reached.count, now)
        message = f"{allowed}; {used:,} are used. Try again in {seconds} seconds."
        headers["retry-after"] = str(seconds)
    return ServerError(429, message, type=limit.unit, code="rate_limit_exceeded", headers=headers)
