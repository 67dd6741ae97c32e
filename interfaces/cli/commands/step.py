"""`turngraph step`: a turn walked in the terminal, with the same keys as the widget."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.text import Text

from turngraph.interfaces.cli.model_options import ModelOptions, chosen_model
from turngraph.interfaces.plain_text import money, printable
from turngraph.state.errors import TurngraphError, TurnValueError

if TYPE_CHECKING:
    from turngraph.interfaces.stepper.stepper import TurnStepper
    from turngraph.providers.config import ProviderConfig

__all__ = ["step"]

_MOVES: Final[Mapping[str, tuple[str, Callable[["TurnStepper", str], Any]]]] = {
    "s": ("step", lambda stepper, given: stepper.step()),
    "i": ("into: one task", lambda stepper, given: stepper.step_into()),
    "o": ("over: a subgraph whole", lambda stepper, given: stepper.step_over()),
    "b": ("back [n]", lambda stepper, given: stepper.back(_number(given or "1"))),
    "j": ("jump to step n", lambda stepper, given: stepper.jump(_number(given))),
    "u": ("run until node or event", lambda stepper, given: stepper.run_until(given)),
    "r": ("run", lambda stepper, given: stepper.run()),
    "t": ("retry what ran last", lambda stepper, given: stepper.retry()),
    "e": (
        "edit the pending request: its whole JSON",
        lambda stepper, given: stepper.edit(body=given),
    ),
    "g": (
        "give a tool arguments: its name, then JSON",
        lambda stepper, given: _to_tool(stepper, "arguments", given),
    ),
    "w": (
        "write a tool's result: its name, then the text",
        lambda stepper, given: _to_tool(stepper, "result", given),
    ),
    "a": (
        "answer what a person is asked, as JSON",
        lambda stepper, given: stepper.answer(_json(given)),
    ),
    "k": (
        "break at a reason: k tool weather, k cost_above 0.01",
        lambda stepper, given: _stop_at(stepper, given),
    ),
    "x": ("take breakpoint n away", lambda stepper, given: _take_away(stepper, given)),
}
_OTHERS: Final[Mapping[str, str]] = {
    "f": "fork [name]",
    "l": "stand on another line: l main",
    "c": "compare with another line: c main",
    "p": "show a pane: p messages",
    "q": "quit",
}
_SHOWN: Final = 60
"""Lines of a pane."""


def step(
    question: str,
    /,
    *,
    record: Path | None = None,
    options: ModelOptions = ModelOptions(),  # noqa: B008  frozen
) -> None:
    """Session one chat turn in the terminal: s step, i into, b back, f fork, ? for all keys.

    Parameters
    ----------
    question
        What to ask.
    record Write what is sent and received to this file, without keys: `turngraph replay` runs it
        again.
    """
    from turngraph.graphs.chat import chat_turn
    from turngraph.interfaces.stepper.stepper import TurnStepper

    if not question.strip():
        raise TurnValueError('Nothing was asked: turngraph step "your question".')
    console = Console(highlight=False)
    with chosen_model(options, os.environ) as model, _recorded(model.config, record) as config:
        turn = chat_turn(
            config,
            functions=model.functions,
            system=options.system,
            limits=model.limits,
            prices=model.prices,
        )
        with TurnStepper(turn, {"messages": [("user", question)]}) as stepper:
            _walk(stepper, console)


@contextmanager
def _recorded(config: "ProviderConfig", file: Path | None) -> Iterator["ProviderConfig"]:
    """The configuration to ask; where a file is named, one whose requests are written there."""
    if file is None:
        yield config
        return
    from turngraph.interfaces.stepper.engine.recording import Recorder

    with Recorder(config, file) as tape:
        yield tape.recorded


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
            elif key == "l":
                stepper = _line(stepper, given)
            elif key == "c":
                console.print(Text(printable(str(stepper.compare(stepper, _line(stepper, given))))))
                continue
            elif key == "p":
                _pane(stepper, given, console)
                continue
            elif key in _MOVES:
                _MOVES[key][1](stepper, given)
            else:
                _help(console, key)
                continue
        except (TurngraphError, ValueError, IndexError) as exc:
            console.print(Text(printable(str(exc)), "red"))
            continue
        _show(stepper, console)


def _typed(console: Console) -> str | None:
    """What is typed; an empty line is a step, the end of input ends the walk."""
    try:
        return console.input("[dim]s i o b j u r t f l c e g w a k x p ? q:[/dim] ").strip() or "s"
    except EOFError:
        return None


def _show(stepper: "TurnStepper", console: Console) -> None:
    from turngraph.interfaces.stepper.views.page import panes

    now = stepper.now
    console.print(
        Text.assemble(
            ("● ", "cyan"), (printable(str(now)), "bold"), f"  {stepper.name} {money(stepper.cost)}"
        )
    )
    shown = panes(stepper)
    wanted = "request" if any(task.node == "call_llm" for task in now.pending) else "diff"
    for name in (
        "problem",
        wanted,
        *(("tools",) if any(task.call for task in now.pending) else ()),
    ):
        _print(name, shown[name], console)


def _pane(stepper: "TurnStepper", name: str, console: Console) -> None:
    from turngraph.interfaces.stepper.views.page import panes

    shown = panes(stepper)
    if name not in shown:
        console.print(Text(f"Panes: {', '.join(shown)}. As in: p messages", "dim"))
        return
    _print(name, shown[name] or "nothing here", console)


def _print(name: str, text: str, console: Console) -> None:
    if not text:
        return
    lines = printable(text).splitlines()
    console.print(Text(f"  {name}", "dim"))
    for line in lines[:_SHOWN]:
        console.print(Text(f"    {line}"), soft_wrap=True)
    if len(lines) > _SHOWN:
        console.print(Text(f"    … {len(lines) - _SHOWN} more lines", "dim"))


def _help(console: Console, key: str) -> None:
    if key != "?":
        console.print(Text(printable(f"There is no key `{key}`. There are:"), "red"))
    for key, (what, _) in _MOVES.items():
        console.print(Text(f"  {key}  {what}"))
    for key, what in _OTHERS.items():
        console.print(Text(f"  {key}  {what}"))


def _line(stepper: "TurnStepper", name: str) -> "TurnStepper":
    if name not in stepper.forks:
        raise TurnValueError(f"There is no line `{name}`. There are: {', '.join(stepper.forks)}.")
    return stepper.forks[name]


def _to_tool(stepper: "TurnStepper", action: str, given: str) -> None:
    from turngraph.interfaces.stepper.views.widget_state import MOVES

    tool, _, value = given.partition(" ")
    if not tool:
        raise TurnValueError("Which tool? Its name comes first, as in: g calculator {…}")
    MOVES[action](stepper, {"tool": tool, "value": value})


def _stop_at(stepper: "TurnStepper", given: str) -> None:
    from turngraph.interfaces.stepper.views.widget_state import MOVES

    reason, _, value = given.partition(" ")
    MOVES["break"](stepper, {"reason": reason, "value": value})


def _number(given: str) -> int:
    if not given.isdecimal():
        raise TurnValueError(
            f"`{given}` is no number: give that of a step or a breakpoint, as in: j 2"
        )
    return int(given)


def _take_away(stepper: "TurnStepper", given: str) -> None:
    place, there = _number(given), len(stepper.breakpoints)
    if place >= there:
        raise TurnValueError(f"There is no breakpoint {place}: {there} are set, counted from 0.")
    stepper.breakpoints.pop(place)


def _json(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text
