"""Tools that run in a process other than the one that built the toolbox."""

import os
import sys

import pytest

from turngraph.tools.running import BackgroundLoop


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
