"""The keys of the stepper in a terminal: what each is called, what is typed after it, what it does.

The full screen and the line mode share this table. The widget has the same keys.
"""

import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, NamedTuple

from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.views.actions import ACTIONS, newest_of
from turngraph.interfaces.stepper.views.message_edits import edit_messages, editable_messages
from turngraph.interfaces.stepper.views.questions import typed_answer
from turngraph.interfaces.stepper.views.status import why_no_step
from turngraph.state.errors import TurnInvocationError, TurnValueError

__all__ = ["EDITED", "KEYS", "VIEW_KEYS", "Key", "find_line", "shown_by", "unknown_key"]

Move = Callable[[Stepper, str], Coroutine[Any, Any, object]]


class Key(NamedTuple):
    """A key that moves or edits the turn."""

    label: str
    """One word."""
    help: str
    move: Move
    """Takes the stepper and what was typed after the key."""
    argument: str = ""
    """What is typed after the key; empty for nothing."""


def find_line(stepper: Stepper, name: str) -> Stepper:
    """Returns the stepper of another line. Raises TurnValueError that names all lines."""
    if name not in stepper.forks:
        raise TurnValueError(f"There is no line `{name}`. There are: {', '.join(stepper.forks)}.")
    return stepper.forks[name]


def shown_by(key: str, stepper: Stepper, argument: str) -> Stepper:
    """Returns the stepper to show after one of the keys `z`, `y`, `O` and `l`.

    Raises TurnInvocationError or TurnValueError if there is none.
    """
    if key == "z":
        return stepper.undo()
    if key == "y":
        return stepper.redo()
    if key == "O":
        return type(stepper).open(argument, stepper.graph, context=stepper.context)
    return newest_of(find_line(stepper, argument))


def unknown_key(key: str) -> str:
    """Returns the sentence about a key that does nothing."""
    return f"There is no key `{key}`. `?` lists the keys."


def _forward(move: Move) -> Move:
    """A move that needs something left to run."""

    async def forward(stepper: Stepper, argument: str) -> object:
        if why := why_no_step(stepper):
            raise TurnInvocationError(why)
        return await move(stepper, argument)

    return forward


def _at_once(move: Callable[[Stepper, str], object]) -> Move:
    """A move that waits for nothing."""

    async def moved(stepper: Stepper, argument: str) -> object:
        return move(stepper, argument)

    return moved


async def _edit(stepper: Stepper, argument: str) -> object:
    """Edits the pending request, and no other: one field of it, or its whole JSON."""
    if not argument:
        raise TurnValueError("Type a field, as in: e temperature=0.1, or the whole JSON.")
    if argument.startswith("{"):
        return await stepper.aedit(body=argument)
    field, value = _assignment(argument)
    request = stepper.request
    body = {} if request is None or request.sent else dict(request.body)
    body = {**body, field: value} if value is not None else _without(body, field)
    return await stepper.aedit(body=body)


async def _edit_turn(stepper: Stepper, argument: str) -> object:
    field, value = _assignment(argument)
    return await stepper.aedit(request={field: value})


def _edit_messages(stepper: Stepper, argument: str) -> None:
    """Edits the conversation: what an agent without a turn in it sends next."""
    if not argument and (now := editable_messages(stepper)):
        raise TurnValueError(f"Type the messages as JSON, as you want them. They are:\n{now}")
    edit_messages(stepper, {"value": argument})


def _pending_request(stepper: Stepper) -> str:
    request = stepper.request
    return "" if request is None or request.sent else str(request)


def _assignment(argument: str) -> tuple[str, Any]:
    """Splits `temperature=0.1`. The value is JSON or text; without one it is None."""
    field, equals, value = argument.partition("=")
    if not equals or not field.strip():
        raise TurnValueError(
            f"`{argument}` sets nothing. Type a field and its value, as in: temperature=0.1"
        )
    return field.strip(), _json_or_text(value.strip()) if value.strip() else None


def _without(body: Mapping[str, object], field: str) -> dict[str, object]:
    return {name: value for name, value in body.items() if name != field}


async def _edit_tool(stepper: Stepper, argument: str, part: str) -> object:
    tool, _, value = argument.partition(" ")
    if not tool:
        raise TurnValueError("Which tool? Type its name first, as in: g calculator {…}")
    if part == "arguments":
        return await stepper.aedit(tool=tool, arguments=value)
    return await stepper.aedit(tool=tool, result=value)


