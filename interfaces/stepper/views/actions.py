"""What each button of the widget does, and some keys of the terminal.

Buttons that show another line, such as undo, are in `widget_controller`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from turngraph.interfaces.plain_text import one_line
from turngraph.interfaces.stepper.engine.breakpoints import Breakpoint
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.views.message_edits import edit_messages
from turngraph.interfaces.stepper.views.questions import typed_answer
from turngraph.interfaces.stepper.views.state_edits import edit_state
from turngraph.interfaces.stepper.views.turn_edits import edit_turn
from turngraph.state.errors import TurnInvocationError, TurnValueError

__all__ = ["ACTIONS", "BREAKPOINT_FIELDS", "Message", "newest_of", "number_in"]

Message = Mapping[str, Any]
"""What a button sends: its `action`, and the values that the action needs."""

BREAKPOINT_FIELDS: Final[Mapping[str, Callable[[str], Any]]] = {
    "node": str,
    "tool": str,
    "plugin": str,
    "cost_above": str,
    "iteration": int,
    "answer": str,
    "event": str,
}
"""The fields of a breakpoint that can be set on the screen, and how the typed text is read."""


def _add_breakpoint(stepper: Stepper, message: Message) -> None:
    field, value = str(message.get("reason")), str(message.get("value", "")).strip()
    if field not in BREAKPOINT_FIELDS or not value:
        raise TurnValueError(
            "A breakpoint needs a reason and a value. "
            f"Reasons: {', '.join(BREAKPOINT_FIELDS)}. As in: tool weather"
        )
    try:
        breakpoint_ = Breakpoint(**{field: BREAKPOINT_FIELDS[field](value)})
    except ValueError as exc:
        raise TurnValueError(f"`{value}` is no value for `{field}`: {exc}.") from exc
    stepper.breakpoints.append(breakpoint_)


def number_in(message: Message, name: str) -> int:
    """Returns a whole number of `message`. Raises TurnValueError if there is none of that name."""
    value = message.get(name)
    if not isinstance(value, int):
        raise TurnValueError(f"`{name}` must be a whole number, not {one_line(repr(value), 60)}.")
    return value


def newest_of(line: Stepper) -> Stepper:
    """Returns a line, which now stands at its newest step: that is what one wants to see first."""
    if line.looks_back:
        line.jump(len(line.timeline) - 1)
    return line


def _remove_breakpoint(stepper: Stepper, message: Message) -> None:
    index = number_in(message, "index")
    if not 0 <= index < len(stepper.breakpoints):
        numbers = f"1 to {len(stepper.breakpoints)}" if stepper.breakpoints else "none"
        raise TurnValueError(f"There is no breakpoint {index + 1}. There are: {numbers}.")
    stepper.breakpoints.pop(index)


def _answer(stepper: Stepper, message: Message) -> None:
    stepper.answer(typed_answer(str(message["value"])), str(message["question"]))


def _back(stepper: Stepper, message: Message) -> None:
    # `back` counts steps in its message, but a button has typed no number.
    if len(stepper.steps_so_far) < 2:
        raise TurnInvocationError("This is the first step: there is nothing to go back to.")
    stepper.back()


def _save(stepper: Stepper, message: Message) -> None:
    path = str(message.get("path", "")).strip()
    if not path:
        raise TurnValueError("A run is saved to a file. Type its name, as in: run.json")
    stepper.save(path)


def _edit_arguments(stepper: Stepper, message: Message) -> None:
    stepper.edit(tool=str(message["tool"]), arguments=str(message["value"]))


def _edit_result(stepper: Stepper, message: Message) -> None:
    stepper.edit(tool=str(message["tool"]), result=str(message["value"]))


ACTIONS: Final[Mapping[str, Callable[[Stepper, Message], Any]]] = {
    "step": lambda stepper, message: stepper.step(),
    "step_into": lambda stepper, message: stepper.step_into(),
    "step_over": lambda stepper, message: stepper.step_over(),
    "back": _back,
    "run": lambda stepper, message: stepper.run(),
    "run_until": lambda stepper, message: stepper.run_until(str(message["until"])),
    "retry": lambda stepper, message: stepper.retry(),
    "jump": lambda stepper, message: stepper.jump(number_in(message, "step")),
    "save": _save,
    "edit_request": lambda stepper, message: stepper.edit(body=str(message["body"])),
    "edit_messages": edit_messages,
    "edit_state": edit_state,
    "edit_turn": edit_turn,
    "edit_arguments": _edit_arguments,
    "edit_result": _edit_result,
    "answer": _answer,
    "add_breakpoint": _add_breakpoint,
    "remove_breakpoint": _remove_breakpoint,
}
"""By the name that a button sends. A refusal raises TurngraphError, ValueError or LookupError."""
