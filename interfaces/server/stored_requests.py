"""Runs requests that are stored: each is claimed, kept claimed while it runs, and ended once."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from turngraph.billing.errors import TurnConflictError
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError, error_of, is_stop, is_temporary
from turngraph.interfaces.server.request_claims import (
    Ended,
    claim,
    finish,
    mark_started,
    release,
    renew,
)
from turngraph.interfaces.server.request_rows import INTERRUPTED, ResponseRow
from turngraph.interfaces.server.served_models import ModelSet
from turngraph.interfaces.server.store import Store
from turngraph.interfaces.server.turn_runs import OnEnd, TurnEnd, TurnPlan, TurnRun
from turngraph.state.json_types import JsonObject

__all__ = ["EndOf", "StoredRequests", "TurnStarter", "error_answer", "replayed_error"]

WATCH_S: Final = 1.0
"""How often a process notes what it runs, and looks whether any of it shall end."""
REPLAYED: Final[Mapping[str, str]] = {"Idempotent-Replayed": "true"}
"""The header of an answer that was given before, as Stripe has it."""

_log: Final = logging.getLogger("turngraph.server")

EndOf = Callable[[TurnEnd | ServerError], Ended]
"""What an API makes of where a turn has stopped, or of the error it ended with."""


class TurnStarter(Protocol):
    """What stored requests need of the server's `Service`."""

    store: Store
    models: ModelSet

    async def start(
        self, caller: Caller, plans: Sequence[TurnPlan], tokens: int, on_end: OnEnd | None = None
    ) -> tuple[TurnRun, Mapping[str, str]]:
        """See `Service.start`."""
        ...


@dataclass(eq=False)
class _Running:
    """A request that this process has claimed."""

    row: ResponseRow
    is_new: bool
    run: TurnRun | None = None
    waiting: "asyncio.Task[None] | None" = None
    """What waits for a place, of a request that nobody waits for."""
    is_unwanted: bool = False

    def end(self) -> None:
        self.is_unwanted = True
        if self.run is not None:
            self.run.cancel.set()
        elif self.waiting is not None:
            self.waiting.cancel()


