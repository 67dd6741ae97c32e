"""Decides where the boxes and lines of a graph go: rows of nodes, with lanes beside them.

An edge to the next row is drawn straight down. An edge that skips rows runs in a lane on the left,
an edge that goes back in a lane on the right. The same graph always gets the same layout.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from langchain_core.runnables.graph import Graph
from langgraph.graph import END, START

__all__ = ["END_LABELS", "Edge", "Layout", "Route", "Side", "edges_of", "layout"]

Side = Literal["down", "left", "right"]

END_LABELS: Final[Mapping[str, str]] = {START: "START", END: "END"}
"""How the two ends of a graph are labeled. LangGraph's own names are `__start__` and `__end__`."""


class Edge(NamedTuple):
    """An edge from one node to another. A conditional edge is not always taken; `label` can say
    when it is.
    """

    source: str
    target: str
    conditional: bool = False
    label: str = ""


class Route(NamedTuple):
    """How an edge is drawn: down, or beside the nodes in lane 0 (the innermost), 1, …"""

    edge: Edge
    side: Side
    lane: int = 0


@dataclass(frozen=True)
class Layout:
    """The nodes in rows from the top, and a route for every edge."""

    rows: tuple[tuple[str, ...], ...]
    routes: tuple[Route, ...]

    def lanes(self, side: Side) -> int:
        """Returns the number of lanes on `side`."""
        return max((route.lane + 1 for route in self.routes if route.side == side), default=0)

    def row_of(self, node: str) -> int:
        """Returns the row of `node`, counted from 0."""
        return next(number for number, row in enumerate(self.rows) if node in row)


def edges_of(graph: Graph) -> list[Edge]:
    """Returns the edges of a graph that LangGraph's `get_graph()` returned."""
    return [
        Edge(
            edge.source, edge.target, edge.conditional, "" if edge.data is None else str(edge.data)
        )
        for edge in graph.edges
    ]


def layout(nodes: Sequence[str], edges: Sequence[Edge]) -> Layout:
    """Returns a place for each of `nodes` and a route for each of `edges`.

    >>> layout("abc", [Edge("a", "b"), Edge("b", "c"), Edge("c", "a")]).routes[2]
    Route(edge=Edge(source='c', target='a', conditional=False, label=''), side='right', lane=0)
    """
    back = _back_edges(nodes, edges)
    forward = [edge for edge in edges if edge not in back]
    rank = _ranks(nodes, forward)
    sides: list[tuple[Edge, Side]] = [
        (edge, _side(rank[edge.source], rank[edge.target])) for edge in edges
    ]
    lanes = {
        (edge, side): lane
        for side in ("left", "right")
        for edge, lane in _lanes([edge for edge, where in sides if where == side], rank)
    }
    return Layout(
        _rows(nodes, rank, forward),
        tuple(Route(edge, side, lanes.get((edge, side), 0)) for edge, side in sides),
    )


def _back_edges(nodes: Sequence[str], edges: Sequence[Edge]) -> set[Edge]:
    """Returns the edges that close a cycle, found by a depth-first search from each node.

    It keeps its own stack, because a long chain of nodes would exceed Python's recursion limit.
    """
    back: set[Edge] = set()
    done: set[str] = set()
    for first in nodes:
        if first in done:
            continue
        path = [first]
        pending = [_edges_from(first, edges)]
        while path:
            edge = next(pending[-1], None)
            if edge is None:
                pending.pop()
                done.add(path.pop())
            elif edge.target in path:
                back.add(edge)
            elif edge.target not in done:
                path.append(edge.target)
                pending.append(_edges_from(edge.target, edges))
    return back


def _edges_from(node: str, edges: Sequence[Edge]) -> Iterator[Edge]:
    return (edge for edge in edges if edge.source == node)


def _ranks(nodes: Sequence[str], forward: Sequence[Edge]) -> Mapping[str, int]:
    """Returns the row of each node: the length of the longest way to it.

    So every forward edge points down. The end is below all other nodes.
    """
    rank = dict.fromkeys(nodes, 0)
    # The longest way has fewer edges than there are nodes, so that many rounds are enough.
    for _ in nodes:
        for edge in forward:
            rank[edge.target] = max(rank[edge.target], rank[edge.source] + 1)
    others = [row for node, row in rank.items() if node != END]
    if END in rank and others:
        rank[END] = max(others) + 1
    return rank


def _rows(
    nodes: Sequence[str], rank: Mapping[str, int], forward: Sequence[Edge]
) -> tuple[tuple[str, ...], ...]:
    """Returns the rows. Nodes in a row stand in the order of their predecessors, so that few lines
    cross.
    """
    rows: list[tuple[str, ...]] = []
    position: dict[str, float] = {}  # horizontal, 0 is the middle
    for number in range(max(rank.values(), default=-1) + 1):
        row = [node for node in nodes if rank[node] == number]
        mean_before = {
            node: _mean(
                position[edge.source]
                for edge in forward
                if edge.target == node and edge.source in position
            )
            for node in row
        }
        row.sort(key=lambda node: mean_before[node])
        position.update({node: n - (len(row) - 1) / 2 for n, node in enumerate(row)})
        rows.append(tuple(row))
    return tuple(rows)


def _mean(numbers: Iterable[float]) -> float:
    values = list(numbers)
    return sum(values) / len(values) if values else 0.0


def _side(source: int, target: int) -> Side:
    if target == source + 1:
        return "down"
    return "left" if target > source else "right"


def _lanes(edges: Sequence[Edge], rank: Mapping[str, int]) -> Iterator[tuple[Edge, int]]:
    """Yields a lane for each edge, the innermost that is free. Short edges come first.

    Two edges share a lane if they do not overlap, or if both always lead to the same node.
    """
    used: list[list[tuple[int, int, str | None]]] = []
    spans = {edge: tuple(sorted((rank[edge.source], rank[edge.target]))) for edge in edges}
    for edge in sorted(edges, key=lambda edge: spans[edge][1] - spans[edge][0]):
        top, bottom = spans[edge]
        shared = _shared_target(edge)
        free = (
            lane
            for lane, others in enumerate(used)
            if all(
                bottom < first or last < top or target == shared is not None
                for first, last, target in others
            )
        )
        lane = next(free, len(used))
        if lane == len(used):
            used.append([])
        used[lane].append((top, bottom, shared))
        yield edge, lane


def _shared_target(edge: Edge) -> str | None:
    """Returns the node at which `edge` may merge with other lines, or None if it stays alone.

    A dashed line over a solid one would look solid.
    """
    return None if edge.conditional or edge.source == edge.target else edge.target
