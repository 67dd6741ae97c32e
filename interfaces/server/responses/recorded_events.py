"""Records the events of a background stream, so that a client can come back to it.

https://platform.openai.com/docs/guides/background#streaming-a-background-response
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import select

from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.interfaces.server.errors import deleted_meanwhile
from turngraph.interfaces.server.request_rows import ResponseRow, find_response
from turngraph.interfaces.server.tables import response_event_t
from turngraph.state.json_types import JsonObject

__all__ = ["EventRecorder", "recorded_events"]

_FLUSH_S: Final = 0.25
"""How often new events are stored, and looked for."""
_LATE_S: Final = 2.0
"""How long the last events of a response may come after its end."""

_LAST: Final = tuple(
    f"response.{status}" for status in ("completed", "failed", "incomplete", "cancelled")
)

_e = response_event_t.c


@dataclass
class EventRecorder:
    """Makes the events of one response, whoever looks at them, and stores them."""

    store: LedgerStore
    row: ResponseRow
    made: AsyncIterator[Sequence[JsonObject]]
    _events: list[JsonObject] = field(default_factory=list)
    _stored: int = 0
    _error: Exception | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self) -> "asyncio.Task[None]":
        """Begins to record. The task ends with the response, and must be kept until then."""
        self._making = asyncio.create_task(self._make())
        return asyncio.create_task(self._record())

    async def follow(self) -> AsyncIterator[Sequence[JsonObject]]:
        """The events as they come, for the client that has asked for them. Raises what they do."""
        shown = 0
        while True:
            self._changed.clear()
            new = self._events[shown:]
            shown += len(new)
            yield new
            if self._making.done() and shown == len(self._events):
                if self._error is not None:
                    raise self._error
                return
            await self._changed.wait()

    async def _make(self) -> None:
        try:
            async for events in self.made:
                self._events.extend(events)
                self._changed.set()
        except Exception as exc:  # noqa: BLE001  raised to the client that follows
            self._error = exc
        finally:
            self._changed.set()

    async def _record(self) -> None:
        while not self._making.done():
            await asyncio.wait({self._making}, timeout=_FLUSH_S)
            new = self._events[self._stored :]
            if new:
                await self.store.arun(_add_events, self.row, new)
                self._stored += len(new)


async def recorded_events(
    store: LedgerStore, row: ResponseRow, started: JsonObject, after: int
) -> AsyncIterator[Sequence[JsonObject]]:
    """The events of a response with higher numbers than `after`, until it has ended.

    What was not recorded, as of a response that another process has taken over, is made up for by
    a last event, which has all of the response. `started` is what the first event shows.

    Raises ServerError (404) when the response is deleted.
    """
    late_until = 0.0
    while True:
        for event in await store.aread(_events_after, row.response_id, after):
            yield [event]
            after = event["sequence_number"]
            if event["type"] in _LAST:
                return
        if row.body is not None:
            late_until = late_until or time.monotonic() + _LATE_S
            is_known = await store.aread(_is_recorded, row.response_id)
            if not is_known and after < 0:
                after += 1
                yield [_event("response.created", after, started)]
            if not is_known or time.monotonic() > late_until:
                yield [_event(f"response.{row.body['status']}", after + 1, row.body)]
                return
        await asyncio.sleep(_FLUSH_S)
        found = await store.aread(find_response, row.account, row.response_id)
        if found is None:
            raise deleted_meanwhile()
        row = found


def _add_events(tx: LedgerTransaction, row: ResponseRow, events: Sequence[JsonObject]) -> None:
    """Stores events, unless the response was deleted or taken over."""
    found = find_response(tx, row.account, row.response_id)
    if found is None or found.owner != row.owner:
        return
    tx.conn.execute(
        response_event_t.insert(),
        {
            "response_id": row.response_id,
            "first": events[0]["sequence_number"],
            "last": events[-1]["sequence_number"],
            "events": json.dumps(events),
        },
    )


def _events_after(tx: LedgerTransaction, response_id: str, after: int) -> list[JsonObject]:
    rows = tx.conn.execute(
        select(_e.events).where(_e.response_id == response_id, _e.last > after).order_by(_e.first)
    ).scalars()
    return [
        event for text in rows for event in json.loads(text) if event["sequence_number"] > after
    ]


def _is_recorded(tx: LedgerTransaction, response_id: str) -> bool:
    where = _e.response_id == response_id
    return tx.conn.execute(select(_e.first).where(where).limit(1)).first() is not None


def _event(kind: str, number: int, response: JsonObject) -> JsonObject:
    return {"type": kind, "sequence_number": number, "response": response}
