"""Keeps `sys.exit` in a served graph from ending the server.

asyncio lets SystemExit of any task end the whole loop, and a graph's nodes run in tasks of
LangGraph's own. So each node is wrapped, and its exit becomes an error of its request.

Source: https://docs.python.org/3/library/asyncio-task.html#asyncio.Task
"""

import asyncio
from typing import Any

from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.pregel import Pregel

from turngraph.graphs.turn_graph import TurnGraph

__all__ = ["NodeExitError", "contain_exits"]

Graph = Pregel[Any, Any, Any, Any]


class NodeExitError(Exception):
    """A node of a served graph, or what it calls, has tried to end the process."""


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
        try:
            return await bound.ainvoke(value, config)
        except (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            if isinstance(exc, Exception):
                raise
            raise NodeExitError(f"A node of the graph has raised {type(exc).__name__}.") from exc

    return RunnableLambda(run, name=bound.name)
