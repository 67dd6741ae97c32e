"""`turngraph step`: steps through a turn in the terminal, with the same keys as the widget."""

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
    from turngraph.interfaces.stepper.engine.stepper import Stepper
    from turngraph.providers.config import ProviderConfig

__all__ = ["step"]

Move = Callable[["Stepper", str], Any]
"""Does what a key asks; the text is what was typed after the key."""

_MOVES: Final[Mapping[str, tuple[str, Move]]] = {
    "s": ("step", lambda stepper, typed: stepper.step()),
    "i": ("step into: one task", lambda stepper, typed: stepper.step_into()),
    "o": ("step over: a whole subgraph", lambda stepper, typed: stepper.step_over()),
    "b": ("go back [n] steps", lambda stepper, typed: stepper.back(_number(typed or "1"))),
    "j": ("jump to step n", lambda stepper, typed: stepper.jump(_number(typed))),
    "u": ("run until a node or an event", lambda stepper, typed: stepper.run_until(typed)),
    "r": ("run", lambda stepper, typed: stepper.run()),
    "t": ("retry what ran last", lambda stepper, typed: stepper.retry()),
    "e": (
        "edit the pending request: type its whole JSON",
        lambda stepper, typed: stepper.edit(body=typed),
    ),
    "g": (
        "give a pending tool other arguments: its name, then JSON",
        lambda stepper, typed: _edit_tool(stepper, "edit_arguments", typed),
    ),
    "w": (
        "write a tool's result: its name, then the text",
        lambda stepper, typed: _edit_tool(stepper, "edit_result", typed),
    ),
    "a": (
        "answer what a person is asked, as JSON",
        lambda stepper, typed: stepper.answer(_json_or_text(typed)),
    ),
    "k": (
        "add a breakpoint: k tool weather, k cost_above 0.01",
        lambda stepper, typed: _add_breakpoint(stepper, typed),
    ),
    "x": ("remove breakpoint n", lambda stepper, typed: _remove_breakpoint(stepper, typed)),
}
_OTHER_KEYS: Final[Mapping[str, str]] = {
    "f": "fork [name]",
    "l": "show another line: l main",
    "c": "compare with another line: c main",
    "p": "show a pane: p messages",
    "q": "quit",
}
_MAX_PANE_LINES: Final = 60


def step(
    question: str,
    /,
    *,
    record: Path | None = None,
    options: ModelOptions = ModelOptions(),  # noqa: B008  frozen
) -> None:
    """Step through one chat turn in the terminal: s step, i into, b back, f fork, ? for all keys.

    Parameters
    ----------
    question
        The message to send.
    record
        Write what is sent and received to this file, without keys. `turngraph replay` runs it
        again.
    """
    from turngraph.graphs.chat import chat_turn
    from turngraph.interfaces.stepper.engine.stepper import Stepper

    if not question.strip():
        raise TurnValueError('Nothing was asked: turngraph step "your question".')
    console = Console(highlight=False)
    with chosen_model(options, os.environ) as model, _recording(model.config, record) as config:
        turn = chat_turn(
            config,
            functions=model.functions,
            system=options.system,
            limits=model.limits,
            prices=model.prices,
        )
        with Stepper(turn, {"messages": [("user", question)]}) as stepper:
            _loop(stepper, console)


@contextmanager
def _recording(config: "ProviderConfig", file: Path | None) -> Iterator["ProviderConfig"]:
    """The configuration for the turn. If a file is named, its requests are recorded there."""
    if file is None:
        yield config
        return
    from turngraph.interfaces.stepper.engine.recording import Recorder

    with Recorder(config, file) as recorder:
        yield recorder.recorded


def _loop(stepper: "Stepper", console: Console) -> None:
    """Reads keys until `q` or the end of the input. A refusal is printed and ends nothing."""
    _show_step(stepper, console)
    while (typed := _read_line(console)) not in (None, "q"):
        key, _, rest = typed.partition(" ")
        try:
            moved = _obey(stepper, key, rest, console)
        except (TurngraphError, ValueError, IndexError) as exc:
            console.print(Text(printable(str(exc)), "red"))
            continue
        if moved is not None:
            stepper = moved
            _show_step(stepper, console)


