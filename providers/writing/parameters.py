"""The parameters of a request as a vendor takes them: what both APIs share."""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from turngraph.providers.vendors.profiles import Quirks
from turngraph.providers.writing.notes import Notes
from turngraph.state.errors import TurnValueError
from turngraph.state.request import ChatRequest

__all__ = ["effort", "filled", "reasons", "sampling", "tool_choice", "written"]


def sampling(request: ChatRequest, quirks: Quirks, notes: Notes) -> dict[str, Any]:
    """Temperature and the like, those the vendor takes, under the request's own names."""
    asked = {
        "temperature": _temperature(request, quirks, notes),
        "top_p": request.top_p,
        "stop": None if request.stop is None else list(request.stop),
        "seed": request.seed,
        "logprobs": request.logprobs,
        "top_logprobs": request.top_logprobs,
    }
    return _taken(
        {name: value for name, value in asked.items() if value is not None}, request, quirks, notes
    )


def _taken(
    asked: dict[str, Any], request: ChatRequest, quirks: Quirks, notes: Notes
) -> dict[str, Any]:
    thinks = reasons(request, quirks)
    taken = {}
    for name, value in asked.items():
        if name in quirks.drop:
            notes.dropped(name)
        elif thinks and name in quirks.drop_with_reasoning:
            notes.dropped(name, f"{notes.vendor} does not take it while {notes.model} reasons")
        else:
            taken[name] = value
    return taken


def _temperature(request: ChatRequest, quirks: Quirks, notes: Notes) -> float | None:
    asked = request.temperature
    if asked is None or quirks.min_temperature <= asked <= quirks.max_temperature:
        return asked
    sent = min(max(asked, quirks.min_temperature), quirks.max_temperature)
    notes.add(
        f"`temperature` is sent as {sent:g}: {notes.vendor} takes nothing {'below' if asked < sent else 'above'}."
    )
    return sent


def written(name: str, quirks: Quirks) -> str:
    """What the vendor calls the parameter `name`."""
    return quirks.rename.get(name, name)


def reasons(request: ChatRequest, quirks: Quirks) -> bool:
    """Whether the model will reason before it answers."""
    if request.reasoning_effort is None or quirks.efforts == {}:
        return quirks.reasons_by_default
    return request.reasoning_effort != "none"


def effort(request: ChatRequest, quirks: Quirks, notes: Notes) -> JsonValue:
    """The request's reasoning effort in the vendor's words; `None` where none is asked or none is
    taken.
    """
    asked = request.reasoning_effort
    if asked is None or quirks.efforts is None:
        return asked
    if not quirks.efforts:
        notes.dropped("reasoning_effort")
        return None
    if asked not in quirks.efforts:
        allowed = ", ".join(quirks.efforts)
        notes.dropped(
            "reasoning_effort", f"{notes.model} at {notes.vendor} knows {allowed}, not {asked}"
        )
        return None
    sent = quirks.efforts[asked]
    if isinstance(sent, str) and sent != asked:
        notes.add(
            f"`reasoning_effort` is sent as {sent}: {notes.model} at {notes.vendor} does not know {asked}."
        )
    return sent


def filled(template: Mapping[str, JsonValue], value: JsonValue) -> dict[str, JsonValue]:
    """`template` with `value` wherever it says `$effort`.

    >>> filled({"thinking": {"type": "enabled", "budget_tokens": "$effort"}}, 1024)
    {'thinking': {'type': 'enabled', 'budget_tokens': 1024}}
    """
    return {name: _filled(member, value) for name, member in template.items()}


def _filled(member: JsonValue, value: JsonValue) -> JsonValue:
    if isinstance(member, dict):
        return filled(member, value)
    return value if member == "$effort" else member


def tool_choice(
    request: ChatRequest, quirks: Quirks, notes: Notes
) -> str | dict[str, JsonValue] | None:
    """What is asked about the choice of tools: one of the vendor's words, the name of a function,
    or an object.

    A name comes back as `{"name": …}`. Raises TurnValueError for the name of a tool that is not
    offered.
    """
    asked = request.tool_choice
    if asked is None:
        return None
    if not request.tools and not request.builtin_tools and "tools" not in request.extra_body:
        notes.dropped("tool_choice", "there is no tool to choose")
        return None
    if "tool_choice" in quirks.drop:
        notes.dropped("tool_choice")
        return None
    if isinstance(asked, dict):
        function = asked.get("function", asked)
        if (
            asked.get("type") != "function"
            or not isinstance(function, dict)
            or "name" not in function
        ):
            return asked
        asked = str(function["name"])
    words = quirks.tool_choice | (
        quirks.tool_choice_with_reasoning if reasons(request, quirks) else {}
    )
    if asked not in ("auto", "none", "required"):
        _check_offered(asked, request)
        if quirks.named_tool_choice and words.get("required") != "auto":
            return {"name": asked}
        notes.add(
            f"`{asked}` cannot be demanded by name at {notes.vendor}: any tool may be called."
        )
        asked = "required"
    sent = words.get(asked, asked)
    if sent not in (asked, "any"):
        notes.add(f"`tool_choice` is sent as {sent}: {notes.vendor} does not take {asked}.")
    return sent


def _check_offered(name: str, request: ChatRequest) -> None:
    offered = [tool.name for tool in request.tools]
    if name not in offered:
        raise TurnValueError(
            f"`tool_choice` names `{name[:100]}`, which is not offered. Offered: {', '.join(offered) or 'none'}; "
            "or say auto, none, required."
        )
