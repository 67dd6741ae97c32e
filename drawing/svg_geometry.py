"""Where a picture's boxes and lines go, in pixels: what `layout` says in rows and lanes, measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from langgraph.graph import END, START

from turngraph.drawing.layout import Layout, Route

__all__ = ["LABELS", "Box", "Paper", "Point", "measured", "way"]

Point = tuple[float, float]

BOX_HEIGHT: Final = 36.0
NOTED_HEIGHT: Final = 50.0  # of a box with a note under its name
PILL_HEIGHT: Final = 26.0
PILL_WIDTH: Final = 76.0
GAP: Final = 34.0  # between rows
LABELLED_GAP: Final = 48.0  # where a line says when it is taken
SPACE: Final = 28.0  # between the boxes of a row
LANE: Final = 24.0
MARGIN: Final = 14.0
PORT: Final = 7.0  # how far from a box's middle a line beside it leaves or arrives
NAME_WIDTH: Final = 7.9  # of a letter of the names, in pixels
NOTE_WIDTH: Final = 5.9
LABELS: Final[Mapping[str, str]] = {START: "START", END: "END"}


@dataclass(frozen=True)
class Box:
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
        """Its upper edge."""
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height / 2

    def side(self, *, left: bool) -> float:
        """Its left or its right edge."""
        return self.x - self.width / 2 if left else self.x + self.width / 2


@dataclass(frozen=True)
class Paper:
    """Everything measured: the boxes, and where the lanes beside them begin."""

    boxes: Mapping[str, Box]
    left: float
    right: float
    width: float
    height: float
    gap: float
    """Between two rows."""


def measured(plan: Layout, notes: Mapping[str, str]) -> Paper:
    """The paper for `plan`; `notes` stand under the names of their nodes."""
    letters = max((len(node) for row in plan.rows for node in row if node not in LABELS), default=0)
    words = max((len(note) for note in notes.values()), default=0)
    labels = max(
        (len(route.edge.label) for route in plan.routes if route.side == "down"), default=0
    )
    gap = LABELLED_GAP if labels else GAP
    width = max(
        letters * NAME_WIDTH + 38,
        words * NOTE_WIDTH + 28,
        PILL_WIDTH,
        2 * (labels * NOTE_WIDTH + 8),
    )
    widest = max((len(row) for row in plan.rows), default=0)
    inner = widest * width + max(0, widest - 1) * SPACE
    left = MARGIN + plan.lanes("left") * LANE
    boxes: dict[str, Box] = {}
    y, tall = MARGIN, NOTED_HEIGHT if notes else BOX_HEIGHT
    for row in plan.rows:
        height = PILL_HEIGHT if set(row) <= set(LABELS) else tall
        start = left + (inner - len(row) * width - (len(row) - 1) * SPACE) / 2
        for n, node in enumerate(row):
            x = start + n * (width + SPACE) + width / 2
            size = (PILL_WIDTH, PILL_HEIGHT) if node in LABELS else (width, height)
            boxes[node] = Box(node, x, y + height / 2, *size, first=n == 0, last=n == len(row) - 1)
        y += height + gap
    right = left + inner
    return Paper(
        boxes, left, right, right + plan.lanes("right") * LANE + MARGIN, y - gap + MARGIN, gap
    )


def way(route: Route, paper: Paper) -> Sequence[Point]:
    """The corners of a line, from the edge of one box to the edge of another."""
    source, target = paper.boxes[route.edge.source], paper.boxes[route.edge.target]
    if route.side == "down":
        return _straight(source, target)
    on_left = route.side == "left"
    lane = (
        paper.left - LANE * (route.lane + 0.7)
        if on_left
        else paper.right + LANE * (route.lane + 0.7)
    )
    port = PORT if on_left else -PORT
    return [
        *_leaving(source, lane, port, paper.gap / 3, on_left=on_left),
        *_arriving(target, lane, -port, paper.gap / 3, on_left=on_left),
    ]


def _straight(source: Box, target: Box) -> Sequence[Point]:
    if source.x == target.x:
        return [(source.x, source.bottom), (target.x, target.top)]
    middle = source.bottom + GAP / 2
    return [
        (source.x, source.bottom),
        (source.x, middle),
        (target.x, middle),
        (target.x, target.top),
    ]


def _leaving(box: Box, lane: float, port: float, away: float, *, on_left: bool) -> Sequence[Point]:
    """To the lane: out of the box's side, or, where a neighbour stands there, through the gap
    below.
    """
    if box.first if on_left else box.last:
        return [(box.side(left=on_left), box.y + port), (lane, box.y + port)]
    x = box.x - 2 * abs(port) if on_left else box.x + 2 * abs(port)
    return [(x, box.bottom), (x, box.bottom + away), (lane, box.bottom + away)]


def _arriving(box: Box, lane: float, port: float, away: float, *, on_left: bool) -> Sequence[Point]:
    """From the lane: into the box's side, or through the gap above."""
    if box.first if on_left else box.last:
        return [(lane, box.y + port), (box.side(left=on_left), box.y + port)]
    x = box.x - 2 * abs(port) if on_left else box.x + 2 * abs(port)
    return [(lane, box.top - away), (x, box.top - away), (x, box.top)]
