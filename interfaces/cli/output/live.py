"""Prints a turn as it happens: the answer on standard output, everything else on standard error."""

from typing import Final

from rich.console import Console
from rich.text import Text

from turngraph.interfaces.plain_text import one_line, printable
from turngraph.state.events import (
    AnyEvent,
    ResponseFailed,
    Token,
    ToolRequested,
    ToolResponded,
    TurnWarning,
)
from turngraph.state.result import TurnResult

__all__ = ["LivePrinter"]

_ARGUMENTS_WIDTH: Final = 100
_MESSAGE_WIDTH: Final = 300


class LivePrinter:
    """Prints the pieces of an answer as they arrive, and a line for each tool call and warning.

    Only the answer goes to `out`, so that a pipe or a file gets nothing else; the rest goes to
    `err`.
    """

    def __init__(self, out: Console, err: Console) -> None:
        self._out, self._err = out, err
        self._unfinished: Console | None = None
        """The console whose last line has not been ended."""
        self._streamed = False
        """Whether a piece of the answer was printed."""

    def __call__(self, event: AnyEvent) -> None:
        """Prints what `event` is about, if a person wants to know it."""
        match event:
            case Token(kind="reasoning", text=text):
                self._print_piece(self._err, text, "dim italic")
            case Token(text=text):
                self._streamed = True
                self._print_piece(self._out, text, "")
            case ToolRequested():
                self._print_line(f"→ {event.tool} {one_line(event.arguments, _ARGUMENTS_WIDTH)}")
            case ToolResponded() if event.status != "ok":
                self._print_line(f"✗ {event.tool}: {event.status} after {event.seconds:.1f} s")
            case ResponseFailed() if event.retry_in_s is not None:
                message = one_line(event.error.message, _MESSAGE_WIDTH)
                self._print_line(f"Trying again in {event.retry_in_s:.1f} s: {message}")
            case TurnWarning():
                self._print_line(f"warning: {one_line(event.message, _MESSAGE_WIDTH)}")

    def finish(self, result: TurnResult) -> None:
        """Ends the answer, and prints it where it did not arrive in pieces."""
        self._end_line()
        if not self._streamed and result.answer:
            self._out.print(self._as_text(self._out, result.answer), soft_wrap=True)
        self._streamed = False

    def _print_piece(self, console: Console, text: str, style: str) -> None:
        if self._unfinished is not console:
            self._end_line()
        console.print(self._as_text(console, text, style), end="", soft_wrap=True)
        self._unfinished = None if text.endswith("\n") else console

    def _print_line(self, text: str) -> None:
        self._end_line()
        self._err.print(Text(printable(text), "dim"), soft_wrap=True)

    def _end_line(self) -> None:
        if self._unfinished is not None:
            self._unfinished.print()
            self._unfinished = None

    @staticmethod
    def _as_text(console: Console, text: str, style: str = "") -> Text:
        # A pipe gets the answer as it is; a terminal must not obey escape sequences in it.
        return Text(printable(text) if console.is_terminal else text, style)
