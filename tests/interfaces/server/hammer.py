"""One process of a server under load: `python hammer.py REQUESTS URL…` counts `REQUESTS` requests
of one caller in each database, and prints how many passed.
"""

import asyncio
import sys

from turngraph.billing import Ledger
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.rate_limits.limiter import RateLimiter

CALLER = Caller("acme", "k1", frozenset({"models"}))
NOW = 1_800_000_000.0
PATIENT = (1.0,) * 10
"""A hundred requests wait for one row; on a busy machine longer than PostgreSQL lets them at once.
"""


async def passed(url: str, requests: int) -> int:
    """How many of `requests` at once, each of 10 tokens, pass."""
    with Ledger(url, clock=lambda: NOW, retry_delays_s=PATIENT) as ledger:
        limiter = RateLimiter(ledger.store)
        tries = [limiter.admit(CALLER, tokens=10) for _ in range(requests)]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
    for outcome in outcomes:
        assert not isinstance(outcome, BaseException) or isinstance(outcome, ServerError), outcome
    return sum(not isinstance(outcome, BaseException) for outcome in outcomes)


if __name__ == "__main__":
    for database in sys.argv[2:]:
        print(asyncio.run(passed(database, int(sys.argv[1]))), flush=True)
