"""Follows the runs of a turn from outside, from their first step to their end."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp

from turngraph.nodes.support.stage_context import TRACE
from turngraph.nodes.support.telemetry import Telemetry

__all__ = ["atraced", "traced"]


def traced(
    telemetry: Telemetry,
    name: str,
    config: RunnableConfig | None,
    run: Callable[[RunnableConfig], Iterator[Any]],
) -> Iterator[Any]:
    """Yields the parts of `run`, a run of the graph `name`, while `telemetry` follows it."""
    with _followed(telemetry, name, config or {}) as followed:
        yield from run(followed)


async def atraced(
    telemetry: Telemetry,
    name: str,
    config: RunnableConfig | None,
    run: Callable[[RunnableConfig], AsyncIterator[Any]],
) -> AsyncIterator[Any]:
    """Async version of `traced`."""
    with _followed(telemetry, name, config or {}) as followed:
        async for part in run(followed):
            yield part


@contextmanager
def _followed(telemetry: Telemetry, name: str, config: RunnableConfig) -> Iterator[RunnableConfig]:
    configurable: Mapping[str, Any] = config.get("configurable", {})
    trace = telemetry.start_run(name, configurable.get("thread_id"))
    try:
        yield {**config, "configurable": {**configurable, TRACE: trace}}
    # A caller may have seen enough, and a graph that waits for a person has not failed.
    except (GeneratorExit, GraphBubbleUp):
        trace.end(None)
        raise
    except BaseException as exc:
        trace.end(exc)
        raise
    trace.end(None)
