"""Reads the messages of a Chat Completions request, and checks that every tool call is answered.

Reference: https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from turngraph.scripted import checks
from turngraph.scripted.checks import RequestError
from turngraph.scripted.prompt import Message, RequestedCall

__all__ = ["read_messages"]

ROLES: Final = ("system", "assistant", "user", "function", "tool", "developer")
PLAIN_ROLES: Final = ("user", "assistant", "system", "developer")
PARTS: Final[Mapping[str, Mapping[str, str]]] = {
    "user": {
        "text": "text",
        "image_url": "image_url",
        "input_audio": "input_audio",
        "file": "file",
    },
    "assistant": {"text": "text", "refusal": "refusal"},
}
"""For each role, the types of content parts that it may send, with the member each must have."""
TEXT_ONLY: Final[Mapping[str, str]] = {"text": "text"}
"""The content parts of all other roles."""


def read_messages(messages: Sequence[object]) -> tuple[Message, ...]:
    """Reads the messages in order.

    Raises RequestError for a malformed message, for a tool message that answers no call, and for a
    tool call without a tool message right after it.
    """
    return _MessageReader().read(messages)


class _UnansweredCalls(NamedTuple):
    """The calls of an assistant message that have no result yet."""

    place: int
    """The place of that assistant message in the list."""
    ids: set[str]


class _MessageReader:
    def __init__(self) -> None:
        self._unanswered = _UnansweredCalls(0, set())
        self._call_ids: frozenset[str] = frozenset()
        """The ids of the last assistant message's calls: what a tool message may answer."""

    def read(self, messages: Sequence[Any]) -> tuple[Message, ...]:
        # A long history is read with each request and is mostly plain text, so plain messages take
        # a short way through this loop.
        result = []
        for place, message in enumerate(messages):
            plain = (
                type(message) is dict
                and type(message.get("content")) is str
                and message.get("role") in PLAIN_ROLES
            )
            if plain and not self._unanswered.ids and "tool_calls" not in message:
                self._call_ids = frozenset()
                result.append(Message(message["role"], message["content"]))
            else:
                result.append(self._message(message, f"messages[{place}]", place))
        self._check_all_answered()
        return tuple(result)

    def _message(self, message: Any, at: str, place: int) -> Message:
        checks.mapping(at, message)
        role = message.get("role")
        if role is None:
            checks.refuse_missing(f"{at}.role")
        checks.one_of(*ROLES)(f"{at}.role", role)
        if role == "tool":
            return self._tool_message(message, at)
        # Only tool messages may stand between a call and its result.
        self._check_all_answered()
        if role != "assistant":
            self._call_ids = frozenset()
            return Message(role, _content(message, role, at))
        return self._assistant_message(message, at, place)

    def _assistant_message(self, message: Mapping[str, Any], at: str, place: int) -> Message:
        if "tool_calls" in message:
            checks.array(f"{at}.tool_calls", message["tool_calls"])
        tool_calls: list[Any] = message.get("tool_calls", [])
        calls = tuple(_call(call, f"{at}.tool_calls[{n}]") for n, call in enumerate(tool_calls))
        ids = {call.id for call in calls if call.id is not None}
        self._unanswered, self._call_ids = _UnansweredCalls(place, set(ids)), frozenset(ids)
        if message.get("content") is not None:
            return Message("assistant", _content(message, "assistant", at), calls)
        refusal = message.get("refusal")
        if refusal is not None:
            checks.text(f"{at}.refusal", refusal)
        elif not calls and message.get("audio") is None and message.get("function_call") is None:
            checks.refuse_type(f"{at}.content", "a string", None)
        return Message("assistant", refusal or "", calls)

    def _tool_message(self, message: Mapping[str, object], at: str) -> Message:
        checks.require(message, at, "tool_call_id")
        call_id = message["tool_call_id"]
        checks.text(f"{at}.tool_call_id", call_id)
        if call_id not in self._call_ids:
            reason = (
                "Invalid parameter: messages with role 'tool' must be a response to a preceding "
                "message with 'tool_calls'."
            )
            member = "tool_call_id" if self._call_ids else "role"
            raise RequestError(reason, param=f"{at}.{member}")
        self._unanswered.ids.discard(call_id)
        return Message("tool", _content(message, "tool", at), (), call_id)

    def _check_all_answered(self) -> None:
        if not self._unanswered.ids:
            return
        reason = (
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            "to each 'tool_call_id'. The following tool_call_ids did not have response messages: "
        )
        ids = ", ".join(sorted(self._unanswered.ids))
        raise RequestError(reason + ids, param=f"messages[{self._unanswered.place}].role")


def _call(call: Any, at: str) -> RequestedCall:
    checks.mapping(at, call)
    checks.require(call, at, "id", "type")
    kind = call["type"]
    checks.one_of("function", "custom")(f"{at}.type", kind)
    function = call.get(kind)
    checks.mapping(f"{at}.{kind}", function)
    # A function call carries JSON in `arguments`, a custom tool call any text in `input`.
    arguments = "arguments" if kind == "function" else "input"
    for name in ("name", arguments):
        checks.require(function, f"{at}.{kind}", name)
        checks.text(f"{at}.{kind}.{name}", function[name])
    checks.text(f"{at}.id", call["id"])
    return RequestedCall(function["name"], function[arguments], call["id"])


def _content(message: Mapping[str, Any], role: str, at: str) -> str:
    """Returns the text of a message; its parts are joined by blanks."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    checks.require(message, at, "content")
    if content is None:
        checks.refuse_type(f"{at}.content", "a string or an array", None)
    checks.array(f"{at}.content", content)
    parts: list[Any] = content
    allowed = PARTS.get(role, TEXT_ONLY)
    return " ".join(_part(part, allowed, f"{at}.content[{n}]") for n, part in enumerate(parts))


def _part(part: Any, allowed: Mapping[str, str], at: str) -> str:
    """Returns the text of a part, or its type in brackets where it is no text: `[image_url]`."""
    checks.mapping(at, part)
    checks.require(part, at, "type")
    kind = part["type"]
    checks.one_of(*allowed)(f"{at}.type", kind)
    member = allowed[kind]
    checks.require(part, at, member)
    if kind in ("text", "refusal"):
        checks.text(f"{at}.{member}", part[member])
        return str(part[member])
    checks.mapping(f"{at}.{member}", part[member])
    return f"[{kind}]"
