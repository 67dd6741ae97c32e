"""The request that several panes show: written as JSON once for each step."""

from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.wire_request import WireRequest, request_of
from turngraph.interfaces.stepper.views.model_calls import shown_call

__all__ = ["ShownRequest", "shown_request", "when_sent"]


class ShownRequest(NamedTuple):
    """A request and its JSON, indented."""

    wire: WireRequest
    text: str
    call: int
    """The number of the call that it is of, from 1."""


# The last one of each line: in a long thread, writing it takes long.
_LAST: Final[WeakKeyDictionary[Stepper, tuple[Step, dict[int, ShownRequest | None]]]] = (
    WeakKeyDictionary()
)


def shown_request(stepper: Stepper, call: int | None = None) -> ShownRequest | None:
    """Returns the request of a call: of the one with that number, or else of the one that is about
    to be sent, or of the last one. None if there is none.

    It is shared by all who show it, so nobody may change it.
    """
    step, known = _LAST.get(stepper, (None, {}))
    if step is not stepper.now:
        known = {}
        _LAST[stepper] = (stepper.now, known)
    chosen = shown_call(stepper, call)
    if chosen is None:
        return None
    if chosen.number not in known:
        wire = request_of(chosen.task, sent=chosen.sent)
        known[chosen.number] = (
            None if wire is None else ShownRequest(wire, str(wire), chosen.number)
        )
    return known[chosen.number]


def when_sent(stepper: Stepper) -> str:
    """Says of the request that comes next where the stepper stands whether it is sent as it is."""
    if not stepper.looks_back:
        return "about to be sent"
    for step in stepper.timeline[len(stepper.steps_so_far) :]:
        if step.kind == "edit":
            return "before an edit"
        if any(run.task.calls_model for run in step.runs):
            return "sent after this step"
    return "not sent"
