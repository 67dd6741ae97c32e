"""Threads and loops that tools run in: reused, abandoned, and after a fork."""

import asyncio
import os
import sys
import threading
import time
import weakref

import pytest

from turngraph.tools.running import BackgroundLoop, run_in_thread, run_in_thread_async


async def answer() -> int:
    """An async tool's work."""
    return 42


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_forked_process_runs_async_work_too() -> None:
    """A forked worker inherits the loop, but not the thread that ran it."""
    background = BackgroundLoop()
    assert background.run(answer, 10).value == 42
    child = os.fork()
    if child == 0:
        done = background.run(answer, 10).value == 42
        sys.stdout.flush()
        os._exit(0 if done else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert background.run(answer, 10).value == 42
    background.close()


def test_calls_in_a_row_share_a_thread() -> None:
    """Starting a thread is a large part of a short call."""
    first = run_in_thread(threading.get_ident, 10).value
    assert first != threading.get_ident()
    assert {run_in_thread(threading.get_ident, 10).value for _ in range(20)} == {first}
    again = asyncio.run(run_in_thread_async(threading.get_ident, 10)).value
    assert again == first


def test_calls_at_the_same_time_have_threads_of_their_own() -> None:
    """There is no limit, so a call never waits for another tool."""
    barrier = threading.Barrier(40)

    async def all_at_once() -> list[bool]:
        work = [run_in_thread_async(lambda: barrier.wait(60) >= 0, 30) for _ in range(40)]
        return [outcome.value is True for outcome in await asyncio.gather(*work)]

    assert all(asyncio.run(all_at_once()))


def test_a_thread_that_hung_is_never_used_again() -> None:
    """What it was doing may have left anything behind in it."""
    release, hung = threading.Event(), []

    def hang() -> None:
        hung.append(threading.current_thread())
        release.wait(60)

    assert run_in_thread(hang, 0.05).timed_out
    assert hung[0].daemon
    others = {run_in_thread(threading.current_thread, 10).value for _ in range(5)}
    release.set()
    hung[0].join(60)
    assert not hung[0].is_alive()
    others |= {run_in_thread(threading.current_thread, 10).value for _ in range(5)}
    assert hung[0] not in others


def test_an_idle_thread_keeps_no_result_alive() -> None:
    """A result may be large."""

    class Result:
        pass

    kept = weakref.ref(run_in_thread(Result, 10).value)
    for _ in range(200):
        if kept() is None:
            break
        time.sleep(0.01)
    assert kept() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_forked_process_starts_threads_of_its_own() -> None:
    """It inherits the list of idle threads, but none of the threads."""
    assert run_in_thread(lambda: 42, 10).value == 42
    child = os.fork()
    if child == 0:
        os._exit(0 if run_in_thread(lambda: 42, 10).value == 42 else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_async_work_over_its_time_is_cancelled() -> None:
    """A task that goes on would do its work after the turn has told the model that it did not."""
    unwound = threading.Event()

    async def answer() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            unwound.set()

    background = BackgroundLoop()
    assert background.run(answer, 0.5).timed_out
    assert unwound.wait(60)
    background.close()