def _obey(stepper: "Stepper", key: str, rest: str, console: Console) -> "Stepper | None":
    """Does what a key asks. Returns the stepper to show, or None if nothing has moved."""
    if key == "f":
        return stepper.fork(rest or f"fork {len(stepper.forks)}")
    if key == "l":
        return _line(stepper, rest)
    if key in _MOVES:
        _MOVES[key][1](stepper, rest)
        return stepper
    if key == "c":
        comparison = stepper.compare(stepper, _line(stepper, rest))
        console.print(Text(printable(str(comparison))))
    elif key == "p":
        _show_pane(stepper, rest, console)
    else:
        _show_help(console, key)
    return None


def _read_line(console: Console) -> str | None:
    """Returns what is typed. An empty line is a step; None is the end of the input."""
    try:
        return console.input("[dim]s i o b j u r t f l c e g w a k x p ? q:[/dim] ").strip() or "s"
    except EOFError:
        return None


def _show_step(stepper: "Stepper", console: Console) -> None:
    from turngraph.interfaces.stepper.views.page import pane_texts

    now = stepper.now
    cost = f"  {stepper.name} {money(stepper.cost)}"
    console.print(Text.assemble(("● ", "cyan"), (printable(str(now)), "bold"), cost))
    texts = pane_texts(stepper)
    calls_model = any(task.node == "call_llm" for task in now.pending)
    names = ["problem", "request" if calls_model else "diff"]
    if any(task.call for task in now.pending):
        names.append("tools")
    for name in names:
        _print_pane(name, texts[name], console)


def _show_pane(stepper: "Stepper", name: str, console: Console) -> None:
    from turngraph.interfaces.stepper.views.page import pane_texts

    texts = pane_texts(stepper)
    if name not in texts:
        console.print(Text(f"Panes: {', '.join(texts)}. As in: p messages", "dim"))
        return
    _print_pane(name, texts[name] or "nothing here", console)


def _print_pane(name: str, text: str, console: Console) -> None:
    if not text:
        return
    lines = printable(text).splitlines()
    console.print(Text(f"  {name}", "dim"))
    for line in lines[:_MAX_PANE_LINES]:
        console.print(Text(f"    {line}"), soft_wrap=True)
    if len(lines) > _MAX_PANE_LINES:
        console.print(Text(f"    … {len(lines) - _MAX_PANE_LINES} more lines", "dim"))


def _show_help(console: Console, key: str) -> None:
    if key != "?":
        console.print(Text(printable(f"There is no key `{key}`. There are:"), "red"))
    meanings = {**{key: meaning for key, (meaning, _) in _MOVES.items()}, **_OTHER_KEYS}
    for each, meaning in meanings.items():
        console.print(Text(f"  {each}  {meaning}"))


def _line(stepper: "Stepper", name: str) -> "Stepper":
    if name not in stepper.forks:
        raise TurnValueError(f"There is no line `{name}`. There are: {', '.join(stepper.forks)}.")
    return stepper.forks[name]


def _edit_tool(stepper: "Stepper", action: str, typed: str) -> None:
    from turngraph.interfaces.stepper.views.actions import ACTIONS

    tool, _, value = typed.partition(" ")
    if not tool:
        raise TurnValueError("Which tool? Its name comes first, as in: g calculator {…}")
    ACTIONS[action](stepper, {"tool": tool, "value": value})


def _add_breakpoint(stepper: "Stepper", typed: str) -> None:
    from turngraph.interfaces.stepper.views.actions import ACTIONS

    reason, _, value = typed.partition(" ")
    ACTIONS["add_breakpoint"](stepper, {"reason": reason, "value": value})


def _remove_breakpoint(stepper: "Stepper", typed: str) -> None:
    index, count = _number(typed), len(stepper.breakpoints)
    if index >= count:
        raise TurnValueError(f"There is no breakpoint {index}: {count} are set, counted from 0.")
    stepper.breakpoints.pop(index)


def _number(typed: str) -> int:
    if not typed.isdecimal():
        raise TurnValueError(
            f"`{typed}` is no number. Type the number of a step or a breakpoint, as in: j 2"
        )
    return int(typed)


def _json_or_text(typed: str) -> Any:
    import json

    try:
        return json.loads(typed)
    except ValueError:
        return typed