@dataclass
class StoredRequests:
    """The stored requests of this process."""

    service: TurnStarter
    _running: dict[str, _Running] = field(default_factory=dict)

    async def claim(self, row: ResponseRow, side: Sequence[str]) -> ResponseRow:
        """Stores a request that this process is about to run, or takes that of a dead process.

        Returns it as it is stored; one with another owner than `row`'s has its answer already.

        Raises ServerError (409) while it runs, and (422) if its key was used for another request.
        """
        stored = await self.service.store.ledger.store.arun(claim, row, side)
        if stored.owner == row.owner:
            self.add(stored, is_new=stored is row)
        return stored

    def add(self, row: ResponseRow, *, is_new: bool = False) -> None:
        """Notes a request that this process has claimed."""
        self._running[row.response_id] = _Running(row, is_new)

    @property
    def running(self) -> list[str]:
        """The ids of the requests that this process runs."""
        return [*self._running]

    def end(self, response_id: str) -> None:
        """Ends a request, if this process runs it."""
        if (running := self._running.get(response_id)) is not None:
            running.end()

    def wait_with(self, response_id: str, task: "asyncio.Task[None]") -> None:
        """Names the task that waits for a place, which is cancelled if the request shall end."""
        self._running[response_id].waiting = task

    def is_unwanted(self, response_id: str) -> bool:
        """Whether a request of this process shall end."""
        return response_id in self._running and self._running[response_id].is_unwanted

    async def start(
        self,
        caller: Caller,
        row: ResponseRow,
        plans: Sequence[TurnPlan],
        tokens: int,
        end_of: EndOf,
    ) -> tuple[TurnRun, Mapping[str, str]]:
        """Starts a request that was claimed. Its end is stored before its client is told.

        Also returns headers for the answer. Raises ServerError (429, 503) at a limit.
        """
        running = self._running[row.response_id]

        async def keep(end: TurnEnd | Exception) -> None:
            try:
                await self._keep(running, end, end_of)
            finally:
                self._drop(running)

        try:
            run, headers = await self.service.start(caller, plans, tokens, keep)
        except BaseException:
            if not row.background:
                self._drop(running)
                await self._release(running)
            raise
        running.run = run
        # A retry gets the answer, so the turn goes on for it when its client has left.
        run.is_detached = row.background or row.digest is not None
        if running.is_unwanted:
            run.cancel.set()
        if row.status == "queued":
            await self.service.store.ledger.store.arun(mark_started, row)
        return run, headers

    async def watch(self) -> None:
        """Runs forever: keeps the claims, and ends what somebody has cancelled or deleted."""
        while True:
            await asyncio.sleep(WATCH_S)
            owners = {name: running.row.owner or "" for name, running in self._running.items()}
            if not owners:
                continue
            try:
                unwanted = await self.service.store.ledger.store.arun(renew, owners)
            except Exception as exc:  # noqa: BLE001  the next round may succeed
                _log.warning("The claims of stored requests were not renewed: %r", exc)
                continue
            for name in unwanted:
                self.end(name)

    async def finish(self, row: ResponseRow, ended: Ended) -> bool:
        """Stores how a request ended. False if it is not this process's any more."""
        self.forget(row)
        return await self.service.store.ledger.store.arun(finish, row, ended)

    def forget(self, row: ResponseRow) -> None:
        """Does not renew a claim any more."""
        self._running.pop(row.response_id, None)

    async def leave(self, row: ResponseRow) -> None:
        """Leaves a request to the next process, which need not wait until this one seems dead."""
        self.forget(row)
        await self.service.store.ledger.store.arun(release, row, is_new=False)

    def _drop(self, running: _Running) -> None:
        if self._running.get(running.row.response_id) is running:
            del self._running[running.row.response_id]

    async def _release(self, running: _Running) -> None:
        store = self.service.store.ledger.store
        await store.arun(release, running.row, is_new=running.is_new)

    async def _keep(
        self,
        running: _Running,
        end: TurnEnd | Exception,
        end_of: EndOf,
    ) -> None:
        row, store = running.row, self.service.store.ledger.store
        told = end if isinstance(end, TurnEnd) else error_of(end)
        if isinstance(told, ServerError) and is_temporary(told) and row.background:
            # `take_over` tries it again: at once after a stop, else when a while has passed.
            if is_stop(told):
                await store.arun(release, row, is_new=False)
            return
        if _is_refused(end, told) and not row.background:
            await self._release(running)
            return
        ended = end_of(told)
        if isinstance(told, ServerError) and is_stop(told):
            ended = Ended(INTERRUPTED, ended.body)
        await store.arun(finish, row, ended)


def _is_refused(end: TurnEnd | Exception, told: TurnEnd | ServerError) -> bool:
    """Whether nothing has run, so that the request has no answer.

    Of a conflict another run knows the end; or nobody does, as of a response that was deleted.
    """
    if isinstance(told, TurnEnd) or is_stop(told):
        return False
    return is_temporary(told) or isinstance(end, TurnConflictError)


def error_answer(error: ServerError) -> JsonObject:
    """An error as it is stored, for the retries of its request."""
    return {"status": error.status, "headers": error.headers, "body": error.body}


def replayed_error(row: ResponseRow) -> ServerError | None:
    """The error with which a request was answered before; None if it was not."""
    if row.error is None:
        return None
    known = dict(row.error["body"]["error"])
    told = {name: known.pop(name) for name in ("message", "type", "code", "param")}
    # OpenAI's clients would send it again, and the answer would stay the same.
    headers = {**row.error["headers"], **REPLAYED, "x-should-retry": "false"}
    return ServerError(row.error["status"], headers=headers, details=known, **told)
