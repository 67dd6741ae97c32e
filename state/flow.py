"""Lets a stage that waits be written once and run both sync and async.

A flow is a generator: it yields what it waits for, and a driver waits in one of two ways. There is
no second, async body to keep in step. The idea is from httpx's `Auth`
(https://www.python-httpx.org/advanced/authentication/).
"""

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["Flow", "Wait", "drive", "drive_async"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing to wait for, in a sync and an async form.

    The driver calls one of the two. The flow gets its return value as the value of `yield`; an
    exception is raised inside the flow, at the same `yield`.
    """

    sync: Callable[[], Any]
    """Waits in the calling thread and returns the value."""
    asynchronous: Callable[[], Awaitable[Any]]
    """Returns an awaitable of the same value."""


Flow = Generator[Wait, Any, T]
"""A generator that yields `Wait`s and returns a T. Call another flow with `yield from`."""


def drive(flow: Flow[T]) -> T:
    """Runs `flow` in this thread and returns its value. Raises what the flow raises.

    >>> import asyncio
    >>> def double() -> Flow[int]:
    ...     number = yield Wait(sync=lambda: 21, asynchronous=lambda: asyncio.sleep(0, 21))
    ...     return number * 2
    >>> drive(double()), asyncio.run(drive_async(double()))
    (42, 42)
    """
    try:
        wait = next(flow)
        while True:
            try:
                value = wait.sync()
            except BaseException as exc:  # noqa: BLE001  the flow itself decides what to catch
                wait = flow.throw(exc)
            else:
                wait = flow.send(value)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


async def drive_async(flow: Flow[T]) -> T:
    """Async version of `drive`, on the running event loop.

    `asyncio.CancelledError` is raised inside the flow like any other error, so a flow can clean up
    (and even wait) before it ends.
    """
    try:
        wait = next(flow)
        while True:
            try:
                value = await wait.asynchronous()
            except BaseException as exc:  # noqa: BLE001  the flow itself decides what to catch
                wait = flow.throw(exc)
            else:
                wait = flow.send(value)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
