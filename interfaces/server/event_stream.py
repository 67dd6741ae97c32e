"""Sends the chunks of an answer as server-sent events."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Final

from fastapi import Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from turngraph.interfaces.server.answer_parts import has_failed, turn_error, turn_status
from turngraph.interfaces.server.errors import ServerError, error_of
from turngraph.interfaces.server.turn_runs import TurnRun
from turngraph.state.json_types import JsonObject

__all__ = ["FAREWELL_S", "begun", "event_stream", "followed_stream", "replayed_stream"]

_log: Final = logging.getLogger("turngraph.server")

PATIENCE_S: Final = 10.0
"""How long the status of a stream waits for the first part of the answer, so that what goes wrong
before it is answered with its true status. Proxies give up on a silence of a minute.
"""
FAREWELL_S: Final = 3
"""Seconds in which clients are told that the server has ended their turns."""
_GRACE_S: Final = 86_400
"""Seconds that a stream may outlive a stop. The server ends its turn long before, or uvicorn does:
when, a reload may still change.
"""
PING_S: Final = 15
"""Seconds between two comments that keep a silent stream open."""


async def begun(run: TurnRun, *, is_background: bool = False) -> None:
    """Waits until there is something to show, for a while.

    Raises ServerError if the turn has failed by then, but for one in the background that was
    cancelled: its stream says so. If the task that waits is cancelled, the
    client has left.
    """
    try:
        async with asyncio.timeout(PATIENCE_S):
            await run.begun.wait()
    except TimeoutError:
        return
    except asyncio.CancelledError:
        run.leave()
        raise
    if run.task.done() and has_failed(end := await run.end()):
        if is_background and turn_status(end) == "cancelled":
            return
        raise turn_error(end)


def event_stream(
    run: TurnRun,
    chunks: AsyncIterator[Sequence[JsonObject]],
    headers: Mapping[str, str],
    *,
    done: str | None = None,
) -> EventSourceResponse:
    """The response that sends `chunks`, each as one event, and at last the text `done`.

    Those that are there at the same time are sent together: for a client it is the same stream.
    What goes wrong is sent as an `error` object, as OpenAI's API does in a stream. A client that
    leaves ends the turn, unless that `is_detached`. A server that stops lets the stream go on until
    it ends the turn, and the stream says so.
    """
    return EventSourceResponse(
        _events(chunks, done, run.leave),
        headers=headers,
        ping=PING_S,
        shutdown_grace_period=_GRACE_S,
    )


def followed_stream(
    chunks: AsyncIterator[Sequence[JsonObject]], headers: Mapping[str, str]
) -> EventSourceResponse:
    """The stream of what happens elsewhere, which goes on without it. A server that stops ends it:
    the client can come back.
    """
    return EventSourceResponse(_events(chunks, None, lambda: None), headers=headers, ping=PING_S)


def replayed_stream(
    chunks: Iterable[JsonObject], headers: Mapping[str, str], *, done: str | None = None
) -> Response:
    """The stream of an answer that is whole already."""
    content = b"".join(map(_encoded, chunks))
    if done is not None:
        content += ServerSentEvent(done).encode()
    return Response(content, headers=dict(headers), media_type="text/event-stream")


async def _events(
    chunks: AsyncIterator[Sequence[JsonObject]], done: str | None, leave: Callable[[], None]
) -> AsyncIterator[bytes]:
    try:
        async for together in chunks:
            if together:
                yield b"".join(map(_encoded, together))
    except ServerError as exc:
        yield ServerSentEvent(_json(exc.body)).encode()
    except Exception as exc:  # noqa: BLE001  the status is sent already
        _log.exception("A stream has failed")
        yield ServerSentEvent(_json(error_of(exc).body)).encode()
    finally:
        leave()
    if done is not None:
        yield ServerSentEvent(done).encode()


def _encoded(chunk: JsonObject) -> bytes:
    return ServerSentEvent(_json(chunk), event=chunk.get("type")).encode()


# `json.dumps` makes an encoder anew for every call that has options.
_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
