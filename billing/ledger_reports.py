"""The questions one can ask a ledger: the reading half of `Ledger`.

Each method runs one operation of `billing.operations`, in a transaction that no writer waits for.
"""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from turngraph.billing.operations.results import (
    BudgetState,
    Dimension,
    Repriced,
    Spent,
    TurnBill,
)

if TYPE_CHECKING:
    from turngraph.billing.operations.sweeper import Outstanding
    from turngraph.billing.pricing.prices import Prices
    from turngraph.billing.store.ledger_store import LedgerStore

__all__ = ["LedgerReports"]


class LedgerReports:
    """Reports of a ledger. `since` is included and `until` is not; both need a time zone, and count
    the time an attempt was begun.
    """

    store: "LedgerStore"

    def spending(
        self,
        by: Dimension = "account",
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        account: str | None = None,
        limit: int = 20,
    ) -> tuple[Spent, ...]:
        """Returns what was spent by one dimension, the highest amounts first; with `account`, only
        what that account spent.

        Days and months come in their order, the latest `limit` of them. An attempt with several
        tags counts for each of them. Raises `LedgerError` for an unknown dimension.
        """
        from turngraph.billing.operations.spending import spending

        return self.store.read(spending, by, since=since, until=until, account=account, limit=limit)

    async def aspending(
        self,
        by: Dimension = "account",
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        account: str | None = None,
        limit: int = 20,
    ) -> tuple[Spent, ...]:
        """Async version of `spending`."""
        from turngraph.billing.operations.spending import spending

        return await self.store.aread(
            spending, by, since=since, until=until, account=account, limit=limit
        )

    def total(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        account: str | None = None,
    ) -> Spent:
        """Returns everything that was spent in a period, by everyone or by one account, as one
        line. Its `value` is empty.
        """
        from turngraph.billing.operations.spending import total

        return self.store.read(total, since=since, until=until, account=account)

    async def atotal(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        account: str | None = None,
    ) -> Spent:
        """Async version of `total`."""
        from turngraph.billing.operations.spending import total

        return await self.store.aread(total, since=since, until=until, account=account)

    def turn_bill(self, turn_id: str) -> TurnBill:
        """Returns one turn's bill, attempt by attempt. Raises `LedgerError` for an unknown turn."""
        from turngraph.billing.operations.attempt_rows import turn_bill

        return self.store.read(turn_bill, turn_id)

    async def aturn_bill(self, turn_id: str) -> TurnBill:
        """Async version of `turn_bill`."""
        from turngraph.billing.operations.attempt_rows import turn_bill

        return await self.store.aread(turn_bill, turn_id)

    def budget_states(
        self, *, account: str | None = None, limit: int = 1000
    ) -> tuple[BudgetState, ...]:
        """Returns what budgets have spent and hold in their current windows, the fullest first;
        with `account`, the stored budgets per account, as far as they are that account's.
        """
        from turngraph.billing.operations.budget_states import budget_states

        return self.store.read(budget_states, account=account, limit=limit)

    async def abudget_states(
        self, *, account: str | None = None, limit: int = 1000
    ) -> tuple[BudgetState, ...]:
        """Async version of `budget_states`."""
        from turngraph.billing.operations.budget_states import budget_states

        return await self.store.aread(budget_states, account=account, limit=limit)

    def reprice(
        self,
        prices: "Prices",
        *,
        vendor: str,
        model: str,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Repriced:
        """Returns what a period's calls cost, and what `vendor`'s `model` would have cost at the
        same times.

        The tokens are taken as they were counted; another model's tokenizer would count
        differently.
        """
        from turngraph.billing.operations.spending import reprice

        return self.store.read(
            reprice, prices, vendor=vendor, model=model, since=since, until=until
        )

    async def areprice(
        self,
        prices: "Prices",
        *,
        vendor: str,
        model: str,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Repriced:
        """Async version of `reprice`."""
        from turngraph.billing.operations.spending import reprice

        return await self.store.aread(
            reprice, prices, vendor=vendor, model=model, since=since, until=until
        )

    def export(
        self,
        path: str | Path,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> int:
        """Writes every attempt of a period as a row of a file. Returns how many.

        The suffix of `path` gives the format: `.csv`, `.json`, `.jsonl` or `.parquet`. Raises
        `LedgerError` for another suffix, or a file that cannot be written.
        """
        from turngraph.billing.operations.export import export

        return self.store.read(export, path, since=since, until=until)

    async def aexport(
        self,
        path: str | Path,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> int:
        """Async version of `export`."""
        from turngraph.billing.operations.export import export

        return await self.store.aread(export, path, since=since, until=until)

    def outstanding(self, *, quiet_s: float = 0.0, limit: int = 1000) -> "tuple[Outstanding, ...]":
        """Returns the attempts that a sweep would look at: unknown, or answered by a worker that is
        gone, and unchanged for `quiet_s` seconds.
        """
        from turngraph.billing.operations.sweeper import outstanding

        return self.store.read(outstanding, quiet_s=quiet_s, limit=limit)

    async def aoutstanding(
        self, *, quiet_s: float = 0.0, limit: int = 1000
    ) -> "tuple[Outstanding, ...]":
        """Async version of `outstanding`."""
        from turngraph.billing.operations.sweeper import outstanding

        return await self.store.aread(outstanding, quiet_s=quiet_s, limit=limit)

    def verify(self) -> list[str]:
        """Returns one sentence for each thing that does not add up; an empty list when all does."""
        from turngraph.billing.operations.verification import verify

        return self.store.read(verify)

    async def averify(self) -> list[str]:
        """Async version of `verify`."""
        from turngraph.billing.operations.verification import verify

        return await self.store.aread(verify)
