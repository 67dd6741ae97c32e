"""Where a run stops by itself."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal

from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.state.errors import TurnValueError
from turngraph.state.events import PluginCalled, PluginSelected

__all__ = ["Breakpoint"]


@dataclass(frozen=True)
class Breakpoint:
    """A reason to stop. What is given must all hold at once.

    `node` and `tool` stop before it runs; the others after what they speak of.

        >>> Breakpoint(tool="weather")
        Breakpoint(tool='weather')
    """

    node: str | None = None
    """A node's name, `call_llm`, or its whole path, `chat/call_llm`."""
    tool: str | None = None
    """A tool the model called."""
    plugin: str | None = None
    """A plugin that was selected or called."""
    cost_above: Decimal | float | str | None = None
    """USD spent by the walk so far."""
    iteration: int | None = None
    """The number of calls to the model, from 1: stops before that call."""
    answer: str | None = None
    """A regular expression found in the model's answer."""
    event: str | None = None
    """The `type` of an event: `response_failed`, `charge_declined`, …"""
    when: Callable[[Step], bool] | None = None
    """Anything else."""

    def __post_init__(self) -> None:
        if all(value is None for value in vars(self).values()):
            raise TurnValueError(f"A breakpoint needs a reason. Known: {', '.join(vars(self))}.")
        if self.answer is not None:
            re.compile(self.answer)

    def __repr__(self) -> str:
        given = (f"{name}={value!r}" for name, value in vars(self).items() if value is not None)
        return f"Breakpoint({', '.join(given)})"

    def hit(self, step: Step, calls: int, cost: Decimal) -> bool:
        """Whether to stop at `step`; `calls` to the model were made and `cost` USD were spent up to
        here.
        """
        checks: list[tuple[object, Callable[[], bool]]] = [
            (self.node, lambda: any(self.node in (task.node, task.name) for task in step.pending)),
            (
                self.tool,
                lambda: any(
                    task.call is not None and task.call.name == self.tool for task in step.pending
                ),
            ),
            (self.plugin, lambda: self.plugin in _plugins(step)),
            (self.cost_above, lambda: bool(step.charges) and cost > Decimal(str(self.cost_above))),
            (self.iteration, lambda: calls + 1 == self.iteration and _calls_next(step)),
            (
                self.answer,
                lambda: (
                    step.reply is not None
                    and re.search(self.answer or "", step.reply.text) is not None
                ),
            ),
            (
                self.event,
                lambda: any(getattr(event, "type", None) == self.event for event in step.events),
            ),
            (self.when, lambda: self.when is not None and self.when(step)),
        ]
        return all(check() for given, check in checks if given is not None)


def _plugins(step: Step) -> Collection[str]:
    return {
        event.plugin for event in step.events if isinstance(event, PluginSelected | PluginCalled)
    }


def _calls_next(step: Step) -> bool:
    return any(task.node == "call_llm" for task in step.pending)
