"""Checks what enters the state: a caller's input, a person's update, a stage's patch.

LangGraph checks none of these: it stores a value of the wrong type, and nobody can read the thread
again.
"""

import uuid
from collections.abc import Mapping
from functools import cache
from typing import Any, get_type_hints

from langchain_core.messages import AnyMessage, BaseMessage
from langgraph.types import Overwrite
from pydantic import TypeAdapter, ValidationError

from turngraph.state.errors import TurnValueError
from turngraph.state.limits import MESSAGE_CHARS
from turngraph.state.message_checks import check_json, check_message, check_storable, check_text
from turngraph.state.messages import coerce_message
from turngraph.state.quoting import quoted
from turngraph.state.turn import Turn, TurnInput, TurnSettings

__all__ = ["check_input", "check_patch", "check_update"]


@cache
def _adapter(key: str) -> TypeAdapter[Any]:
    return TypeAdapter(get_type_hints(Turn)[key])


def check_input(
    value: Mapping[str, object], *, message_chars: int = MESSAGE_CHARS
) -> dict[str, Any]:
    """Returns a caller's input with LangChain messages that have ids, and every input key present.

    `message_chars` is the most characters that one message may have. The ids of messages that come
    without one are derived from `turn_id`, so that the same turn submitted twice adds its messages
    once; without a `turn_id` they are random.

        >>> checked = check_input({"messages": [("user", "Hi")]})
        >>> checked["messages"][0].content, checked["turn_id"], checked["settings"]
        ('Hi', '', None)

    Raises TurnValueError, which names the key, what was seen and what is allowed.
    """
    if not isinstance(value, Mapping):
        raise TurnValueError(
            f"A turn's input is a dict with `messages`, not {type(value).__name__}."
        )
    unknown = sorted(map(quoted, set(value) - set(Turn.__annotations__)))
    if unknown:
        allowed = ", ".join(f"`{key}`" for key in TurnInput.__annotations__)
        raise TurnValueError(f"Unknown key in a turn's input: `{unknown[0]}`. Allowed: {allowed}.")
    turn_id = _checked("turn_id", value.get("turn_id") or "")
    check_text(turn_id, "`turn_id`")
    messages = _coerced(value.get("messages", []), turn_id, message_chars)
    settings = _checked("settings", value.get("settings"))
    if settings is not None:
        _check_settings(settings)
    # The keys that the caller leaves out are written too: the thread still has the last turn's.
    return {"messages": messages, "turn_id": turn_id, "settings": settings}


def _check_settings(settings: TurnSettings) -> None:
    """Raises TurnValueError for what neither a checkpoint nor a ledger can hold."""
    check_storable(vars(settings), "`settings`")
    check_text(settings.account or "", "`settings.account`")
    if settings.body is not None:
        check_json(settings.body, "`settings.body`")


def check_update(values: Mapping[str, object]) -> dict[str, Any]:
    """Returns what a person writes into a thread from outside, with LangChain messages with ids.

    For LangGraph's `update_state` and `Command(update=…)`. Any key of a `Turn` may be written.

        >>> check_update({"messages": ("user", "Hi")})["messages"][0].type
        'human'

    Raises TurnValueError, which names the key, what was seen and what is allowed.
    """
    if not isinstance(values, Mapping):
        raise TurnValueError(f"An update is a dict of keys of a turn, not {type(values).__name__}.")
    return {
        key: _coerced(value, "")
        if key == "messages" and not isinstance(value, Overwrite)
        else _checked(key, value, "An update")
        for key, value in values.items()
    }


def check_patch(patch: Mapping[str, object], *, by: str) -> dict[str, Any]:
    """Returns a stage's patch, every value as the type of its key demands.

    `by` is the stage's name, for the error.

        >>> check_patch({"status": "done"}, by="finalize")
        {'status': 'done'}

    Raises TurnValueError for an unknown key or a value of another type. Nothing was stored then.
    """
    return {key: _checked(key, value, by) for key, value in patch.items()}


def _checked(key: str, value: object, by: str = "the caller") -> Any:
    if isinstance(value, Overwrite):
        return Overwrite(_checked(key, value.value, by))
    if key == "messages":
        return _checked_messages(value, by)
    if key not in Turn.__annotations__:
        raise TurnValueError(
            f"{by} wrote `{quoted(key)}`, which is no key of a turn. "
            f"Allowed: {', '.join(Turn.__annotations__)}."
        )
    try:
        return _adapter(key).validate_python(value)
    except ValidationError as exc:
        problem = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in (key, *problem["loc"]))
        raise TurnValueError(
            f"{by} wrote `{where}`: {problem['msg']} (seen: {type(value).__name__})."
        ) from exc


def _checked_messages(value: object, by: str) -> list[AnyMessage]:
    # Not validated by pydantic: it would copy the whole conversation at every step.
    if isinstance(value, list) and all(isinstance(item, BaseMessage) and item.id for item in value):
        return value
    raise TurnValueError(
        f"{by} wrote `messages` that are not a list of LangChain messages with ids."
    )


def _coerced(
    messages: object, turn_id: str, message_chars: int = MESSAGE_CHARS
) -> list[AnyMessage]:
    listed = messages if isinstance(messages, list) else [messages]
    coerced = [_with_id(coerce_message(item), turn_id, place) for place, item in enumerate(listed)]
    for place, message in enumerate(coerced):
        check_message(message, place, message_chars)
    return coerced


def _with_id(message: AnyMessage, turn_id: str, place: int) -> AnyMessage:
    if message.id:
        return message
    minted = uuid.uuid5(uuid.NAMESPACE_OID, f"{turn_id}:{place}") if turn_id else uuid.uuid4()
    return message.model_copy(update={"id": str(minted)})
