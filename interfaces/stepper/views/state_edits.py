"""Edits of the state's own values, as JSON: for graphs whose state holds more than messages."""

import json
from collections.abc import Mapping
from typing import Any, Final

from langgraph.channels.binop import BinaryOperatorAggregate
from langgraph.types import Overwrite

from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.engine.typed_json import typed_json
from turngraph.interfaces.stepper.views.page import graph_shown
from turngraph.state.errors import TurnInvocationError
from turngraph.state.json_types import JsonObject

__all__ = ["edit_state", "state_fields"]

_OTHER_EDITS: Final = frozenset(("request", "body", "tool", "arguments", "result"))
"""The arguments of `TurnStepper.edit` that mean something else than a value of the state."""
_MAX_CHARS: Final = 20_000


def state_fields(stepper: Stepper) -> list[JsonObject]:
    """Returns the values that can be edited here, each with its name and its JSON.

    Messages, and values that JSON cannot hold, are left out. Nothing is editable at the end.
    """
    if stepper.now.finished:
        return []
    texts = {name: _json_of(value) for name, value in stepper.state.items() if _is_plain(name)}
    return [{"name": name, "value": text} for name, text in texts.items() if text]


def edit_state(stepper: Stepper, message: Mapping[str, Any]) -> None:
    """Replaces one value of the state by the JSON in `message`; no reducer is asked.

    Raises TurnValueError for a text that is no JSON, TurnInvocationError for an unknown name or a
    value that is there already.
    """
    name = str(message["name"])
    known = {field["name"]: field["value"] for field in state_fields(stepper)}
    if name not in known:
        raise TurnInvocationError(
            f"`{name}` cannot be edited here. There are: {', '.join(known) or 'none'}."
        )
    value = typed_json(str(message["value"]), "The value is")
    if value == json.loads(known[name]):
        raise TurnInvocationError(f"This is `{name}` as it is: nothing was changed.")
    channel = graph_shown(stepper).channels.get(name)
    reduced = isinstance(channel, BinaryOperatorAggregate)
    changed: dict[str, Any] = {name: Overwrite(value) if reduced else value}
    stepper.edit(**changed)


def _is_plain(name: str) -> bool:
    return name != "messages" and name not in _OTHER_EDITS


def _json_of(value: object) -> str:
    """The JSON of a value; empty if there is none that is read as the same value again."""
    try:
        text = json.dumps(value, ensure_ascii=False, indent=2)
        same = json.loads(text) == value
    except (TypeError, ValueError, RecursionError):
        return ""
    return text if same and len(text) <= _MAX_CHARS else ""
