"""A line of steps: moving along it, leaving it by an edit, and never running twice what has run."""

import asyncio
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any

from turngraph.interfaces.stepper.engine.breakpoints import Breakpoint
from turngraph.interfaces.stepper.engine.edits import Edit
from turngraph.interfaces.stepper.engine.session import Session
from turngraph.interfaces.stepper.engine.steps import Step, StepKind
from turngraph.state.errors import TurnInvocationError
from turngraph.state.events import RequestSent
from turngraph.state.result import Charge

__all__ = ["StopCondition", "Timeline", "Until", "stop_at"]

StopCondition = Callable[[Step], bool]
"""Whether a run stops at this step."""
Until = str | StopCondition


def stop_at(until: Until) -> StopCondition:
    """StopCondition before the node, or after the event, of that name; or as a function of the step
    says.
    """
    if callable(until):
        return until
    return lambda step: (
        any(until in (task.node, task.name) for task in step.pending)
        or any(getattr(event, "type", None) == until for event in step.events)
    )


class Timeline:
    """The steps taken so far, and the one the walk stands at. Going back keeps what lies ahead
    until it is changed.
    """

    def __init__(self, walk: Session, steps: Collection[Step] = ()) -> None:
        self.walk = walk
        self.steps: list[Step] = list(steps)
        self.place = len(self.steps) - 1
        self.left: list[list[Step]] = []
        """What lay ahead when an edit or a retry left it."""
        self._one_at_a_time: asyncio.Lock | None = None

    @property
    def now(self) -> Step:
        """Where the walk stands."""
        return self.steps[self.place]

    @property
    def behind(self) -> list[Step]:
        """The steps up to and with the present one."""
        return self.steps[: self.place + 1]

    @property
    def calls(self) -> int:
        """Requests sent up to here."""
        return sum(isinstance(event, RequestSent) for step in self.behind for event in step.events)

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What was charged up to here, each once."""
        return tuple(
            {charge.id: charge for step in self.behind for charge in step.charges}.values()
        )

    @property
    def cost_usd(self) -> Decimal:
        """What was spent up to here, as far as it is priced."""
        return sum((charge.amount_usd or Decimal(0) for charge in self.charges), Decimal(0))

    def lock(self) -> asyncio.Lock:
        """Held while the walk moves: a button and a cell may ask at the same time."""
        if self._one_at_a_time is None:
            self._one_at_a_time = asyncio.Lock()
        return self._one_at_a_time

    async def step(self) -> Step:
        """The next stage: subgraphs are entered, parallel tasks run together."""
        return await self._forward(lambda now: ([task.id for task in now.pending], ()))

    async def step_into(self) -> Step:
        """The smallest step there is: one task, one of several tool calls; a subgraph is entered."""
        return await self._forward(lambda now: ([task.id for task in now.pending[:1]], ()))

    async def step_over(self) -> Step:
        """What is next, whole: a subgraph in one step."""
        start = self.now
        spaces = [task.own_space for task in start.pending if task.is_graph]
        if self.place + 1 < len(self.steps):
            return await self._over_the_known(spaces)
        return await self._forward(lambda now: ([task.id for task in now.pending], spaces))

    async def run(self, stop: StopCondition, breakpoints: Collection[Breakpoint]) -> Step:
        """Step until `stop`, a breakpoint, a question to a person, a failure or the end."""
        while not (self.now.finished or self.now.waiting):
            step = await self.step()
            if step.failed or stop(step) or self._broken(step, breakpoints):
                break
        return self.now

    async def answer(self, value: Any, question: str | None) -> Step:
        """Tell the graph what a person decided: in all that is asked here, or in the question with
        that id.
        """
        now = self.now
        asked = [each.interrupt.id for each in now.waiting if question in (None, each.interrupt.id)]
        if not asked:
            raise TurnInvocationError(
                "Nobody is asked anything here" + (f" by `{question}`." if question else ".")
            )
        return self._add(await self.walk.answer(now, dict.fromkeys(asked, value)))

    async def edit(self, edit: Edit) -> Step:
        """Leave the line by `edit`, at the present step."""
        now = self.now
        if edit.space is None:
            return self._add(await self.walk.renew(now, "edit", edit.swaps, edit.what))
        return self._add(await self.walk.update(now, edit))

    async def renew(self, kind: StepKind = "fork", what: str = "") -> Step:
        """Stand at the same place in a lineage of its own: what runs next is asked, and billed,
        anew.
        """
        return self._add(await self.walk.renew(self.now, kind, {}, what))

    async def retry(self) -> Step:
        """Run again what ran last, as a new call."""
        last = next((n for n in range(self.place, 0, -1) if self.steps[n].done), 0)
        if last == 0:
            raise TurnInvocationError("Nothing has run yet, so nothing can be tried again.")
        ran = {done.task.key for done in self.steps[last].done}
        self.place = last - 1
        fresh = await self.renew("fork", "retry")
        return await self._forward(
            lambda now: ([task.id for task in now.pending if task.key in ran], ()), fresh
        )

    def back(self, n: int) -> Step:
        """Stand `n` steps earlier. Nothing is run or undone outside."""
        if not 0 <= n <= self.place:
            raise TurnInvocationError(
                f"The walk stands at step {self.place}: it can go back 0 to {self.place} steps."
            )
        self.place -= n
        return self.now

    def jump(self, number: int) -> Step:
        """Stand at a step of this line, behind or ahead."""
        if not 0 <= number < len(self.steps):
            raise TurnInvocationError(
                f"There is no step {number} on this line: it has steps 0 to {len(self.steps) - 1}."
            )
        self.place = number
        return self.now

    async def _forward(
        self,
        choose: Callable[[Step], tuple[Collection[str], Collection[str]]],
        fresh: Step | None = None,
    ) -> Step:
        """One step on: along what is known, else by running what `choose` grants."""
        now = self.now
        if fresh is None and self.place + 1 < len(self.steps):
            self.place += 1
            return self.now
        if now.waiting and not now.pending:
            raise TurnInvocationError(
                "A person is asked: answer with `stepper.answer(…)` before the next step."
            )
        if now.finished:
            return now
        alive = self.now
        granted, spaces = choose(alive)
        return self._add(await self.walk.run(alive, granted, spaces))

    async def _over_the_known(self, spaces: Collection[str]) -> Step:
        """Along the known steps, to the first that is outside of `spaces`."""
        self.place += 1
        while spaces and self.place + 1 < len(self.steps) and self._inside(spaces):
            self.place += 1
        return self.now

    def _inside(self, spaces: Collection[str]) -> bool:
        return any(
            task.space == space or task.space.startswith(f"{space}|")
            for task in self.now.pending
            for space in spaces
        )

    def _add(self, step: Step) -> Step:
        if self.place + 1 < len(self.steps):
            self.left.append(self.steps[:])
            del self.steps[self.place + 1 :]
        self.steps.append(step)
        self.place += 1
        return step

    def _broken(self, step: Step, breakpoints: Collection[Breakpoint]) -> bool:
        return any(each.hit(step, self.calls, self.cost_usd) for each in breakpoints)
