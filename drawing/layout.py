"""Where the boxes and lines of a graph's picture go: rows of nodes, and lanes beside them for the
lines that skip.

A step to the next row is drawn straight down. A line that skips rows runs in a lane on the left,
one that goes back in a lane on the right. Pure, and the same every time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from langchain_core.runnables.graph import Graph
from langgraph.graph import END

__all__ = ["Edge", "Layout", "Route", "Side", "edges_of", "layout"]

Side = Literal["down", "left", "right"]


class Edge(NamedTuple):
    """A line from one node to another; a conditional one is not always taken, its `label` may say
    when.
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
    """Nodes in rows from the top, and a route for every edge."""

    rows: tuple[tuple[str, ...], ...]
    routes: tuple[Route, ...]

    def lanes(self, side: Side) -> int:
        """How many lanes there are on `side`."""
        return max((route.lane + 1 for route in self.routes if route.side == side), default=0)

    def row_of(self, node: str) -> int:
        """The row, from 0, in which `node` stands."""
        return next(number for number, row in enumerate(self.rows) if node in row)


def edges_of(graph: Graph) -> list[Edge]:
    """The edges of LangGraph's `get_graph()`."""
    return [
        Edge(
            edge.source, edge.target, edge.conditional, "" if edge.data is None else str(edge.data)
        )
        for edge in graph.edges
    ]


def layout(nodes: Sequence[str], edges: Sequence[Edge]) -> Layout:
    """A place for each of `nodes` and a way for each of `edges`.

    >>> layout("abc", [Edge("a", "b"), Edge("b", "c"), Edge("c", "a")]).routes[2]
    Route(edge=Edge(source='c', target='a', conditional=False, label=''), side='right', lane=0)
    """
    forward = [edge for edge in edges if edge not in _going_back(nodes, edges)]
    rank = _ranks(nodes, forward)
    rows = _ordered(nodes, rank, forward)
    sides: list[tuple[Edge, Side]] = [
        (edge, _side(rank[edge.source], rank[edge.target])) for edge in edges
    ]
    lanes = {
        (edge, side): lane
        for side in ("left", "right")
        for edge, lane in _lanes([edge for edge, where in sides if where == side], rank)
    }
    return Layout(
        rows, tuple(Route(edge, side, lanes.get((edge, side), 0)) for edge, side in sides)
    )


def _going_back(nodes: Sequence[str], edges: Sequence[Edge]) -> set[Edge]:
    """The edges that close a ring, met on a walk from the first node to the last one left."""
    back: set[Edge] = set()
    done: set[str] = set()
    for first in nodes:
        if first in done:
            continue
        trail = [(first, _leaving(first, edges))]
        open_ = [first]
        while trail:
            _, left = trail[-1]
            edge = next(left, None)
            if edge is None:
                trail.pop()
                done.add(open_.pop())
            elif edge.target in open_:
                back.add(edge)
            elif edge.target not in done:
                trail.append((edge.target, _leaving(edge.target, edges)))
                open_.append(edge.target)
    return back


def _leaving(node: str, edges: Sequence[Edge]) -> Iterator[Edge]:
    return (edge for edge in edges if edge.source == node)


def _ranks(nodes: Sequence[str], forward: Sequence[Edge]) -> Mapping[str, int]:
    """For each node the longest way to it, so that every forward edge goes down. The end stands
    below all others.
    """
    rank = dict.fromkeys(nodes, 0)
    for _ in nodes:
        for edge in forward:
            rank[edge.target] = max(rank[edge.target], rank[edge.source] + 1)
    others = [place for node, place in rank.items() if node != END]
    if END in rank and others:
        rank[END] = max(others) + 1
    return rank


def _ordered(
    nodes: Sequence[str], rank: Mapping[str, int], forward: Sequence[Edge]
) -> tuple[tuple[str, ...], ...]:
    """The rows, each in the order of what leads to it, so that few lines cross."""
    rows: list[tuple[str, ...]] = []
    place: dict[str, float] = {}
    for number in range(max(rank.values(), default=-1) + 1):
        row = [node for node in nodes if rank[node] == number]
        before = {
            node: _mean(
                place[edge.source]
                for edge in forward
                if edge.target == node and edge.source in place
            )
            for node in row
        }
        row.sort(key=lambda node: before[node])
        place.update({node: n - (len(row) - 1) / 2 for n, node in enumerate(row)})
        rows.append(tuple(row))
    return tuple(rows)


def _mean(numbers: Iterable[float]) -> float:
    found = list(numbers)
    return sum(found) / len(found) if found else 0.0


def _side(source: int, target: int) -> Side:
    if target == source + 1:
        return "down"
    return "left" if target > source else "right"


def _lanes(edges: Sequence[Edge], rank: Mapping[str, int]) -> Iterator[tuple[Edge, int]]:
    """Short lines nearest; two share a lane where they do not meet or always lead to the same node."""
    taken: list[list[tuple[int, int, str | None]]] = []
    spans = {edge: tuple(sorted((rank[edge.source], rank[edge.target]))) for edge in edges}
    for edge in sorted(edges, key=lambda edge: spans[edge][1] - spans[edge][0]):
        top, bottom = spans[edge]
        free = (
            lane
            for lane, used in enumerate(taken)
            if all(
                bottom < a or b < top or target == _merging(edge) is not None
                for a, b, target in used
            )
        )
        lane = next(free, len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append((top, bottom, _merging(edge)))
        yield edge, lane


def _merging(edge: Edge) -> str | None:
    """The node whose other lines this one may join; a dashed line stays alone, or it would look
    solid.
    """
    return None if edge.conditional or edge.source == edge.target else edge.target
