"""The arguments of a tool call: text as the model wrote it, and the object it stands for."""

import json
from typing import Any

from turngraph.state.errors import ToolArgumentsError

__all__ = ["dump_json", "parse_arguments"]


def parse_arguments(text: str) -> dict[str, Any]:
    """The object that a call's `arguments` stand for. No text at all stands for no arguments.

    Strict where JSON readers are lax, since a tool acts on the result: NaN, Infinity, a repeated name and lone
    surrogates are refused. Raises ToolArgumentsError with a sentence the model can act on.

        >>> parse_arguments('{"city": "Oslo"}')
        {'city': 'Oslo'}
        >>> parse_arguments('{"a": 1, "a": 2}')
        Traceback (most recent call last):
        turngraph.state.errors.ToolArgumentsError: The arguments give `a` twice.
    """
    if not text.strip():
        return {}
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as exc:
        raise ToolArgumentsError("The arguments hold half of a surrogate pair, which is not text.") from exc
    except ValueError as exc:
        raise ToolArgumentsError(f"The arguments are not JSON: {exc}.") from exc
    except RecursionError as exc:
        raise ToolArgumentsError("The arguments are nested too deeply.") from exc
    if not isinstance(value, dict):
        raise ToolArgumentsError(f"The arguments must be a JSON object, not {_KIND.get(type(value), 'a number')}.")
    return value


def dump_json(value: object) -> str:
    """`value` as compact JSON text, with letters as they are (`ü`, not `\\u00fc`: fewer tokens).

    >>> dump_json({"city": "Zürich"})
    '{"city": "Zürich"}'
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


_KIND = {list: "a list", str: "a string", bool: "a boolean", type(None): "null"}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    raise ToolArgumentsError(f"The arguments give `{twice}` twice.")


def _no_constant(name: str) -> Any:
    raise ToolArgumentsError(f"The arguments hold {name}, which JSON does not know.")
