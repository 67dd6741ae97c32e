"""Keeping the leases of turns that run here: one thread for all of them, only while there are any."""

import logging
import threading
from typing import TYPE_CHECKING, Final

from turngraph.billing.errors import FencedError, LedgerUnavailableError
from turngraph.billing.leases.leases import renew

if TYPE_CHECKING:
    from turngraph.billing.ledger import Ledger

__all__ = ["LeaseRenewer"]

_log: Final = logging.getLogger("turngraph.billing")
_CERTAIN: Final = 0.9
"""The part of a lease that is relied upon: clocks of two machines differ a little."""


class LeaseRenewer:
    """Renews leases three times in their length, in a thread that ends with the last of them."""

    def __init__(self, ledger: "Ledger") -> None:
        self._ledger = ledger
        self._held: dict[str, int] = {}
        self._renewed: dict[tuple[str, int], float] = {}
        self._changed = threading.Condition()
        self._running = False

    def hold(self, turn_id: str, fence: int, asked: float) -> None:
        """Keep the lease of `turn_id`, which was asked for at `asked`, until it is dropped."""
        with self._changed:
            self._held[turn_id] = fence
            self._renewed[turn_id, fence] = asked
            if not self._running:
                self._running = True
                threading.Thread(target=self._keep, name="turngraph-leases", daemon=True).start()

    def finished(self, turn_id: str, fence: int) -> None:
        """The turn is over, and its lease with it. What is still to be written of it is this
        worker's to write.
        """
        with self._changed:
            self._forget(turn_id, fence)

    def drop(self, turn_id: str, fence: int) -> bool:
        """Keep the lease no longer. Returns whether it was still held, so that it should be let go."""
        with self._changed:
            self._renewed.pop((turn_id, fence), None)
            return self._forget(turn_id, fence)

    def _forget(self, turn_id: str, fence: int) -> bool:
        held = self._held.get(turn_id) == fence
        if held:
            del self._held[turn_id]
            self._changed.notify_all()
        return held

    def surely(self, turn_id: str, fence: int) -> bool:
        """Whether the lease still runs by this worker's own clock, so that nobody can have taken
        the turn over.
        """
        with self._changed:
            asked = self._renewed.get((turn_id, fence))
        return asked is not None and self._ledger.now() < asked + self._ledger.lease_s * _CERTAIN

    def confirm(self, turn_id: str, fence: int) -> None:
        """Go on only if the turn is still this worker's. Raises FencedError where another has taken
        it over.

        The ledger is asked only where the clock leaves a doubt: after the worker slept.
        """
        if not self.surely(turn_id, fence):
            asked = self._ledger.now()
            self._ledger.do(renew, turn_id, fence=fence)
            self._note(turn_id, fence, asked)

    async def aconfirm(self, turn_id: str, fence: int) -> None:
        """`confirm`, for a task."""
        if not self.surely(turn_id, fence):
            asked = self._ledger.now()
            await self._ledger.ado(renew, turn_id, fence=fence)
            self._note(turn_id, fence, asked)

    def _note(self, turn_id: str, fence: int, asked: float) -> None:
        """The lease runs from before it was asked for: how long the answer took is not known to be
        ours.
        """
        with self._changed:
            if self._held.get(turn_id) == fence:
                self._renewed[turn_id, fence] = asked

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
        asked = self._ledger.now()
        try:
            self._ledger.do(renew, turn_id, fence=fence)
            self._note(turn_id, fence, asked)
        except FencedError:
            # Whoever runs the turn finds out at its next call to the ledger; there is nothing left
            # to renew.
            with self._changed:
                self._forget(turn_id, fence)
        except LedgerUnavailableError as exc:
            _log.warning("The lease of turn %s was not renewed: %s", turn_id, exc)
