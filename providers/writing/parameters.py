"""The parameters of a request as a vendor takes them: what both APIs share."""

from collections.abc import Mapping

from pydantic import JsonValue

from turngraph.providers.vendors.profiles import Quirks
from turngraph.providers.writing.notes import Notes
from turngraph.state.json_types import JsonObject
from turngraph.state.request import ChatRequest

__all__ = [
    "effort_value",
    "fill_template",
    "sampling",
    "unless_dropped",
    "vendor_parameter",
    "will_reason",
]


def sampling(request: ChatRequest, quirks: Quirks, notes: Notes) -> JsonObject:
    """Temperature and the like, as far as the vendor takes them, under the request's own names."""
    asked = {
        "temperature": _temperature(request, quirks, notes),
        "top_p": request.top_p,
        "stop": None if request.stop is None else list(request.stop),
        "seed": request.seed,
        "logprobs": request.logprobs,
        "top_logprobs": request.top_logprobs,
    }
    reasons = will_reason(request, quirks)
    accepted: JsonObject = {}
    for name, value in asked.items():
        # Only None means "not asked for": a temperature of 0 is a wish.
        if value is None:
            continue
        if name in quirks.drop:
            notes.add_dropped(name)
        elif reasons and name in quirks.drop_with_reasoning:
            notes.add_dropped(name, f"{notes.vendor} does not take it while {notes.model} reasons")
        else:
            accepted[name] = value
    return accepted


def _temperature(request: ChatRequest, quirks: Quirks, notes: Notes) -> float | None:
    asked = request.temperature
    if asked is None or quirks.min_temperature <= asked <= quirks.max_temperature:
        return asked
    sent = min(max(asked, quirks.min_temperature), quirks.max_temperature)
    side = "below" if asked < sent else "above"
    notes.add(f"`temperature` is sent as {sent:g}: {notes.vendor} takes nothing {side}.")
    return sent


def unless_dropped(name: str, value: object, quirks: Quirks, notes: Notes) -> JsonObject:
    """The parameter `name` as a member of the body, or nothing, with a note, if the vendor refuses
    it.
    """
    if name in quirks.drop:
        notes.add_dropped(name)
        return {}
    return {vendor_parameter(name, quirks): value}


def vendor_parameter(name: str, quirks: Quirks) -> str:
    """The vendor's name for the parameter `name`."""
    return quirks.rename.get(name, name)


def will_reason(request: ChatRequest, quirks: Quirks) -> bool:
    """Whether the model will reason before it answers."""
    # A model without efforts cannot be told to stop reasoning, so an effort changes nothing.
    if request.reasoning_effort is None or quirks.efforts == {}:
        return quirks.reasons_by_default
    return request.reasoning_effort != "none"


def effort_value(request: ChatRequest, quirks: Quirks, notes: Notes) -> JsonValue:
    """What is sent for the request's reasoning effort: a word, or a budget of tokens.

    None if no effort is asked for, or the vendor takes none.
    """
    asked = request.reasoning_effort
    if asked is None or quirks.efforts is None:
        return asked
    if not quirks.efforts:
        notes.add_dropped("reasoning_effort")
        return None
    if asked not in quirks.efforts:
        allowed = ", ".join(quirks.efforts)
        why = f"{notes.model} at {notes.vendor} knows {allowed}, not {asked}"
        notes.add_dropped("reasoning_effort", why)
        return None
    sent = quirks.efforts[asked]
    if isinstance(sent, str) and sent != asked:
        notes.add(
            f"`reasoning_effort` is sent as {sent}: {notes.model} at {notes.vendor} does not know "
            f"{asked}."
        )
    return sent


def fill_template(template: Mapping[str, JsonValue], value: JsonValue) -> dict[str, JsonValue]:
    """`template` with `value` wherever it says `$effort`.

    >>> fill_template({"thinking": {"type": "enabled", "budget_tokens": "$effort"}}, 1024)
    {'thinking': {'type': 'enabled', 'budget_tokens': 1024}}
    """
    return {name: _fill_member(member, value) for name, member in template.items()}


def _fill_member(member: JsonValue, value: JsonValue) -> JsonValue:
    if isinstance(member, dict):
        return fill_template(member, value)
    return value if member == "$effort" else member
