"""The loop of `turngraph step`: shows the turn, reads a key, moves, and shows it again."""

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from turngraph.interfaces.cli.step_keys import KEYS_HELP, MOVE_KEYS, find_line
from turngraph.interfaces.plain_text import money, printable
from turngraph.state.errors import TurngraphError

if TYPE_CHECKING:
    from turngraph.interfaces.stepper.stepper import TurnStepper

__all__ = ["StepScreen"]

PANE_LINES: Final = 60
"""Lines of a pane that are shown; the rest is counted."""
PROMPT: Final = "[dim]s i o b j u r t f l c e g w a k x p ? q:[/dim] "


class StepScreen:
    """Shows a stepper on `console` and obeys the keys that are typed.

    `f` and `l` change the line, so the stepper on the screen may become another one.
    """

    def __init__(self, stepper: "TurnStepper", console: Console) -> None:
        self._stepper, self._console = stepper, console

    def run(self) -> None:
        """Reads keys until `q` or the end of the input. An error is shown and ends nothing."""
        self._show()
        while (typed := self._read()) != "q":
            key, _, argument = typed.partition(" ")
            try:
                moved = self._obey(key, argument)
            except (TurngraphError, ValueError, IndexError) as exc:
                self._console.print(Text(printable(str(exc)), "red"))
                continue
            if moved:
                self._show()

    def _read(self) -> str:
        """Returns what was typed; an empty line is a step, the end of the input quits."""
        try:
            return self._console.input(PROMPT).strip() or "s"
        except EOFError:
            return "q"

    def _obey(self, key: str, argument: str) -> bool:
        """Carries out a key. Returns whether the turn has to be shown again."""
        stepper = self._stepper
        match key:
            case "f":
                self._stepper = stepper.fork(argument or f"fork {len(stepper.forks)}")
            case "l":
                self._stepper = find_line(stepper, argument)
            case "c":
                differences = stepper.compare(stepper, find_line(stepper, argument))
                self._console.print(Text(printable(str(differences))))
                return False
            case "p":
                self._show_pane(argument)
                return False
            case _ if key in MOVE_KEYS:
                _, move = MOVE_KEYS[key]
                move(stepper, argument)
            case _:
                self._show_help(key)
                return False
        return True

    def _show(self) -> None:
        """Shows the step, the problem if there is one, and the request or what has changed."""
        from turngraph.interfaces.stepper.views.page import pane_texts

        stepper, now = self._stepper, self._stepper.now
        self._console.print(
            Text.assemble(
                ("● ", "cyan"),
                (printable(str(now)), "bold"),
                f"  {stepper.name} {money(stepper.cost)}",
            )
        )
        shown = pane_texts(stepper)
        # Just before a call, its request matters most; after any other stage, the changes do.
        calls_model = any(task.node == "call_llm" for task in now.pending)
        calls_tools = any(task.call for task in now.pending)
        names = ["problem", "request" if calls_model else "diff"]
        for name in [*names, "tools"] if calls_tools else names:
            self._print(name, shown[name])

    def _show_pane(self, name: str) -> None:
        from turngraph.interfaces.stepper.views.page import pane_texts

        shown = pane_texts(self._stepper)
        if name in shown:
            self._print(name, shown[name] or "nothing here")
        else:
            self._console.print(Text(f"Panes: {', '.join(shown)}. As in: p messages", "dim"))

    def _print(self, name: str, text: str) -> None:
        if not text:
            return
        lines = printable(text).splitlines()
        self._console.print(Text(f"  {name}", "dim"))
        for line in lines[:PANE_LINES]:
            self._console.print(Text(f"    {line}"), soft_wrap=True)
        if len(lines) > PANE_LINES:
            self._console.print(Text(f"    … {len(lines) - PANE_LINES} more lines", "dim"))

    def _show_help(self, key: str) -> None:
        if key != "?":
            self._console.print(Text(printable(f"There is no key `{key}`. The keys are:"), "red"))
        for known, text in KEYS_HELP.items():
            self._console.print(Text(f"  {known}  {text}"))
