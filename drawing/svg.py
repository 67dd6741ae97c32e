"""A graph as an SVG picture, made here: no browser, no network. (LangGraph's own picture is made by
a web service.)

Light and dark follow the reader's system; without its style sheet, which some pages strip, it is
still a light picture. Every box carries its node's name in `data-node`, so that a page can style
the one it speaks of: `.turngraph [data-node="call_llm"] rect { stroke: red }`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final, Literal

from langchain_core.runnables.graph import Graph
from langgraph.pregel import Pregel

from turngraph.drawing.layout import Route, edges_of, layout
from turngraph.drawing.svg_geometry import LABELS, Box, Paper, Point, measured, way
from turngraph.nodes.bill import bill
from turngraph.nodes.call_llm import call_llm
from turngraph.nodes.dispatch_tools import dispatch_tools
from turngraph.nodes.finalize import finalize
from turngraph.nodes.prep_first_request import prep_first_request
from turngraph.nodes.prep_second_request import prep_second_request

__all__ = ["Mark", "draw_svg", "turn_notes"]

Mark = Literal["done", "next", "failed"]
CORNER: Final = 9.0
SIGNS: Final[Mapping[Mark, str]] = {"done": "✓", "next": "▶", "failed": "✗"}
"""What a mark looks like to those who do not see its colour."""

STYLE: Final = """
@media (prefers-color-scheme: dark) {
.turngraph rect { fill: #161b22; stroke: #8b949e }
.turngraph .end rect { fill: #30363d; stroke: none }
.turngraph path { stroke: #6e7681 }
.turngraph marker path { fill: #6e7681; stroke: none }
.turngraph text { fill: #e6edf3 }
.turngraph text.note { fill: #9198a1 }
}
"""
# The light picture is attributes, which a style sheet overrides and nobody strips.
LINE: Final = 'fill="none" stroke="#8c959f" stroke-width="1.6"'
STAGE: Final = 'fill="#ffffff" stroke="#57606a" stroke-width="1.2"'
PILL: Final = 'fill="#eaeef2" stroke="none"'
MONO: Final = 'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-weight="600" fill="#1f2328"'
NAME: Final = f'{MONO} font-size="13"'
END_NAME: Final = f'{MONO} font-size="11" letter-spacing="1"'
NOTE: Final = 'class="note" font-family="system-ui, -apple-system, sans-serif" font-size="11.5" fill="#59636e"'
MIDDLE: Final = 'text-anchor="middle" dominant-baseline="central"'
ARROW: Final = (
    '<marker id="turngraph-arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
    'orient="auto-start-reverse"><path d="M0 0.8 L10 5 L0 9.2 z" fill="#8c959f"/></marker>'
)
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def turn_notes() -> dict[str, str]:
    """What each stage of a turn does, in the first sentence of its own docstring.

    >>> turn_notes()["finalize"]
    'End the turn.'
    """
    stages = (prep_first_request, call_llm, bill, dispatch_tools, prep_second_request, finalize)
    return {stage.__name__: (stage.__doc__ or "").split("\n")[0] for stage in stages}


def draw_svg(
    graph: Graph, *, notes: Mapping[str, str] | None = None, marks: Mapping[str, Mark] | None = None
) -> str:
    """The picture of `graph`, what any compiled LangGraph graph's `get_graph()` returns, as an SVG
    document.

    A line that is not always taken is dashed, and says when it is taken where the graph does. A
    node that is a graph itself has a double frame. `notes` stand under the nodes' names; those of a
    turn's own stages are known (`turn_notes`). `marks` are shown in the boxes' corners and stand in
    `data-mark`.

        >>> from langchain_core.runnables.graph import Graph
        >>> graph = Graph()
        >>> _ = graph.add_edge(graph.add_node(str, id="ask"), graph.add_node(str, id="answer"))
        >>> draw_svg(graph)[:4]
        '<svg'
    """
    plan = layout(list(graph.nodes), edges_of(graph))
    known = turn_notes() if notes is None else notes
    shown = {node: known[node] for node in graph.nodes if node in known}
    paper = measured(plan, shown)
    inner = {name for name, node in graph.nodes.items() if isinstance(node.data, Pregel)}
    ways = " ".join(f"{_label(r.edge.source)} to {_label(r.edge.target)}." for r in plan.routes)
    drawn = "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="turngraph" role="img" '
            f'viewBox="0 0 {paper.width:g} {paper.height:g}" width="{paper.width:g}" height="{paper.height:g}">',
            f"<title>{_label(', '.join(graph.nodes))}</title>",
            f"<desc>{ways}</desc>",
            f"<style>{STYLE}</style>",
            f"<defs>{ARROW}</defs>",
            *(_line(route, paper) for route in plan.routes),
            *(
                _box(box, shown.get(name), (marks or {}).get(name), name in inner)
                for name, box in paper.boxes.items()
            ),
            *(
                _when(route, paper)
                for route in plan.routes
                if route.side == "down" and route.edge.label
            ),
            "</svg>\n",
        )
    )
    return _NOT_XML.sub(
        "�", drawn
    )  # one such letter in a name, and nothing of the picture is shown


def _line(route: Route, paper: Paper) -> str:
    dashes = ' stroke-dasharray="5 4"' if route.edge.conditional else ""
    kind = "line maybe" if route.edge.conditional else "line"
    return f'<path class="{kind}" d="{_rounded(way(route, paper))}" {LINE}{dashes} marker-end="url(#turngraph-arrow)"/>'


def _when(route: Route, paper: Paper) -> str:
    """Beside the arrow: when this line is taken."""
    target = paper.boxes[route.edge.target]
    return f'<text {NOTE} x="{target.x + 8:g}" y="{target.top - 18:g}">{escape(route.edge.label)}</text>'


def _rounded(points: Sequence[Point]) -> str:
    """An SVG path through `points`, its corners rounded."""
    parts = [f"M{_at(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        parts.append(
            f"L{_at(_towards(corner, before))} Q{_at(corner)} {_at(_towards(corner, after))}"
        )
    return " ".join([*parts, f"L{_at(points[-1])}"])


def _towards(start: Point, end: Point) -> Point:
    """The point `CORNER` pixels from `start` towards `end`, or half way where that is nearer."""
    length = abs(end[0] - start[0]) + abs(end[1] - start[1])  # the lines run along the axes
    share = min(CORNER / length, 0.5) if length else 0.0
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _at(point: Iterable[float]) -> str:
    return " ".join(f"{round(number, 1):g}" for number in point)


def _box(box: Box, note: str | None, mark: Mark | None, is_graph: bool) -> str:
    end = box.node in LABELS
    marked = "" if mark is None else f' data-mark="{mark}"'
    name_y = box.y if note is None else box.y - 9
    parts = [
        f'<g class="{"end" if end else "stage"}" data-node="{escape(box.node)}"{marked}>',
        _frame(box, end, 0),
    ]
    if is_graph:
        parts.append(_frame(box, end, 3))
    parts.append(
        f'<text x="{box.x:g}" y="{name_y:g}" {MIDDLE} {END_NAME if end else NAME}>{_label(box.node)}</text>'
    )
    if note is not None:
        parts.append(
            f'<text {NOTE} {MIDDLE} x="{box.x:g}" y="{box.y + 10:g}">{escape(note)}</text>'
        )
    if mark is not None:
        sign = f'class="mark" x="{box.side(left=True) + 11:g}" y="{box.top + 10:g}"'
        parts.append(f'<text {sign} {MIDDLE} font-size="11" fill="#1f2328">{SIGNS[mark]}</text>')
    return "".join([*parts, "</g>"])


def _frame(box: Box, end: bool, inset: float) -> str:
    """A box's frame; a second one stands `inset` pixels inside the first."""
    x, y, radius = (
        box.side(left=True) + inset,
        box.top + inset,
        box.height / 2 if end else 8 - inset,
    )
    size = f'width="{box.width - 2 * inset:g}" height="{box.height - 2 * inset:g}"'
    return f'<rect x="{x:g}" y="{y:g}" {size} rx="{radius:g}" {PILL if end else STAGE}/>'


def _label(node: str) -> str:
    return escape(LABELS.get(node, node))
