"""The ledger: what turns cost, which budgets they have, and what they may still spend.

>>> with Ledger("sqlite://") as ledger:
...     ledger.set_budget(Budget(usd="20", per="account", period="month"))
...     [budget.id for budget in ledger.list_budgets()]
['account-month']
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from turngraph.billing.argument_kinds import check_ledger_arguments
from turngraph.billing.budget import Budget
from turngraph.billing.ledger_reports import LedgerReports
from turngraph.billing.operations.results import Policy, Swept
from turngraph.billing.store.calls import Settled
from turngraph.state.connected import Connected

if TYPE_CHECKING:
    from turngraph.billing.operations.sweeper import Lookup
    from turngraph.billing.pricing.prices import Prices

__all__ = ["Ledger"]

_RETRY_DELAYS_S: Final = (0.02, 0.1, 0.5, 2.0)


class Ledger(Connected, LedgerReports):
    """A database with one row per request on the wire and one net charge per row.

    The tables are created, or brought up to date, at the first use. A ledger may be used from many
    threads and tasks. Raises `TurnConfigurationError` for a `url` that is not SQLAlchemy's.

    Args:
        url: `sqlite:///turns.db`, or `postgresql://user@host/db`.
        budgets: apply to every call of this ledger object, beside those that are stored in it.
        owner: a name for this worker that no other has; made of host and process if absent.
        lease_s: how many seconds a worker that does not answer is still taken to be alive.
        spool: a folder for records that could not be written because the database was away. They
            are written when the ledger is used again. By default it is beside an SQLite file, else
            `turngraph.spool` in the working directory.
        clock: returns the time in seconds since the epoch.
        retry_delays_s: the pauses between the tries of a transaction whose database is locked,
            restarting or gone.

    `store` runs the operations of a turn, and `leases` renews the leases of running turns.
    """

    def __init__(
        self,
        url: str = "sqlite:///turngraph.db",
        *,
        budgets: tuple[Budget, ...] = (),
        owner: str | None = None,
        lease_s: float = 60.0,
        spool: str | Path | None = None,
        clock: Callable[[], float] = time.time,
        retry_delays_s: tuple[float, ...] = _RETRY_DELAYS_S,
    ) -> None:
        # Imported here, because they import SQLAlchemy, and `import turngraph` must stay fast.
        from turngraph.billing.leases.lease_renewer import LeaseRenewer
        from turngraph.billing.store.ledger_store import LedgerStore

        self.store = LedgerStore(
            url,
            budgets=budgets,
            owner=owner,
            lease_s=lease_s,
            spool=spool,
            clock=clock,
            retry_delays_s=retry_delays_s,
        )
        self.leases = LeaseRenewer(self.store)

    @classmethod
    def open_existing(cls, url: str, **options: Any) -> Self:
        """Opens a ledger that must exist already. `options` are those of the constructor.

        Raises `LedgerError` where there is none, or its database cannot be opened; then nothing is
        created.

            >>> Ledger.open_existing("sqlite:///nowhere.db")  # doctest: +ELLIPSIS
            Traceback (most recent call last):
            turngraph.billing.errors.LedgerError: There is no ledger at `sqlite:///nowhere.db`: ...
        """
        from turngraph.billing.operations.existing import check_ledger_exists

        check_ledger_exists(url)
        return cls(url, **options)

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """The budgets given to the constructor. `list_budgets` returns the stored ones."""
        return self.store.budgets

    def set_budget(self, budget: Budget) -> None:
        """Stores a budget, or replaces the one with the same id. It applies to every call of every
        worker from now on.
        """
        from turngraph.billing.store.budgets import set_budget

        self.store.run(set_budget, budget)

    async def aset_budget(self, budget: Budget) -> None:
        """Async version of `set_budget`."""
        from turngraph.billing.store.budgets import set_budget

        await self.store.arun(set_budget, budget)

    def remove_budget(self, budget_id: str) -> bool:
        """Removes a stored budget. Returns whether there was one. What it counted stays."""
        from turngraph.billing.store.budgets import remove_budget

        return self.store.run(remove_budget, budget_id)

    async def aremove_budget(self, budget_id: str) -> bool:
        """Async version of `remove_budget`."""
        from turngraph.billing.store.budgets import remove_budget

        return await self.store.arun(remove_budget, budget_id)

    def list_budgets(self) -> tuple[Budget, ...]:
        """Returns the budgets that are stored in the ledger."""
        from turngraph.billing.store.budgets import list_budgets

        return self.store.read(list_budgets)

    async def alist_budgets(self) -> tuple[Budget, ...]:
        """Async version of `list_budgets`."""
        from turngraph.billing.store.budgets import list_budgets

        return await self.store.aread(list_budgets)

    def sweep(
        self,
        prices: "Prices | None" = None,
        *,
        lookup: "Lookup | None" = None,
        policy: Policy = "estimate",
        quiet_s: float = 0.0,
        look_back_s: float = 86_400.0,
        limit: int = 1000,
    ) -> Swept:
        """Closes what dead workers left open. It may run anywhere, several times at once.

        Args:
            prices: what answers are charged at; the list prices if absent.
            lookup: asks the vendor what became of an attempt, as `turngraph.vendor_lookup` makes
                one. It also corrects charges of the last `look_back_s` seconds that were guesses.
            policy: how to charge what nobody can find out about: what was seen of the answer
                (`estimate`), all that was held (`max`), or not at all (`manual`).
            quiet_s: how many seconds an attempt must be unchanged before it is decided.
            look_back_s: how many seconds back guesses are looked up.
            limit: the highest number of attempts of each kind.
        """
        from turngraph.billing.operations.sweeper import sweep
        from turngraph.billing.pricing.prices import Prices

        return sweep(
            self.store,
            Prices() if prices is None else prices,
            lookup=lookup,
            policy=policy,
            quiet_s=quiet_s,
            look_back_s=look_back_s,
            limit=limit,
        )

    async def asweep(
        self,
        prices: "Prices | None" = None,
        *,
        lookup: "Lookup | None" = None,
        policy: Policy = "estimate",
        quiet_s: float = 0.0,
        look_back_s: float = 86_400.0,
        limit: int = 1000,
    ) -> Swept:
        """Async version of `sweep`. `lookup` is called in a thread."""
        return await asyncio.to_thread(
            self.sweep,
            prices,
            lookup=lookup,
            policy=policy,
            quiet_s=quiet_s,
            look_back_s=look_back_s,
            limit=limit,
        )

    def correct(self, attempt_id: str, usd: Decimal | str, *, note: str) -> Settled:
        """Makes `usd` the net charge of an attempt, by a further entry with `note`.

        Zero for one that was never served; for a refund, the lower amount that remains. Raises
        `LedgerError` for a negative amount, an attempt that a worker may still be using, or an id
        that is not in this ledger.
        """
        from turngraph.billing.operations.corrections import correct

        return self.store.run(correct, attempt_id, usd, note=note)

    async def acorrect(self, attempt_id: str, usd: Decimal | str, *, note: str) -> Settled:
        """Async version of `correct`."""
        from turngraph.billing.operations.corrections import correct

        return await self.store.arun(correct, attempt_id, usd, note=note)

    def forget_answers(self, *, days: float) -> int:
        """Deletes the stored answers of attempts that were closed more than `days` days ago.

        Returns how many were deleted. A turn that is replayed no longer finds them: it asks again,
        and pays. Answers are plain text in the database; where they must not be, encrypt the
        database or its disk, and delete them soon. Raises `LedgerError` for negative days.

            >>> with Ledger("sqlite://") as ledger:
            ...     ledger.forget_answers(days=7)
            0
        """
        from turngraph.billing.operations.retention import forget_answers

        check_ledger_arguments(days=days)
        before = datetime.fromtimestamp(self.store.now(), UTC) - timedelta(days=days)
        forgotten = 0
        # A transaction per batch, so that other workers are not kept waiting.
        while batch := self.store.run(forget_answers, before):
            forgotten += batch
        return forgotten

    async def aforget_answers(self, *, days: float) -> int:
        """Async version of `forget_answers`."""
        return await asyncio.to_thread(self.forget_answers, days=days)

    def play_back(self) -> int:
        """Writes what the spool holds from a time when the database was away. Returns how many
        records were written.
        """
        return self.store.play_back()

    async def aplay_back(self) -> int:
        """Async version of `play_back`."""
        return await asyncio.to_thread(self.play_back)

    def close(self) -> None:
        """Waits for the ledger's threads and closes its connections. Do not use it afterwards."""
        # First, because a renewal that is under way would keep its connection open.
        self.leases.close()
        self.store.close()

    async def aclose(self) -> None:
        """Async version of `close`."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
