"""A timeline of steps: moves along it, leaves it by an edit, and never runs again what has run."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from decimal import Decimal

from turngraph.interfaces.stepper.engine.breakpoints import Breakpoint
from turngraph.interfaces.stepper.engine.edits import Edit
from turngraph.interfaces.stepper.engine.moves import LineState
from turngraph.interfaces.stepper.engine.namespaces import is_within
from turngraph.interfaces.stepper.engine.session import Session
from turngraph.interfaces.stepper.engine.steps import Step, StepKind
from turngraph.interfaces.stepper.engine.task_controller import Task
from turngraph.state.argument_kinds import is_count, shown
from turngraph.state.errors import TurnInvocationError
from turngraph.state.events import RequestSent
from turngraph.state.quoting import quoted
from turngraph.state.result import Charge

__all__ = ["StopCondition", "Timeline", "Until", "stop_condition"]

StopCondition = Callable[[Step], bool]
"""Whether a run stops at this step."""
Until = str | StopCondition
"""A node's name or path, an event's type, or a stop condition."""


def stop_condition(until: Until) -> StopCondition:
    """Turns `until` into a condition.

    A name stops before the node of that name or path, and after an event of that type.
    """
    if callable(until):
        return until
    return lambda step: (
        any(until in (task.node, task.name) for task in step.pending)
        or any(getattr(event, "type", None) == until for event in step.events)
    )


class Timeline:
    """The steps of one line and a position in them.

    Going back keeps the steps ahead; they are replayed, not run, until something is changed.

    Args:
        session: runs the graph.
        steps: the steps that the line begins with.
        keep_line: is given all steps before an edit or a retry replaces those ahead, keeps them as
            a line of the old name and returns that.
    """

    def __init__(
        self,
        session: Session,
        steps: Collection[Step],
        keep_line: Callable[[tuple[Step, ...]], str],
    ) -> None:
        self.session = session
        self.steps: tuple[Step, ...] = tuple(steps)
        self.position = len(self.steps) - 1
        self._keep_line = keep_line
        self._lock: asyncio.Lock | None = None

    @property
    def now(self) -> Step:
        """The step at the position."""
        return self.steps[self.position]

    @property
    def state(self) -> LineState:
        """The steps and the position. Setting it runs nothing."""
        return LineState(self.steps, self.position)

    @state.setter
    def state(self, state: LineState) -> None:
        self.steps, self.position = state

    @property
    def steps_so_far(self) -> tuple[Step, ...]:
        """The steps up to the position, which is included."""
        return self.steps[: self.position + 1]

    @property
    def calls(self) -> int:
        """The number of requests sent so far."""
        events = (event for step in self.steps_so_far for event in step.events)
        return sum(isinstance(event, RequestSent) for event in events)

    @property
    def charges(self) -> tuple[Charge, ...]:
        """The charges so far, each listed once."""
        charges = (charge for step in self.steps_so_far for charge in step.charges)
        return tuple({charge.id: charge for charge in charges}.values())

    @property
    def cost_usd(self) -> Decimal:
        """The cost so far in USD; charges without a price count as 0."""
        return sum((charge.amount_usd or Decimal(0) for charge in self.charges), Decimal(0))

    def lock(self) -> asyncio.Lock:
        """A lock for one move at a time: a button and a cell may ask for a move at once."""
        if self._lock is None:  # a lock belongs to the event loop on which it is first used
            self._lock = asyncio.Lock()
        return self._lock

    async def step(self) -> Step:
        """Runs the next stage. Subgraphs are entered; parallel tasks run together."""
        return await self._forward(lambda pending: pending)

    async def step_into(self) -> Step:
        """Runs one task, for example one of several tool calls. A subgraph is entered."""
        return await self._forward(lambda pending: pending[:1])

    async def step_over(self) -> Step:
        """Runs the next stage; a subgraph runs to its end."""
        # Every task in the namespace of a pending graph may run, so the graph runs to its end.
        graphs = [task.own_namespace for task in self.now.pending if task.is_graph]
        if self._has_steps_ahead:
            return self._replay_over(graphs)
        return await self._forward(lambda pending: pending, graphs)

    async def run(self, stop: StopCondition, breakpoints: Collection[Breakpoint]) -> Step:
        """Steps until `stop`, a breakpoint, a question to a person, a failure or the end."""
        while not (self.now.finished or self.now.waiting):
            step = await self.step()
            if step.failed or stop(step) or self._hits_any(breakpoints, step):
                break
            for watcher in self.session.step_watchers:
                watcher()
        return self.now

    async def answer(self, value: object, question: str | None) -> Step:
        """Answers the question with that interrupt id, or all open questions if it is None."""
        ids = [waiting.interrupt.id for waiting in self.now.waiting]
        answered = [each for each in ids if question in (None, each)]
        if not answered:
            known = ", ".join(f"`{each}`" for each in ids) or "none"
            asked = f"`{quoted(question)}` " if question else ""
            raise TurnInvocationError(f"No question {asked}is open here. Open: {known}.")
        return self._add(await self.session.answer(self.now, dict.fromkeys(answered, value)))

    async def edit(self, edit: Edit) -> Step:
        """Applies `edit` at the position. Steps ahead are kept as another line."""
        if edit.namespace is None:
            step = await self.session.renew(self.now, "edit", edit.overrides, edit.label)
        else:
            step = await self.session.update(self.now, edit)
        return self._add(step)

    async def renew(self, kind: StepKind = "fork", label: str = "") -> Step:
        """Stands at the same place in a new lineage: what runs next are new calls, and billed."""
        return self._add(await self.session.renew(self.now, kind, {}, label))

    async def retry(self) -> Step:
        """Runs again what ran last, as new calls."""
        numbers = range(self.position, 0, -1)
        last = next((number for number in numbers if self.steps[number].runs), None)
        if last is None:
            raise TurnInvocationError("Nothing has run yet, so there is nothing to retry.")
        keys = {run.task.key for run in self.steps[last].runs}
        # The ids of the tasks change with the lineage, their keys do not.
        self.position = last - 1
        await self.renew("fork", "retry")
        return await self._forward(lambda pending: [task for task in pending if task.key in keys])

    def change_session(self, session: Session, step: Step | None) -> None:
        """Goes on in another session, from `step` at the end of the line.

        None leaves the end as it is: nothing is left to run there.
        """
        stands_at_end = not self._has_steps_ahead
        session.event_watchers = self.session.event_watchers
        session.step_watchers = self.session.step_watchers
        self.session = session
        if step is not None:
            self.steps = (*self.steps, step)
        if stands_at_end:
            self.position = len(self.steps) - 1

    def back(self, n: int) -> Step:
        """Goes `n` steps back. Nothing runs, and nothing that happened outside is undone."""
        if not (is_count(n) and n <= self.position):
            raise TurnInvocationError(
                f"The stepper stands at step {self.position}: "
                f"it can go back 0 to {self.position} steps, not {shown(n)}."
            )
        self.position -= n
        return self.now

    def jump(self, number: int) -> Step:
        """Goes to a step of this line, earlier or later. Nothing runs."""
        if not (is_count(number) and number < len(self.steps)):
            raise TurnInvocationError(
                f"There is no step {shown(number)} on this line: it has steps 0 to "
                f"{len(self.steps) - 1}."
            )
        self.position = number
        return self.now

    @property
    def _has_steps_ahead(self) -> bool:
        return self.position + 1 < len(self.steps)

    async def _forward(
        self,
        choose: Callable[[Sequence[Task]], Sequence[Task]],
        namespaces: Collection[str] = (),
    ) -> Step:
        """Goes one step on: replays a known step, or runs the pending tasks that `choose` takes."""
        now = self.now
        if self._has_steps_ahead:
            self.position += 1
            return self.now
        if now.waiting and not now.pending:
            raise TurnInvocationError(
                "A person is asked: answer with `stepper.answer(…)` before the next step."
            )
        if now.finished:
            return now
        allowed = [task.id for task in choose(now.pending)]
        return self._add(await self.session.run(now, allowed, namespaces))

    def _replay_over(self, namespaces: Collection[str]) -> Step:
        """Goes along the known steps to the first one outside of `namespaces`."""
        self.position += 1
        while namespaces and self._has_steps_ahead and self._is_in(namespaces):
            self.position += 1
        return self.now

    def _is_in(self, namespaces: Collection[str]) -> bool:
        return any(
            is_within(task.namespace, namespace)
            for task in self.now.pending
            for namespace in namespaces
        )

    def _add(self, step: Step) -> Step:
        if self._has_steps_ahead:
            name = self._keep_line(self.steps)
            step = replace(step, label=f"{step.label} (what ran before: line `{name}`)")
        self.position += 1
        self.steps = (*self.steps[: self.position], step)
        return step

    def _hits_any(self, breakpoints: Collection[Breakpoint], step: Step) -> bool:
        return any(each.hit(step, self.calls, self.cost_usd) for each in breakpoints)
