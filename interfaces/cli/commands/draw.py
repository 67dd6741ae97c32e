"""`turngraph draw`: the graph of a turn, drawn from the graph itself."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from langchain_core.runnables.graph import Graph

from turngraph.drawing.svg import draw_svg
from turngraph.drawing.text import draw_text
from turngraph.state.errors import TurnConfigurationError

__all__ = ["Format", "draw", "turn_drawing"]

Format = Literal["text", "mermaid", "svg"]
_SUFFIXES: Final[Mapping[str, Format]] = {
    ".svg": "svg",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".txt": "text",
}


def draw(file: Path | None = None, /, *, format: Format | None = None) -> None:
    """Draw the graph of a turn.

    Parameters
    ----------
    file
        Where to write it; standard output if absent.
    format
        By default what the file's ending says, else text.
    """
    wanted = format or ("text" if file is None else _SUFFIXES.get(file.suffix.lower()))
    if wanted is None:
        known = ", ".join(f"`{suffix}`" for suffix in _SUFFIXES)
        raise TurnConfigurationError(
            f"No drawing is written as `{file}`. Known endings: {known}; or give --format."
        )
    drawing = turn_drawing(wanted)
    if file is None:
        print(drawing)
        return
    try:
        file.write_text(drawing if drawing.endswith("\n") else drawing + "\n", "utf-8")
    except OSError as exc:
        raise TurnConfigurationError(f"`{file}` cannot be written: {exc.strerror}.") from exc


def turn_drawing(format: Format) -> str:
    """The graph of a turn: as `text`, as `mermaid`, as an `svg` document."""
    return _DRAWN[format](_turn())


def _turn() -> Graph:
    from turngraph.graphs.chat import chat_turn
    from turngraph.providers.config import ProviderConfig

    # Drawn, never asked: any model will do.
    return chat_turn(ProviderConfig(model="any", base_url="http://localhost/v1")).get_graph()


def _svg(graph: Graph) -> str:
    from turngraph.graphs.stage_notes import stage_notes

    return draw_svg(graph, notes=stage_notes())


_DRAWN: Final[Mapping[Format, Callable[[Graph], str]]] = {
    "text": draw_text,
    "mermaid": lambda graph: graph.draw_mermaid(),
    "svg": _svg,
}
