"""`turngraph draw`: the graph of a turn, drawn from the compiled graph itself."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from langchain_core.runnables.graph import Graph

from turngraph.drawing.svg import draw_svg
from turngraph.drawing.text import draw_text
from turngraph.interfaces.cli.output.files import write_text
from turngraph.state.errors import TurnConfigurationError

__all__ = ["Format", "draw", "turn_drawing"]

Format = Literal["text", "mermaid", "svg"]
_FORMAT_OF_SUFFIX: Final[Mapping[str, Format]] = {
    ".svg": "svg",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".txt": "text",
}


def draw(file: Path | None = None, /, *, format: Format | None = None) -> None:
    """Draw the graph of a turn as text, Mermaid or SVG.

    Parameters
    ----------
    file
        The file to write. Default: standard output.
    format
        The format. Default: what the suffix of the file says (.svg, .mmd, .mermaid, .txt), else
        text.
    """
    suffix = None if file is None else file.suffix.lower()
    chosen = format or ("text" if suffix is None else _FORMAT_OF_SUFFIX.get(suffix))
    if chosen is None:
        known = ", ".join(f"`{suffix}`" for suffix in _FORMAT_OF_SUFFIX)
        raise TurnConfigurationError(
            f"The suffix of `{file}` names no format. Use one of {known}, or add --format."
        )
    drawing = turn_drawing(chosen)
    if file is None:
        print(drawing)
    else:
        write_text(file, drawing if drawing.endswith("\n") else drawing + "\n")


def turn_drawing(format: Format) -> str:
    """Returns the drawn graph of a turn."""
    return _DRAW[format](_turn_graph())


def _turn_graph() -> Graph:
    from turngraph.graphs.chat import chat_turn
    from turngraph.providers.config import ProviderConfig

    # The model is never asked here, so any will do.
    return chat_turn(ProviderConfig(model="any", base_url="http://localhost/v1")).get_graph()


def _svg(graph: Graph) -> str:
    from turngraph.graphs.stage_notes import stage_notes

    return draw_svg(graph, notes=stage_notes())


_DRAW: Final[Mapping[Format, Callable[[Graph], str]]] = {
    "text": draw_text,
    "mermaid": lambda graph: graph.draw_mermaid(),
    "svg": _svg,
}
