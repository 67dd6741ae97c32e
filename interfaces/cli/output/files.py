"""Writing to files and to paper: what several commands print or save in the same way."""

from pathlib import Path
from typing import Final

from rich.console import Console

from turngraph.state.errors import TurnConfigurationError

__all__ = ["PAPER_WIDTH", "report_console", "write_text"]

PAPER_WIDTH: Final = 116
"""Characters on a line where the output is not a terminal."""


def report_console() -> Console:
    """Returns standard output, wide enough for a table where it is not a terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PAPER_WIDTH
    return console


def write_text(file: Path, text: str) -> None:
    """Writes `text` to `file` as UTF-8. Raises TurnConfigurationError if that is not possible."""
    try:
        file.write_text(text, "utf-8")
    except OSError as exc:
        raise TurnConfigurationError(f"`{file}` cannot be written: {exc.strerror}.") from exc
