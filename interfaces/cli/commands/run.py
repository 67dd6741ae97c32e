"""`turngraph run`: one chat turn, its answer on standard output and all else on standard error."""

import asyncio
import os
import sys
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from turngraph.interfaces.cli.model_options import ModelOptions, SelectedModel
from turngraph.interfaces.cli.output.files import report_console
from turngraph.interfaces.cli.turn_options import TurnOptions, TurnSetup, open_setup
from turngraph.state.errors import TurnValueError
from turngraph.state.events import AnyEvent
from turngraph.state.result import TurnResult

__all__ = ["run"]


def run(
    question: str | None = None,
    /,
    *,
    options: ModelOptions = ModelOptions(),  # noqa: B008  frozen
    turn: TurnOptions = TurnOptions(),  # noqa: B008  frozen
    stream: bool | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"), negative="")] = False,
) -> int:
    """Run one chat turn and print its answer.

    Parameters
    ----------
    question
        The question; read from standard input if it is left out or `-`.
    stream
        Print the answer as it arrives. Default: yes on a terminal, no otherwise.
    json
        Print the whole result as JSON; with --stream, one event a line and the result last.
    quiet
        Print nothing but the answer.
    """
    text = _read_question(question)
    streamed = (sys.stdout.isatty() and not json) if stream is None else stream
    console = report_console(stderr=True, quiet=quiet)
    with open_setup(turn, options, os.environ) as setup:
        if json:
            return asyncio.run(_run_as_json(text, setup, streamed, console))
        return asyncio.run(_run_as_text(text, setup, streamed, console))


async def _run_as_text(question: str, setup: TurnSetup, stream: bool, console: Console) -> int:
    from turngraph.interfaces.cli.output.live import LivePrinter
    from turngraph.interfaces.cli.output.report import (
        charges_table,
        print_scripted_notice,
        summary,
    )
    from turngraph.interfaces.cli.turn_runner import cancel_on_ctrl_c, open_turn, run_turn

    model = setup.model
    printer = LivePrinter(Console(highlight=False, soft_wrap=True), console)
    async with open_turn(setup, stream=stream) as turn:
        print_scripted_notice(model, console)
        with cancel_on_ctrl_c() as cancel:
            result = await run_turn(turn, question, printer, cancel=cancel)
    printer.finish(result)
    if result.charges:
        console.print(charges_table(result))
    console.print(summary(result, model.name), style="dim", highlight=False)
    return _exit_code(result, model)


async def _run_as_json(question: str, setup: TurnSetup, stream: bool, console: Console) -> int:
    from turngraph.interfaces.cli.output.report import print_scripted_notice
    from turngraph.interfaces.cli.turn_runner import cancel_on_ctrl_c, open_turn, run_turn

    model = setup.model

    def print_event(event: AnyEvent) -> None:
        if stream:
            print(event.model_dump_json(exclude_none=True), flush=True)

    async with open_turn(setup, stream=stream) as turn:
        print_scripted_notice(model, console)
        with cancel_on_ctrl_c() as cancel:
            result = await run_turn(turn, question, print_event, cancel=cancel)
    whole = result.model_dump_json(exclude_none=True, indent=None if stream else 2)
    # Among events, the result has a `type` too, so that a reader can tell the lines apart.
    print(f'{{"type":"result",{whole[1:]}' if stream else whole)
    return _exit_code(result, model)


def _exit_code(result: TurnResult, model: SelectedModel) -> int:
    """Returns 0 for an answer; else prints why there is none and returns 1, or 130 after ctrl-c."""
    from turngraph.interfaces.cli.output.report import explain_failure

    if result.ok:
        return 0
    print(f"turngraph: {explain_failure(result, model)}", file=sys.stderr)
    return 130 if result.status == "cancelled" else 1


def _read_question(argument: str | None) -> str:
    if argument is not None and argument != "-":
        return argument
    # Reading from a terminal would look as if the command hung.
    if argument is None and sys.stdin.isatty():
        raise TurnValueError('No question was given. Type: turngraph run "your question".')
    text = sys.stdin.read().strip()
    if not text:
        raise TurnValueError(
            "No question was given, and standard input is empty. "
            'Type: turngraph run "your question".'
        )
    return text
