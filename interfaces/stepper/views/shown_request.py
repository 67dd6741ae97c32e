"""The request that several panes show: written as JSON once for each step."""

from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.wire_request import WireRequest

__all__ = ["ShownRequest", "shown_request"]


class ShownRequest(NamedTuple):
    """A request and its JSON, indented."""

    wire: WireRequest
    text: str


# The last one of each line: in a long thread, writing it takes long.
_LAST: Final[WeakKeyDictionary[Stepper, tuple[Step, ShownRequest | None]]] = WeakKeyDictionary()


def shown_request(stepper: Stepper) -> ShownRequest | None:
    """Returns the request that is about to be sent, or else the last one; None if there is none.

    It is shared by all who show it, so nobody may change it.
    """
    step, shown = _LAST.get(stepper, (None, None))
    if step is not stepper.now:
        wire = stepper.request
        shown = None if wire is None else ShownRequest(wire, str(wire))
        _LAST[stepper] = (stepper.now, shown)
    return shown
