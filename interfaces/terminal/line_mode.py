"""The stepper line by line: shows the turn, reads a key and what follows it, and shows it again.

For pipes, for terminals that cannot be drawn on, for screen readers, and without the extra.
"""

import asyncio
import sys
from typing import Final

from rich.console import Console
from rich.text import Text

from turngraph.drawing.marks import SIGNS
from turngraph.interfaces.plain_text import printable
from turngraph.interfaces.stepper.engine.retry_pauses import RetryPauses
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.views.cost import cost_text
from turngraph.interfaces.stepper.views.panes import PANES, Pane, pane_of, step_now
from turngraph.interfaces.stepper.views.status import calls_model_next, turn_mark
from turngraph.interfaces.terminal.editor import edit_text, editor_command
from turngraph.interfaces.terminal.keys import (
    EDITED,
    KEYS,
    VIEW_KEYS,
    find_line,
    shown_by,
    unknown_key,
)
from turngraph.interfaces.terminal.rendering import MARK_STYLES
from turngraph.state.errors import TurngraphError

__all__ = ["LineMode"]

_PANE_LINES: Final = 60
"""Lines of a pane that are shown; the rest is counted."""
_PROMPT: Final = f"{' '.join([*KEYS, *VIEW_KEYS])}: "
_PANE_STYLES: Final = {"question": "yellow", "answer": "bold"}


class LineMode:
    """Shows a stepper on `console` and obeys the keys that are typed, one a line.

    Some keys show another line or another walk: the stepper on the screen may become another one.
    """

    def __init__(self, stepper: Stepper, console: Console) -> None:
        self._stepper, self._console = stepper, console
        self._on_terminal = sys.stdin.isatty()
        self._pauses = RetryPauses(lambda pauses: self._say("\n".join(map(str, pauses)), "yellow"))
        stepper.on_event(self._pauses)

    def run(self) -> None:
        """Reads keys until `q` or the end of the input. An error is shown and ends nothing."""
        if self._on_terminal:
            import readline  # noqa: F401  gives `input` editing and a history
        self._show()
        while (typed := self._read()) != "q":
            key, _, argument = typed.partition(" ")
            try:
                moved = self._obey(key, argument.strip())
            except (TurngraphError, ValueError, LookupError) as exc:
                self._say(str(exc), "red")
            except KeyboardInterrupt:
                self._say("Stopped. What was sent may have been answered, and billed.", "yellow")
            else:
                if moved:
                    self._show()

    def _read(self) -> str:
        """Returns what was typed; an empty line is a step, the end of the input quits."""
        try:
            return input(_PROMPT if self._on_terminal else "").strip() or "s"
        except EOFError:
            return "q"
        except KeyboardInterrupt:
            print()
            return "q"

    def _obey(self, key: str, argument: str) -> bool:
        """Carries out a key. Returns whether the turn has to be shown again."""
        stepper = self._stepper
        match key:
            case "f":
                self._stepper = stepper.fork(argument or None)
            case "l" | "z" | "y" | "O":
                self._stepper = shown_by(key, stepper, argument)
                if key == "O":  # another walk
                    self._stepper.on_event(self._pauses)
            case "c":
                self._say(str(stepper.compare(stepper, find_line(stepper, argument), ends=True)))
                return False
            case "p":
                self._show_pane(argument)
                return False
            case "?":
                self._show_help()
                return False
            case "e" | "m" if not argument and self._on_terminal and (editor := editor_command()):
                text = EDITED[key](stepper)
                asyncio.run(KEYS[key].move(stepper, edit_text(text, editor) if text else "{}"))
            case _ if key in KEYS:
                asyncio.run(KEYS[key].move(stepper, argument))
            case _:
                self._say(unknown_key(key), "red")
                return False
        return True

    def _show(self) -> None:
        """Shows the step, and what matters most here."""
        stepper, now, mark = self._stepper, self._stepper.now, turn_mark(self._stepper)
        step = f"{step_now(stepper)}  {stepper.name} {cost_text(stepper)}".rstrip()
        self._console.print(
            Text.assemble((f"● {SIGNS[mark]} ", MARK_STYLES[mark]), (step, "bold")), soft_wrap=True
        )
        names = ["problem", "question"]
        if pane_of(stepper, "answer").mark == "failed":
            names.append("answer")
        if calls_model_next(now):
            names.append("request")
        elif any(task.call for task in now.pending):
            names += ["answer", "tools"]
        else:
            names.append("answer" if now.attempts or now.finished else "diff")
        for name in dict.fromkeys(names):
            self._print(name, pane_of(stepper, name))

    def _show_pane(self, name: str) -> None:
        if name in PANES:
            pane = pane_of(self._stepper, name)
            self._print(name, Pane("nothing here") if pane.is_empty else pane)
        else:
            self._say(f"Panes: {', '.join(PANES)}. As in: p messages", "dim")

    def _print(self, name: str, pane: Pane) -> None:
        if not pane.as_text:
            return
        lines = printable(pane.as_text).splitlines()
        style = "red" if pane.mark == "failed" else _PANE_STYLES.get(name, "")
        self._console.print(Text(f"  {name}", "dim"))
        for line in lines[:_PANE_LINES]:
            self._console.print(Text(f"    {line}", style), soft_wrap=True)
        if len(lines) > _PANE_LINES:
            self._console.print(Text(f"    … {len(lines) - _PANE_LINES} more lines", "dim"))

    def _show_help(self) -> None:
        for key, text in {**{key: known.help for key, known in KEYS.items()}, **VIEW_KEYS}.items():
            self._say(f"  {key}  {text}")

    def _say(self, text: str, style: str = "") -> None:
        if not text:
            return
        self._console.print(Text(printable(text), style), soft_wrap=True)
