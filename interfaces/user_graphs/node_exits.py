"""Keeps `sys.exit` in a node of a user's graph from ending what runs the graph.

asyncio lets SystemExit of any task end the whole loop, and a graph's nodes run in tasks of
LangGraph's own. So the exit becomes an error of its node.

Source: https://docs.python.org/3/library/asyncio-task.html#asyncio.Task
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.pregel import Pregel

from turngraph.graphs.turn_graph import TurnGraph

__all__ = ["NodeExitError", "contain_exits", "without_exit"]

Graph = Pregel[Any, Any, Any, Any]
T = TypeVar("T")


class NodeExitError(Exception):
    """A node of a graph, or what it calls, has tried to end the process."""


async def without_exit(work: Awaitable[T]) -> T:
    """Returns what a node returns. Raises NodeExitError where it would end the process."""
    try:
        return await work
    except (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt):
        raise
    except SystemExit as exc:
        raise NodeExitError(f"The node has called `sys.exit({exc.code!r})`.") from exc
    except BaseException as exc:
        if isinstance(exc, Exception):
            raise
        raise NodeExitError(f"The node has raised {type(exc).__name__}.") from exc


def contain_exits(graph: Graph) -> Graph:
    """Returns a copy of a compiled graph in which no node, also of graphs inside it, ends the
    process. Nodes raise NodeExitError instead. Turns end nothing, and stay as they are.
    """
    if isinstance(graph, TurnGraph):
        return graph
    nodes = {
        name: node.copy({"bound": _contained(node.bound)}) for name, node in graph.nodes.items()
    }
    return graph.copy({"nodes": nodes})


def _contained(bound: Any) -> Any:
    if isinstance(bound, Pregel):
        return contain_exits(bound)

    async def run(value: Any, config: RunnableConfig) -> Any:
        return await without_exit(bound.ainvoke(value, config))

    return RunnableLambda(run, name=bound.name)
