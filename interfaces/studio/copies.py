"""A walk as something to take along: a command, a program, a recording, a test."""

from collections.abc import Callable, Mapping
from typing import Final

from turngraph.interfaces.stepper.engine.outcome import latest_result
from turngraph.interfaces.stepper.engine.step_recording import is_turn_over, recorded_lines
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.engine.wire_request import WireRequest
from turngraph.state.errors import TurnInvocationError

__all__ = ["copy_of"]

_WITHOUT_TURN: Final = "(What a graph without a turn sends is known to its own nodes alone.)"
_TEST: Final = '''\
"""Replays a recorded turn, offline. It fails if the turn would send something else now."""

from pathlib import Path

from turngraph.interfaces.stepper import replay_cassette

RECORDING = """\\
{recording}
"""


def test_the_turn_runs_as_it_was_recorded(tmp_path: Path) -> None:
    file = tmp_path / "turn.jsonl"
    file.write_text(RECORDING, "utf-8")
    replayed = replay_cassette(file)
    assert replayed.same, str(replayed)
    assert replayed.result.status == {status!r}
'''


def copy_of(stepper: Stepper, form: str) -> str:
    """Returns the walk up to where it stands, in this form: `curl`, `python`, `recording`, `test`.

    Raises TurnInvocationError for another form, or if the walk has no request of a turn.
    """
    if form not in _FORMS:
        raise TurnInvocationError(f"There is no form `{form}`. Forms: {', '.join(_FORMS)}.")
    return _FORMS[form](stepper)


def _request(stepper: Stepper) -> WireRequest:
    request = stepper.request
    if request is None:
        raise TurnInvocationError(
            f"No turn of this run has a request yet: there is nothing to copy. {_WITHOUT_TURN}"
        )
    return request


def _recording(stepper: Stepper) -> str:
    lines = recorded_lines(stepper.steps_so_far)
    if not lines:
        raise TurnInvocationError(
            f"No turn of this run has been answered yet: step on first. {_WITHOUT_TURN}"
        )
    return "\n".join(lines) + "\n"


def _test(stepper: Stepper) -> str:
    recording = _recording(stepper).rstrip("\n")
    result = latest_result(stepper.steps_so_far)
    if result is None or not is_turn_over(stepper.steps_so_far):
        raise TurnInvocationError("A test needs a whole turn: run this one to its end first.")
    # In a triple-quoted literal a backslash and a quotation mark need one of their own.
    recording = recording.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return _TEST.format(recording=recording, status=result.status)


_FORMS: Final[Mapping[str, Callable[[Stepper], str]]] = {
    "curl": lambda stepper: _request(stepper).as_curl() + "\n",
    "python": lambda stepper: _request(stepper).as_python(),
    "recording": _recording,
    "test": _test,
}
