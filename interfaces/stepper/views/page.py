"""A stepper as an HTML page without a script: for a saved notebook, and where there are no widgets.

Text from a model, a tool or a server is escaped here, in one place, by `html.escape`. No pane holds
markup.
"""

import re
from collections.abc import Container, Sequence
from html import escape
from typing import Final

from turngraph.drawing.marks import SIGNS, Mark
from turngraph.drawing.svg import draw_svg
from turngraph.interfaces.plain_text import printable
from turngraph.interfaces.stepper.engine.namespaces import readable_path
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.task_controller import Graph, graphs_in
from turngraph.interfaces.stepper.views.panes import Pane, graph_name, headline, panes_of
from turngraph.interfaces.stepper.views.status import node_statuses, shown_steps, turn_mark
from turngraph.interfaces.stepper.views.style import CSS

__all__ = ["graph_path", "graph_shown", "graph_svg", "open_panes", "page", "pane_texts"]

_OPEN_PANES: Final = (
    *("problem", "question", "answer", "messages", "request", "response", "tools", "tasks"),
)
"""The panes that are open at first."""

_NAMES: Final = ("tool", "task")
"""The columns that hold names, beside the first one."""
_PART: Final = re.compile(r"[._/\]](?=.)")
"""Where the name of a value may break: between its parts."""

_SCROLLING: Final = '<div class="ts-content" tabindex="0" role="group" aria-label="{}">'
"""A long pane scrolls, by the keyboard too."""


def open_panes(stepper: Stepper) -> tuple[str, ...]:
    """Returns the panes that are open at first; the state too, where no messages say it all."""
    return _OPEN_PANES if "messages" in stepper.graph.channels else (*_OPEN_PANES, "state")


def pane_texts(stepper: Stepper) -> dict[str, str]:
    """Returns every pane as plain text, by name."""
    return {name: pane.as_text for name, pane in panes_of(stepper).items()}


def graph_path(stepper: Stepper) -> str:
    """Returns the readable path of the graph that goes on: `chat`; empty for the outermost one."""
    return readable_path(stepper.now.namespace)


def graph_svg(stepper: Stepper, under_way: Mark = "next") -> str:
    """Draws the graph that goes on, as SVG, with the mark of each node that has been reached.

    While a move is under way, `under_way` is the mark of what runs: `running` or `retrying`.
    """
    statuses = node_statuses(stepper, under_way)
    marks = {node: status.mark for node, status in statuses.items()}
    notes = {node: status.note for node, status in statuses.items() if status.note}
    return draw_svg(graph_shown(stepper), marks=marks, notes=notes)


def graph_shown(stepper: Stepper) -> Graph:
    """Returns the graph that goes on: the outermost one, or a subgraph that was entered."""
    return dict(graphs_in(stepper.graph)).get(graph_path(stepper), stepper.graph)


def page(stepper: Stepper) -> str:
    """Returns the whole view as HTML: the graph, and every pane that holds something.

    It can be read without its style sheet too.
    """
    panes = "".join(
        _details(name, pane, opened=name in open_panes(stepper))
        for name, pane in panes_of(stepper).items()
        if not pane.is_empty
    )
    steps = "".join(
        f'<li data-mark="{mark}"{_current(step, stepper.now)}>'
        f"{SIGNS[mark]} {escape(printable(text))}</li>"
        for step, (mark, text) in zip(stepper.timeline, shown_steps(stepper.timeline), strict=True)
    )
    name = graph_name(stepper)
    inside = f"<p>in {escape(name)}</p>" if name else ""
    return (
        f'<div class="turnstepper" role="region" aria-label="Turn stepper"><style>{CSS}</style>'
        f'<p class="ts-headline" data-mark="{turn_mark(stepper)}">'
        f"{escape(headline(stepper, sign=True))}</p>"
        f'<div class="ts-body"><div class="ts-graph">{inside}{graph_svg(stepper)}</div>'
        f'<div class="ts-panes">{panes}<details><summary>timeline</summary>'
        f'{_SCROLLING.format("timeline")}<ol class="ts-steps">{steps}</ol></div></details>'
        "</div></div></div>"
    )


def _details(name: str, pane: Pane, *, opened: bool) -> str:
    note = f" <small>{escape(pane.note)}</small>" if pane.note else ""
    state = "open" if opened else ""
    return (
        f'<details {state} data-pane="{name}"{_marked(pane)}><summary>{escape(name)}{note}'
        f"</summary>{_SCROLLING.format(escape(name))}{_content(pane)}</div></details>"
    )


def _marked(pane: Pane) -> str:
    return f' data-mark="{pane.mark}"' if pane.mark else ""


def _content(pane: Pane) -> str:
    if pane.pictures:  # drawn by turngraph: the only markup that is not escaped
        return "".join(f'<div class="ts-picture">{picture}</div>' for picture in pane.pictures)
    if not pane.rows:
        return f"<pre>{escape(pane.text)}</pre>"
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in pane.head)
    names = {place for place, cell in enumerate(pane.head) if place == 0 or cell in _NAMES}
    rows = "".join(f"<tr{_row_mark(row[0])}>{_cells(row, names)}</tr>" for row in pane.rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row_mark(first: str) -> str:
    return ' data-mark="failed"' if first.startswith(SIGNS["failed"]) else ""


def _cells(row: Sequence[str], names: Container[int]) -> str:
    first, *others = (
        _name(cell) if place in names else escape(cell) for place, cell in enumerate(row)
    )
    cells = "".join(f"<td>{cell}</td>" for cell in others)
    return f'<th scope="row">{first}</th>{cells}'


def _name(cell: str) -> str:
    """A name, which does not break inside of a word as other texts do."""
    parts = _PART.sub(r"\g<0><wbr>", escape(cell))
    return f'<span class="ts-name">{parts}</span>'


def _current(step: Step, now: Step) -> str:
    return ' aria-current="step"' if step is now else ""
