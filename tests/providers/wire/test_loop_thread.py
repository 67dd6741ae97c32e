"""The thread on which sync code makes its requests."""

import threading

from tests.turns import turn_on
from turngraph.providers.wire.loop_thread import LOOP_THREAD
from turngraph.scripted import Say, ScriptedModel


def http_threads() -> int:
    return sum(thread.name == "turngraph-http" for thread in threading.enumerate())


def test_a_stopped_thread_is_started_again_by_the_next_request() -> None:
    """A program that forks stops it first, and goes on working in the parent."""
    with ScriptedModel([Say("one"), Say("two")]) as model:
        turn = turn_on(model)
        assert turn.run("Q").answer == "one"
        assert http_threads() == 1
        LOOP_THREAD.stop()
        LOOP_THREAD.stop()
        assert http_threads() == 0
        assert turn.run("Q").answer == "two"
        assert http_threads() == 1
