"""How a value in a state or in the JSON of a request is named: in words, counted from 1, the same
wherever two of them are compared.
"""

import re
from collections.abc import Mapping
from typing import Final

from langchain_core.messages import BaseMessage

__all__ = ["name_item", "name_member", "role_of"]

_ENDS_IN_A_PLACE: Final = re.compile(r" \d+( \(\w+\))?$")


def name_item(outer: str, index: int, value: object) -> str:
    """Returns the name of a value that stands in the list `outer`. A message has its role in it.

    >>> name_item("tools", 0, {})
    'tools 1'
    >>> name_item("messages", 1, {"role": "user", "content": "Hello!"})
    'message 2 (user)'
    """
    role = _role(value)
    if not role:
        return f"{outer} {index + 1}"
    # The Responses API calls the list `input`, which holds messages too.
    name = outer.removesuffix("s") if outer.endswith("messages") else outer
    return f"{name} {index + 1} ({role})"


def name_member(outer: str, name: object) -> str:
    """Returns the name of a member of the object `outer`.

    >>> name_member("message 2 (user)", "content")
    'message 2 (user), content'
    >>> name_member("response_format", "type")
    'response_format.type'
    """
    return f"{outer}{', ' if _ENDS_IN_A_PLACE.search(outer) else '.'}{name}"


def role_of(message: BaseMessage) -> str:
    """Returns the role of a message, in the words of the API."""
    return {"human": "user", "ai": "assistant"}.get(message.type, message.type)


def _role(value: object) -> str:
    """The role of a message, which is an object or JSON; empty for anything else."""
    if isinstance(value, BaseMessage):
        return role_of(value)
    role = value.get("role") if isinstance(value, Mapping) else None
    # In JSON anything can stand there; only a word reads as a role.
    return role if isinstance(role, str) and role.isidentifier() else ""
