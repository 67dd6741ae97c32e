"""Breakpoints: the conditions at which a run stops by itself."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.state.errors import TurnValueError
from turngraph.state.events import PluginCalled, PluginSelected

__all__ = ["Breakpoint"]


@dataclass(frozen=True)
class Breakpoint:
    """A condition at which a run stops. If several fields are given, all must hold at once.

    `node`, `tool` and `iteration` stop before what they name runs, the others after it happened.

        >>> Breakpoint(tool="weather")
        Breakpoint(tool='weather')

    Raises TurnValueError if no field is given, or one is no pattern or no amount.
    """

    node: str | None = None
    """A node's name, `call_llm`, or its whole path, `chat/call_llm`."""
    tool: str | None = None
    """The name of a tool that the model calls."""
    plugin: str | None = None
    """The name of a plugin that was selected or called."""
    cost_above: Decimal | float | str | None = None
    """USD spent so far."""
    iteration: int | None = None
    """The number of a call to the model, from 1; stops before that call."""
    answer: str | None = None
    """A regular expression to search for in the model's answer."""
    event: str | None = None
    """The `type` of an event: `response_failed`, `charge_declined`, …"""
    when: Callable[[Step], bool] | None = None
    """A function of the step, for any other condition."""

    def __post_init__(self) -> None:
        if all(value is None for value in vars(self).values()):
            raise TurnValueError(
                f"A breakpoint needs a condition. Give one of: {', '.join(vars(self))}."
            )
        # What is wrong fails here, not in the middle of a run.
        if self.answer is not None:
            try:
                re.compile(self.answer)
            except re.error as exc:
                raise TurnValueError(
                    f"`{self.answer}` is no regular expression: {exc}. Put \\ before brackets."
                ) from exc
        if self.cost_above is not None and not _is_amount(self.cost_above):
            raise TurnValueError(f"`cost_above` is USD, as in 0.05, and not `{self.cost_above}`.")

    def __repr__(self) -> str:
        given = (f"{name}={value!r}" for name, value in vars(self).items() if value is not None)
        return f"Breakpoint({', '.join(given)})"

    def hit(self, step: Step, calls: int, cost: Decimal) -> bool:
        """Whether a run stops at `step`.

        Args:
            step: the step that was just made.
            calls: how many requests were sent to the model so far.
            cost: USD spent so far.
        """
        checks: list[tuple[object, Callable[[], bool]]] = [
            (self.node, lambda: any(self.node in (task.node, task.name) for task in step.pending)),
            (self.tool, lambda: self.tool in _pending_tools(step)),
            (self.plugin, lambda: self.plugin in _plugins(step)),
            # Without a charge in this step the run would stop again where it has stopped already.
            (self.cost_above, lambda: bool(step.charges) and cost > Decimal(str(self.cost_above))),
            (self.iteration, lambda: calls + 1 == self.iteration and _calls_model_next(step)),
            (self.answer, lambda: _answer_matches(step, self.answer or "")),
            (self.event, lambda: self.event in _event_types(step)),
            (self.when, lambda: self.when is not None and self.when(step)),
        ]
        return all(check() for given, check in checks if given is not None)


def _is_amount(value: Decimal | float | str) -> bool:
    try:
        return Decimal(str(value)).is_finite()
    except InvalidOperation:
        return False


def _pending_tools(step: Step) -> Collection[str]:
    return {task.call.name for task in step.pending if task.call is not None}


def _plugins(step: Step) -> Collection[str]:
    return {
        event.plugin for event in step.events if isinstance(event, PluginSelected | PluginCalled)
    }


def _calls_model_next(step: Step) -> bool:
    return any(task.calls_model for task in step.pending)


def _answer_matches(step: Step, pattern: str) -> bool:
    return step.reply is not None and re.search(pattern, step.reply.text) is not None


def _event_types(step: Step) -> Collection[str]:
    return {getattr(event, "type", "") for event in step.events}
