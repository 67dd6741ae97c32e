"""What a tool may be called: the names that every vendor takes.

https://platform.openai.com/docs/api-reference/chat/create, `tools.function.name`.
"""

import re
from typing import Final

__all__ = ["MAX_LENGTH", "NAME_PATTERN", "NAME_RULE", "as_tool_name", "is_tool_name"]

MAX_LENGTH: Final = 64
NAME_PATTERN: Final = rf"^[a-zA-Z0-9_-]{{1,{MAX_LENGTH}}}$"
"""A regular expression, for pydantic."""
NAME_RULE: Final = f"1 to {MAX_LENGTH} letters, digits, `_` and `-`"
"""The rule as the end of a sentence."""

_NAME: Final = re.compile(NAME_PATTERN.removeprefix("^").removesuffix("$"))
_REFUSED: Final = re.compile(r"[^a-zA-Z0-9_-]")


def is_tool_name(name: str) -> bool:
    """Whether every vendor takes `name`.

    >>> is_tool_name("get_weather"), is_tool_name("get.weather"), is_tool_name("")
    (True, False, False)
    """
    return _NAME.fullmatch(name) is not None


def as_tool_name(name: str) -> str:
    """`name` with `_` for everything that a vendor may refuse. It may still be empty or too long.

    >>> as_tool_name("list/all")
    'list_all'
    """
    return _REFUSED.sub("_", name)
