"""A turn as it happens, for a person: the answer on stdout, everything about it on stderr."""

from rich.console import Console
from rich.text import Text

from turngraph.interfaces.plain_text import one_line, printable
from turngraph.state.events import (
    ResponseFailed,
    Token,
    ToolRequested,
    ToolResponded,
    TurnEvent,
    TurnWarning,
)
from turngraph.state.result import TurnResult

__all__ = ["LivePrinter"]

_WIDTH = 100


class LivePrinter:
    """Prints the pieces of an answer as they arrive, and a dim line for every tool call, retry and
    warning.

    `out` takes the answer alone, so that a pipe or a file gets nothing else; `err` takes the rest.
    """

    def __init__(self, out: Console, err: Console) -> None:
        self._out, self._err = out, err
        self._open: Console | None = None  # whose line has not been ended
        self._shown = False

    def __call__(self, event: TurnEvent) -> None:
        """Show `event`."""
        match event:
            case Token(kind="reasoning", text=text):
                self._piece(self._err, text, "dim italic")
            case Token(text=text):
                self._shown = True
                self._piece(self._out, text, "")
            case ToolRequested():
                self._line(f"→ {event.tool} {one_line(event.arguments, _WIDTH)}")
            case ToolResponded() if event.status != "ok":
                self._line(f"✗ {event.tool}: {event.status} after {event.seconds:.1f} s")
            case ResponseFailed() if event.retry_in_s is not None:
                self._line(
                    f"{one_line(event.error.message, 300)} Trying again in {event.retry_in_s:.1f} s."
                )
            case TurnWarning():
                self._line(f"warning: {one_line(event.message, 300)}")

    def finish(self, result: TurnResult) -> None:
        """End the answer; print it whole where it did not come in pieces."""
        self._end_line()
        if not self._shown and result.answer:
            self._out.print(self._written(self._out, result.answer), soft_wrap=True)
        self._shown = False

    def _piece(self, console: Console, text: str, style: str) -> None:
        if self._open is not console:
            self._end_line()
        console.print(self._written(console, text, style), end="", soft_wrap=True)
        self._open = None if text.endswith("\n") else console

    def _line(self, text: str) -> None:
        self._end_line()
        self._err.print(Text(printable(text), "dim"), soft_wrap=True)

    def _end_line(self) -> None:
        if self._open is not None:
            self._open.print()
            self._open = None

    @staticmethod
    def _written(console: Console, text: str, style: str = "") -> Text:
        """A pipe gets the answer as it is; a terminal gets nothing it could obey."""
        return Text(printable(text) if console.is_terminal else text, style)
