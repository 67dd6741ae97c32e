"""A call in a thread, waited for on an event loop."""

import asyncio
import gc
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from turngraph.billing.store.thread_calls import in_thread


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


class AWorse(BaseException):
    """No Exception, as Ctrl-C is none."""


def test_what_a_call_returns_or_raises_comes_to_the_task(threads: ThreadPoolExecutor) -> None:
    """From a thread that is not the loop's; calls at once do not mix."""

    async def work() -> None:
        many = await asyncio.gather(*(in_thread(threads, lambda n=n: n) for n in range(50)))  # type: ignore[misc]
        assert many == [*range(50)]
        assert await in_thread(threads, threading.get_ident) != threading.get_ident()
        for error in (ValueError("seven"), AWorse("eight")):
            with pytest.raises(type(error)) as caught:
                await in_thread(threads, lambda error=error: _raise(error))  # type: ignore[misc]
            assert caught.value is error

    asyncio.run(work())


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("fails", [False, True])
def test_a_call_whose_task_was_cancelled_goes_on_to_its_end(
    threads: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture, fails: bool
) -> None:
    """If it fails, the log says so: nobody else is there to be told."""
    may_end, ended = threading.Event(), threading.Event()

    def call() -> None:
        may_end.wait(60)
        ended.set()
        if fails:
            raise ValueError("The disk is full.")

    async def work() -> None:
        task = asyncio.create_task(in_thread(threads, call))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        may_end.set()
        await in_thread(threads, lambda: None)  # comes after it

    with caplog.at_level(logging.WARNING):
        asyncio.run(work())
    assert ended.is_set()
    assert [record.getMessage() for record in caplog.records] == (
        ["Not written to the ledger: The disk is full."] if fails else []
    )


def test_a_call_that_outlives_its_loop_ends_without_a_word(
    threads: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    """Also without a warning of a future that nobody has looked at."""
    may_end, ended = threading.Event(), threading.Event()

    def call() -> None:
        may_end.wait(60)
        ended.set()

    async def leave() -> None:
        left = asyncio.create_task(in_thread(threads, call))
        await asyncio.sleep(0)
        left.cancel()

    asyncio.run(leave())
    may_end.set()
    threads.submit(lambda: None).result(60)
    gc.collect()
    assert ended.is_set()
    assert caplog.records == []
