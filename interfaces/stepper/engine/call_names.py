"""How the tool calls of a turn are named on every screen: by their tools, and not by their ids."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from turngraph.interfaces.stepper.engine.steps import Step

__all__ = ["call_name", "numbered"]


def numbered(names: Sequence[str]) -> list[str]:
    """Returns the names; one that is there several times has a number each time.

    >>> numbered(["weather", "time", "weather"])
    ['weather 1', 'time', 'weather 2']
    """
    numbers, shown = Counter[str](), list[str]()
    for name in names:
        numbers[name] += 1
        shown.append(f"{name} {numbers[name]}" if names.count(name) > 1 else name)
    return shown


def call_name(step: Step, state: Mapping[str, Any], call_id: str) -> str:
    """Returns the name of a call that ran, or that is next at `step`; an id of none as it is."""
    calls = [(run.call_id, run.name) for run in state.get("tool_runs") or ()]
    calls += [(task.call.id, task.call.name) for task in step.open_tasks if task.call is not None]
    names = numbered([name for _, name in calls])
    known = {each: name for (each, _), name in zip(calls, names, strict=True)}
    return known.get(call_id, call_id)
