"""What follows a turn from outside, such as OpenTelemetry: the protocol that the stages call.

A turn that nobody follows has none, and calls nothing.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from turngraph.providers.writing.payload import Payload
from turngraph.state.events import AnyEvent
from turngraph.state.flow import Wait
from turngraph.state.reply import ProviderReply

__all__ = ["Telemetry", "TurnTrace", "within"]


class TurnTrace(Protocol):
    """Follows one run of a turn, from its start to its end, a pause or an error.

    Its methods are called in the thread or on the event loop that runs the stages, and raise
    nothing.
    """

    def on_event(self, event: AnyEvent) -> None:
        """Takes note of an event."""
        ...

    def active(self, id: str | None = None) -> AbstractContextManager[object]:
        """Returns a block of which all that runs in it is part of the attempt or the tool call with
        this id; of the turn itself where there is none.
        """
        ...

    def on_request(self, attempt_id: str, payload: Payload, url: str) -> Mapping[str, str]:
        """Takes note of what is about to be sent. Returns the headers to send with it."""
        ...

    def on_reply(self, attempt_id: str, reply: ProviderReply) -> None:
        """Takes note of a whole answer, before the event of it."""
        ...

    def end(self, error: BaseException | None) -> None:
        """Ends whatever is still open. `error` is what the run raised."""
        ...


class Telemetry(Protocol):
    """Follows turns: `chat_turn(…, telemetry=…)`."""

    def start_run(self, name: str, thread_id: str | None) -> TurnTrace:
        """Begins to follow a run of the graph `name`."""
        ...

    def ledger(self, operations: str) -> AbstractContextManager[object]:
        """Returns the block in which a transaction with these operations of the ledger runs."""
        ...


def within(block: Callable[[], AbstractContextManager[object]], wait: Wait) -> Wait:
    """Returns `wait`, with the waiting inside of a block that is opened anew for it."""

    def sync() -> Any:
        with block():
            return wait.sync()

    async def asynchronous() -> Any:
        with block():
            return await wait.asynchronous()

    return Wait(sync, asynchronous)
