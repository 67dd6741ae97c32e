"""A turn that waits notices within a moment that its caller has cancelled it."""

import asyncio
import time

import pytest

from tests.nodes.stages import Drive, Flag, both_drivers, context_for
from turngraph.nodes.support.cancellation import TurnCancelledError, pause, unless_cancelled


@both_drivers
def test_a_pause_ends_when_the_caller_cancels(driver: Drive) -> None:
    """Not after the hour that it would last."""
    started = time.monotonic()
    driver(pause(3600.0, context_for(cancel=Flag(looks_left=2))))
    assert time.monotonic() - started < 600


@both_drivers
def test_a_pause_takes_its_time_otherwise(driver: Drive) -> None:
    """With a flag it is cut into slices that add up."""
    for context in (context_for(), context_for(cancel=Flag(looks_left=1000))):
        started = time.monotonic()
        driver(pause(0.12, context))
        assert time.monotonic() - started >= 0.11


async def test_an_answer_that_arrives_whole_can_be_cancelled_too() -> None:
    """It has no chunks at which the flag could be looked at; the request is ended."""
    ended = asyncio.Event()

    async def answer() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    with pytest.raises(TurnCancelledError):
        await unless_cancelled(answer(), context_for(cancel=Flag(looks_left=1)))
    await asyncio.wait_for(ended.wait(), 5)


async def test_an_answer_is_passed_on() -> None:
    """With and without a flag."""
    for context in (context_for(), context_for(cancel=Flag(looks_left=9))):
        assert await unless_cancelled(asyncio.sleep(0, "42."), context) == "42."
