"""The results as one picture: for every case, each contender's figure as a multiple of the
yardstick's. It is as narrow as its names allow, so that it can be read on a phone.
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from benchmarks.case import Case
from benchmarks.cases import CASES, TURN
from benchmarks.results import Row

__all__ = ["draw"]

LEFT: Final = 276.0
UNIT: Final = 84.0
"""Pixels for the yardstick's own figure."""
LINE: Final = 19.0
MOST: Final = 3.4
"""Longer bars are cut, with a gap before their end."""
RIGHT: Final = LEFT + MOST * UNIT
VALUES: Final = RIGHT + 46
"""Where the figures end, all in one column."""
WIDTH: Final = VALUES + 12
LEGEND: Final = (
    "Multiples of a loop written by hand on the openai SDK; of an import, of langgraph.graph.",
    "Dashed: that loop. Thick: the aim. A gap: the bar is longer than drawn.",
)

STYLE: Final = """
text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328 }
text { dominant-baseline: central }
.title { font-weight: 600 } .legend { fill: #59636e } .name { text-anchor: end; fill: #59636e }
.value { text-anchor: end } .good { fill: #1a7f37 } .bad { fill: #9a6700 }
.bar { fill: #b6bfc9 } .ours { fill: #2f7d4f } .hand { stroke: #1f2328; stroke-dasharray: 3 3 }
.aim { stroke: #bf5b04; stroke-width: 3 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .name, .legend { fill: #9198a1 } .bar { fill: #484f58 }
.good { fill: #3fb950 } .bad { fill: #d29922 }
.ours { fill: #3fb26f } .hand { stroke: #e6edf3 } .aim { stroke: #f0883e } }
"""


def draw(rows: Sequence[Row]) -> str:
    """An SVG document. Cases whose aim is not a multiple are left out.

    >>> row = Row("plain", "turngraph", 5.0, 4.0, 6.0, 1.5, 1.4)
    >>> draw([row]).count("<rect")
    1
    """
    parts: list[str] = []
    y = 16.0
    for case in CASES:
        mine = [row for row in rows if row.case == case.name and not is_yardstick(case, row)]
        if mine and not any(row.aim is not None and row.aim.absolute for row in mine):
            parts += _case(case, mine, y)
            y += LINE * (len(mine) + 1) + 12
    for line in LEGEND:
        parts.append(f'<text class="legend" x="12" y="{y:g}">{escape(line)}</text>')
        y += LINE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {y:g}" '
        f'width="{WIDTH:g}" height="{y:g}" role="img">'
        f"<title>CPU of a turn, beside other loops and agents</title>"
        f"<style>{STYLE}</style>{''.join(parts)}</svg>\n"
    )


def is_yardstick(case: Case, row: Row) -> bool:
    """Whether `row` is what the others of `case` are measured by: its bar would always be 1."""
    return (case.name, row.contender) == case.measured_by


def _case(case: Case, rows: Sequence[Row], y: float) -> list[str]:
    more = " (more is better)" if case.kind.more_is_better else ""
    parts = [f'<text class="title" x="12" y="{y:g}">{escape(case.title + more)}</text>']
    for n, row in enumerate(rows, 1):
        parts += _bar(row, y + n * LINE)
    top, bottom = y + LINE / 2, y + LINE * (len(rows) + 0.5)
    return [*parts, _upright("hand", 1.0, top, bottom)]


def _bar(row: Row, y: float) -> list[str]:
    is_cut = row.times > MOST
    kind = "ours" if row.contender.startswith(TURN) else "bar"
    width = MOST * UNIT - 18 if is_cut else row.times * UNIT
    met = {None: "", True: " good", False: " bad"}[row.met]
    parts = [
        f'<text class="name" x="{LEFT - 8:g}" y="{y:g}">{escape(row.contender)}</text>',
        f'<rect class="{kind}" x="{LEFT:g}" y="{y - 6:g}" width="{width:.1f}" height="12"/>',
        f'<text class="value{met}" x="{VALUES:g}" y="{y:g}">{row.times:.2f}</text>',
    ]
    if is_cut:
        parts.append(
            f'<rect class="{kind}" x="{RIGHT - 12:g}" y="{y - 6:g}" width="12" height="12"/>'
        )
    if row.aim is not None and row.aim.most <= MOST:
        parts.append(_upright("aim", row.aim.most, y - 8, y + 8))
    return parts


def _upright(kind: str, times: float, top: float, bottom: float) -> str:
    x = LEFT + times * UNIT
    return f'<line class="{kind}" x1="{x:g}" x2="{x:g}" y1="{top:g}" y2="{bottom:g}"/>'
