"""What a request of either API asks for, after it has been read: messages, settings, answers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from langchain_core.messages import BaseMessage
from pydantic import JsonValue, ValidationError

from turngraph.interfaces.server.errors import ServerError
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.request import ToolSpec
from turngraph.state.turn import TurnSettings

__all__ = [
    "CallPlace",
    "TurnRequest",
    "call_id",
    "call_place",
    "checked_settings",
    "function_spec",
    "is_typed",
    "member",
]

_CALL_ID: Final = re.compile(r"call_([0-9a-f]{24})_([0-9]{1,4})")
_KINDS: Final = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    dict: "an object",
    list: "a list",
}


class CallPlace(NamedTuple):
    """Where a tool call stands that a client is asked to run, or a person to approve."""

    token: str
    """The part of the thread's id that the server minted."""
    order: int
    """The place of the call in its turn."""


@dataclass(frozen=True)
class TurnRequest:
    """A request, read."""

    model: str
    messages: Sequence[BaseMessage]
    settings: TurnSettings
    answers: Mapping[CallPlace, Any] = field(default_factory=dict)
    """What the client's tools have answered to calls of a turn that may be waiting for them."""
    decisions: Mapping[CallPlace, Any] = field(default_factory=dict)
    """What a person has decided about calls that wait for it."""
    wants_events: bool = False
    """Whether a stream shows what happens inside the turn."""
    echo: JsonObject = field(default_factory=dict)
    """What the answer repeats of the request."""


def call_id(token: str, order: int) -> str:
    """The id under which a client knows a call. It leads back to the turn that waits.

    Vendors take at most 40 characters of letters, digits, `_` and `-`.

    >>> call_id("0123456789abcdef01234567", 2)
    'call_0123456789abcdef01234567_2'
    """
    return f"call_{token}_{order}"


def call_place(id: object) -> CallPlace | None:
    """The place that `call_id` was made of; None for an id that the server has not minted.

    >>> call_place("call_0123456789abcdef01234567_2").order
    2
    """
    match = _CALL_ID.fullmatch(id) if isinstance(id, str) else None
    return None if match is None else CallPlace(match[1], int(match[2]))


def member(body: JsonMapping, name: str, kind: type, *, at: str = "") -> Any:
    """The member `name` of `body`, or None if it is absent or null.

    Raises ServerError (400) if it is not of `kind`.

    >>> member({"seed": 7}, "seed", int)
    7
    """
    value = body.get(name)
    is_kind = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if value is None or is_kind:
        return value
    raise ServerError(
        400,
        f"`{at}{name}` is {_article(value)}; it must be {_KINDS.get(kind, kind.__name__)}.",
        param=f"{at}{name}",
        code="invalid_type",
    )


def checked_settings(values: Mapping[str, Any], names: Mapping[str, str]) -> TurnSettings:
    """The settings of a turn, from members of a request.

    `names` gives the name that the API has for a setting, for the error. Raises ServerError (400).
    """
    given = {name: value for name, value in values.items() if value is not None}
    try:
        return TurnSettings.model_validate(given)
    except TurnConfigurationError as exc:  # raised for a form of answers that is none
        name = names.get("response_format", "response_format")
        raise ServerError(400, str(exc), param=name, code="invalid_value") from exc
    except ValidationError as exc:
        problem = exc.errors(include_url=False, include_input=False)[0]
        name = str(problem["loc"][0])
        name = names.get(name, name)
        raise ServerError(
            400, f"`{name}`: {problem['msg']}.", param=name, code="invalid_value"
        ) from exc


def function_spec(function: JsonMapping, at: str) -> ToolSpec:
    """A function that the client offers. Raises ServerError (400) if it is not described rightly.

    >>> function_spec({"name": "locate"}, "tools[0].function").parameters
    {'type': 'object', 'properties': {}}
    """
    empty: dict[str, JsonValue] = {"type": "object", "properties": {}}
    try:
        return ToolSpec(
            name=function.get("name", ""),
            description=member(function, "description", str, at=f"{at}.") or "",
            parameters=member(function, "parameters", dict, at=f"{at}.") or empty,
            strict=function.get("strict"),
        )
    except ValidationError as exc:
        problem = exc.errors(include_url=False, include_input=False)[0]
        where = f"{at}.{'.'.join(str(part) for part in problem['loc'])}"
        raise ServerError(
            400, f"`{where}`: {problem['msg']}.", param=where, code="invalid_value"
        ) from exc


def is_typed(value: object) -> bool:
    """Whether `value` is an object that says of what kind it is, as OpenAI's objects do.

    >>> is_typed({"type": "function"}), is_typed({})
    (True, False)
    """
    kind = value.get("type") if isinstance(value, Mapping) else None
    return isinstance(kind, str) and bool(kind)


def _article(value: object) -> str:
    names = {list: "a list", dict: "an object", str: "text", bool: "true or false"}
    return names.get(type(value), "a number")
