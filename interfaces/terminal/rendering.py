"""Draws panes, the graph and the headline for a terminal, with the sixteen colors it has itself."""

import re
from collections.abc import Mapping
from typing import Final

from langchain_core.runnables.graph import Graph
from rich.console import RenderableType
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from turngraph.drawing.layout import END_LABELS
from turngraph.drawing.marks import SIGNS, Mark
from turngraph.drawing.text import draw_text
from turngraph.interfaces.plain_text import printable
from turngraph.interfaces.stepper.views.panes import Pane
from turngraph.interfaces.stepper.views.status import NodeStatus

__all__ = ["MARK_STYLES", "graph_list", "graph_picture", "pane_content"]

MARK_STYLES: Final[Mapping[Mark, str]] = {
    "done": "green",
    "next": "bold cyan",
    "running": "bold yellow",
    "retrying": "yellow",
    "waiting": "bold yellow",
    "failed": "bold red",
}
_MARKED: Final = re.compile(rf"([{''.join(SIGNS.values())}]) [^│┆├┤┼]*[^│┆├┤┼ ]")
"""A sign and the name after it, up to the wall of its box."""
_STYLE_OF_SIGN: Final = {sign: MARK_STYLES[mark] for mark, sign in SIGNS.items()}
_JSON_STYLES: Final = {True: "ansi_dark", False: "ansi_light"}


def graph_picture(graph: Graph, statuses: Mapping[str, NodeStatus]) -> Text:
    """Returns the picture of a graph, with the name of each marked node in its color."""
    marks = {node: status.mark for node, status in statuses.items()}
    # A line of it may not be broken: the picture would fall apart.
    picture = Text(printable(draw_text(graph, marks=marks)), no_wrap=True)
    for found in _MARKED.finditer(picture.plain):
        # `?` and `●` may also be part of a name.
        if found.start() and picture.plain[found.start() - 1] == " ":
            picture.stylize(_STYLE_OF_SIGN[found.group(1)], *found.span())
    notes = [_list_entry(node, status) for node, status in statuses.items() if status.note]
    return Text("\n").join([picture, *notes])


def graph_list(graph: Graph, statuses: Mapping[str, NodeStatus], *, separator: str = "\n") -> Text:
    """Returns the nodes of a graph one below the other, for screens without room for a picture."""
    # Below the name, a note leaves more width to the pane beside the list.
    note = "\n    " if separator == "\n" else " "
    return Text(separator).join(
        _list_entry(node, statuses.get(node), note) for node in graph.nodes if node != "__start__"
    )


def _list_entry(node: str, status: NodeStatus | None, before_note: str = " ") -> Text:
    name = printable(END_LABELS.get(node, node))
    if status is None:
        return Text(f"  {name}", "dim")
    note = f"{before_note}{status.note}" if status.note else ""
    return Text(f"{SIGNS[status.mark]} {name}{note}", MARK_STYLES[status.mark])


def pane_content(pane: Pane, *, dark: bool, style: str = "") -> RenderableType:
    """Returns a pane as a table, as colored JSON or as text."""
    if pane.rows:
        return _table(pane)
    if pane.text.startswith("{"):
        # As text, which Textual measures and draws faster than a `Syntax`.
        return Syntax("", "json", theme=_JSON_STYLES[dark]).highlight(pane.text)
    return Text(pane.text, style)


def _table(pane: Pane) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for number, name in enumerate(pane.head):
        table.add_column(Text(name), style="" if number else "bold", overflow="fold")
    for row in pane.rows:
        # Text, because a model's answer may look like Rich's markup.
        table.add_row(*map(Text, row))
    return table
