"""The keys of `turngraph step`: what each of them is called, and what it does to the stepper."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from turngraph.state.errors import TurnValueError

if TYPE_CHECKING:
    from turngraph.interfaces.stepper.stepper import TurnStepper

__all__ = ["KEYS_HELP", "MOVE_KEYS", "find_line"]


def find_line(stepper: "TurnStepper", name: str) -> "TurnStepper":
    """Returns the stepper of another line. Raises TurnValueError that names all lines."""
    if name not in stepper.forks:
        raise TurnValueError(f"There is no line `{name}`. There are: {', '.join(stepper.forks)}.")
    return stepper.forks[name]


def _edit_tool(stepper: "TurnStepper", action: str, argument: str) -> None:
    from turngraph.interfaces.stepper.views.actions import ACTIONS

    tool, _, value = argument.partition(" ")
    if not tool:
        raise TurnValueError("Which tool? Type its name first, as in: g calculator {…}")
    ACTIONS[action](stepper, {"tool": tool, "value": value})


def _add_breakpoint(stepper: "TurnStepper", argument: str) -> None:
    from turngraph.interfaces.stepper.views.actions import ACTIONS

    reason, _, value = argument.partition(" ")
    ACTIONS["add_breakpoint"](stepper, {"reason": reason, "value": value})


def _remove_breakpoint(stepper: "TurnStepper", argument: str) -> None:
    place, count = _number(argument), len(stepper.breakpoints)
    if place >= count:
        raise TurnValueError(f"There is no breakpoint {place}: {count} are set, counted from 0.")
    stepper.breakpoints.pop(place)


def _number(argument: str) -> int:
    if not argument.isdecimal():
        raise TurnValueError(
            f"`{argument}` is no number. Type that of a step or a breakpoint, as in: j 2"
        )
    return int(argument)


def _json_or_text(argument: str) -> Any:
    try:
        return json.loads(argument)
    except ValueError:
        return argument


Move = Callable[["TurnStepper", str], Any]

MOVE_KEYS: Final[Mapping[str, tuple[str, Move]]] = {
    "s": ("one step", lambda stepper, argument: stepper.step()),
    "i": ("into: one task of the step", lambda stepper, argument: stepper.step_into()),
    "o": ("over: a whole subgraph", lambda stepper, argument: stepper.step_over()),
    "b": ("back [n]", lambda stepper, argument: stepper.back(_number(argument or "1"))),
    "j": ("jump to step n", lambda stepper, argument: stepper.jump(_number(argument))),
    "u": ("run until a node or event", lambda stepper, argument: stepper.run_until(argument)),
    "r": ("run to the end or a breakpoint", lambda stepper, argument: stepper.run()),
    "t": ("try the last step again", lambda stepper, argument: stepper.retry()),
    "e": (
        "edit the pending request: type its whole JSON",
        lambda stepper, argument: stepper.edit(body=argument),
    ),
    "g": (
        "give a tool other arguments: its name, then JSON",
        lambda stepper, argument: _edit_tool(stepper, "edit_arguments", argument),
    ),
    "w": (
        "write a tool's result: its name, then the text",
        lambda stepper, argument: _edit_tool(stepper, "edit_result", argument),
    ),
    "a": (
        "answer the question of an interrupt, as JSON or text",
        lambda stepper, argument: stepper.answer(_json_or_text(argument)),
    ),
    "k": ("set a breakpoint: k tool weather, k cost_above 0.01", _add_breakpoint),
    "x": ("remove breakpoint n", _remove_breakpoint),
}
"""Keys that move or edit the turn. Each takes the stepper and what was typed after the key."""
_VIEW_KEYS: Final[Mapping[str, str]] = {
    "f": "fork [name]: begin a new line here",
    "l": "go to another line: l main",
    "c": "compare with another line: c main",
    "p": "show a pane: p messages",
    "q": "quit",
}
KEYS_HELP: Final[Mapping[str, str]] = {
    **{key: text for key, (text, _) in MOVE_KEYS.items()},
    **_VIEW_KEYS,
}
"""What each key does, in the order in which they are listed."""
