"""`turngraph run`: one turn, its answer on stdout."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from turngraph.interfaces.cli.client_options import Chosen, chosen_client
from turngraph.interfaces.cli.model_options import Model, ModelOptions
from turngraph.state.errors import TurnValueError
from turngraph.state.events import TurnEvent
from turngraph.state.result import TurnResult

__all__ = ["run"]


def run(
    question: str | None = None,
    /,
    *,
    options: ModelOptions = ModelOptions(),  # noqa: B008  frozen
    stream: bool | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"), negative="")] = False,
    client: Path | None = None,
    allow_host: Annotated[tuple[str, ...], Parameter(negative="")] = (),
) -> int:
    """Run one chat turn and print its answer.

    Exits with 0 for an answer, 1 for a turn without a whole one, 2 for what cannot be asked, 130
    after ctrl-c.

    Parameters
    ----------
    question
        What to ask; read from standard input if absent or `-`.
    stream
        Print the answer as it arrives; on a terminal it does unless told otherwise.
    json Print everything the turn left behind, as JSON; with --stream one event a line, the result
        last.
    quiet
        Print nothing but the answer.
    client A file with an LLMClient manifest: its model, settings, plugins and functions, unless
        others are typed.
    allow_host
        A host its API plugins may reach though it is not public, as localhost:8080.
    """
    asked = _question(question)
    streamed = (sys.stdout.isatty() and not json) if stream is None else stream
    console = Console(stderr=True, quiet=quiet)
    with chosen_client(client, options, os.environ, allow_host) as chosen:
        if json:
            return asyncio.run(_as_json(asked, chosen, streamed, console))
        return asyncio.run(_for_a_person(asked, chosen, streamed, console))


async def _for_a_person(asked: str, chosen: Chosen, stream: bool, console: Console) -> int:
    from turngraph.interfaces.cli.asking import ask, cancelled_by_ctrl_c, opened_turn
    from turngraph.interfaces.cli.output.live import LivePrinter
    from turngraph.interfaces.cli.output.report import charges_table, say_who_answers, summary

    model = chosen.model
    printer = LivePrinter(Console(highlight=False, soft_wrap=True), console)
    async with opened_turn(model, chosen.options, stream=stream, plugins=chosen.plugins) as turn:
        say_who_answers(model, console)
        with cancelled_by_ctrl_c() as cancel:
            result = await ask(turn, asked, printer, cancel=cancel)
    printer.finish(result)
    if result.charges:
        console.print(charges_table(result))
    console.print(summary(result, model.name), style="dim", highlight=False)
    return _exit_code(result, model)


async def _as_json(asked: str, chosen: Chosen, stream: bool, console: Console) -> int:
    from turngraph.interfaces.cli.asking import ask, cancelled_by_ctrl_c, opened_turn
    from turngraph.interfaces.cli.output.report import say_who_answers

    model = chosen.model

    def print_event(event: TurnEvent) -> None:
        if stream:
            print(event.model_dump_json(exclude_none=True), flush=True)

    async with opened_turn(model, chosen.options, stream=stream, plugins=chosen.plugins) as turn:
        say_who_answers(model, console)
        with cancelled_by_ctrl_c() as cancel:
            result = await ask(turn, asked, print_event, cancel=cancel)
    whole = result.model_dump_json(exclude_none=True, indent=None if stream else 2)
    print(f'{{"type":"result",{whole[1:]}' if stream else whole)
    return _exit_code(result, model)


def _exit_code(result: TurnResult, model: Model) -> int:
    """0 for an answer; otherwise the reason is told, on stderr."""
    from turngraph.interfaces.cli.output.report import why_no_answer

    if result.ok:
        return 0
    print(f"turngraph: {why_no_answer(result, model)}", file=sys.stderr)
    return 130 if result.status == "cancelled" else 1


def _question(given: str | None) -> str:
    if given is not None and given != "-":
        return given
    if given is None and sys.stdin.isatty():
        raise TurnValueError('Nothing was asked: turngraph run "your question".')
    read = sys.stdin.read().strip()
    if not read:
        raise TurnValueError("Nothing was asked: standard input is empty.")
    return read
