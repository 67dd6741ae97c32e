"""Draws a graph in characters, for terminals, logs and code reviews."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from turngraph.drawing.layout import END_LABELS, Layout, Route, edges_of, layout
from turngraph.drawing.marks import SIGNS, Mark
from turngraph.drawing.whole_graph import OPEN_NOTE, Drawable, open_nodes, whole_graph

__all__ = ["draw_text"]

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
LINES: Final = " ╵╷│╴┘┐┤╶└┌├─┴┬┼"
"""The box-drawing characters, by the sum of the directions in which a cell connects."""
DASHED: Final = {"│": "┆", "─": "┄"}
LANE: Final = 4  # width in columns


Cell = tuple[int, int]
"""Column and line."""


@dataclass
class _Canvas:
    """A grid of cells. A cell knows in which directions it connects, so crossing lines form the
    right corner.
    """

    connections: dict[Cell, int] = field(default_factory=dict)
    solid: set[Cell] = field(default_factory=set)
    text: dict[Cell, str] = field(default_factory=dict)

    def line(self, x1: int, y1: int, x2: int, y2: int, *, dashed: bool = False) -> None:
        """Draws a line along one axis, with both ends."""
        steps = max(abs(x2 - x1), abs(y2 - y1))
        dx, dy = (x2 > x1) - (x2 < x1), (y2 > y1) - (y2 < y1)
        # Every cell connects ahead but the last one, and behind but the first one.
        ahead, behind = {
            (1, 0): (RIGHT, LEFT),
            (-1, 0): (LEFT, RIGHT),
            (0, 1): (DOWN, UP),
            (0, -1): (UP, DOWN),
        }.get((dx, dy), (0, 0))
        for step in range(steps + 1):
            cell = (x1 + dx * step, y1 + dy * step)
            self.connections[cell] = (
                self.connections.get(cell, 0)
                | (ahead if step < steps else 0)
                | (behind if step else 0)
            )
            if not dashed:
                self.solid.add(cell)

    def box(self, left: int, top: int, width: int, name: str) -> None:
        """Draws a frame around `name`, three lines high."""
        right, bottom = left + width - 1, top + 2
        self.line(left, top, right, top)
        self.line(left, bottom, right, bottom)
        self.line(left, top, left, bottom)
        self.line(right, top, right, bottom)
        self.write(left + (width - len(name)) // 2, top + 1, name)

    def write(self, x: int, y: int, text: str) -> None:
        """Writes `text` from this cell to the right, over any line."""
        self.text.update({(x + n, y): letter for n, letter in enumerate(text)})

    def __str__(self) -> str:
        cells = self.connections.keys() | self.text.keys()
        width, height = max(x for x, _ in cells) + 1, max(y for _, y in cells) + 1
        rows = ("".join(self._letter((x, y)) for x in range(width)).rstrip() for y in range(height))
        return "\n".join(rows)

    def _letter(self, cell: Cell) -> str:
        drawn = LINES[self.connections.get(cell, 0)]
        return self.text.get(cell) or (drawn if cell in self.solid else DASHED.get(drawn, drawn))


@dataclass(frozen=True)
class _Geometry:
    """The positions of the boxes: middle and top line by node, and the columns around them."""

    x: Mapping[str, int]
    top: Mapping[str, int]
    width: int
    left: int
    right: int
    gap: int
    """Lines between two rows; one more if boxes stand side by side, for lines that turn there."""


def draw_text(graph: Drawable, *, marks: Mapping[str, Mark] | None = None) -> str:
    """Returns a picture of `graph` in characters. Conditional edges are dashed.

    `graph` is any compiled LangGraph graph, or what its `get_graph()` returns. The sign of a node's
    mark stands before its name. With `marks` the boxes leave room for the signs, so that the
    picture keeps its shape from one step to the next. Below it stands which nodes decide at run
    time where they lead, as in `draw_svg`.

        >>> from langchain_core.runnables.graph import Graph
        >>> graph = Graph()
        >>> _ = graph.add_edge(graph.add_node(str, id="ask"), graph.add_node(str, id="answer"))
        >>> print(draw_text(graph))
        ┌────────┐
        │  ask   │
        └───┬────┘
            │
            ▼
        ┌────────┐
        │ answer │
        └────────┘
    """
    graph = whole_graph(graph)
    plan = layout(list(graph.nodes), edges_of(graph))
    if not plan.rows:
        return ""
    geometry, canvas = _measure(plan, sign_width=0 if marks is None else 2), _Canvas()
    marks = marks or {}
    for row in plan.rows:
        for node in row:
            canvas.box(
                geometry.x[node] - geometry.width // 2 + 1,
                geometry.top[node],
                geometry.width,
                _label(node, marks.get(node)),
            )
    for route in plan.routes:
        _draw_route(canvas, geometry, route, plan)
    return "\n".join([str(canvas), *(f"{node}: {OPEN_NOTE}" for node in open_nodes(graph))])


def _label(node: str, mark: Mark | None) -> str:
    name = END_LABELS.get(node, node)
    return name if mark is None else f"{SIGNS[mark]} {name}"


def _measure(plan: Layout, sign_width: int) -> _Geometry:
    width = max(len(_label(node, None)) for row in plan.rows for node in row) + sign_width + 4
    width += width % 2
    left = LANE * plan.lanes("left")
    inner = max(len(row) for row in plan.rows) * (width + 2) - 2
    gap = 3 if any(len(row) > 1 for row in plan.rows) else 2
    x: dict[str, int] = {}
    top: dict[str, int] = {}
    for number, row in enumerate(plan.rows):
        start = left + (inner - len(row) * (width + 2) + 2) // 2
        for n, node in enumerate(row):
            x[node] = start + n * (width + 2) + width // 2 - 1
            top[node] = number * (3 + gap)
    return _Geometry(x, top, width, left, left + inner - 1, gap)


def _draw_route(canvas: _Canvas, geometry: _Geometry, route: Route, plan: Layout) -> None:
    source, target, dashed = route.edge.source, route.edge.target, route.edge.conditional
    if route.side == "down":
        _draw_down(canvas, geometry, source, target, dashed=dashed)
        return
    if source == target:
        canvas.write(geometry.x[source] + geometry.width // 2 - 1, geometry.top[source], "↺")
        return
    on_left = route.side == "left"
    away = LANE * route.lane + LANE // 2
    lane = geometry.left - away if on_left else geometry.right + away
    y1 = _draw_to_lane(
        canvas, geometry, plan, source, lane, on_left=on_left, leaving=True, dashed=dashed
    )
    y2 = _draw_to_lane(
        canvas, geometry, plan, target, lane, on_left=on_left, leaving=False, dashed=dashed
    )
    canvas.line(lane, y1, lane, y2, dashed=dashed)


def _draw_down(
    canvas: _Canvas, geometry: _Geometry, source: str, target: str, *, dashed: bool
) -> None:
    x1, x2, y1, y2 = (
        geometry.x[source],
        geometry.x[target],
        geometry.top[source] + 2,
        geometry.top[target],
    )
    turn = y1 + geometry.gap - 1
    canvas.line(x1, y1, x1, turn, dashed=dashed)
    canvas.line(x1, turn, x2, turn, dashed=dashed)
    canvas.line(x2, turn, x2, y2 - 1, dashed=dashed)
    canvas.write(x2, y2 - 1, "▼")


def _draw_to_lane(
    canvas: _Canvas,
    geometry: _Geometry,
    plan: Layout,
    node: str,
    lane: int,
    *,
    on_left: bool,
    leaving: bool,
    dashed: bool,
) -> int:
    """Draws the line between a box and its lane. Returns the line where it meets the lane.

    It leaves at the side of the box, or, if another box is there, through the gap below or above.
    """
    row = plan.rows[plan.row_of(node)]
    half = geometry.width // 2
    side = geometry.x[node] - half + 1 if on_left else geometry.x[node] + half
    if node == (row[0] if on_left else row[-1]):
        y = geometry.top[node] + 1
        canvas.line(side, y, lane, y, dashed=dashed)
        if not leaving:
            canvas.write(side - 1 if on_left else side + 1, y, "►" if on_left else "◄")
        return y
    x = geometry.x[node] + (-2 if on_left else 2)
    y, edge = (
        (geometry.top[node] + 3, geometry.top[node] + 2)
        if leaving
        else (geometry.top[node] - 2, geometry.top[node] - 1)
    )
    canvas.line(x, edge, x, y, dashed=dashed)
    canvas.line(x, y, lane, y, dashed=dashed)
    if not leaving:
        canvas.write(x, geometry.top[node] - 1, "▼")
    return y
