"""The graph that is drawn of a compiled one: with what LangGraph's own drawing leaves out.

LangGraph finds the edges by a walk from the start, which ends at a conditional edge without a path
map: nothing says where it leads. The nodes behind it are then drawn without any edge, and the node
before it as if it always led to the end. The same happens behind a node that returns a `Command`.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from langchain_core.runnables.graph import Graph
from langgraph.graph import END, START, StateGraph
from langgraph.pregel import Pregel

from turngraph.drawing.layout import Edge, edges_of

__all__ = ["OPEN_NOTE", "Drawable", "open_nodes", "whole_graph"]

Drawable = Graph | Pregel[Any, Any, Any, Any]
"""A compiled graph, or what its `get_graph()` returns."""
OPEN_NOTE: Final = "next: decided at run time"
_IS_OPEN: Final = "turngraph_decides_at_run_time"


def whole_graph(graph: Drawable) -> Graph:
    """Returns the graph to draw.

    A node that decides at run time where it leads gets a conditional edge to each node that nothing
    else leads to, and to the end. It is one of `open_nodes`: it may lead to any other node as well.
    """
    if isinstance(graph, Graph):
        return graph
    drawn, builder = graph.get_graph(), getattr(graph, "builder", None)
    if not isinstance(builder, StateGraph):
        return drawn
    edges, found = list(_declared_edges(builder)), edges_of(drawn)
    deciding = [
        node
        for node, branches in builder.branches.items()
        if any(branch.ends is None for branch in branches.values())
    ]
    missing = _unreached(list(drawn.nodes), _united(found, edges))
    if not deciding and not missing:
        return drawn
    # Without a conditional edge that is open, it is a `Command` that leads there.
    sources = {edge.source for edge in edges}
    deciding = deciding or [
        node for node in drawn.nodes if node not in {*sources, *missing, START, END}
    ]
    # What LangGraph has found in vain: that a node always leads to the end.
    found = [edge for edge in found if edge.source not in deciding or edge.target != END]
    ahead = [
        Edge(node, target, True) for node in deciding for target in (*_heads(missing, edges), END)
    ]
    last = [Edge(node, END) for node in missing if node not in {*sources, *deciding}]
    _replace_edges(drawn, _united(found, edges, ahead, last), deciding)
    return drawn


def open_nodes(graph: Graph) -> list[str]:
    """Returns the nodes of a `whole_graph` that decide at run time where they lead."""
    return [name for name, node in graph.nodes.items() if (node.metadata or {}).get(_IS_OPEN)]


def _declared_edges(builder: StateGraph[Any, Any, Any, Any]) -> Iterator[Edge]:
    """The edges that a graph was built with, as far as they name where they lead."""
    for source, target in sorted(builder.edges):
        yield Edge(source, target)
    for starts, target in sorted(builder.waiting_edges):
        for source in starts:
            yield Edge(source, target)
    for source, branches in builder.branches.items():
        for branch in branches.values():
            for label, target in (branch.ends or {}).items():
                yield Edge(source, target, True, "" if label == target else str(label))
    for source, spec in builder.nodes.items():
        for target in spec.ends or ():
            yield Edge(source, target, True)


def _united(*parts: Sequence[Edge]) -> list[Edge]:
    """The edges of all parts; of several between the same nodes, the first."""
    edges: dict[tuple[str, str], Edge] = {}
    for edge in (edge for part in parts for edge in part):
        edges.setdefault((edge.source, edge.target), edge)
    return list(edges.values())


def _unreached(nodes: Sequence[str], edges: Sequence[Edge]) -> list[str]:
    """The nodes that no way of known edges leads to."""
    reached, size = {START, END}, 0
    while len(reached) > size:
        size = len(reached)
        reached |= {edge.target for edge in edges if edge.source in reached}
    return [node for node in nodes if node not in reached]


def _heads(missing: Collection[str], edges: Sequence[Edge]) -> list[str]:
    """Those of the unreached nodes that no other one leads to; all of them if they are a ring."""
    led_to = {edge.target for edge in edges if edge.source != edge.target}
    return [node for node in missing if node not in led_to] or list(missing)


def _replace_edges(graph: Graph, edges: Sequence[Edge], deciding: Collection[str]) -> None:
    if END not in graph.nodes:
        graph.add_node(None, END)
    for name in deciding:
        node = graph.nodes[name]
        graph.nodes[name] = node._replace(metadata={**(node.metadata or {}), _IS_OPEN: True})
    graph.edges.clear()
    for edge in edges:
        source, target = graph.nodes[edge.source], graph.nodes[edge.target]
        graph.add_edge(source, target, edge.label or None, edge.conditional)
