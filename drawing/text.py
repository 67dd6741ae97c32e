"""A graph drawn in characters, for terminals, logs and code reviews."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from langchain_core.runnables.graph import Graph
from langgraph.graph import END, START

from turngraph.drawing.layout import Layout, Route, edges_of, layout

__all__ = ["draw_text"]

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
LINES: Final = " ╵╷│╴┘┐┤╶└┌├─┴┬┼"  # by the sum of the directions a cell is joined in
DASHED: Final = {"│": "┆", "─": "┄"}
LANE: Final = 4  # columns
NAMES: Final[Mapping[str, str]] = {START: "START", END: "END"}


@dataclass
class _Canvas:
    """Cells that remember in which directions they are joined, so that lines meet in the right
    corner.
    """

    joined: dict[tuple[int, int], int] = field(default_factory=dict)
    solid: set[tuple[int, int]] = field(default_factory=set)
    text: dict[tuple[int, int], str] = field(default_factory=dict)

    def line(self, x1: int, y1: int, x2: int, y2: int, *, dashed: bool = False) -> None:
        """A line along one axis, both ends included."""
        steps = max(abs(x2 - x1), abs(y2 - y1))
        dx, dy = (x2 > x1) - (x2 < x1), (y2 > y1) - (y2 < y1)
        ahead, behind = {
            (1, 0): (RIGHT, LEFT),
            (-1, 0): (LEFT, RIGHT),
            (0, 1): (DOWN, UP),
            (0, -1): (UP, DOWN),
        }.get((dx, dy), (0, 0))
        for step in range(steps + 1):
            cell = (x1 + dx * step, y1 + dy * step)
            self.joined[cell] = (
                self.joined.get(cell, 0) | (ahead if step < steps else 0) | (behind if step else 0)
            )
            if not dashed:
                self.solid.add(cell)

    def box(self, left: int, top: int, width: int, name: str) -> None:
        """A frame three lines high around `name`."""
        right, bottom = left + width - 1, top + 2
        self.line(left, top, right, top)
        self.line(left, bottom, right, bottom)
        self.line(left, top, left, bottom)
        self.line(right, top, right, bottom)
        self.write(left + (width - len(name)) // 2, top + 1, name)

    def write(self, x: int, y: int, text: str) -> None:
        """`text` from this cell to the right, over any line."""
        self.text.update({(x + n, y): letter for n, letter in enumerate(text)})

    def __str__(self) -> str:
        cells = self.joined.keys() | self.text.keys()
        width, height = max(x for x, _ in cells) + 1, max(y for _, y in cells) + 1
        rows = ("".join(self._letter((x, y)) for x in range(width)).rstrip() for y in range(height))
        return "\n".join(rows)

    def _letter(self, cell: tuple[int, int]) -> str:
        drawn = LINES[self.joined.get(cell, 0)]
        return self.text.get(cell) or (drawn if cell in self.solid else DASHED.get(drawn, drawn))


@dataclass(frozen=True)
class _Sheet:
    """Where the boxes stand: for each node its middle, its top line; and the columns around them."""

    x: Mapping[str, int]
    top: Mapping[str, int]
    width: int
    left: int
    right: int
    gap: int
    """Lines between two rows: room for a line to go sideways where boxes stand side by side."""


def draw_text(graph: Graph) -> str:
    """The picture of `graph`, what any compiled LangGraph graph's `get_graph()` returns, in
    characters.

    A line that is not always taken is dashed.

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
    plan = layout(list(graph.nodes), edges_of(graph))
    if not plan.rows:
        return ""
    sheet, canvas = _measured(plan), _Canvas()
    for row in plan.rows:
        for node in row:
            canvas.box(
                sheet.x[node] - sheet.width // 2 + 1,
                sheet.top[node],
                sheet.width,
                NAMES.get(node, node),
            )
    for route in plan.routes:
        _draw(canvas, sheet, route, plan)
    return str(canvas)


def _measured(plan: Layout) -> _Sheet:
    width = max(len(NAMES.get(node, node)) for row in plan.rows for node in row) + 4
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
    return _Sheet(x, top, width, left, left + inner - 1, gap)


def _draw(canvas: _Canvas, sheet: _Sheet, route: Route, plan: Layout) -> None:
    source, target, dashed = route.edge.source, route.edge.target, route.edge.conditional
    if route.side == "down":
        _down(canvas, sheet, source, target, dashed=dashed)
        return
    if source == target:
        canvas.write(sheet.x[source] + sheet.width // 2 - 1, sheet.top[source], "↺")
        return
    on_left = route.side == "left"
    away = LANE * route.lane + LANE // 2
    lane = sheet.left - away if on_left else sheet.right + away
    y1 = _to_lane(canvas, sheet, plan, source, lane, on_left=on_left, leaving=True, dashed=dashed)
    y2 = _to_lane(canvas, sheet, plan, target, lane, on_left=on_left, leaving=False, dashed=dashed)
    canvas.line(lane, y1, lane, y2, dashed=dashed)


def _down(canvas: _Canvas, sheet: _Sheet, source: str, target: str, *, dashed: bool) -> None:
    x1, x2, y1, y2 = sheet.x[source], sheet.x[target], sheet.top[source] + 2, sheet.top[target]
    turn = y1 + sheet.gap - 1
    canvas.line(x1, y1, x1, turn, dashed=dashed)
    canvas.line(x1, turn, x2, turn, dashed=dashed)
    canvas.line(x2, turn, x2, y2 - 1, dashed=dashed)
    canvas.write(x2, y2 - 1, "▼")


def _to_lane(
    canvas: _Canvas,
    sheet: _Sheet,
    plan: Layout,
    node: str,
    lane: int,
    *,
    on_left: bool,
    leaving: bool,
    dashed: bool,
) -> int:
    """The line between a box and its lane; returns where it meets the lane.

    It runs out of the box's side, or, where a neighbour stands there, through the gap below or
    above.
    """
    row = plan.rows[plan.row_of(node)]
    half = sheet.width // 2
    side = sheet.x[node] - half + 1 if on_left else sheet.x[node] + half
    if node == (row[0] if on_left else row[-1]):
        y = sheet.top[node] + 1
        canvas.line(side, y, lane, y, dashed=dashed)
        if not leaving:
            canvas.write(side - 1 if on_left else side + 1, y, "►" if on_left else "◄")
        return y
    x = sheet.x[node] + (-2 if on_left else 2)
    y, edge = (
        (sheet.top[node] + 3, sheet.top[node] + 2)
        if leaving
        else (sheet.top[node] - 2, sheet.top[node] - 1)
    )
    canvas.line(x, edge, x, y, dashed=dashed)
    canvas.line(x, y, lane, y, dashed=dashed)
    if not leaving:
        canvas.write(x, sheet.top[node] - 1, "▼")
    return y
