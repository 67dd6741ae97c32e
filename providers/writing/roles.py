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

__all__ = ["DEVELOPER", "role_of"]

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