def _add_breakpoint(stepper: Stepper, argument: str) -> None:
    reason, _, value = argument.partition(" ")
    ACTIONS["add_breakpoint"](stepper, {"reason": reason, "value": value})


def _remove_breakpoint(stepper: Stepper, argument: str) -> None:
    ACTIONS["remove_breakpoint"](stepper, {"index": _number(argument) - 1})


def _back(stepper: Stepper, argument: str) -> None:
    if argument:
        stepper.back(_number(argument))
    else:
        ACTIONS["back"](stepper, {})


def _number(argument: str) -> int:
    if not argument.isdecimal():
        raise TurnValueError(
            f"`{argument}` is no number. Type that of a step or a breakpoint, as in: j 2"
        )
    return int(argument)


def _json_or_text(argument: str) -> Any:
    try:
        return json.loads(argument)
    except (ValueError, RecursionError):
        return argument


KEYS: Final[Mapping[str, Key]] = {
    "s": Key("Step", "one step", _forward(lambda stepper, _: stepper.astep())),
    "i": Key("Into", "one task of the step", _forward(lambda stepper, _: stepper.astep_into())),
    "o": Key("Over", "a whole subgraph", _forward(lambda stepper, _: stepper.astep_over())),
    "b": Key("Back", "one step back, or n: b 2", _at_once(_back)),
    "r": Key(
        "Run",
        "to the end, a breakpoint, a failure or a question",
        _forward(lambda stepper, _: stepper.arun()),
    ),
    "u": Key(
        "Until",
        "run until a node or an event",
        _forward(lambda stepper, until: stepper.arun_until(until)),
        "node or event",
    ),
    "t": Key("Retry", "try the last step again", lambda stepper, _: stepper.aretry()),
    "j": Key(
        "Jump",
        "go to step n",
        _at_once(lambda stepper, argument: stepper.jump(_number(argument))),
        "number of the step",
    ),
    "e": Key(
        "Edit",
        "this request: one field of it, its whole JSON, or nothing for the editor",
        _edit,
        "field=value, or nothing for the editor",
    ),
    "E": Key(
        "Edit all",
        "this request and those that follow in the turn",
        _edit_turn,
        "field=value for the rest of the turn",
    ),
    "m": Key(
        "Messages",
        "the last messages of the conversation: their JSON, or nothing for the editor",
        _at_once(_edit_messages),
        "JSON, or nothing for the editor",
    ),
    "g": Key(
        "Arguments",
        "give a tool other arguments: its name, then JSON",
        lambda stepper, argument: _edit_tool(stepper, argument, "arguments"),
        "tool, then its arguments as JSON",
    ),
    "w": Key(
        "Result",
        "write a tool's result: its name, then the text",
        lambda stepper, argument: _edit_tool(stepper, argument, "result"),
        "tool, then its result",
    ),
    "a": Key(
        "Answer",
        "answer a question to a person: approve, reject, JSON or text",
        lambda stepper, argument: stepper.aanswer(typed_answer(argument)),
        "approve, reject, JSON or text",
    ),
    "k": Key(
        "Breakpoint",
        "set a breakpoint: tool weather, cost_above 0.01",
        _at_once(_add_breakpoint),
        "reason and value",
    ),
    "x": Key("Remove", "remove breakpoint n", _at_once(_remove_breakpoint), "its number, from 1"),
    "S": Key(
        "Save",
        "save all lines to a file: S run.json",
        _at_once(lambda stepper, path: ACTIONS["save"](stepper, {"path": path})),
        "file",
    ),
}
"""The keys that move or edit, in the order in which they are listed."""
EDITED: Final[Mapping[str, Callable[[Stepper], str]]] = {
    "e": _pending_request,
    "m": editable_messages,
}
"""What the editor opens with, by the key; an empty text if there is nothing to edit."""
VIEW_KEYS: Final[Mapping[str, str]] = {
    "z": "undo the last move",
    "y": "make the move again that was undone",
    "O": "open a saved run of this graph",
    "f": "fork: begin another line of the run here, with a name or without",
    "l": "show another line of the run, at its newest step",
    "c": "compare with another line",
    "p": "show a pane",
    "?": "list the keys",
    "q": "quit",
}
"""The keys that change what is shown. Each view carries them out in its own way."""
