"""Writing to files and to paper: what several commands print or save in the same way."""

import re
from pathlib import Path
from typing import Final

from rich.console import Console

from turngraph.state.errors import TurnConfigurationError

__all__ = ["PAPER_WIDTH", "offline_svg", "report_console", "write_text"]

PAPER_WIDTH: Final = 116
"""Characters on a line of `turngraph demo` where the output is not a terminal."""
_WHOLE_ROWS: Final = 100_000
"""Wider than any row; a table takes no more width than it needs."""


def report_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """Returns standard output or standard error, for tables.

    Where it is not a terminal, every row stays on one line, whole, for `grep` and `cut`.
    """
    console = Console(stderr=stderr, quiet=quiet, highlight=False)
    if not console.is_terminal:
        console.width = _WHOLE_ROWS
    return console


def offline_svg(picture: str) -> str:
    """Returns a picture that Rich drew without the font that it would load from a web service."""
    without_font = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    return without_font.replace("Fira Code", "ui-monospace, SFMono-Regular, Menlo, Consolas")


def write_text(file: Path, text: str) -> None:
    """Writes `text` to `file` as UTF-8. Raises TurnConfigurationError if that is not possible."""
    try:
        file.write_text(text, "utf-8")
    except OSError as exc:
        raise TurnConfigurationError(f"`{file}` cannot be written: {exc.strerror}.") from exc
