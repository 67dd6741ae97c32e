"""The results as one picture: for every case, each contender's figure as a multiple of the hand
loop's.
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from benchmarks.cases import CASES, HAND, TURN, Case
from benchmarks.results import Row

__all__ = ["draw"]

LEFT: Final = 250.0
UNIT: Final = 130.0
"""Pixels for the hand loop's own figure."""
LINE: Final = 20.0
MOST: Final = 4.5
"""Longer bars are cut, with a gap before their end."""
LEGEND: Final = (
    "Multiples of a loop written by hand (dashed: 1). Thick: the aim. "
    "A gap: the bar is longer than drawn."
)

STYLE: Final = """
text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328 }
text { dominant-baseline: central }
.title { font-weight: 600 } .legend { fill: #59636e } .name { text-anchor: end; fill: #59636e }
.bar { fill: #b6bfc9 } .ours { fill: #2f7d4f } .hand { stroke: #1f2328; stroke-dasharray: 3 3 }
.aim { stroke: #bf5b04; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .name, .legend { fill: #9198a1 } .bar { fill: #484f58 }
.ours { fill: #3fb26f } .hand { stroke: #e6edf3 } .aim { stroke: #f0883e } }
"""


def draw(rows: Sequence[Row]) -> str:
    """An SVG document. The dashed line is the hand loop, the thick one the aim.

    >>> row = Row("plain", "turngraph", "cpu_ms", 5.0, 4.0, 6.0, 1.5, 1.4, 1.0, False)
    >>> draw([row]).count("<rect")
    1
    """
    parts: list[str] = []
    y = 16.0
    for case in CASES:
        mine = [row for row in rows if row.case == case.name and row.contender != HAND]
        if mine:
            parts += _case(case, mine, y)
            y += LINE * (len(mine) + 1) + 14
    parts.append(f'<text class="legend" x="12" y="{y:g}">{LEGEND}</text>')
    y += LINE
    width = LEFT + MOST * UNIT + 60
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {y:g}" '
        f'width="{width:g}" height="{y:g}">'
        f"<style>{STYLE}</style>{''.join(parts)}</svg>\n"
    )


def _case(case: Case, rows: Sequence[Row], y: float) -> list[str]:
    more = " (more is better)" if case.figure == "turns_per_s" else ""
    parts = [f'<text class="title" x="12" y="{y:g}">{escape(case.title + more)}</text>']
    top, bottom = y + LINE / 2, y + LINE * (len(rows) + 0.5)
    for n, row in enumerate(rows, 1):
        parts += _bar(row, y + n * LINE)
    parts.append(_upright("hand", 1.0, top, bottom))
    if case.figure != "wall_ms":
        parts.append(_upright("aim", case.aim, top, bottom))
    return parts


def _bar(row: Row, y: float) -> list[str]:
    width = min(row.times, MOST) * UNIT
    kind = "ours" if row.contender.startswith(TURN) else "bar"
    cut, end = row.times > MOST, LEFT + MOST * UNIT
    drawn = width - 20 if cut else width
    return [
        f'<text class="name" x="{LEFT - 8:g}" y="{y:g}">{escape(row.contender)}</text>',
        f'<rect class="{kind}" x="{LEFT:g}" y="{y - 7:g}" width="{drawn:.1f}" height="14"/>',
        *(
            [f'<rect class="{kind}" x="{end - 14:g}" y="{y - 7:g}" width="14" height="14"/>']
            if cut
            else ()
        ),
        f'<text x="{LEFT + width + 6:.1f}" y="{y:g}">{row.times:.2f}</text>',
    ]


def _upright(kind: str, times: float, top: float, bottom: float) -> str:
    x = LEFT + times * UNIT
    return f'<line class="{kind}" x1="{x:g}" x2="{x:g}" y1="{top:g}" y2="{bottom:g}"/>'
