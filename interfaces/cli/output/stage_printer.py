"""Prints a turn stage by stage, under the names of its nodes, with the JSON of every request."""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.padding import Padding
from rich.text import Text

from turngraph.interfaces.cli.output.compact_json import compact_json
from turngraph.interfaces.cli.output.report import charges_table
from turngraph.interfaces.plain_text import money, one_line, printable
from turngraph.state.events import (
    AnyEvent,
    ChargeCreated,
    PromptFinished,
    PromptStarted,
    ResponseReceived,
    Token,
    ToolPresented,
)
from turngraph.state.result import ToolRun, TurnResult

__all__ = ["StagePrinter"]

_MAX_REPEATED_LINES: Final = 4
"""More repeated lines than this are counted instead of shown."""


class StagePrinter:
    """Prints a line when a stage starts, and below it what the stage did.

    `last_request` returns the body of the last request as the server received it, so that what is
    shown is what was sent. Lines that the request before had already are shown only with `full`.
    """

    def __init__(self, console: Console, last_request: Callable[[], bytes], *, full: bool) -> None:
        self._console, self._last_request, self._full = console, last_request, full
        self._pieces: list[str] = []
        self._known_lines: set[str] = set()
        """The lines of the request before this one."""

    def start_stage(self, task: Mapping[str, Any]) -> None:
        """Prints the name of a node that starts, and for a tool call its arguments."""
        name, about = task["name"], ""
        if name == "dispatch_tools":
            call = task["input"]["call"]
            about = f"{call.name}({one_line(call.arguments, 80)})"
        self._console.print(
            Text.assemble(("● ", "cyan"), (name.ljust(20), "bold cyan"), printable(about))
        )

    def end_stage(self, task: Mapping[str, Any]) -> None:
        """Prints what a tool returned; other nodes report by events."""
        if task["name"] == "dispatch_tools":
            run: ToolRun = task["result"]["tool_runs"][0]
            self._print(f"{run.status}: {one_line(run.content, 90)}", _milliseconds(run.seconds))

    def __call__(self, event: AnyEvent) -> None:
        """Prints what happened inside a node."""
        match event:
            case PromptStarted():
                self._print(
                    f"{event.vendor}:{event.model} through the {event.api} API", event.api_reason
                )
            case ToolPresented():
                self._print(f"offers {event.tool}")
            case Token(kind="text"):
                self._pieces.append(event.text)
            case ResponseReceived():
                self._print_request()
                self._print_answer(event)
            case ChargeCreated(charge=charge):
                self._print(f"{money(charge.amount_usd)} for {charge.vendor}:{charge.model}")
            case PromptFinished():
                text = f"{event.status}, {money(event.cost_usd)} in total"
                self._print(text, _milliseconds(event.seconds))

    def finish(self, result: TurnResult) -> None:
        """Prints the answer and the table of its charges."""
        self._console.print()
        self._console.print(Text(printable(result.answer), "bold"))
        self._console.print(Padding(charges_table(result), (1, 0, 0, 0)))

    def _print_request(self) -> None:
        body = self._last_request()
        self._print("sends", f"{len(body):,} bytes, as the server received them")
        lines = compact_json(json.loads(body), self._console.width - 4).splitlines()
        # A line is known with or without the comma that its place in the request gives it.
        for known, run in groupby(lines, key=lambda line: line.rstrip(",") in self._known_lines):
            self._print_json(list(run), known=known)
        self._known_lines = {line.rstrip(",") for line in lines}

    def _print_answer(self, event: ResponseReceived) -> None:
        if self._pieces:
            pieces = one_line("│".join(self._pieces), 70)
            self._print(f"receives {len(self._pieces)} pieces: {pieces}")
            self._pieces.clear()
        count, usage = event.tool_calls, event.usage
        calls = f", {count} tool call{'s' * (count != 1)}" if count else ""
        tokens = "" if usage is None else f", {usage.input_tokens} + {usage.output_tokens} tokens"
        self._print(f"answered: {event.finish_reason}{calls}{tokens}", _milliseconds(event.seconds))

    def _print_json(self, lines: Sequence[str], *, known: bool) -> None:
        """Prints lines of a request; repeated ones are dim, and many of them are only counted."""
        if known and not self._full and len(lines) > _MAX_REPEATED_LINES:
            lines = [lines[0], f"  … {len(lines) - 2} lines as in the request before", lines[-1]]
        for line in lines:
            text = Text(printable(line), "dim" if known else "")
            if not known:
                JSONHighlighter().highlight(text)
            self._console.print(Padding(text, (0, 0, 0, 4)))

    def _print(self, text: str, aside: str = "") -> None:
        self._console.print(
            Text.assemble("    ", printable(text), ("  " + printable(aside), "dim")), soft_wrap=True
        )


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
