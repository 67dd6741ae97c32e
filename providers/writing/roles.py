"""The role of a LangChain message."""

from typing import Final

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from turngraph.state.errors import TurnValueError
from turngraph.state.messages import coerce_message

__all__ = ["DEVELOPER", "role_of", "tool_message_of"]

DEVELOPER: Final = "__openai_role__"
"""The member of `additional_kwargs` in which LangChain's own OpenAI classes note that a system
message has the role `developer`.
"""

_ROLES: Final[dict[type[BaseMessage], str]] = {
    SystemMessage: "system",
    HumanMessage: "user",
    AIMessage: "assistant",
    ToolMessage: "tool",
}
_CHAT_ROLES: Final = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
}


def role_of(message: BaseMessage, n: int) -> str:
    """`system`, `user`, `assistant` or `tool`.

    n: the message's number in its conversation, for the error. Raises TurnValueError for a message
        of another kind or role.

    >>> role_of(HumanMessage("Hi"), 1)
    'user'
    """
    # Nearly every message is exactly of one of these classes; the others inherit from one.
    role = _ROLES.get(type(message))
    if role is not None:
        return role
    for kind, name in _ROLES.items():
        if isinstance(message, kind):
            return name
    if isinstance(message, ChatMessage):
        if message.role in _CHAT_ROLES:
            return _CHAT_ROLES[message.role]
        raise TurnValueError(
            f"Message {n} has the role `{message.role}`; allowed: {', '.join(_CHAT_ROLES)}."
        )
    raise TurnValueError(
        f"Message {n} is a `{type(message).__name__}`; write a SystemMessage, HumanMessage, "
        "AIMessage or ToolMessage."
    )


def tool_message_of(value: object) -> ToolMessage:
    """`value` as the result of a tool. Raises TurnValueError for another message."""
    message = coerce_message(value)
    if not isinstance(message, ToolMessage):
        raise TurnValueError(
            f"A tool's result is a ToolMessage, or a dict with the role `tool`, not a message of "
            f"type `{message.type}`."
        )
    return message
