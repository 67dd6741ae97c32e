"""Checks before anything is sent. Every error names the message or the member it is about."""

import math
from collections.abc import Iterator, Sequence
from typing import Final, cast

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from turngraph.providers.writing.roles import role_of
from turngraph.state.errors import TurnValueError
from turngraph.state.json_types import JsonMapping
from turngraph.state.request import ChatRequest

__all__ = ["check_conversation", "check_request", "json_fault"]

MAX_DEPTH: Final = 500
"""How deep a body is searched for a fault: below Python's limit of recursion, far above need."""
NAME_CHARS: Final = 60
"""How much of a member's name an error shows."""


def check_request(request: ChatRequest) -> None:
    """Raises TurnValueError for values that `model_copy` put into `request` without validation."""
    for name, low, high in (("temperature", 0, 2), ("top_p", 0, 1)):
        value = getattr(request, name)
        # NaN fails every comparison, so it is refused too.
        if value is not None and not low <= value <= high:
            raise TurnValueError(f"`{name}` is {value}; allowed: {low} to {high}.")
    if request.max_tokens is not None and request.max_tokens < 1:
        raise TurnValueError(f"`max_tokens` is {request.max_tokens}; allowed: 1 and above.")
    names = [tool.name for tool in request.tools]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise TurnValueError(
            f"Two tools are called `{twice}`; the model could not tell them apart. Rename one."
        )


def check_conversation(
    messages: Sequence[BaseMessage], *, adjacent: bool, continued: bool = False
) -> None:
    """Raises TurnValueError unless every tool call has one result after it, and no user message is
    empty.

    adjacent: whether results must follow their call at once, as Chat Completions demands.
    continued: whether the vendor has earlier messages, so that a result may come without its call.
    """
    if not messages:
        raise TurnValueError("The conversation is empty: there is no message to send.")
    open_calls: dict[str, int] = {}
    caller = 0
    answered: set[str] = set()
    item_call_ids: set[str] = set()
    for n, message in enumerate(messages, 1):
        role = role_of(message, n)
        if role == "tool":
            # Calls that only stand in output items (a computer's, a shell's) are not in
            # `tool_calls`, but may have results.
            result = cast(ToolMessage, message)
            may_lack_call = continued or result.tool_call_id in item_call_ids
            _check_result(result, n, open_calls, answered, may_lack_call)
            continue
        if open_calls and (adjacent or role == "assistant"):
            _check_no_open_calls(open_calls, caller)
        if role == "assistant":
            # Servers that count their calls may give an id twice, even within one answer.
            open_calls, caller, answered = _calls_in(message), n, set()
            if items := message.additional_kwargs.get("output_items"):
                item_call_ids |= {str(item.get("call_id")) for item in items}
        elif role == "user" and not message.content:
            raise TurnValueError(f"Message {n} (user) is empty.")
    _check_no_open_calls(open_calls, caller)


def _check_result(
    message: ToolMessage,
    n: int,
    open_calls: dict[str, int],
    answered: set[str],
    may_lack_call: bool,
) -> None:
    call_id = message.tool_call_id
    is_known = call_id in open_calls
    if call_id in answered and not is_known:
        raise TurnValueError(f"Message {n} is a second result of the tool call `{call_id}`.")
    if is_known:
        open_calls[call_id] -= 1
        if open_calls[call_id] == 0:
            del open_calls[call_id]
    elif not may_lack_call and not message.additional_kwargs.get("type"):
        raise TurnValueError(
            f"Message {n} is the result of `{call_id}`, a call that the answer before it did not "
            "make."
        )
    answered.add(call_id)


def _check_no_open_calls(open_calls: dict[str, int], caller: int) -> None:
    """Raises for a call that message `caller` made and that has no result."""
    for call_id in open_calls:
        raise TurnValueError(
            f"Message {caller} calls a tool (`{call_id}`), and no result of it follows."
        )


def _calls_in(message: BaseMessage) -> dict[str, int]:
    """How many calls of `message` have each id."""
    counts: dict[str, int] = {}
    if isinstance(message, AIMessage) and (message.tool_calls or message.invalid_tool_calls):
        for call in (*message.tool_calls, *message.invalid_tool_calls):
            call_id = str(call["id"])
            counts[call_id] = counts.get(call_id, 0) + 1
    return counts


def json_fault(body: JsonMapping, error: Exception) -> TurnValueError:
    """The error for a `body` that could not be written as JSON in UTF-8, naming the place.

    error: what the JSON encoder raised; shown if no place is found.

        >>> str(json_fault({"messages": [{"content": float("nan")}]}, ValueError()))
        '`messages[0].content` is nan, which JSON does not know.'
    """
    unknown = ("the request", f"cannot be written as JSON: {error}")
    place, fault = next(_faults(body, "", 0), unknown)
    return TurnValueError(f"{place} {fault}.")


def _faults(value: object, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Every place in `value` that JSON cannot hold, and what is wrong there."""
    place = f"`{path}`" if path else "the request"
    if depth > MAX_DEPTH:
        yield place, "is nested too deeply"
    elif isinstance(value, dict):
        for name, member in value.items():
            if not isinstance(name, str):
                yield place, f"has a member named by a `{type(name).__name__}`, not by text"
            member_path = f"{path}.{_printable(name)}".lstrip(".")
            yield from _faults(str(name), f"{member_path} (the name)", depth + 1)
            yield from _faults(member, member_path, depth + 1)
    elif isinstance(value, list | tuple):
        for n, member in enumerate(value):
            yield from _faults(member, f"{path}[{n}]", depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        yield place, f"is {value}, which JSON does not know"
    elif isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            yield place, "holds half of a surrogate pair, which is not text"
    elif value is not None and not isinstance(value, bool | int | float):
        yield place, f"is a `{type(value).__name__}`, which JSON does not know"


def _printable(name: object) -> str:
    return str(name).encode("ascii", "replace").decode()[:NAME_CHARS]
