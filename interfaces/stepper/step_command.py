"""`turngraph step`: a turn walked in the terminal, with the same keys as the widget."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.text import Text

from turngraph.interfaces.model_choice import ModelOptions, chosen_model
from turngraph.interfaces.plain_text import money, printable
from turngraph.state.errors import TurngraphError, TurnValueError

if TYPE_CHECKING:
    from turngraph.interfaces.stepper.stepper import TurnStepper

__all__ = ["step"]

_MOVES: Final[Mapping[str, tuple[str, Callable[["TurnStepper", str], Any]]]] = {
    "s": ("step", lambda stepper, given: stepper.step()),
    "i": ("into: one task", lambda stepper, given: stepper.step_into()),
    "o": ("over: a subgraph whole", lambda stepper, given: stepper.step_over()),
    "b": ("back [n]", lambda stepper, given: stepper.back(int(given or 1))),
    "j": ("jump to step n", lambda stepper, given: stepper.jump(int(given))),
    "u": ("run until node or event", lambda stepper, given: stepper.run_until(given)),
    "r": ("run", lambda stepper, given: stepper.run()),
    "t": ("retry what ran last", lambda stepper, given: stepper.retry()),
    "e": ("edit the pending request: its whole JSON", lambda stepper, given: stepper.edit(body=given)),
    "a": ("answer what a person is asked, as JSON", lambda stepper, given: stepper.answer(_json(given))),
}
_SHOWN: Final = 60
"""Lines of a pane."""


def step(question: str, /, *, options: ModelOptions = ModelOptions()) -> None:  # noqa: B008  frozen
    """Walk one chat turn in the terminal: s step, i into, b back, f fork, ? for all keys.

    Parameters
    ----------
    question
        What to ask.
    """
    from turngraph.graphs.chat import chat_turn
    from turngraph.interfaces.stepper.stepper import TurnStepper

    if not question.strip():
        raise TurnValueError('Nothing was asked: turngraph step "your question".')
    console = Console(highlight=False)
    with chosen_model(options, os.environ) as model:
        turn = chat_turn(
            model.config, functions=model.functions, system=options.system, limits=model.limits, prices=model.prices
        )
        with TurnStepper(turn, {"messages": [("user", question)]}) as stepper:
            _walk(stepper, console)


def _walk(stepper: "TurnStepper", console: Console) -> None:
    _show(stepper, console)
    while True:
        typed = _typed(console)
        if typed in (None, "q"):
            return
        key, _, given = typed.partition(" ")
        try:
            if key == "f":
                stepper = stepper.fork(given or f"fork {len(stepper.forks)}")
            elif key == "p":
                _pane(stepper, given, console)
                continue
            elif key in _MOVES:
                _MOVES[key][1](stepper, given)
            else:
                _help(console)
                continue
        except (TurngraphError, ValueError) as exc:
            console.print(Text(printable(str(exc)), "red"))
            continue
        _show(stepper, console)


def _typed(console: Console) -> str | None:
    """What is typed; an empty line is a step, the end of input ends the walk."""
    try:
        return console.input("[dim]s i o b j u r t f e a p ? q:[/dim] ").strip() or "s"
    except EOFError:
        return None


def _show(stepper: "TurnStepper", console: Console) -> None:
    from turngraph.interfaces.stepper.view import panes

    now = stepper.now
    console.print(
        Text.assemble(("● ", "cyan"), (printable(str(now)), "bold"), f"  {stepper.name} {money(stepper.cost)}")
    )
    shown = panes(stepper)
    wanted = "request" if any(task.node == "call_llm" for task in now.pending) else "diff"
    for name in ("problem", wanted, *(("tools",) if any(task.call for task in now.pending) else ())):
        _print(name, shown[name], console)


def _pane(stepper: "TurnStepper", name: str, console: Console) -> None:
    from turngraph.interfaces.stepper.view import panes

    shown = panes(stepper)
    if name not in shown:
        console.print(Text(f"Panes: {', '.join(shown)}. As in: p messages", "dim"))
        return
    _print(name, shown[name], console)


def _print(name: str, text: str, console: Console) -> None:
    if not text:
        return
    lines = printable(text).splitlines()
    console.print(Text(f"  {name}", "dim"))
    for line in lines[:_SHOWN]:
        console.print(Text(f"    {line}"), soft_wrap=True)
    if len(lines) > _SHOWN:
        console.print(Text(f"    … {len(lines) - _SHOWN} more lines", "dim"))


def _help(console: Console) -> None:
    for key, (what, _) in _MOVES.items():
        console.print(Text(f"  {key}  {what}"))
    for key, what in (("f", "fork [name]"), ("p", "show a pane: p messages"), ("q", "quit")):
        console.print(Text(f"  {key}  {what}"))


def _json(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text
