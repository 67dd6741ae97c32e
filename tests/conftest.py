"""For every test: LangGraph decodes strictly, which it decides when it is first imported; processes
are started as in a plain installation (`tests/lean`); temporary folders are in memory where there
is room; and Hypothesis takes the same examples each time, and as long for one as it likes.
"""

import functools
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.paths import LEAN

settings.register_profile(
    "unhurried",
    deadline=None,
    # Another example each time would find something one day in a change that is not about it.
    # `make properties` takes others.
    derandomize=True,
    print_blob=True,
    # Slowness again: how long an input takes to draw depends on what else the machine does.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("random", settings.get_profile("unhurried"), derandomize=False)
settings.load_profile("unhurried")

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(LEAN), os.getenv("PYTHONPATH"))))
sys.path.insert(0, str(LEAN))


def _has_room(folder: Path) -> bool:
    """Whether temporary files may be put there, programs among them."""
    return (
        os.access(folder, os.W_OK)
        and shutil.disk_usage(folder).free > 4e9
        and not os.statvfs(folder).f_flag & os.ST_NOEXEC
    )


# A database waits for the disk at each commit, which can take longer than the rest of a test.
IN_MEMORY = Path("/dev/shm")
if "TMPDIR" not in os.environ and _has_room(IN_MEMORY):
    os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collects without looking for garbage, of which there is none: half the time of it. What is
    there afterwards stays to the end, so no later search needs to walk through it.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `long` begin first: none of them is left to one worker when all others end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session", autouse=True)
def _no_client_of_langchain_is_dropped() -> None:
    """`langchain_openai` keeps an HTTP client for each of the last 128 addresses, for all its
    models. A test that asks one within `asyncio.run` leaves it an open connection of a loop that
    has ended; the 129th address drops it, and the collector finds the connection in another test.
    """
    from langchain_openai.chat_models import _client_utils

    kept: Any = getattr(_client_utils, "_cached_async_httpx_client", None)
    if kept is not None:
        vars(_client_utils)["_cached_async_httpx_client"] = functools.cache(kept.__wrapped__)
