"""Edits that hold for the rest of the turn: system message, question, tools and sampling."""

import json
from collections.abc import Mapping
from typing import Any, Final

from langchain_core.messages import HumanMessage

from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.engine.typed_json import typed_json
from turngraph.interfaces.stepper.engine.wire_request import WireRequest
from turngraph.interfaces.stepper.views.edited_parts import (
    SYSTEM_ROLES,
    edited_sampling,
    edited_text,
    edited_tools,
)
from turngraph.interfaces.stepper.views.shown_request import shown_request
from turngraph.state.errors import TurnInvocationError, TurnValueError
from turngraph.state.json_types import JsonObject
from turngraph.state.request import ChatRequest, ToolSpec

__all__ = ["edit_turn", "turn_fields"]

_SAMPLING: Final = (
    *("model", "temperature", "top_p", "max_tokens", "stop", "seed", "tool_choice"),
    *("parallel_tool_calls", "reasoning_effort", "verbosity"),
)
"""The fields of a request that are edited together."""
_SAMPLING_LABEL: Final = f"sampling, as JSON with any of: {', '.join(_SAMPLING)}"


def turn_fields(stepper: Stepper) -> JsonObject | None:
    """Returns what can be edited for the rest of the turn; None where no request is pending.

    Each field begins with what is about to be sent, also where that was edited for this call alone.
    """
    request, shown = _pending(stepper), shown_request(stepper)
    if request is None or shown is None:
        return None
    wire, question = shown.wire, _question(stepper)
    system, user = edited_text(wire, SYSTEM_ROLES), edited_text(wire, ("user",), last=True)
    if system is None:
        system = request.system or ""
    if user is None:
        user = "" if question is None else question.text
    offered = edited_tools(wire)
    if offered is None:
        offered = {tool.name for tool in request.tools}
    return {
        "fields": [
            _field("system", "system message", system),
            _field("user", "user message", user),
            _field("sampling", _SAMPLING_LABEL, _sampling_text(request, wire)),
        ],
        "tools": [
            {"name": name, "offered": name in offered} for name in _known_tools(stepper, request)
        ],
    }


def _sampling_text(request: ChatRequest, wire: WireRequest) -> str:
    fields = request.model_dump(mode="json", include=set(_SAMPLING), exclude_none=True)
    fields |= edited_sampling(wire, _SAMPLING)
    fields = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(fields, ensure_ascii=False)


def _field(part: str, label: str, value: str) -> JsonObject:
    return {"part": part, "label": label, "value": value}


def edit_turn(stepper: Stepper, message: Mapping[str, Any]) -> None:
    """Edits one part for the rest of the turn, as `message` says: its `part` and its `value`.

    Raises TurnInvocationError where no request is pending, TurnValueError for a wrong value.
    """
    request, part, value = _pending(stepper), str(message["part"]), message["value"]
    if request is None:
        raise TurnInvocationError(
            "No request is pending here: step on to `call_llm`, or go back to it."
        )
    if part == "system":
        stepper.edit(request={"system": str(value) or None})
    elif part == "user":
        stepper.edit(messages=[_asked_again(stepper, str(value))])
    elif part == "tools":
        known = _known_tools(stepper, request)
        stepper.edit(request={"tools": [known[name] for name in known if name in value]})
    elif part == "sampling":
        stepper.edit(request=_sampling_from(str(value)))
    else:
        raise TurnValueError(
            f"`{part}` is no part of a turn. There are: system, user, tools, sampling."
        )


def _pending(stepper: Stepper) -> ChatRequest | None:
    """The pending request. A body that the caller wrote is sent unchanged, so it has no parts."""
    shown = shown_request(stepper)
    if shown is None or shown.wire.sent or shown.wire.request.body is not None:
        return None
    return shown.wire.request


def _question(stepper: Stepper) -> HumanMessage | None:
    messages = stepper.state.get("messages") or []
    return next((each for each in reversed(messages) if isinstance(each, HumanMessage)), None)


def _asked_again(stepper: Stepper, text: str) -> HumanMessage:
    question = _question(stepper)
    if question is None:
        return HumanMessage(text)
    if isinstance(question.content, str):
        return question.model_copy(update={"content": text})
    # Pictures and files that were sent along stay.
    others = [each for each in question.content_blocks if each["type"] != "text"]
    content = [{"type": "text", "text": text}, *others]
    return question.model_copy(update={"content": content})


def _known_tools(stepper: Stepper, request: ChatRequest) -> dict[str, ToolSpec]:
    """The tools of the turn by name: also those that an edit has left out."""
    task = next(task for task in stepper.now.pending if task.calls_model)
    specs = () if task.stage is None else task.stage.deps.toolbox.specs
    return {spec.name: spec for spec in (*specs, *request.tools)}


def _sampling_from(text: str) -> dict[str, Any]:
    given = typed_json(text, "The sampling is")
    unknown = sorted(set(given) - set(_SAMPLING)) if isinstance(given, dict) else ["?"]
    if unknown or "model" not in given:
        raise TurnValueError(
            f"The sampling is a JSON object with `model` and any of: {', '.join(_SAMPLING[1:])}."
        )
    return {name: given.get(name) for name in _SAMPLING}
