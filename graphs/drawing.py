"""A graph as an SVG picture, made here: no browser, no network. (LangGraph's own picture is made by a web service.)

Light and dark follow the reader's system. Every box carries its node's name in `data-node`, so that a page can style
the one it speaks of: `.turngraph [data-node="call_llm"] rect { stroke: red }`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

from langchain_core.runnables.graph import Graph
from langgraph.graph import END, START

from turngraph.graphs.layout import Layout, Route, edges_of, layout
from turngraph.nodes.bill import bill
from turngraph.nodes.call_llm import call_llm
from turngraph.nodes.dispatch_tools import dispatch_tools
from turngraph.nodes.finalize import finalize
from turngraph.nodes.prep_first_request import prep_first_request
from turngraph.nodes.prep_second_request import prep_second_request

__all__ = ["draw_svg", "turn_notes"]

Point = tuple[float, float]

BOX_HEIGHT: Final = 50.0
PILL_HEIGHT: Final = 26.0
PILL_WIDTH: Final = 76.0
GAP: Final = 34.0  # between rows
SPACE: Final = 28.0  # between the boxes of a row
LANE: Final = 24.0
MARGIN: Final = 14.0
CORNER: Final = 9.0
PORT: Final = 7.0  # how far from a box's middle a line beside it leaves or arrives
NAME_WIDTH: Final = 7.9  # of a letter of the names, in pixels
NOTE_WIDTH: Final = 5.9
LABELS: Final[Mapping[str, str]] = {START: "START", END: "END"}

STYLE: Final = """
.turngraph rect { fill: #ffffff; stroke: #57606a; stroke-width: 1.2 }
.turngraph .end rect { fill: #eaeef2; stroke: none }
.turngraph path { fill: none; stroke: #8c959f; stroke-width: 1.6 }
.turngraph .maybe { stroke-dasharray: 5 4 }
.turngraph marker path { fill: #8c959f; stroke: none }
.turngraph text { text-anchor: middle; dominant-baseline: central; fill: #1f2328; \
font: 600 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
.turngraph text.note { fill: #59636e; font: 11.5px system-ui, -apple-system, 'Segoe UI', sans-serif }
.turngraph .end text { font-size: 11px; letter-spacing: 1px }
@media (prefers-color-scheme: dark) {
.turngraph rect { fill: #161b22; stroke: #8b949e }
.turngraph .end rect { fill: #30363d }
.turngraph path { stroke: #6e7681 }
.turngraph marker path { fill: #6e7681 }
.turngraph text { fill: #e6edf3 }
.turngraph text.note { fill: #9198a1 }
}
"""
ARROW: Final = (
    '<marker id="turngraph-arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
    'orient="auto-start-reverse"><path d="M0 0.8 L10 5 L0 9.2 z"/></marker>'
)


@dataclass(frozen=True)
class _Box:
    """A node on the paper: its middle, its size."""

    node: str
    x: float
    y: float
    width: float
    height: float
    first: bool
    """Whether it is the leftmost of its row."""
    last: bool

    @property
    def top(self) -> float:
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height / 2


@dataclass(frozen=True)
class _Paper:
    """Everything measured: the boxes, and where the lanes beside them begin."""

    boxes: Mapping[str, _Box]
    left: float
    right: float
    width: float
    height: float
    notes: Mapping[str, str] = field(default_factory=dict)


def turn_notes() -> dict[str, str]:
    """What each stage of a turn does, in the first sentence of its own docstring.

    >>> turn_notes()["finalize"]
    'End the turn.'
    """
    stages = (prep_first_request, call_llm, bill, dispatch_tools, prep_second_request, finalize)
    return {stage.__name__: (stage.__doc__ or "").split("\n")[0] for stage in stages}


def draw_svg(graph: Graph, *, notes: Mapping[str, str] | None = None) -> str:
    """The picture of `graph`, what any compiled LangGraph graph's `get_graph()` returns, as an SVG document.

    A line that is not always taken is dashed. `notes` stand under the nodes' names; those of a turn's own stages are
    known (`turn_notes`).

        >>> from langchain_core.runnables.graph import Graph
        >>> graph = Graph()
        >>> _ = graph.add_edge(graph.add_node(str, id="ask"), graph.add_node(str, id="answer"))
        >>> draw_svg(graph)[:4]
        '<svg'
    """
    plan = layout(list(graph.nodes), edges_of(graph))
    known = turn_notes() if notes is None else notes
    paper = _measured(plan, {node: known[node] for node in graph.nodes if node in known})
    ways = " ".join(f"{_label(r.edge.source)} to {_label(r.edge.target)}." for r in plan.routes)
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="turngraph" role="img" '
            f'viewBox="0 0 {paper.width:g} {paper.height:g}" width="{paper.width:g}" height="{paper.height:g}">',
            f"<title>{_label(', '.join(graph.nodes))}</title>",
            f"<desc>{ways}</desc>",
            f"<style>{STYLE}</style>",
            f"<defs>{ARROW}</defs>",
            *(_line(route, paper) for route in plan.routes),
            *(_box(box, paper.notes.get(box.node)) for box in paper.boxes.values()),
            "</svg>\n",
        )
    )


def _measured(plan: Layout, notes: Mapping[str, str]) -> _Paper:
    letters = max((len(node) for row in plan.rows for node in row if node not in LABELS), default=0)
    words = max((len(note) for note in notes.values()), default=0)
    width = max(letters * NAME_WIDTH, words * NOTE_WIDTH, PILL_WIDTH) + 28
    widest = max((len(row) for row in plan.rows), default=0)
    inner = widest * width + max(0, widest - 1) * SPACE
    left = MARGIN + plan.lanes("left") * LANE
    boxes: dict[str, _Box] = {}
    y = MARGIN
    for row in plan.rows:
        height = PILL_HEIGHT if set(row) <= set(LABELS) else BOX_HEIGHT
        start = left + (inner - len(row) * width - (len(row) - 1) * SPACE) / 2
        for n, node in enumerate(row):
            x = start + n * (width + SPACE) + width / 2
            size = (PILL_WIDTH, PILL_HEIGHT) if node in LABELS else (width, height)
            boxes[node] = _Box(node, x, y + height / 2, *size, first=n == 0, last=n == len(row) - 1)
        y += height + GAP
    right = left + inner
    return _Paper(boxes, left, right, right + plan.lanes("right") * LANE + MARGIN, y - GAP + MARGIN, notes)


def _line(route: Route, paper: _Paper) -> str:
    kind = "line maybe" if route.edge.conditional else "line"
    way = _rounded(_way(route, paper))
    return f'<path class="{kind}" d="{way}" marker-end="url(#turngraph-arrow)"/>'


def _way(route: Route, paper: _Paper) -> Sequence[Point]:
    """The corners of a line, from the edge of one box to the edge of another."""
    source, target = paper.boxes[route.edge.source], paper.boxes[route.edge.target]
    if route.side == "down":
        return _straight(source, target)
    on_left = route.side == "left"
    lane = paper.left - LANE * (route.lane + 0.7) if on_left else paper.right + LANE * (route.lane + 0.7)
    port = PORT if on_left else -PORT
    out = _leaving(source, lane, port, on_left=on_left)
    into = _arriving(target, lane, -port, on_left=on_left)
    return [*out, *into]


def _straight(source: _Box, target: _Box) -> Sequence[Point]:
    if source.x == target.x:
        return [(source.x, source.bottom), (target.x, target.top)]
    middle = (source.bottom + target.top) / 2
    return [(source.x, source.bottom), (source.x, middle), (target.x, middle), (target.x, target.top)]


def _leaving(box: _Box, lane: float, port: float, *, on_left: bool) -> Sequence[Point]:
    """To the lane: out of the box's side, or, where a neighbour stands there, through the gap below."""
    if box.first if on_left else box.last:
        side = box.x - box.width / 2 if on_left else box.x + box.width / 2
        return [(side, box.y + port), (lane, box.y + port)]
    x = box.x - 2 * abs(port) if on_left else box.x + 2 * abs(port)
    return [(x, box.bottom), (x, box.bottom + GAP / 3), (lane, box.bottom + GAP / 3)]


def _arriving(box: _Box, lane: float, port: float, *, on_left: bool) -> Sequence[Point]:
    """From the lane: into the box's side, or through the gap above."""
    if box.first if on_left else box.last:
        side = box.x - box.width / 2 if on_left else box.x + box.width / 2
        return [(lane, box.y + port), (side, box.y + port)]
    x = box.x - 2 * abs(port) if on_left else box.x + 2 * abs(port)
    return [(lane, box.top - GAP / 3), (x, box.top - GAP / 3), (x, box.top)]


def _rounded(points: Sequence[Point]) -> str:
    """An SVG path through `points`, its corners rounded."""
    parts = [f"M{_at(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        parts.append(f"L{_at(_towards(corner, before))} Q{_at(corner)} {_at(_towards(corner, after))}")
    return " ".join([*parts, f"L{_at(points[-1])}"])


def _towards(start: Point, end: Point) -> Point:
    """The point `CORNER` pixels from `start` towards `end`, or half way where that is nearer."""
    length = abs(end[0] - start[0]) + abs(end[1] - start[1])  # the lines run along the axes
    share = min(CORNER / length, 0.5) if length else 0.0
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _at(point: Iterable[float]) -> str:
    return " ".join(f"{round(number, 1):g}" for number in point)


def _box(box: _Box, note: str | None) -> str:
    end = box.node in LABELS
    radius = box.height / 2 if end else 8
    name_y = box.y if note is None else box.y - 9
    parts = [
        f'<g class="{"end" if end else "stage"}" data-node="{escape(box.node)}">',
        f'<rect x="{box.x - box.width / 2:g}" y="{box.top:g}" width="{box.width:g}" height="{box.height:g}" '
        f'rx="{radius:g}"/>',
        f'<text x="{box.x:g}" y="{name_y:g}">{_label(box.node)}</text>',
    ]
    if note is not None:
        parts.append(f'<text class="note" x="{box.x:g}" y="{box.y + 10:g}">{escape(note)}</text>')
    return "".join([*parts, "</g>"])


def _label(node: str) -> str:
    return escape(LABELS.get(node, node))
