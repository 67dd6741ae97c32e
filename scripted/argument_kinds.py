"""Which kinds of values the arguments of `ScriptedModel` take."""

from collections.abc import Collection, Mapping
from typing import Final

from turngraph.state.argument_kinds import (
    SECONDS,
    Kind,
    check_kinds,
    is_count,
    is_text,
    or_none,
)

__all__ = ["check_arguments"]

_MAX_PORT: Final = 65_535


def _is_port(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= _MAX_PORT


def _are_names(value: object) -> bool:
    return (
        isinstance(value, Collection)
        and not isinstance(value, str | bytes)
        and all(isinstance(each, str) for each in value)
    )


_KINDS: Final[Mapping[str, Kind]] = {
    "accepts": Kind(_are_names, "a list of names: `accepts=['top_k']`"),
    "api_key": Kind(or_none(is_text), "a text"),
    "cache_from": Kind(is_count, "a whole number of at least 0"),
    "clock": Kind(callable, "a function that returns seconds, such as `time.time`"),
    "delay_s": SECONDS,
    "name": Kind(or_none(is_text), "a text"),
    "pieces": Kind(or_none(is_count), "a whole number of at least 0"),
    "port": Kind(_is_port, f"a whole number from 0 to {_MAX_PORT}"),
    "responder": Kind(callable, "a function from a request to an answer"),
}


def check_arguments(**arguments: object) -> None:
    """Raises TurnConfigurationError for the first argument that is of a wrong kind.

    >>> check_arguments(pieces=3, delay_s=0.5)
    >>> check_arguments(port="80")
    Traceback (most recent call last):
        ...
    turngraph.state.errors.TurnConfigurationError: `port` is '80'; it must be a whole number ...
    """
    check_kinds(_KINDS, arguments)
