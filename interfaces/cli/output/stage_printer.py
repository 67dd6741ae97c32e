"""A turn told stage by stage, by the names of its nodes, with the exact JSON of every request."""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.padding import Padding
from rich.text import Text

from turngraph.interfaces.cli.output.fitted_json import fitted_json
from turngraph.interfaces.cli.output.report import charges_table
from turngraph.interfaces.plain_text import money, one_line, printable
from turngraph.state.events import (
    ChargeCreated,
    PromptFinished,
    PromptStarted,
    ResponseReceived,
    Token,
    ToolPresented,
    TurnEvent,
)
from turngraph.state.result import ToolRun, TurnResult

__all__ = ["StagePrinter"]

_FOLDED_FROM: Final = 4


class StagePrinter:
    """Prints each stage when it begins, and under it what it did.

    `sent` gives the body of the last request as the server received it: what is shown is what was
    on the wire. What a second request repeats of the first is shown again only with `full`.
    """

    def __init__(self, console: Console, sent: Callable[[], bytes], *, full: bool) -> None:
        self._console, self._sent, self._full = console, sent, full
        self._pieces: list[str] = []
        self._known: set[str] = set()  # lines of the request before

    def begun(self, task: Mapping[str, Any]) -> None:
        """A node begins."""
        name, given = task["name"], task["input"]
        about = ""
        if name == "dispatch_tools":
            about = f"{given['call'].name}({one_line(given['call'].arguments, 80)})"
        self._console.print(
            Text.assemble(("● ", "cyan"), (name.ljust(20), "bold cyan"), printable(about))
        )

    def ended(self, task: Mapping[str, Any]) -> None:
        """A node is over; what a tool answered is told here."""
        if task["name"] == "dispatch_tools":
            run: ToolRun = task["result"]["tool_runs"][0]
            self._say(f"{run.status}: {one_line(run.content, 90)}", f"{run.seconds * 1000:.0f} ms")

    def __call__(self, event: TurnEvent) -> None:
        """Something happened inside a node."""
        match event:
            case PromptStarted():
                self._say(
                    f"{event.vendor}:{event.model} through the {event.api} API", event.api_reason
                )
            case ToolPresented():
                self._say(f"offers {event.tool}")
            case Token(kind="text"):
                self._pieces.append(event.text)
            case ResponseReceived():
                self._request_and_answer(event)
            case ChargeCreated():
                self._say(
                    f"{money(event.charge.amount_usd)} for {event.charge.vendor}:{event.charge.model}"
                )
            case PromptFinished():
                self._say(
                    f"{event.status}, {money(event.cost_usd)} in all",
                    f"{event.seconds * 1000:.0f} ms",
                )

    def finish(self, result: TurnResult) -> None:
        """The answer, and what it cost."""
        self._console.print()
        self._console.print(Text(printable(result.answer), "bold"))
        self._console.print(Padding(charges_table(result), (1, 0, 0, 0)))

    def _request_and_answer(self, event: ResponseReceived) -> None:
        body = self._sent()
        self._say("sends", f"{len(body):,} bytes, as the server received them")
        lines = fitted_json(json.loads(body), self._console.width - 4).splitlines()
        for known, run in groupby(lines, key=lambda line: line.rstrip(",") in self._known):
            self._json(list(run), known=known)
        self._known = {line.rstrip(",") for line in lines}
        if self._pieces:
            self._say(
                f"receives {len(self._pieces)} pieces: " + one_line("│".join(self._pieces), 70)
            )
            self._pieces.clear()
        used = event.usage
        tokens = "" if used is None else f", {used.input_tokens} + {used.output_tokens} tokens"
        asked = (
            f", {event.tool_calls} tool call{'s' * (event.tool_calls != 1)}"
            if event.tool_calls
            else ""
        )
        self._say(
            f"answered: {event.finish_reason}{asked}{tokens}", f"{event.seconds * 1000:.0f} ms"
        )

    def _json(self, lines: Sequence[str], *, known: bool) -> None:
        """Lines of a request. Those of the request before are dim, and a long run of them is only
        counted.
        """
        folded = known and not self._full and len(lines) > _FOLDED_FROM
        shown = (
            [lines[0], f"  … {len(lines) - 2} lines as in the request before", lines[-1]]
            if folded
            else lines
        )
        for line in shown:
            written = Text(printable(line), "dim" if known else "")
            if not known:
                JSONHighlighter().highlight(written)
            self._console.print(Padding(written, (0, 0, 0, 4)))

    def _say(self, text: str, aside: str = "") -> None:
        self._console.print(
            Text.assemble("    ", printable(text), ("  " + printable(aside), "dim")), soft_wrap=True
        )
