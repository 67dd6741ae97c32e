"""What can be looked at where a stepper stands: state, request, answer and cost; two steps and two
lines compared. Nothing of the graph runs here.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from decimal import Decimal
from typing import Any, Final, Self
from weakref import WeakKeyDictionary

from turngraph.drawing.marks import Mark
from turngraph.interfaces.stepper.engine.differences import Comparison, Differences, diff_states
from turngraph.interfaces.stepper.engine.outcome import ending_problems, line_mark
from turngraph.interfaces.stepper.engine.sent_requests import first_request_that_differs
from turngraph.interfaces.stepper.engine.step_texts import step_texts
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.timeline import Timeline
from turngraph.interfaces.stepper.engine.wire_request import WireRequest, request_of
from turngraph.state.argument_kinds import Kind, check_kinds, is_a, shown
from turngraph.state.errors import TurnInvocationError
from turngraph.state.events import AnyEvent
from turngraph.state.reply import ProviderReply
from turngraph.state.result import Charge

__all__ = ["Inspector"]

_STEP: Final = Kind(is_a(Step, int), "a step or its number")


class Inspector:
    """The part of a stepper that looks and never moves.

    Args:
        name: the name of its line.
        timeline: the steps of its line.
        forks: all lines of the walk by name.
    """

    def __init__(self, name: str, timeline: Timeline, forks: dict[str, Self]) -> None:
        self.name, self.forks = name, forks
        self._timeline = timeline
        # A state is read once for each step, for all lines that have it, and forgotten with it.
        self._states: WeakKeyDictionary[Step, dict[str, Mapping[str, Any]]] = WeakKeyDictionary()

    @property
    def now(self) -> Step:
        """The step the stepper stands at."""
        return self._timeline.now

    @property
    def timeline(self) -> tuple[Step, ...]:
        """Every step of this line, including those ahead."""
        return self._timeline.steps

    @property
    def steps_so_far(self) -> tuple[Step, ...]:
        """The steps of the timeline up to here; the last one is `now`."""
        return self._timeline.steps_so_far

    @property
    def looks_back(self) -> bool:
        """Whether an earlier step is looked at: there are steps ahead."""
        return self.now is not self.timeline[-1]

    @property
    def state(self) -> Mapping[str, Any]:
        """The state of the graph whose node runs next; at the end, of the outermost graph."""
        return self.state_at(self.now)

    @property
    def request(self) -> WireRequest | None:
        """The JSON that is about to be sent, or else the last one that was sent.

        Its `sent` says which. None if this line has neither.
        """
        for task in self.now.pending:
            if (pending := request_of(task, sent=False)) is not None:
                return pending
        for step in reversed(self._timeline.steps_so_far):
            for run in reversed(step.runs):
                if (sent := request_of(run.task, sent=True)) is not None:
                    return sent
        return None

    @property
    def response(self) -> ProviderReply | None:
        """The model's latest answer up to here, or None."""
        replies = (step.reply for step in reversed(self._timeline.steps_so_far))
        return next((reply for reply in replies if reply is not None), None)

    @property
    def events(self) -> tuple[AnyEvent, ...]:
        """The events up to here."""
        return tuple(event for step in self._timeline.steps_so_far for event in step.events)

    @property
    def charges(self) -> tuple[Charge, ...]:
        """The charges up to here, each listed once."""
        return self._timeline.charges

    @property
    def cost(self) -> Decimal:
        """The cost up to here in USD; charges without a price count as 0."""
        return self._timeline.cost_usd

    def state_at(self, step: Step | int, namespace: str | None = None) -> Mapping[str, Any]:
        """Returns the state at a step.

        Args:
            step: a step or its number in the timeline.
            namespace: the namespace of a graph, empty for the outermost one. By default that of
                the graph whose node runs next.

        Raises TurnInvocationError for a number that no step has.
        """
        check_kinds({"step": _STEP}, {"step": step}, TurnInvocationError)
        if isinstance(step, int):
            count = len(self.timeline)
            if not -count <= step < count:
                raise TurnInvocationError(
                    f"There is no step {shown(step)} on this line: it has steps 0 to {count - 1}."
                )
            step = self.timeline[step]
        namespace = step.namespace if namespace is None else namespace
        states = self._states.setdefault(step, {})
        if namespace not in states:
            states[namespace] = self._timeline.session.state(step, namespace)
        return states[namespace]

    def diff(self, a: Step | int, b: Step | int | None = None) -> Differences:
        """Compares the states of two steps; without `b`, that of `a` with the present one."""
        second = self.now if b is None else b
        return diff_states(self.state_at(a), self.state_at(second))

    def compare(self, a: str | Self, b: str | Self, *, ends: bool = False) -> Comparison:
        """Compares two lines, each up to where it stands.

        Args:
            a: a line or its name.
            b: another one.
            ends: compare each up to its last step instead, also after going back.

        Raises TurnInvocationError for an unknown name.
        """
        kinds = dict.fromkeys("ab", Kind(is_a(str, Inspector), "a line or its name"))
        check_kinds(kinds, {"a": a, "b": b}, TurnInvocationError)
        lines = [line._at_its_end() if ends else line for line in (self._line(a), self._line(b))]
        first, second = (line._timeline.steps_so_far for line in lines)
        # A fork shares the very step objects of the line it came from.
        shared = sum(1 for mine, other in zip(first, second, strict=False) if mine is other)
        one, other = lines
        return Comparison(
            names=(one.name, other.name),
            first_different_step=shared,
            statuses=(_status(first), _status(second)),
            answers=(_answer(one), _answer(other)),
            errors=("\n".join(ending_problems(first)), "\n".join(ending_problems(second))),
            cost_usd=(one.cost, other.cost),
            calls=(one._timeline.calls, other._timeline.calls),
            steps=(len(first) - 1, len(second) - 1),
            first_steps=(_at(first, shared), _at(second, shared)),
            request=first_request_that_differs(first, second),
            changes=diff_states(one.state, other.state),
        )

    def _at_its_end(self) -> "Inspector":
        """The same line, seen from its last step."""
        timeline = copy(self._timeline)
        timeline.position = len(timeline.steps) - 1
        end = Inspector(self.name, timeline, {})
        end._states = self._states
        return end

    def _line(self, line: str | Self) -> Self:
        if not isinstance(line, str):
            return line
        if line not in self.forks:
            raise TurnInvocationError(
                f"There is no line `{line}`. There are: {', '.join(self.forks)}."
            )
        return self.forks[line]


_STATUSES: Final[Mapping[Mark, str]] = {
    "failed": "failed",
    "waiting": "waits for a person",
    "done": "done",
    "next": "goes on",
}


def _status(steps: Sequence[Step]) -> str:
    return _STATUSES[line_mark(steps)]


def _answer(line: Inspector) -> str:
    """The latest answer, unless the turn failed after it."""
    reply = None if ending_problems(line.steps_so_far) else line.response
    return "" if reply is None else reply.text


def _at(steps: Sequence[Step], number: int) -> str:
    return step_texts(steps)[number].partition(": ")[2] if number < len(steps) else ""
