"""Keeping the leases of turns that run here: one thread for all of them, only while there are any."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from turngraph.billing.errors import FencedError, LedgerUnavailableError
from turngraph.billing.turns import renew

if TYPE_CHECKING:
    from turngraph.billing.ledger import Ledger

__all__ = ["LeaseKeeper"]

_log: Final = logging.getLogger("turngraph.billing")


class LeaseKeeper:
    """Renews leases three times in their length, in a thread that ends with the last of them."""

    def __init__(self, ledger: "Ledger") -> None:
        self._ledger = ledger
        self._held: dict[str, int] = {}
        self._changed = threading.Condition()
        self._running = False

    @contextmanager
    def holding(self, turn_id: str, fence: int) -> Iterator[None]:
        """Keep the lease of `turn_id` while the block runs."""
        with self._changed:
            self._held[turn_id] = fence
            if not self._running:
                self._running = True
                threading.Thread(target=self._keep, name="turngraph-leases", daemon=True).start()
        try:
            yield
        finally:
            with self._changed:
                if self._held.get(turn_id) == fence:
                    del self._held[turn_id]
                self._changed.notify_all()

    def _keep(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self._held, timeout=self._ledger.lease_s / 3)
                if not self._held:
                    self._running = False
                    return
                held = list(self._held.items())
            for turn_id, fence in held:
                self._renew(turn_id, fence)

    def _renew(self, turn_id: str, fence: int) -> None:
        try:
            self._ledger.do(renew, turn_id, fence=fence)
        except FencedError:
            # Whoever runs the turn finds out at its next call to the ledger; there is nothing left to renew.
            with self._changed:
                if self._held.get(turn_id) == fence:
                    del self._held[turn_id]
        except LedgerUnavailableError as exc:
            _log.warning("The lease of turn %s was not renewed: %s", turn_id, exc)
