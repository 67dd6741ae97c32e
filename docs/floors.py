"""Draws the rooms and their real imports: python docs/floors.py docs/floors.svg

Run by `make pictures`; a test compares the picture in the repository with a new one.
"""

import re
import sys
from pathlib import Path
from typing import Final

from langchain_core.runnables.graph import Graph

from turngraph.drawing import draw_svg

ROOT: Final = Path(__file__).parent.parent
ROOMS: Final = {
    "interfaces": "command line, stepper, gateway",
    "graphs": "which stage follows which",
    "nodes": "the stages",
    "billing": "prices, charges, the ledger",
    "tools": "what a model may call",
    "providers": "the wire, the vendors",
    "scripted": "a model for tests",
    "drawing": "pictures of graphs",
    "state": "what a turn is",
}
IMPORT: Final = re.compile(r"\bturngraph\.(\w+)")


def imports_of(room: str) -> set[str]:
    """The other rooms that the code of `room` imports from, lazily or for types too."""
    lines = (
        line
        for file in (ROOT / room).rglob("*.py")
        for line in file.read_text("utf-8").splitlines()
        if line.lstrip().startswith(("from turngraph", "import turngraph"))
    )
    return {name for line in lines for name in IMPORT.findall(line)} & set(ROOMS) - {room}


def direct(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """The arrows that no longer path of arrows implies."""

    def reached(room: str) -> set[str]:
        return arrows[room].union(*(reached(other) for other in arrows[room]))

    return {
        room: others.difference(*(reached(other) for other in others))
        for room, others in arrows.items()
    }


def picture() -> str:
    """The rooms as an SVG document."""
    graph = Graph()
    nodes = {room: graph.add_node(None, id=room) for room in ROOMS}
    for room, others in direct({room: imports_of(room) for room in ROOMS}).items():
        for other in sorted(others, key=list(ROOMS).index):
            graph.add_edge(nodes[room], nodes[other])
    return draw_svg(graph, notes=ROOMS)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(), "utf-8")
