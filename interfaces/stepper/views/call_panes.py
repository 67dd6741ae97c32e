"""The panes that show one call to the model: its request, its response, its `curl` command."""

import json
from collections.abc import Callable, Mapping
from typing import Final

from turngraph.interfaces.plain_text import printable
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.views.model_calls import model_calls
from turngraph.interfaces.stepper.views.pane import Pane
from turngraph.interfaces.stepper.views.shown_request import ShownRequest, shown_request, when_sent
from turngraph.interfaces.stepper.views.status import calls_model_next

__all__ = ["CALL_PANES"]


def _request(stepper: Stepper, call: int | None = None) -> Pane:
    request = shown_request(stepper, call)
    if request is None:
        return Pane()
    warnings = "".join(f"\n// {warning}" for warning in request.wire.warnings)
    edits = "".join(f"// edited: {printable(str(edit))}\n" for edit in request.wire.edits)
    notes = [_call_of(stepper, request.call), _when(stepper, request)]
    notes += ["edited"] if edits else []
    return Pane(f"{edits}{request.text}{warnings}", note=", ".join(notes))


def _when(stepper: Stepper, request: ShownRequest) -> str:
    return "sent" if request.wire.sent else when_sent(stepper)


def _call_of(stepper: Stepper, number: int) -> str:
    """`call 1`, or `call 1 of 2` if others were sent, or are about to be."""
    all_calls = len(model_calls(stepper))
    return f"call {number} of {all_calls}" if all_calls > 1 else f"call {number}"


def _curl(stepper: Stepper, call: int | None = None) -> Pane:
    request = shown_request(stepper, call)
    if request is None:
        return Pane()
    return Pane(request.wire.as_curl(), note=_call_of(stepper, request.call))


def _response(stepper: Stepper, call: int | None = None) -> Pane:
    answered = [each for each in model_calls(stepper) if each.attempts]
    chosen = next((each for each in answered if each.number == call), None)
    if not answered:
        return Pane()
    shown = chosen or answered[-1]
    attempt, note = shown.attempts[-1], _call_of(stepper, shown.number)
    if chosen is None and calls_model_next(stepper.now):
        note = f"{note}, before the one that is about to be sent"
    reply, error = attempt.reply, attempt.error
    if reply is None:
        assert error is not None, "an attempt has an answer or an error"
        # Its sentence stands in the answer's place.
        fields = error.model_dump(mode="json", exclude_none=True, exclude={"message"})
        return Pane(json.dumps(fields, indent=2), note=f"{note}, failed", mark="failed")
    fields = reply.model_dump(mode="json", exclude_defaults=True, exclude={"raw"})
    notes = filter(None, (note, reply.finish_reason))
    return Pane(json.dumps(fields, indent=2, ensure_ascii=False), note=", ".join(notes))


CALL_PANES: Final[Mapping[str, Callable[[Stepper, int | None], Pane]]] = {
    "request": _request,
    "response": _response,
    "curl": _curl,
}
"""By name; each is given the number of the call, or None for the latest."""
