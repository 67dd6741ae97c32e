"""What must hold before anything is sent. Every complaint names the message or the member it is
about.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from turngraph.providers.writing.roles import role_of
from turngraph.state.errors import TurnValueError
from turngraph.state.request import ChatRequest

__all__ = ["check_conversation", "check_request", "json_fault"]


def check_request(request: ChatRequest) -> None:
    """Raises TurnValueError for what a model made by `model_copy` may hold unvalidated."""
    for name, low, high in (("temperature", 0, 2), ("top_p", 0, 1)):
        value = getattr(request, name)
        if value is not None and not low <= value <= high:
            raise TurnValueError(f"`{name}` is {value}; allowed: {low} to {high}.")
    if request.max_tokens is not None and request.max_tokens < 1:
        raise TurnValueError(f"`max_tokens` is {request.max_tokens}; allowed: 1 and above.")
    names = [tool.name for tool in request.tools]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise TurnValueError(
            f"Two tools are called `{twice}`; the model could not tell them apart."
        )


def check_conversation(
    messages: Sequence[BaseMessage], *, adjacent: bool, continued: bool = False
) -> None:
    """Raises TurnValueError unless every call has its one result, after it, and every user message
    says something.

    adjacent: whether results must follow their call at once, as Chat Completions demands.
    continued: whether earlier messages are the vendor's to know, so that a result may come without
    its call.
    """
    if not messages:
        raise TurnValueError("The conversation is empty: there is no message to send.")
    waiting: dict[str, int] = {}
    answered: set[str] = set()
    may_answer: set[str] = set()
    for n, message in enumerate(messages, 1):
        role = role_of(message, n)
        if isinstance(message, ToolMessage):
            _check_result(
                message,
                n,
                waiting,
                answered,
                lenient=continued or message.tool_call_id in may_answer,
            )
            continue
        if adjacent or role == "assistant":
            _check_none_waiting(waiting)
        if role == "assistant":
            waiting, answered = dict.fromkeys(_call_ids(message), n), set()
            may_answer |= {
                str(item.get("call_id"))
                for item in message.additional_kwargs.get("output_items", ())
            }
        elif role == "user" and not message.content:
            raise TurnValueError(f"Message {n} (user) is empty.")
    _check_none_waiting(waiting)


def _check_result(
    message: ToolMessage, n: int, waiting: dict[str, int], answered: set[str], *, lenient: bool
) -> None:
    call_id = message.tool_call_id
    if call_id in answered:
        raise TurnValueError(f"Message {n} is a second result of the tool call `{call_id}`.")
    if (
        waiting.pop(call_id, None) is None
        and not lenient
        and not message.additional_kwargs.get("type")
    ):
        raise TurnValueError(
            f"Message {n} is the result of `{call_id}`, a call the answer before it did not make."
        )
    answered.add(call_id)


def _check_none_waiting(waiting: dict[str, int]) -> None:
    for call_id, n in waiting.items():
        raise TurnValueError(
            f"Message {n} calls a tool (`{call_id}`), and no result of it follows."
        )


def _call_ids(message: BaseMessage) -> Iterator[str]:
    if isinstance(message, AIMessage):
        for call in (*message.tool_calls, *message.invalid_tool_calls):
            yield str(call["id"])


def json_fault(body: dict[str, Any], found: Exception) -> TurnValueError:
    """The error for a `body` that could not be written as JSON in UTF-8, naming the place.

    >>> str(json_fault({"messages": [{"content": float("nan")}]}, ValueError()))
    '`messages[0].content` is nan, which JSON does not know.'
    """
    where, what = next(_faults(body, "", 0), ("the request", f"cannot be written as JSON: {found}"))
    return TurnValueError(f"{where} {what}.")


def _faults(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Every place in `value` that JSON cannot hold, and what is wrong there."""
    where = f"`{path}`" if path else "the request"
    if depth > 500:
        yield where, "is nested too deeply"
    elif isinstance(value, dict):
        for name, member in value.items():
            if not isinstance(name, str):
                yield where, f"has a member named by a `{type(name).__name__}`, not by text"
            yield from _faults(
                str(name), f"{path}.{_shown(name)} (the name)".lstrip("."), depth + 1
            )
            yield from _faults(member, f"{path}.{_shown(name)}".lstrip("."), depth + 1)
    elif isinstance(value, list | tuple):
        for n, member in enumerate(value):
            yield from _faults(member, f"{path}[{n}]", depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        yield where, f"is {value}, which JSON does not know"
    elif isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            yield where, "holds half of a surrogate pair, which is not text"
    elif value is not None and not isinstance(value, bool | int | float):
        yield where, f"is a `{type(value).__name__}`, which JSON does not know"


def _shown(name: object) -> str:
    return str(name).encode("ascii", "replace").decode()[:60]
