"""What a run is called in a list: what the person has asked, or the graph's input."""

from collections.abc import Mapping
from typing import Any, Final

from langchain_core.messages import BaseMessage, HumanMessage

from turngraph.interfaces.plain_text import one_line, printable
from turngraph.interfaces.stepper.engine.stepper import Stepper

__all__ = ["title_of"]

_MOST_CHARS: Final = 70


def title_of(stepper: Stepper) -> str:
    """Returns one line: the latest message of a person, or the values that the run began with."""
    first = stepper.timeline[0]
    # Values of the user's own classes may fail when they are shown: the run then has no title.
    try:
        text = _text_of(stepper.state_at(first, ""))
    except Exception:  # noqa: BLE001
        return ""
    return one_line(printable(text), _MOST_CHARS)


def _text_of(state: Mapping[str, Any]) -> str:
    messages = state.get("messages")
    if isinstance(messages, list):
        asked = [each for each in messages if isinstance(each, HumanMessage)]
        return asked[-1].text if asked else ""
    given = {name: value for name, value in state.items() if value and _is_shown(value)}
    return ", ".join(f"{name}: {value}" for name, value in given.items())


def _is_shown(value: object) -> bool:
    return isinstance(value, str | int | float | list | dict) and not isinstance(value, BaseMessage)
