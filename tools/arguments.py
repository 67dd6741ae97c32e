"""The arguments of a tool call: text a model wrote, read strictly, then held against the tool's schema."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from turngraph.state.errors import ToolArgumentsError, TurnConfigurationError

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

__all__ = ["MAX_DEPTH", "MAX_TEXT", "check_arguments", "compile_schema", "parse_arguments"]

MAX_TEXT: Final = 1_000_000
"""Characters."""
MAX_DEPTH: Final = 64
SHOWN: Final = 300
"""Characters of a message that quotes what was sent."""
SURROGATE: Final = re.compile("[\ud800-\udfff]")


def parse_arguments(text: str) -> dict[str, Any]:
    """The JSON object in `text`; an empty text is `{}`, as several vendors write «no arguments».

    Raises ToolArgumentsError for anything else: other JSON, NaN and infinities, a key twice (readers disagree which
    one counts), nesting deeper than 64, more than a million characters, lone surrogates.

        >>> parse_arguments('{"city": "Oslo"}'), parse_arguments(" ")
        ({'city': 'Oslo'}, {})
    """
    if len(text) > MAX_TEXT:
        raise ToolArgumentsError(f"The arguments have {len(text):,} characters; at most {MAX_TEXT:,} are read.")
    if not text.strip():
        return {}
    value = _load(text)
    if not isinstance(value, dict):
        raise ToolArgumentsError(f"The arguments must be a JSON object, but are {_kind(value)}.")
    _survey(value)
    return value


def compile_schema(name: str, schema: dict[str, Any]) -> "Validator":
    """A validator of `schema` that never fetches anything.

    Raises TurnConfigurationError where the schema of tool `name` is none, or points outside itself.
    """
    from jsonschema import Draft202012Validator, SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry

    outside = [ref for ref in _references(schema) if not ref.startswith("#")]
    if outside:
        raise TurnConfigurationError(f"The schema of tool `{name}` points outside itself: `{outside[0][:100]}`.")
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise TurnConfigurationError(
            f"The schema of tool `{name}` is not JSON schema: {error.message[:SHOWN]}"
        ) from error
    return kind(schema, registry=Registry())


def check_arguments(name: str, arguments: dict[str, Any], validator: "Validator") -> None:
    """Nothing, where `arguments` fit the schema; else ToolArgumentsError with path, mistake and what is allowed."""
    from itertools import islice

    errors = list(islice(validator.iter_errors(arguments), 3))
    if errors:
        raise ToolArgumentsError(f"The arguments of `{name}` do not fit: {'; '.join(map(_told, errors))}.")


def _load(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ToolArgumentsError(f"The arguments are not JSON: {error.msg} at {where}.") from None
    except RecursionError:
        raise ToolArgumentsError(f"The arguments are nested deeper than {MAX_DEPTH} levels.") from None
    except ValueError:  # Python's limit on the digits of an integer
        raise ToolArgumentsError("The arguments hold a number with more than 4,300 digits.") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ToolArgumentsError(f"The arguments have the key `{_short(twice, 100)}` twice.")
    return found


def _refuse_constant(word: str) -> None:
    raise ToolArgumentsError(f"The arguments hold `{word}`, which is not JSON.")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ToolArgumentsError(f"The arguments hold `{digits[:40]}`, which is too large for a number.")
    return number


def _survey(value: Any, depth: int = 1) -> None:
    if depth > MAX_DEPTH:
        raise ToolArgumentsError(f"The arguments are nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, str):
        if SURROGATE.search(value):
            raise ToolArgumentsError("The arguments hold half a surrogate pair, which no encoding can carry.")
    elif isinstance(value, dict):
        for key, item in value.items():
            _survey(key, depth)
            _survey(item, depth + isinstance(item, dict | list))
    elif isinstance(value, list):
        for item in value:
            _survey(item, depth + isinstance(item, dict | list))


def _references(schema: Any) -> list[str]:
    if isinstance(schema, Mapping):
        own = [value for key, value in schema.items() if key in ("$ref", "$dynamicRef") and isinstance(value, str)]
        return own + [ref for value in schema.values() for ref in _references(value)]
    if isinstance(schema, list):
        return [ref for value in schema for ref in _references(value)]
    return []


def _told(error: Any) -> str:
    allowed = ""
    if error.validator in ("enum", "const", "type") and len(error.message) > SHOWN:
        allowed = f" (allowed: {_short(json.dumps(error.validator_value, ensure_ascii=False), SHOWN)})"
    return f"at `{_short(error.json_path, 100)}`: {_short(error.message, SHOWN)}{allowed}"


def _short(text: str, limit: int) -> str:
    text = SURROGATE.sub("\ufffd", text)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _kind(value: Any) -> str:
    kinds = {str: "a string", list: "an array", bool: "a boolean", int: "a number", float: "a number"}
    return kinds.get(type(value), "null")
