"""What can be looked at from where a walk stands: the state, the request, the answer, the cost; two
steps, two lines.

Nothing of the graph is run here.
"""

from collections.abc import Coroutine, Mapping
from decimal import Decimal
from typing import Any, Self, TypeVar
from weakref import WeakKeyDictionary

from turngraph.interfaces.stepper.engine.background import BackgroundLoop
from turngraph.interfaces.stepper.engine.differences import Comparison, Differences, diff_states
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.timeline import Timeline
from turngraph.interfaces.stepper.engine.wire_request import WireRequest, request_of
from turngraph.state.errors import TurnInvocationError
from turngraph.state.events import TurnEvent
from turngraph.state.reply import ProviderReply
from turngraph.state.result import Charge

__all__ = ["Inspector"]

T = TypeVar("T")


class Inspector:
    """The part of a stepper that looks. `name` is the line's, `forks` are all lines of the walk by
    name.
    """

    def __init__(
        self, name: str, line: Timeline, loop: BackgroundLoop, forks: dict[str, Self]
    ) -> None:
        self.name, self.forks = name, forks
        self.forks[name] = self
        self._line, self._loop = line, loop
        self._states: WeakKeyDictionary[Step, dict[str, Mapping[str, Any]]] = WeakKeyDictionary()

    @property
    def now(self) -> Step:
        """The step the walk stands at."""
        return self._line.now

    @property
    def timeline(self) -> tuple[Step, ...]:
        """Every step of this line, those ahead included."""
        return tuple(self._line.steps)

    @property
    def behind(self) -> tuple[Step, ...]:
        """The steps of the timeline up to here."""
        return tuple(self._line.behind)

    @property
    def left_behind(self) -> tuple[tuple[Step, ...], ...]:
        """The ways that an edit or a retry left: each with the steps it shares, as far as it went."""
        return tuple(map(tuple, self._line.left))

    @property
    def state(self) -> Mapping[str, Any]:
        """The state here: of the graph whose node is next, of the whole graph where nothing is."""
        return self.state_at(self.now)

    @property
    def request(self) -> WireRequest | None:
        """The exact JSON that is about to be sent; else the last that was (`sent` says which)."""
        for task in self.now.pending:
            if (about := request_of(task, sent=False)) is not None:
                return about
        for step in reversed(self._line.behind):
            for done in reversed(step.done):
                if (was := request_of(done.task, sent=True)) is not None:
                    return was
        return None

    @property
    def response(self) -> ProviderReply | None:
        """The last answer of the model up to here."""
        return next(
            (step.reply for step in reversed(self._line.behind) if step.reply is not None), None
        )

    @property
    def events(self) -> tuple[TurnEvent, ...]:
        """Everything that happened up to here."""
        return tuple(event for step in self._line.behind for event in step.events)

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What was charged up to here, each once."""
        return self._line.charges

    @property
    def cost(self) -> Decimal:
        """USD spent up to here, as far as it is priced."""
        return self._line.cost_usd

    def state_at(self, step: Step | int, space: str | None = None) -> Mapping[str, Any]:
        """The state at a step of the timeline; `space` names a namespace, empty for the outermost
        graph.
        """
        step = self.timeline[step] if isinstance(step, int) else step
        where = step.space if space is None else space
        kept = self._states.setdefault(step, {})
        if where not in kept:
            kept[where] = self._line.walk.values(step, where)
        return kept[where]

    def diff(self, a: Step | int, b: Step | int | None = None) -> Differences:
        """What differs between the states of two steps; without `b`, between `a` and here."""
        second = self.now if b is None else b
        return diff_states(self.state_at(a), self.state_at(second))

    def compare(self, a: str | Self, b: str | Self) -> Comparison:
        """Two lines side by side, up to where each stands."""
        one, two = self._fork_named(a), self._fork_named(b)
        first, second = one._line.behind, two._line.behind
        shared = sum(1 for mine, other in zip(first, second, strict=False) if mine is other)
        answers = [
            reply.text if (reply := each.response) is not None else "" for each in (one, two)
        ]
        return Comparison(
            names=(one.name, two.name),
            parted_at=shared - 1,
            steps=(len(first) - 1, len(second) - 1),
            calls=(one._line.calls, two._line.calls),
            cost_usd=(one.cost, two.cost),
            answers=(answers[0], answers[1]),
            changes=diff_states(one.state, two.state),
        )

    def _fork_named(self, fork: str | Self) -> Self:
        if not isinstance(fork, str):
            return fork
        if fork not in self.forks:
            raise TurnInvocationError(f"No line `{fork}`. There are: {', '.join(self.forks)}.")
        return self.forks[fork]

    async def _locked(self, work: Coroutine[Any, Any, T]) -> T:
        async with self._line.lock():
            return await work
