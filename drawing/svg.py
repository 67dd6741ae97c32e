"""Draws a graph as SVG, without a browser and without a network.

LangGraph's own `draw_mermaid_png` sends the graph to a web service. The colors follow the reader's
light or dark system; some pages strip style sheets, and without one the picture is light. Each box
has the name of its node in `data-node`, so that a page can style it:
`.turngraph [data-node="call_llm"] rect { stroke: red }`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

from langgraph.pregel import Pregel

from turngraph.drawing.layout import END_LABELS, Route, edges_of, layout
from turngraph.drawing.marks import SIGNS, Mark
from turngraph.drawing.svg_geometry import Box, Geometry, Point, line_points, measure
from turngraph.drawing.whole_graph import OPEN_NOTE, Drawable, open_nodes, whole_graph

__all__ = ["draw_svg"]

CORNER: Final = 9.0  # the radius of a corner in pixels

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
# The light colors are attributes: a style sheet overrides them, and no page strips them.
LINE: Final = 'fill="none" stroke="#8c959f" stroke-width="1.6"'
STAGE: Final = 'fill="#ffffff" stroke="#57606a" stroke-width="1.2"'
PILL: Final = 'fill="#eaeef2" stroke="none"'
MONO: Final = (
    'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-weight="600" '
    'fill="#1f2328"'
)
NAME: Final = f'{MONO} font-size="13"'
END_NAME: Final = f'{MONO} font-size="11" letter-spacing="1"'
NOTE: Final = (
    'class="note" font-family="system-ui, -apple-system, sans-serif" font-size="11.5" '
    'fill="#59636e"'
)
MIDDLE: Final = 'text-anchor="middle" dominant-baseline="central"'
ARROW: Final = (
    '<marker id="turngraph-arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
    'markerHeight="7" orient="auto-start-reverse">'
    '<path d="M0 0.8 L10 5 L0 9.2 z" fill="#8c959f"/></marker>'
)
NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def draw_svg(
    graph: Drawable,
    *,
    notes: Mapping[str, str] | None = None,
    marks: Mapping[str, Mark] | None = None,
) -> str:
    """Returns a picture of `graph` as an SVG document.

    `graph` is any compiled LangGraph graph, or what its `get_graph()` returns. A conditional edge
    is dashed, with its label if the graph gives one. A node that is a graph itself has a double
    frame. `notes` are shown under the names of nodes. `marks` are shown in the corners of their
    boxes and set `data-mark`.

    A conditional edge without a path map leads where its function says: in the picture of a
    compiled graph, its node says so, and dashed edges lead to the nodes that nothing else leads to.

        >>> from langchain_core.runnables.graph import Graph
        >>> graph = Graph()
        >>> _ = graph.add_edge(graph.add_node(str, id="ask"), graph.add_node(str, id="answer"))
        >>> draw_svg(graph)[:4]
        '<svg'
    """
    graph = whole_graph(graph)
    plan = layout(list(graph.nodes), edges_of(graph))
    notes = {**dict.fromkeys(open_nodes(graph), OPEN_NOTE), **(notes or {})}
    notes = {node: note for node, note in notes.items() if node in graph.nodes}
    marks = marks or {}
    geometry = measure(plan, notes)
    subgraphs = {name for name, node in graph.nodes.items() if isinstance(node.data, Pregel)}
    drawing = "\n".join(
        (
            _opening_tag(geometry),
            f"<title>{_label(', '.join(graph.nodes))}</title>",
            f"<desc>{_description(plan.routes)}</desc>",
            f"<style>{STYLE}</style>",
            f"<defs>{ARROW}</defs>",
            *(_line(route, geometry) for route in plan.routes),
            *(
                _box(box, notes.get(name), marks.get(name), name in subgraphs)
                for name, box in geometry.boxes.items()
            ),
            *(
                _edge_label(route, geometry)
                for route in plan.routes
                if route.side == "down" and route.edge.label
            ),
            "</svg>\n",
        )
    )
    # One such character in a name, and a browser would show nothing of the picture.
    return NOT_XML.sub("\ufffd", drawing)


def _opening_tag(geometry: Geometry) -> str:
    width, height = f"{geometry.width:g}", f"{geometry.height:g}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="turngraph" role="img" '
        f'viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    )


def _description(routes: Iterable[Route]) -> str:
    """Returns the edges as text, for screen readers."""
    return " ".join(
        f"{_label(route.edge.source)} to {_label(route.edge.target)}." for route in routes
    )


def _line(route: Route, geometry: Geometry) -> str:
    dashes = ' stroke-dasharray="5 4"' if route.edge.conditional else ""
    kind = "line maybe" if route.edge.conditional else "line"
    path = _rounded_path(line_points(route, geometry))
    return f'<path class="{kind}" d="{path}" {LINE}{dashes} marker-end="url(#turngraph-arrow)"/>'


def _edge_label(route: Route, geometry: Geometry) -> str:
    """Returns the label of an edge, placed beside its arrow."""
    target = geometry.boxes[route.edge.target]
    x, y = f"{target.x + 8:g}", f"{target.top - 18:g}"
    return f'<text {NOTE} x="{x}" y="{y}">{escape(route.edge.label)}</text>'


def _rounded_path(points: Sequence[Point]) -> str:
    """Returns an SVG path through `points` with rounded corners."""
    parts = [f"M{_pair(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        start, end = _towards(corner, before), _towards(corner, after)
        parts.append(f"L{_pair(start)} Q{_pair(corner)} {_pair(end)}")
    return " ".join([*parts, f"L{_pair(points[-1])}"])


def _towards(start: Point, end: Point) -> Point:
    """Returns the point CORNER pixels from `start` towards `end`, at most half way."""
    length = abs(end[0] - start[0]) + abs(end[1] - start[1])  # the lines run along the axes
    share = min(CORNER / length, 0.5) if length else 0.0
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _pair(point: Iterable[float]) -> str:
    return " ".join(f"{round(number, 1):g}" for number in point)


def _box(box: Box, note: str | None, mark: Mark | None, is_graph: bool) -> str:
    """Returns the group of a node: frame, name, note and mark."""
    is_end = box.node in END_LABELS
    data_mark = "" if mark is None else f' data-mark="{mark}"'
    name_y = box.y if note is None else box.y - 9
    font = END_NAME if is_end else NAME
    parts = [
        f'<g class="{"end" if is_end else "stage"}" data-node="{escape(box.node)}"{data_mark}>',
        _frame(box, is_end, 0),
    ]
    if is_graph:
        parts.append(_frame(box, is_end, 3))
    parts.append(f'<text x="{box.x:g}" y="{name_y:g}" {MIDDLE} {font}>{_label(box.node)}</text>')
    if note is not None:
        parts.append(
            f'<text {NOTE} {MIDDLE} x="{box.x:g}" y="{box.y + 10:g}">{escape(note)}</text>'
        )
    if mark is not None:
        sign = f'class="mark" x="{box.side(left=True) + 11:g}" y="{box.top + 10:g}"'
        parts.append(f'<text {sign} {MIDDLE} font-size="11" fill="#1f2328">{SIGNS[mark]}</text>')
    return "".join([*parts, "</g>"])


def _frame(box: Box, is_end: bool, inset: float) -> str:
    """Returns the frame of a box, `inset` pixels inside its edge."""
    x, y = box.side(left=True) + inset, box.top + inset
    radius = box.height / 2 if is_end else 8 - inset
    size = f'width="{box.width - 2 * inset:g}" height="{box.height - 2 * inset:g}"'
    return f'<rect x="{x:g}" y="{y:g}" {size} rx="{radius:g}" {PILL if is_end else STAGE}/>'


def _label(node: str) -> str:
    return escape(END_LABELS.get(node, node))
