"""Is a request one the vendor would take? The checks both APIs share, and the error they answer
with.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NoReturn

from turngraph.scripted import schemas
from turngraph.scripted.prompt import OfferedTool

__all__ = [
    "EFFORTS",
    "Check",
    "RequestError",
    "answer_schema",
    "anything",
    "boolean",
    "check_members",
    "integer",
    "items",
    "known_tool",
    "mapping",
    "missing",
    "number",
    "offered",
    "one_of",
    "text",
    "text_or_texts",
    "wrong_type",
]

Check = Callable[[str, Any], None]
EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Of reasoning (https://platform.openai.com/docs/guides/reasoning)."""
TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class RequestError(Exception):
    """A request is refused. `body` is the documented error object.

    Source: https://platform.openai.com/docs/guides/error-codes
    """

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int = 400,
        type: str = "invalid_request_error",
    ) -> None:
        self.status = status
        self.body = {"error": {"message": message, "type": type, "param": param, "code": code}}
        super().__init__(message)


def check_members(
    body: Mapping[str, Any],
    table: Mapping[str, Check],
    accepts: Collection[str] = (),
    *,
    within: str = "",
) -> None:
    """Every member of the request is known, not null, and of its kind; those in `accepts` may be
    anything.
    """
    for name, value in body.items():
        check = table.get(name)
        if check is None:
            if name not in accepts:
                name = f"{within}{name}"
                raise RequestError(
                    f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter"
                )
        elif value is None:
            wrong_type(f"{within}{name}", "a value", None)
        else:
            check(f"{within}{name}", value)


def missing(param: str) -> NoReturn:
    """Refuse a request that lacks `param`."""
    raise RequestError(
        f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )


def wrong_type(param: str, wanted: str, value: Any) -> NoReturn:
    """Refuse a value that is not of the kind `wanted`."""
    message = f"Invalid type for '{param}': expected {wanted}, but got {KINDS.get(type(value), 'another kind')} instead."
    raise RequestError(message, param=param, code="invalid_type")


def number(low: float, high: float) -> Check:
    """A number between these, both included."""

    def check(param: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            wrong_type(param, "a decimal", value)
        _bounded("decimal", param, value, low, high)

    return check


def integer(low: int, high: int | None = None) -> Check:
    """A whole number between these, both included."""

    def check(param: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            wrong_type(param, "an integer", value)
        _bounded("integer", param, value, low, high)

    return check


def one_of(*allowed: str) -> Check:
    """One of these words."""

    def check(param: str, value: Any) -> None:
        if value not in allowed:
            names = ", ".join(f"'{name}'" for name in allowed)
            message = f"Invalid value: {value!r}. Supported values are: {names}."
            raise RequestError(message, param=param, code="invalid_value")

    return check


def text(param: str, value: Any) -> None:
    """A string."""
    if not isinstance(value, str):
        wrong_type(param, "a string", value)


def boolean(param: str, value: Any) -> None:
    """True or false."""
    if not isinstance(value, bool):
        wrong_type(param, "a boolean", value)


def mapping(param: str, value: Any) -> None:
    """An object."""
    if not isinstance(value, dict):
        wrong_type(param, "an object", value)


def items(param: str, value: Any) -> None:
    """An array with something in it."""
    if not isinstance(value, list):
        wrong_type(param, "an array", value)
    if not value:
        message = f"Invalid '{param}': empty array. Expected an array with minimum length 1, but got an empty array instead."
        raise RequestError(message, param=param, code="empty_array")


def text_or_texts(param: str, value: Any) -> None:
    """A string, or up to four of them."""
    several = value if isinstance(value, list) else [value]
    for one in several:
        text(param, one)
    if not 1 <= len(several) <= 4:
        message = f"Invalid '{param}': expected 1 to 4 strings, but got {len(several)} instead."
        raise RequestError(message, param=param, code="array_above_max_length")


def anything(param: str, value: Any) -> None:
    """Known, and taken as it is."""


def offered(function: Any, at: str) -> OfferedTool:
    """A function's description, checked: its name, its schema, and that a strict schema is strict."""
    mapping(at, function)
    name = function.get("name")
    if name is None:
        missing(f"{at}.name")
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
        message = f"Invalid '{at}.name': string does not match pattern. Expected a string that matches '{TOOL_NAME.pattern}'."
        raise RequestError(message, param=f"{at}.name", code="invalid_value")
    description, parameters = function.get("description", ""), function.get("parameters", {})
    text(f"{at}.description", description)
    strict = bool(function.get("strict"))
    what, param = f"function '{name}'", f"{at}.parameters"
    check_schema(
        parameters, strict=strict, what=what, param=param, code="invalid_function_parameters"
    )
    return OfferedTool(name, description, parameters, strict)


def known_tool(name: Any, tools: Sequence[OfferedTool]) -> None:
    """Refuse a choice of a function that was not offered."""
    if all(tool.name != name for tool in tools):
        message = f"Tool choice '{name}' not found in 'tools' parameter."
        raise RequestError(message, param="tool_choice", code="invalid_value")


def answer_schema(wanted: Mapping[str, Any], param: str) -> Mapping[str, Any]:
    """The schema of a structured answer, checked."""
    schema, strict = wanted.get("schema", {}), bool(wanted.get("strict"))
    what = f"response_format '{wanted.get('name')}'"
    check_schema(schema, strict=strict, what=what, param=param, code="invalid_json_schema")
    return dict(schema)


def check_schema(schema: Any, *, strict: bool, what: str, param: str, code: str) -> None:
    """Refuse a schema that is none, or is not strict although it is to be."""
    try:
        schemas.check_schema(schema, strict=strict)
    except schemas.SchemaError as exc:
        raise RequestError(f"Invalid schema for {what}: {exc}", param=param, code=code) from None


def _bounded(kind: str, param: str, value: float, low: float, high: float | None) -> None:
    if high is not None and value > high:
        side, bound, sign, limit = "above", "max", "<=", high
    elif not value >= low:  # NaN too
        side, bound, sign, limit = "below", "min", ">=", low
    else:
        return
    seen = f"Expected a value {sign} {limit}, but got {value} instead."
    message = f"Invalid '{param}': {kind} {side} {bound}imum value. {seen}"
    raise RequestError(message, param=param, code=f"{kind}_{side}_{bound}_value")


KINDS: Final[Mapping[type, str]] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
}
