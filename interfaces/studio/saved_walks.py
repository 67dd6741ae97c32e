"""A walk as a file that the browser keeps, and back. No file of this machine is named by a page."""

import tempfile
from pathlib import Path

from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.user_graphs.loading import Graph
from turngraph.state.errors import TurnValueError

__all__ = ["open_walk", "saved_walk"]


def saved_walk(stepper: Stepper) -> str:
    """Returns what `stepper.save` writes. Raises TurnValueError if a value cannot be saved."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "walk.json"
        stepper.save(file)
        return file.read_text("utf-8")


def open_walk(graph: Graph, text: str, context: object) -> Stepper:
    """Opens what `saved_walk` returned. Raises TurnValueError if it is no walk of this graph."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "walk.json"
        file.write_text(text, "utf-8", errors="replace")
        try:
            return Stepper.open(file, graph, context=context)
        except TurnValueError as exc:
            # Nobody knows the folder that the file had for a moment.
            raise TurnValueError(str(exc).replace(f"`{file}`", "This file")) from exc
