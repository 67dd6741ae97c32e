"""Which role a LangChain message speaks in."""

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
"""Where LangChain's own OpenAI classes note that a system message has the role `developer`."""

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
    """`system`, `user`, `assistant` or `tool`. Raises TurnValueError naming message `n` for
    anything else.

    >>> role_of(HumanMessage("Hi"), 1)
    'user'
    """
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
        f"Message {n} is a `{type(message).__name__}`; write a SystemMessage, HumanMessage, AIMessage or ToolMessage."
    )
