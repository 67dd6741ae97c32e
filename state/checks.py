"""What may enter the state, checked at its two doors: a caller's input and a node's patch.

LangGraph checks neither: a value of the wrong type is stored, and the thread can never be read
again.
"""

import json
import uuid
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Literal

from langchain_core.messages import AnyMessage, BaseMessage
from langgraph.types import Overwrite
from pydantic import TypeAdapter, ValidationError

from turngraph.state.errors import TurnValueError
from turngraph.state.messages import coerce_message
from turngraph.state.reply import ToolCall
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt, Charge, ToolRun, TurnResult
from turngraph.state.turn import SelectedPlugin, Turn, TurnOutcome, TurnSettings

__all__ = ["check_input", "check_patch", "check_update"]

_TYPES: Final[Mapping[str, Any]] = {
    "turn_id": str,
    "settings": TurnSettings | None,
    "started_at": float,
    "plugins": list[SelectedPlugin],
    "request": ChatRequest,
    "reservation": str | None,
    "pending_tool_calls": list[ToolCall],
    "attempts": list[Attempt],
    "tool_runs": list[ToolRun],
    "charges": list[Charge],
    "outcome": TurnOutcome | None,
    "status": Literal["running", "done"],
    "result": TurnResult | None,
}


_BESIDE: Final = (
    "additional_kwargs",
    "response_metadata",
    "tool_calls",
    "invalid_tool_calls",
    "artifact",
)


@cache
def _adapter(key: str) -> TypeAdapter[Any]:
    return TypeAdapter(_TYPES[key])


def check_input(value: Mapping[str, Any], *, message_chars: int = 2_000_000) -> dict[str, Any]:
    """A caller's input with its messages as LangChain messages with ids, and the keys it leaves out
    emptied.

    With a `turn_id` the ids are made of it, so that the same turn submitted twice adds its messages
    once.

        >>> check_input({"messages": [("user", "Hi")]})["messages"][0].content
        'Hi'

    Raises TurnValueError naming the key, what was seen and what was allowed.
    """
    if not isinstance(value, Mapping):
        raise TurnValueError(
            f"A turn's input is a dict with `messages`, not {type(value).__name__}."
        )
    unknown = sorted(str(key) for key in set(value) - set(Turn.__annotations__))
    if unknown:
        raise TurnValueError(
            f"Unknown key in a turn's input: `{unknown[0][:100]}`. Allowed: `messages`, `turn_id`, `settings`."
        )
    turn_id = _checked("turn_id", value.get("turn_id") or "")
    _check_text(turn_id, "`turn_id`")
    messages = _coerced(value.get("messages", []), turn_id, message_chars)
    settings = _checked("settings", value.get("settings"))
    if settings is not None and settings.body is not None:
        _check_text(_as_json(settings.body, "`settings.body`"), "`settings.body`")
    return {"messages": messages, "turn_id": turn_id, "settings": settings}


def check_update(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a person writes into a thread from outside (`update_state`, `Command(update=…)`), made
    as a node's patch is.

    >>> check_update({"messages": ("user", "Hi")})["messages"][0].type
    'human'

    Raises TurnValueError naming the key, what was seen and what was allowed.
    """
    by = "An update"
    if not isinstance(values, Mapping):
        raise TurnValueError(f"An update is a dict of keys of a turn, not {type(values).__name__}.")
    return {
        key: _coerced(value, "")
        if key == "messages" and not isinstance(value, Overwrite)
        else _checked(key, value, by)
        for key, value in values.items()
    }


def check_patch(patch: Mapping[str, Any], *, by: str) -> dict[str, Any]:
    """A node's patch, every value as its key demands. `by` is named in the error.

    Raises TurnValueError for an unknown key or a value of another type; nothing has been stored
    then.
    """
    return {key: _checked(key, value, by) for key, value in patch.items()}


def _checked(key: str, value: Any, by: str = "the caller") -> Any:
    if isinstance(value, Overwrite):
        return Overwrite(_checked(key, value.value, by))
    if key == "messages":
        return _messages(value, by)
    if key not in _TYPES:
        raise TurnValueError(
            f"{by} wrote `{key}`, which is no key of a turn. Allowed: {', '.join(Turn.__annotations__)}."
        )
    try:
        return _adapter(key).validate_python(value)
    except ValidationError as exc:
        problem = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in (key, *problem["loc"]))
        raise TurnValueError(
            f"{by} wrote `{where}`: {problem['msg']} (seen: {type(value).__name__})."
        ) from exc


def _messages(value: Any, by: str) -> list[AnyMessage]:
    if not isinstance(value, list) or not all(
        isinstance(item, BaseMessage) and item.id for item in value
    ):
        raise TurnValueError(
            f"{by} wrote `messages` that are no list of LangChain messages with ids."
        )
    return value


def _coerced(given: Any, turn_id: str, message_chars: int = 2_000_000) -> list[AnyMessage]:
    listed = given if isinstance(given, list) else [given]
    messages = [_with_id(coerce_message(item), turn_id, place) for place, item in enumerate(listed)]
    for place, message in enumerate(messages):
        _check_content(message, place, message_chars)
    return messages


def _with_id(message: AnyMessage, turn_id: str, place: int) -> AnyMessage:
    if message.id:
        return message
    minted = uuid.uuid5(uuid.NAMESPACE_OID, f"{turn_id}:{place}") if turn_id else uuid.uuid4()
    return message.model_copy(update={"id": str(minted)})


def _check_content(message: AnyMessage, place: int, limit: int) -> None:
    """Text no checkpoint or vendor could take is refused here, where nothing has been stored yet."""
    content, where = message.content, f"messages[{place}]"
    beside = [getattr(message, name, None) for name in _BESIDE]
    _check_text(content if isinstance(content, str) else _as_json(content, where), where)
    if any(beside):
        _check_text(_as_json(beside, where), where)
    size = len(content) if isinstance(content, str) else sum(len(part) for part in _texts(content))
    if size > limit:
        raise TurnValueError(
            f"{where} is {size:,} characters long; `TurnLimits.message_chars` allows {limit:,}. Shorten it."
        )


def _as_json(value: Any, where: str) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except RecursionError:
        raise TurnValueError(f"{where} is nested deeper than any reader follows.") from None
    except (TypeError, ValueError) as exc:
        raise TurnValueError(
            f"{where} holds what JSON cannot say ({exc}). Allowed: text, finite numbers, lists, dicts."
        ) from None


def _check_text(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise TurnValueError(
            f"{where} holds a lone surrogate at character {exc.start}, which UTF-8 cannot say."
        ) from None


def _texts(parts: list[Any]) -> list[str]:
    return [part if isinstance(part, str) else str(part.get("text", "")) for part in parts]
