"""Runs responses that nobody waits for, and takes over those whose process has died."""

import asyncio
import json
import logging
from dataclasses import dataclass, field
from typing import Final

from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError, error_of, is_temporary
from turngraph.interfaces.server.keys.operations import find_key
from turngraph.interfaces.server.rate_limits.limiter import estimated_tokens
from turngraph.interfaces.server.responses.answer import failed_response
from turngraph.interfaces.server.responses.planning import PlannedResponse, ResponsePlanner
from turngraph.interfaces.server.responses.request import read_response_request
from turngraph.interfaces.server.responses.running import TurnStarter, start_response
from turngraph.interfaces.server.responses.storage import (
    ResponseRow,
    finish_response,
    mark_seen,
    take_abandoned,
)
from turngraph.interfaces.server.turn_runs import TurnRun
from turngraph.state.json_types import JsonObject

__all__ = ["BackgroundResponses"]

WATCH_S: Final = 1.0
"""How often a process looks whether a response that it runs shall be cancelled."""
ABANDONED_S: Final = 30.0
"""After how long without a look another process takes a response over."""

_REVOKED: Final = "The API key that asked for this response was revoked before it ended."

_log: Final = logging.getLogger("turngraph.server")


@dataclass
class BackgroundResponses:
    """The background responses of this process."""

    service: TurnStarter
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _runs: dict[str, TurnRun] = field(default_factory=dict)

    def start(self, caller: Caller, planned: PlannedResponse, tokens: int) -> None:
        """Starts a response whose row is stored, unless this process runs it already.

        It may need about `tokens` tokens.
        """
        if planned.row.response_id in self._tasks:
            return
        task = asyncio.create_task(self._run(caller, planned, tokens))
        self._tasks[planned.row.response_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(planned.row.response_id, None))

    def cancel(self, response_id: str) -> None:
        """Ends a response, if this process runs it."""
        run = self._runs.get(response_id)
        if run is not None:
            run.cancel.set()

    async def take_over(self) -> None:
        """Goes on with responses whose process has died. What was paid for is not asked again."""
        store = self.service.store.ledger.store
        for row in await store.arun(take_abandoned, store.now() - ABANDONED_S):
            planner = ResponsePlanner(store, self.service.models, row.caller)
            try:
                asked = read_response_request(row.request)
                planned = await planner.of_row(row, asked)
            except Exception as exc:  # noqa: BLE001  its model may not be served any more
                _log.warning("Response %s cannot go on: %r", row.response_id, type(exc).__name__)
                continue
            ended: JsonObject | None = None
            if row.status == "cancelling":
                # The process that was to end it has died: nothing runs, and nothing starts again.
                ended = {**planned.started, "status": "cancelled"}
            elif await self._is_revoked(row):
                error = ServerError(401, _REVOKED, code="invalid_api_key")
                ended = failed_response(planned.started, error)
            if ended is not None:
                await store.arun(finish_response, row.account, ended)
                continue
            longest = asked.turn.settings.max_tokens or planned.plans[0].model.max_tokens
            tokens = estimated_tokens(len(json.dumps(row.request)), longest)
            self.start(row.caller, planned, tokens)

    async def _is_revoked(self, row: ResponseRow) -> bool:
        """Whether the key that asked for a response was revoked since. One that has merely expired
        was good when it asked.
        """
        if row.api_key_id is None:
            return False
        store = self.service.store.ledger.store
        found = await store.aread(find_key, row.api_key_id)
        return found is not None and found.record.status(store.now()) == "revoked"

    async def aclose(self) -> None:
        """Stops looking. A response that has not ended is taken over by another process."""
        for task in [*self._tasks.values()]:
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, caller: Caller, planned: PlannedResponse, tokens: int) -> None:
        store, row = self.service.store.ledger.store, planned.row
        try:
            run, _ = await start_response(self.service, caller, planned, tokens=tokens)
        except Exception as exc:  # noqa: BLE001  told to whoever asks for the response
            error = error_of(exc)
            # At a limit it stays queued: `take_over` starts it again.
            if not is_temporary(error):
                body = failed_response(planned.started, error)
                await store.arun(finish_response, row.account, body)
            return
        self._runs[row.response_id] = run
        try:
            while not run.task.done():
                await asyncio.wait({run.task}, timeout=WATCH_S)
                status = await store.arun(mark_seen, row.account, row.response_id)
                if status in ("cancelling", None):
                    run.cancel.set()
        finally:
            del self._runs[row.response_id]
