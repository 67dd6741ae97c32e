"""A stage that waits, written once: it yields what it waits for, and is driven sync or async.

Learned from httpx's `Auth`: the logic is a generator, so there is no second body to keep in step.
"""

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["Flow", "Wait", "drive", "drive_async"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wait:
    """Something to wait for, in its two forms. The flow is sent what it returns, or thrown what it
    raises.
    """

    sync: Callable[[], Any]
    asynchronous: Callable[[], Awaitable[Any]]


Flow = Generator[Wait, Any, T]
"""A generator of waits that returns a T."""


def drive(flow: Flow[T]) -> T:
    """Run `flow`, waiting in this thread.

    >>> import asyncio
    >>> def flow() -> Flow[int]:
    ...     one = yield Wait(lambda: 1, lambda: asyncio.sleep(0, 1))
    ...     return one + 1
    >>> drive(flow()), asyncio.run(drive_async(flow()))
    (2, 2)
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
    """Run `flow`, waiting on the running event loop. A cancellation is thrown into the flow like
    any error.
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
