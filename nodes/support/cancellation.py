"""How a turn notices that its caller has cancelled it, while it waits."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, TypeVar

from turngraph.nodes.support.stage_context import StageContext
from turngraph.providers.wire.loop_thread import LOOP_THREAD
from turngraph.state.flow import Flow, Wait
from turngraph.tools.running import interruptible

__all__ = [
    "TurnCancelledError",
    "call_unless_cancelled",
    "pause",
    "tool_unless_cancelled",
    "unless_cancelled",
]

T = TypeVar("T")

_POLL_S: Final = 0.05
"""Seconds between two looks at the caller's flag. Of a flag only `is_set` is known, so nobody can
wait for it, unless it is an `asyncio.Event`.
"""


class TurnCancelledError(Exception):
    """The caller cancelled the turn while it waited for an answer or for a tool. Never leaves this
    room.
    """


def pause(seconds: float, context: StageContext) -> Flow[None]:
    """Waits `seconds`, or until the caller cancels the turn."""
    while seconds > 0 and not context.cancelled:
        slice_s = min(seconds, _POLL_S) if context.cancellable else seconds
        yield Wait(partial(time.sleep, slice_s), partial(asyncio.sleep, slice_s))
        seconds -= slice_s


async def unless_cancelled(coroutine: Coroutine[Any, Any, T], context: StageContext) -> T:
    """Returns the value of `coroutine`. Raises TurnCancelledError once the caller cancels the turn.

    A streamed answer is checked at every chunk too; this is for the silence before and between.
    """
    if not context.cancellable:
        return await coroutine
    task = asyncio.create_task(coroutine)
    if isinstance(context.cancel, asyncio.Event):
        return await _unless_set(task, context.cancel)
    try:
        while not task.done():
            if context.cancelled:
                raise TurnCancelledError
            await asyncio.wait({task}, timeout=_POLL_S)
        return task.result()
    finally:
        task.cancel()


async def _unless_set(task: asyncio.Task[T], cancel: asyncio.Event) -> T:
    cancelled = asyncio.create_task(cancel.wait())
    try:
        await asyncio.wait({task, cancelled}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise TurnCancelledError
        return task.result()
    finally:
        task.cancel()
        cancelled.cancel()


def call_unless_cancelled(call: Callable[[], T], context: StageContext) -> T:
    """Sync version of `unless_cancelled`, for a call that makes its requests on `LOOP_THREAD`."""
    if not context.cancellable:
        return call()

    def check() -> None:
        if context.cancelled:
            raise TurnCancelledError

    with LOOP_THREAD.interruptible(check):
        return call()


def tool_unless_cancelled(wait: Wait, context: StageContext) -> Wait:
    """Returns `wait`, for a tool, so that it raises TurnCancelledError once the turn is cancelled.

    An async tool is cancelled. A thread cannot be stopped: a sync tool is abandoned, as one that is
    over its time.
    """
    if not context.cancellable:
        return wait
    looks = _SecondLook(context)

    def sync() -> Any:
        with interruptible(looks.check):
            return wait.sync()

    async def asynchronous() -> Any:
        task = asyncio.ensure_future(wait.asynchronous())
        try:
            while not task.done():
                looks.check()
                await asyncio.wait({task}, timeout=_POLL_S)
            return task.result()
        finally:
            task.cancel()

    return Wait(sync, asynchronous)


class _SecondLook:
    """Looks at the caller's flag, and counts only what is found twice.

    A tool may cancel its own turn. Its answer, which is then about to come, must not be lost.
    """

    def __init__(self, context: StageContext) -> None:
        self._context, self._found = context, False

    def check(self) -> None:
        """Raises TurnCancelledError if this look and the one before it find the turn cancelled."""
        if self._context.cancelled and self._found:
            raise TurnCancelledError
        self._found = self._context.cancelled
