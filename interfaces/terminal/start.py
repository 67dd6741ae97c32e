"""Shows a stepper on the terminal: full screen where that works, or else line by line."""

import os
import sys
from collections.abc import Mapping

from rich.console import Console

from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.terminal.editor import editor_command
from turngraph.interfaces.terminal.line_mode import LineMode

__all__ = ["is_dark", "show_stepper"]


def show_stepper(stepper: Stepper) -> None:
    """Shows `stepper` until the person quits.

    The full screen needs a terminal at both ends that can be drawn on (`TERM` is not `dumb`), and
    the extra `terminal`.
    """
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    if not on_terminal:
        LineMode(stepper, Console(highlight=False)).run()
        return
    try:
        from turngraph.interfaces.terminal.full_screen import StepperApp
    except ModuleNotFoundError:
        print('`pip install "turngraph[terminal]"` shows this on the full screen.', file=sys.stderr)
        LineMode(stepper, Console(highlight=False)).run()
    else:
        StepperApp(stepper, dark=is_dark(os.environ), editor=editor_command()).run()


def is_dark(environ: Mapping[str, str]) -> bool:
    """Returns whether the terminal is dark, as far as its variable COLORFGBG says.

    Most colors are the terminal's own and fit anyway. COLORFGBG holds the numbers of two colors,
    that of the text and that of the background; 7 and 15 are the light ones.

        >>> is_dark({"COLORFGBG": "0;15"}), is_dark({"COLORFGBG": "15;default;0"}), is_dark({})
        (False, True, True)
    """
    return environ.get("COLORFGBG", "").rpartition(";")[2] not in ("7", "15")
