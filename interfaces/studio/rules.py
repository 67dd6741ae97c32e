"""What the visitors of a studio may do: by default, everything."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.views.actions import Message

__all__ = ["Rules"]


@dataclass(frozen=True)
class Rules:
    """The rules of one studio.

    Args:
        may_change: is given the ASGI scope of a request, and says whether its sender may start,
            step and edit runs. Others may look at stored threads.
        checked_input: is given the name of a graph, the input of a new run, and the thread that it
            begins on or None; returns the input that the run begins with. What it raises is shown.
        guard: is given the line and the message of each move, on the thread that makes the move,
            and returns the block in which it is made. What it raises is shown, and nothing moves.
        configurable: what every run has in its `configurable`, beside its thread.
        is_trusting: whether runs are opened from files, given a context, and written into threads.
            Without, a context is left out: the forms of some graphs send one for a mere look.
    """

    may_change: Callable[[Mapping[str, Any]], bool] = lambda scope: True
    checked_input: Callable[[str, Any, str | None], Any] = lambda graph, given, thread: given
    guard: Callable[[Stepper, Message], AbstractContextManager[object]] = lambda line, message: (
        nullcontext()
    )
    configurable: Mapping[str, Any] = field(default_factory=dict)
    is_trusting: bool = True
