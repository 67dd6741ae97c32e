"""A walk as a page without a script: for a saved notebook, and where there are no widgets.

Whatever a model, a tool or a server wrote is escaped here, once, by `html.escape`; no pane holds
markup from outside.
"""

from html import escape
from typing import TYPE_CHECKING

from turngraph.drawing.svg import Mark, draw_svg
from turngraph.interfaces.plain_text import printable
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.task_controller import graphs_in
from turngraph.interfaces.stepper.views.panes import Pane, panes_of, where
from turngraph.interfaces.stepper.views.style import CSS

if TYPE_CHECKING:
    from turngraph.interfaces.stepper.stepper import TurnStepper

__all__ = ["OPEN", "graph_path", "graph_svg", "page", "panes"]

OPEN = ("problem", "messages", "request", "response", "tools")
"""The panes that are open at first."""


def panes(stepper: "TurnStepper") -> dict[str, str]:
    """Every pane as plain text, by name."""
    return {name: pane.lines for name, pane in panes_of(stepper).items()}


def graph_path(stepper: "TurnStepper") -> str:
    """The graph the walk is in, by readable path: empty for the outermost, `chat` for the one that
    is its node.
    """
    pending = stepper.now.pending or tuple(waiting.task for waiting in stepper.now.waiting)
    space = pending[0].space if pending else ""
    return "/".join(part.partition(":")[0] for part in space.split("|") if part)


def graph_svg(stepper: "TurnStepper") -> str:
    """The graph the walk is in, with what is next lit, what ran and what failed marked."""
    now = stepper.now
    waiting = tuple(each.task for each in now.waiting)
    ahead = now.pending or waiting
    space = ahead[0].space if ahead else ""
    marks: dict[str, Mark] = {}
    for step in stepper.behind:
        marks.update({done.task.node: "done" for done in step.done if done.task.space == space})
        marks.update(
            {name: "done" for done in step.done if (name := _around(done.task.space, space))}
        )
    for task in (*now.pending, *waiting):
        marks[task.node] = "failed" if now.failed else "next"
    graph = dict(graphs_in(stepper.graph)).get(graph_path(stepper), stepper.graph)
    return draw_svg(graph.get_graph(), marks=marks)


def _around(inner: str, space: str) -> str | None:
    """The node of the graph in the namespace `space` in which `inner` lies; `None` where it does
    not.
    """
    rest = inner.removeprefix(f"{space}|") if space else inner
    return rest.partition(":")[0] if inner != space and inner.startswith(space) and rest else None


def page(stepper: "TurnStepper") -> str:
    """The whole view as HTML, the graph and every pane that holds something; it reads without its
    style sheet too.
    """
    parts = [_details(name, pane) for name, pane in panes_of(stepper).items() if not pane.empty]
    steps = "".join(
        f"<li{_current(step, stepper.now)}>{escape(printable(str(step)))}</li>"
        for step in stepper.timeline
    )
    path = graph_path(stepper)
    inside = f"<p>in {escape(path)}</p>" if path else ""
    return (
        f'<div class="turnstepper" role="region" aria-label="Turn stepper"><style>{CSS}</style>'
        f'<p class="ts-where">{escape(where(stepper))}</p>'
        f'<div class="ts-body"><div class="ts-graph">{inside}{graph_svg(stepper)}</div>'
        f'<div class="ts-panes">{"".join(parts)}'
        f'<details><summary>timeline</summary><div><ol class="ts-steps">{steps}</ol></div></details>'
        "</div></div></div>"
    )


def _details(name: str, pane: Pane) -> str:
    note = f" <small>{escape(pane.note)}</small>" if pane.note else ""
    shown = "open" if name in OPEN else ""
    return f"<details {shown}><summary>{escape(name)}{note}</summary><div>{_content(pane)}</div></details>"


def _content(pane: Pane) -> str:
    if pane.pictures:
        return "".join(f'<div class="ts-picture">{picture}</div>' for picture in pane.pictures)
    if not pane.rows:
        return f"<pre>{escape(pane.text)}</pre>"
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in pane.head)
    rows = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in pane.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _current(step: Step, now: Step) -> str:
    return ' aria-current="step"' if step is now else ""
