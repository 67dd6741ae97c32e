"""Renews the leases of the turns that run in this process: one thread for all of them."""

import logging
import threading
from typing import Final

from turngraph.billing.errors import FencedError, LedgerUnavailableError
from turngraph.billing.leases.leases import renew
from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.state.forks import renew_after_fork

__all__ = ["LeaseRenewer"]

_log: Final = logging.getLogger("turngraph.billing")
_RELIABLE_SHARE: Final = 0.9
"""The share of a lease that is relied on without asking: two machines' clocks differ a little."""
_RENEWALS_PER_LEASE: Final = 3


class LeaseRenewer:
    """Renews leases three times per lease length, in a thread that ends when there was none for a
    third of that length: to start one for every turn costs more than the lease.
    """

    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self._start()
        renew_after_fork(self, LeaseRenewer._start)

    def _start(self) -> None:
        # The leases of a forked process are its parent's, whose thread goes on renewing them.
        self._fences: dict[str, int] = {}
        """The turns whose lease is renewed, each with its fence."""
        self._renewed_at: dict[tuple[str, int], float] = {}
        self._over: set[tuple[str, int]] = set()
        self._changed, self._closing = threading.Condition(), False
        self._thread: threading.Thread | None = None

    def start_renewing(self, turn_id: str, fence: int, requested_at: float) -> None:
        """Renews the lease of `turn_id` until `stop_renewing`.

        `requested_at` is the time just before the lease was requested, in seconds since the epoch.
        """
        with self._changed:
            self._fences[turn_id] = fence
            self._renewed_at[turn_id, fence] = requested_at
            if self._thread is None:
                name = "turngraph-leases"
                self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
                self._thread.start()

    def stop_renewing(self, turn_id: str, fence: int) -> bool:
        """Stops renewing. Returns whether the lease is still held, and should be released now."""
        with self._changed:
            self._renewed_at.pop((turn_id, fence), None)
            self._over.discard((turn_id, fence))
            return self._remove(turn_id, fence)

    def mark_over(self, turn_id: str, fence: int) -> None:
        """Notes that the last stage of a turn has run. Its lease is still renewed, because its last
        checkpoint is not stored yet.
        """
        with self._changed:
            self._over.add((turn_id, fence))

    def is_over(self, turn_id: str, fence: int) -> bool:
        """Returns whether the last stage of the turn has run here, under this lease."""
        with self._changed:
            return (turn_id, fence) in self._over

    def close(self) -> None:
        """Stops renewing all leases and waits for a renewal that is under way."""
        with self._changed:
            self._fences.clear()
            self._renewed_at.clear()
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()
        self._closing = False

    def is_live(self, turn_id: str, fence: int) -> bool:
        """Returns whether the lease is still valid by this worker's clock: then nobody can have
        taken the turn over.
        """
        with self._changed:
            renewed_at = self._renewed_at.get((turn_id, fence))
        if renewed_at is None:
            return False
        return self._store.now() < renewed_at + self._store.lease_s * _RELIABLE_SHARE

    def ensure_live(self, turn_id: str, fence: int) -> None:
        """Raises `FencedError` if another worker has taken the turn over.

        The database is asked only where the clock leaves a doubt: after this worker slept.
        """
        if not self.is_live(turn_id, fence):
            requested_at = self._store.now()
            self._store.run(renew, turn_id, fence=fence)
            self._note_renewal(turn_id, fence, requested_at)

    async def aensure_live(self, turn_id: str, fence: int) -> None:
        """Async version of `ensure_live`."""
        if not self.is_live(turn_id, fence):
            requested_at = self._store.now()
            await self._store.arun(renew, turn_id, fence=fence)
            self._note_renewal(turn_id, fence, requested_at)

    def _remove(self, turn_id: str, fence: int) -> bool:
        # A later run of the same turn has another fence; its lease stays.
        renewed = self._fences.get(turn_id) == fence
        if renewed:
            del self._fences[turn_id]
        return renewed

    def _note_renewal(self, turn_id: str, fence: int, requested_at: float) -> None:
        # Counted from the request, not from the answer: the database may have renewed the lease
        # at any moment between them.
        with self._changed:
            if self._fences.get(turn_id) == fence:
                self._renewed_at[turn_id, fence] = requested_at

    def _loop(self) -> None:
        interval_s = self._store.lease_s / _RENEWALS_PER_LEASE
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing, timeout=interval_s)
                if not self._fences:
                    self._thread = None
                    return
                leases = list(self._fences.items())
            for turn_id, fence in leases:
                self._renew(turn_id, fence)

    def _renew(self, turn_id: str, fence: int) -> None:
        requested_at = self._store.now()
        try:
            self._store.run(renew, turn_id, fence=fence)
            self._note_renewal(turn_id, fence, requested_at)
        except FencedError:
            # The run itself learns it at its next operation; here is nothing left to renew.
            with self._changed:
                self._remove(turn_id, fence)
        except LedgerUnavailableError as exc:
            _log.warning("The lease of turn %s was not renewed: %s", turn_id, exc)
