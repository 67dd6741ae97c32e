"""Runs responses that nobody waits for, and ends or takes over those whose process has died."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError, error_of, is_stop, is_temporary
from turngraph.interfaces.server.keys.operations import find_key
from turngraph.interfaces.server.request_claims import Ended, take_abandoned
from turngraph.interfaces.server.request_rows import INTERRUPTED, ResponseRow
from turngraph.interfaces.server.responses.answer import failed_response
from turngraph.interfaces.server.responses.planning import (
    PREFIX,
    PlannedResponse,
    ResponsePlanner,
)
from turngraph.interfaces.server.responses.recorded_events import EventRecorder
from turngraph.interfaces.server.responses.request import read_response_request
from turngraph.interfaces.server.responses.running import failed, shown, start_response
from turngraph.interfaces.server.stored_requests import StoredRequests
from turngraph.interfaces.server.turn_planning import tokens_needed
from turngraph.state.json_types import JsonObject

__all__ = ["BackgroundResponses"]

_REVOKED: Final = "The API key that asked for this response was revoked before it ended."
_DIED: Final = (
    "The server that made this response has died before it ended. Send the request again; with "
    "the same `Idempotency-Key`, what was paid for is not asked again."
)

_log: Final = logging.getLogger("turngraph.server")


@dataclass
class BackgroundResponses:
    """The background responses of this process."""

    requests: StoredRequests
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _records: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, caller: Caller, planned: PlannedResponse, tokens: int) -> None:
        """Starts a response that this process has claimed. It may need about `tokens` tokens."""
        task = asyncio.create_task(self._run(caller, planned, tokens))
        self.requests.wait_with(planned.row.response_id, task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def record(
        self, row: ResponseRow, made: AsyncIterator[Sequence[JsonObject]]
    ) -> AsyncIterator[Sequence[JsonObject]]:
        """Records the events of a response. Returns them for the client that has asked for it."""
        recorder = EventRecorder(self.requests.service.store.ledger.store, row, made)
        task = recorder.start()
        self._records.add(task)
        task.add_done_callback(self._records.discard)
        return recorder.follow()

    async def take_over(self) -> None:
        """Goes on with background responses whose process has died, and ends the others, for which
        nobody waits any more. What was paid for is not asked again.
        """
        store = self.requests.service.store.ledger.store
        for row in await store.arun(take_abandoned, PREFIX, self.requests.running):
            try:
                ended = await self._end_of(row)
            except Exception as exc:  # noqa: BLE001  the next round may succeed
                error = error_of(exc)
                if is_temporary(error) or error.status >= 500:
                    _log.warning("Response %s was not taken over: %r", row.response_id, exc)
                    continue
                ended = failed(self._shown(row), error)
            if ended is not None:
                await self.requests.finish(row, ended)

    async def _end_of(self, row: ResponseRow) -> Ended | None:
        """How the response of a dead process ends; None if it goes on, in this process."""
        if not row.background:
            error = ServerError(500, _DIED, code="server_error")
            return Ended(INTERRUPTED, failed_response(self._shown(row), error))
        if row.status == "cancelling":
            # The process that was to end it has died: nothing runs, and nothing starts again.
            return self._cancelled(row)
        if await self._is_revoked(row):
            error = ServerError(401, _REVOKED, code="invalid_api_key")
            return failed(self._shown(row), error)
        asked = read_response_request(row.request)
        service = self.requests.service
        planner = ResponsePlanner(service.store.ledger.store, service.models, row.caller)
        planned = await planner.of_row(row, asked)
        self.requests.add(row)
        tokens = tokens_needed(asked.turn.settings, planned.plans, len(json.dumps(row.request)))
        self.start(row.caller, planned, tokens)
        return None

    async def _is_revoked(self, row: ResponseRow) -> bool:
        """Whether the key that asked for a response was revoked since. One that has merely expired
        was good when it asked.
        """
        if row.api_key_id is None:
            return False
        store = self.requests.service.store.ledger.store
        found = await store.aread(find_key, row.api_key_id)
        return found is not None and found.record.status(store.now()) == "revoked"

    async def aclose(self) -> None:
        """Stops what waits for a place. It is taken over by another process."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def store_events(self) -> None:
        """Waits until the events of responses that have ended are stored."""
        await asyncio.gather(*self._records, return_exceptions=True)

    async def _run(self, caller: Caller, planned: PlannedResponse, tokens: int) -> None:
        row = planned.row
        try:
            await start_response(self.requests, caller, planned, tokens=tokens)
        except asyncio.CancelledError:
            if self.requests.is_unwanted(row.response_id):
                await self.requests.finish(row, self._cancelled(row))
            else:
                await self.requests.leave(row)
            raise
        except Exception as exc:  # noqa: BLE001  told to whoever asks for the response
            error = error_of(exc)
            if is_stop(error):
                await self.requests.leave(row)
            elif is_temporary(error):
                # At a limit it stays queued: `take_over` starts it again.
                self.requests.forget(row)
            else:
                await self.requests.finish(row, failed(planned.started, error))

    def _cancelled(self, row: ResponseRow) -> Ended:
        return Ended("cancelled", {**self._shown(row), "status": "cancelled"})

    def _shown(self, row: ResponseRow) -> JsonObject:
        return shown(row, self.requests.service.models)
