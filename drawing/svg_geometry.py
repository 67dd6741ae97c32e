"""Computes the positions of boxes and lines in pixels from a layout of rows and lanes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from turngraph.drawing.layout import END_LABELS, Layout, Route

__all__ = ["Box", "Geometry", "Point", "line_points", "measure"]

Point = tuple[float, float]
"""x and y in pixels, from the upper left corner."""

BOX_HEIGHT: Final = 36.0
NOTED_HEIGHT: Final = 50.0  # a box with a note under its name
PILL_HEIGHT: Final = 26.0
PILL_WIDTH: Final = 76.0
GAP: Final = 34.0  # between rows
LABELED_GAP: Final = 48.0  # between rows if edges have labels
SPACE: Final = 28.0  # between the boxes of a row
LANE: Final = 24.0  # the width of a lane
MARGIN: Final = 14.0
PORT: Final = 7.0  # from the middle of a box's side to where a line leaves or arrives
NAME_WIDTH: Final = 7.9  # one letter of a name; there is no font here to measure it
NOTE_WIDTH: Final = 5.9  # one letter of a note


@dataclass(frozen=True)
class Box:
    """The box of a node: its middle and its size."""

    node: str
    x: float
    y: float
    width: float
    height: float
    first: bool
    """Whether it is the leftmost in its row."""
    last: bool
    """Whether it is the rightmost in its row."""

    @property
    def top(self) -> float:
        """y of the upper edge."""
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        """y of the lower edge."""
        return self.y + self.height / 2

    def side(self, *, left: bool) -> float:
        """Returns x of the left or of the right edge."""
        return self.x - self.width / 2 if left else self.x + self.width / 2


@dataclass(frozen=True)
class Geometry:
    """The positions of everything in a picture.

    `left` and `right` are the x where the boxes end and the lanes beside them begin.
    """

    boxes: Mapping[str, Box]
    left: float
    right: float
    width: float
    height: float
    gap: float
    """The distance between two rows."""


def measure(plan: Layout, notes: Mapping[str, str]) -> Geometry:
    """Returns the geometry of `plan`. `notes` are shown under the names of their nodes."""
    letters = max(
        (len(node) for row in plan.rows for node in row if node not in END_LABELS), default=0
    )
    words = max((len(note) for note in notes.values()), default=0)
    labels = max(
        (len(route.edge.label) for route in plan.routes if route.side == "down"), default=0
    )
    gap = LABELED_GAP if labels else GAP
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
        height = PILL_HEIGHT if set(row) <= set(END_LABELS) else tall
        start = left + (inner - len(row) * width - (len(row) - 1) * SPACE) / 2
        for n, node in enumerate(row):
            x = start + n * (width + SPACE) + width / 2
            size = (PILL_WIDTH, PILL_HEIGHT) if node in END_LABELS else (width, height)
            boxes[node] = Box(node, x, y + height / 2, *size, first=n == 0, last=n == len(row) - 1)
        y += height + gap
    right = left + inner
    return Geometry(
        boxes, left, right, right + plan.lanes("right") * LANE + MARGIN, y - gap + MARGIN, gap
    )


def line_points(route: Route, geometry: Geometry) -> Sequence[Point]:
    """Returns the corners of a line from the edge of one box to the edge of another."""
    source, target = geometry.boxes[route.edge.source], geometry.boxes[route.edge.target]
    if route.side == "down":
        return _straight_down(source, target)
    on_left = route.side == "left"
    lane = (
        geometry.left - LANE * (route.lane + 0.7)
        if on_left
        else geometry.right + LANE * (route.lane + 0.7)
    )
    port = PORT if on_left else -PORT
    return [
        *_to_lane(source, lane, port, geometry.gap / 3, on_left=on_left),
        *_from_lane(target, lane, -port, geometry.gap / 3, on_left=on_left),
    ]


def _straight_down(source: Box, target: Box) -> Sequence[Point]:
    if source.x == target.x:
        return [(source.x, source.bottom), (target.x, target.top)]
    middle = source.bottom + GAP / 2
    return [
        (source.x, source.bottom),
        (source.x, middle),
        (target.x, middle),
        (target.x, target.top),
    ]


def _to_lane(box: Box, lane: float, port: float, away: float, *, on_left: bool) -> Sequence[Point]:
    """Returns the points from a box to its lane.

    The line leaves at the side of the box, or, if another box is there, through the gap below.
    """
    if box.first if on_left else box.last:
        return [(box.side(left=on_left), box.y + port), (lane, box.y + port)]
    x = box.x - 2 * abs(port) if on_left else box.x + 2 * abs(port)
    return [(x, box.bottom), (x, box.bottom + away), (lane, box.bottom + away)]


def _from_lane(
    box: Box, lane: float, port: float, away: float, *, on_left: bool
) -> Sequence[Point]:
    """Returns the points from a lane to a box: to its side, or through the gap above."""
    if box.first if on_left else box.last:
        return [(lane, box.y + port), (box.side(left=on_left), box.y + port)]
    x = box.x - 2 * abs(port) if on_left else box.x + 2 * abs(port)
    return [(lane, box.top - away), (x, box.top - away), (x, box.top)]
