"""Reads the pieces of an answer from a connection, sync and async."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import Final

from turngraph.providers.reading.answer_reader import AnswerReader
from turngraph.providers.wire.transport import AsyncResponse, SyncResponse
from turngraph.state.errors import ProviderError
from turngraph.state.reply import StreamChunk

__all__ = ["OnResponseId", "answer_chunks", "async_answer_chunks"]

OnResponseId = Callable[[str], None]
"""Called once with the vendor's id of a streamed answer, before its first piece. The answer can be
looked up by this id later, if the stream breaks.
"""

_SLICE_BYTES: Final = 4_096
"""How much of an answer is read in one go. A long answer that arrived at once becomes thousands of
objects. If they were all there before the first of them is shown, other tasks would wait, and
Python's garbage collector would look at all of them again and again.
"""
_LATE_S: Final = 1.0
"""Seconds from one piece to the next of a complete answer whose stream stays open. Some vendors
send the last piece of the text after the finish reason, within the same moment."""
_USAGE_S: Final = 5.0
"""The same while the usage, which was asked for, is missing. Some vendors never send one."""


def answer_chunks(
    raw: SyncResponse, reader: AnswerReader, on_response_id: OnResponseId | None = None
) -> Iterator[list[StreamChunk]]:
    """Yields the pieces as they arrive, until `reader` needs no more; then those of the end.

    A server may keep the connection open after the answer, and even ping. So once the answer is
    whole, its last pieces are waited for only shortly, and nothing can spoil it any more. Raises
    ProviderError unless `reader` can use what came before the connection broke.
    """
    came_at = time.monotonic()
    pieces = raw.iter_bytes()
    while not reader.done:
        if (late_s := _late_s(reader)) is not None:
            raw.end_within(came_at + late_s - time.monotonic())
        try:
            data = next(pieces, None)
        except ProviderError as exc:
            if reader.survives(exc):
                break
            raise
        if data is None:
            break
        for part in _slices(data):
            chunks = _feed(reader, part, on_response_id)
            yield chunks
            if chunks or late_s is None:  # a ping is no piece of the answer
                came_at = time.monotonic()
    yield reader.end()


async def async_answer_chunks(
    raw: AsyncResponse, reader: AnswerReader, on_response_id: OnResponseId | None = None
) -> AsyncGenerator[list[StreamChunk], None]:
    """Async version of `answer_chunks`."""
    came_at = time.monotonic()
    async with aclosing(raw.aiter_bytes()) as pieces:
        while not reader.done:
            late_s = _late_s(reader)
            try:
                if late_s is None:
                    data = await anext(pieces, None)
                else:
                    async with asyncio.timeout(came_at + late_s - time.monotonic()):
                        data = await anext(pieces, None)
            except TimeoutError:  # only a whole answer has a time of its own to end
                break
            except ProviderError as exc:
                if reader.survives(exc):
                    break
                raise
            if data is None:
                break
            for part in _slices(data):
                chunks = _feed(reader, part, on_response_id)
                yield chunks
                if chunks or late_s is None:
                    came_at = time.monotonic()
                if len(data) > _SLICE_BYTES:
                    await asyncio.sleep(0)
    yield reader.end()


def _late_s(reader: AnswerReader) -> float | None:
    """Returns how many seconds the next piece may take, or None if the answer is not whole."""
    if not reader.whole:
        return None
    return _LATE_S if reader.complete else _USAGE_S


def _slices(data: bytes) -> Iterator[bytes]:
    return (data[n : n + _SLICE_BYTES] for n in range(0, len(data), _SLICE_BYTES))


def _feed(
    reader: AnswerReader, data: bytes, on_response_id: OnResponseId | None
) -> list[StreamChunk]:
    """Returns the pieces that `data` completes, after reporting the answer's id if it is new.

    The id is reported even if `data` ends in an error: the answer can be looked up by it.
    """
    id_before = reader.response_id
    try:
        return reader.feed(data, time.monotonic())
    finally:
        if on_response_id is not None and id_before is None and reader.response_id is not None:
            on_response_id(reader.response_id)
