"""The request checks that both APIs share, and the error that a refused request is answered with.

A `Check` takes the path of a member (`messages[0].role`) and its value, and raises RequestError in
the vendor's words where the value is not allowed.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NoReturn

from turngraph.scripted import schema_checks
from turngraph.scripted.prompt import OfferedTool
from turngraph.state.json_types import JsonObject

__all__ = [
    "EFFORTS",
    "Check",
    "RequestError",
    "any_value",
    "array",
    "boolean",
    "check_known_tool",
    "check_members",
    "integer",
    "mapping",
    "number",
    "one_of",
    "read_answer_schema",
    "read_function",
    "refuse_missing",
    "refuse_type",
    "require",
    "text",
    "text_or_texts",
]

Check = Callable[[str, Any], None]
EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""The reasoning efforts (https://platform.openai.com/docs/guides/reasoning)."""
TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
TYPE_NAMES: Final[Mapping[type, str]] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
}


class RequestError(Exception):
    """The request is refused. `body` is the documented error object, `status` the HTTP status.

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
    body: Mapping[str, object],
    table: Mapping[str, Check],
    accepts: Collection[str] = (),
    *,
    within: str = "",
) -> None:
    """Checks that each member of `body` is in `table`, is not null, and passes its check.

    Members named in `accepts` are taken whatever they hold. `within` stands before the names in
    errors, as in `reasoning.`.
    """
    for name, value in body.items():
        check = table.get(name)
        if check is None:
            if name not in accepts:
                param = f"{within}{name}"
                raise RequestError(
                    f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter"
                )
        elif value is None:
            refuse_type(f"{within}{name}", "a value", None)
        else:
            check(f"{within}{name}", value)


def require(value: Mapping[str, object], at: str, *names: str) -> None:
    """Raises RequestError unless `value`, which stands at the path `at`, has all these members."""
    for name in names:
        if name not in value:
            refuse_missing(f"{at}.{name}" if at else name)


def refuse_missing(param: str) -> NoReturn:
    """Refuses a request that lacks `param`."""
    raise RequestError(
        f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )


def refuse_type(param: str, wanted: str, value: object) -> NoReturn:
    """Refuses a value whose type is not `wanted`."""
    seen = TYPE_NAMES.get(type(value), "another type")
    message = f"Invalid type for '{param}': expected {wanted}, but got {seen} instead."
    raise RequestError(message, param=param, code="invalid_type")


def number(low: float, high: float) -> Check:
    """Returns a check for a number from `low` to `high`, both included."""

    def check(param: str, value: object) -> None:
        # In Python True is an int; in JSON it is not a number.
        if isinstance(value, bool) or not isinstance(value, int | float):
            refuse_type(param, "a decimal", value)
        _check_bounds("decimal", param, value, low, high)

    return check


def integer(low: int, high: int | None = None) -> Check:
    """Returns a check for a whole number from `low` to `high`, both included."""

    def check(param: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            refuse_type(param, "an integer", value)
        _check_bounds("integer", param, value, low, high)

    return check


def one_of(*allowed: str) -> Check:
    """Returns a check for one of these strings."""

    def check(param: str, value: object) -> None:
        if value not in allowed:
            names = ", ".join(f"'{name}'" for name in allowed)
            message = f"Invalid value: {value!r}. Supported values are: {names}."
            raise RequestError(message, param=param, code="invalid_value")

    return check


def text(param: str, value: object) -> None:
    """Checks for a string."""
    if not isinstance(value, str):
        refuse_type(param, "a string", value)


def boolean(param: str, value: object) -> None:
    """Checks for true or false."""
    if not isinstance(value, bool):
        refuse_type(param, "a boolean", value)


def mapping(param: str, value: object) -> None:
    """Checks for an object."""
    if not isinstance(value, dict):
        refuse_type(param, "an object", value)


def array(param: str, value: object) -> None:
    """Checks for an array with at least one item."""
    if not isinstance(value, list):
        refuse_type(param, "an array", value)
    if not value:
        message = (
            f"Invalid '{param}': empty array. Expected an array with minimum length 1, but got an "
            "empty array instead."
        )
        raise RequestError(message, param=param, code="empty_array")


def text_or_texts(param: str, value: object) -> None:
    """Checks for a string, or an array of one to four strings."""
    texts = value if isinstance(value, list) else [value]
    for one in texts:
        text(param, one)
    if not 1 <= len(texts) <= 4:
        message = f"Invalid '{param}': expected 1 to 4 strings, but got {len(texts)} instead."
        raise RequestError(message, param=param, code="array_above_max_length")


def any_value(param: str, value: object) -> None:
    """Accepts every value: the member is known, but its content is not checked here."""


def read_function(function: Any, at: str) -> OfferedTool:
    """Reads an offered function, and checks its name and its schema."""
    mapping(at, function)
    name = function.get("name")
    if name is None:
        refuse_missing(f"{at}.name")
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
        message = (
            f"Invalid '{at}.name': string does not match pattern. Expected a string that matches "
            f"'{TOOL_NAME.pattern}'."
        )
        raise RequestError(message, param=f"{at}.name", code="invalid_value")
    description, parameters = function.get("description", ""), function.get("parameters", {})
    text(f"{at}.description", description)
    # `strict` may be null, which the vendor reads as false.
    strict = bool(function.get("strict"))
    _check_schema(
        parameters,
        strict=strict,
        owner=f"function '{name}'",
        param=f"{at}.parameters",
        code="invalid_function_parameters",
    )
    return OfferedTool(name, description, parameters, strict)


def check_known_tool(name: object, tools: Sequence[OfferedTool]) -> None:
    """Raises RequestError where `tool_choice` names a function that is not offered."""
    if all(tool.name != name for tool in tools):
        message = f"Tool choice '{name}' not found in 'tools' parameter."
        raise RequestError(message, param="tool_choice", code="invalid_value")


def read_answer_schema(response_format: Mapping[str, Any], param: str) -> JsonObject:
    """Returns the checked schema of a structured answer."""
    schema = response_format.get("schema", {})
    _check_schema(
        schema,
        strict=bool(response_format.get("strict")),
        owner=f"response_format '{response_format.get('name')}'",
        param=param,
        code="invalid_json_schema",
    )
    return dict(schema)


def _check_schema(schema: object, *, strict: bool, owner: str, param: str, code: str) -> None:
    try:
        schema_checks.check_schema(schema, strict=strict)
    except schema_checks.SchemaError as exc:
        raise RequestError(f"Invalid schema for {owner}: {exc}", param=param, code=code) from None


def _check_bounds(kind: str, param: str, value: float, low: float, high: float | None) -> None:
    if high is not None and value > high:
        side, bound, sign, limit = "above", "max", "<=", high
    elif not value >= low:  # not `value < low`, so that NaN is refused as well
        side, bound, sign, limit = "below", "min", ">=", low
    else:
        return
    expected = f"Expected a value {sign} {limit}, but got {value} instead."
    message = f"Invalid '{param}': {kind} {side} {bound}imum value. {expected}"
    raise RequestError(message, param=param, code=f"{kind}_{side}_{bound}_value")
