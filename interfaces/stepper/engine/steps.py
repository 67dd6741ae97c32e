"""A step of a session: where it stands, what ran to get there, and what runs next."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from turngraph.interfaces.stepper.engine.snapshots import EMPTY_SNAPSHOT, Snapshot
from turngraph.interfaces.stepper.engine.task_controller import (
    Override,
    Task,
    TaskKey,
    TaskRun,
    WaitingTask,
)
from turngraph.state.events import AnyEvent, ChargeCreated
from turngraph.state.reply import ProviderReply
from turngraph.state.result import Attempt, Charge

__all__ = ["Step", "StepKind", "attempts_of", "listed"]

_MOST_NAMES: Final = 6

StepKind = Literal["start", "step", "edit", "answer", "fork", "history", "reload"]


@dataclass(frozen=True, eq=False)
class Step:
    """One stop of a session."""

    number: int
    kind: StepKind
    pending: tuple[Task, ...]
    """The tasks that run next."""
    runs: tuple[TaskRun, ...] = ()
    """The tasks that ran since the step before."""
    events: tuple[AnyEvent, ...] = field(default=(), repr=False)
    waiting: tuple[WaitingTask, ...] = ()
    """The tasks that wait for the answer of a person."""
    error: BaseException | None = None
    """What a node raised. The session still stands before the node; stepping runs it again."""
    label: str = ""
    """What was edited or forked, in words."""
    seconds: float = 0.0
    snapshot: Snapshot = field(default=EMPTY_SNAPSHOT, repr=False)
    """The checkpoints."""
    entered_task_ids: frozenset[str] = field(default=frozenset(), repr=False)
    """The ids of the tasks whose graphs have been stepped into and have not finished."""
    last_nodes: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The node that ran last, by namespace."""
    partial_outputs: Mapping[TaskKey, Any] = field(default_factory=dict, repr=False)
    """The outputs of those parallel tasks that have finished while their siblings have not."""
    overrides: Mapping[TaskKey, Override] = field(default_factory=dict, repr=False)
    """Edits that the next tasks will be given."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to run."""
        return not self.pending and not self.waiting and self.error is None

    @property
    def failed(self) -> bool:
        """Whether a node raised an error."""
        return self.error is not None

    @property
    def open_tasks(self) -> tuple[Task, ...]:
        """The tasks that run next, then those that wait for a person."""
        return (*self.pending, *(waiting.task for waiting in self.waiting))

    @property
    def nodes(self) -> tuple[str, ...]:
        """The readable paths of what runs next: `("chat/call_llm",)`."""
        return tuple(task.name for task in self.pending)

    @property
    def failed_tasks(self) -> tuple[Task, ...]:
        """The tasks that raised the error and run again; others may be next beside them."""
        if self.error is None:
            return ()
        keys = {run.task.key for run in self.runs if run.failed}
        # A stored error does not say which task raised it.
        return tuple(task for task in self.pending if not keys or task.key in keys)

    @property
    def focus(self) -> Task | None:
        """The task that a person looks at: one that failed, or else the first one that is open."""
        return next(iter((*self.failed_tasks, *self.open_tasks)), None)

    @property
    def namespace(self) -> str:
        """The namespace of the graph that goes on; empty for the outermost one and at the end."""
        return "" if self.focus is None else self.focus.namespace

    @property
    def ran(self) -> tuple[str, ...]:
        """The readable paths of what ran since the step before."""
        return tuple(run.task.name for run in self.runs)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The requests that were sent in this step, each with its outcome."""
        return tuple(attempt for run in self.runs for attempt in attempts_of(run))

    @property
    def reply(self) -> ProviderReply | None:
        """The model's answer that arrived in this step, or None."""
        replies = (attempt.reply for attempt in reversed(self.attempts))
        return next((reply for reply in replies if reply is not None), None)

    @property
    def charges(self) -> tuple[Charge, ...]:
        """The charges of this step."""
        return tuple(event.charge for event in self.events if isinstance(event, ChargeCreated))

    @property
    def cost_usd(self) -> Decimal:
        """The cost of this step in USD; charges without a price count as 0."""
        return sum((charge.amount_usd or Decimal(0) for charge in self.charges), Decimal(0))

    def __str__(self) -> str:
        """One line: what ran and what runs next."""
        return self.text(lambda task: task.name)

    def text(self, name_of: Callable[[Task], str]) -> str:
        """Returns the same line, with other names of the tasks."""
        ran = self.label or listed(_ran(run, name_of) for run in self.runs) or self._began(name_of)
        if self.error is not None:
            return f"{self.number}: {self._failed(ran, name_of)}"
        if self.waiting:
            return f"{self.number}: {ran}, waiting for an answer"
        ahead = (
            f"{name_of(task)} (whole)" if task.runs_whole else name_of(task)
            for task in self.pending
        )
        return f"{self.number}: {ran} → {listed(ahead) or 'finished'}"

    def _failed(self, ran: str, name_of: Callable[[Task], str]) -> str:
        """What failed and with which error; then what ran beside it and did not fail."""
        kind = type(self.error).__name__
        if self.label or not any(run.failed for run in self.runs):
            return f"{ran} failed: {kind}"  # a stored error does not say whose it is
        outcomes: dict[str, list[str]] = {"failed": [], "done": [], "stopped": []}
        for run in self.runs:
            outcome = "failed" if run.failed else "stopped" if run.was_stopped else "done"
            outcomes[outcome].append(_ran(run, name_of))
        failed = listed(outcomes.pop("failed"))
        others = ", ".join(f"{listed(names)} {how}" for how, names in outcomes.items() if names)
        return f"{failed} failed: {kind}" + (f" ({others})" if others else "")

    def _began(self, name_of: Callable[[Task], str]) -> str:
        """What a step has done in which no task has ended."""
        if self.kind != "step":
            return self.kind
        if self.waiting:
            return listed(name_of(each.task) for each in self.waiting)
        graphs = dict.fromkeys(name_of(task).rpartition("/")[0] for task in self.pending)
        return f"entered {listed(filter(None, graphs))}".rstrip()


def attempts_of(run: TaskRun) -> tuple[Attempt, ...]:
    """Returns the requests that a task sent, if it is a turn's call to the model."""
    if not (run.task.calls_model and isinstance(run.output, Mapping)):
        return ()
    attempts = run.output.get("attempts", ())
    return tuple(each for each in attempts if isinstance(each, Attempt))


def _ran(run: TaskRun, name_of: Callable[[Task], str]) -> str:
    notes = ["edited"] if run.overridden or run.task.before_edit else []
    if (attempts := len(attempts_of(run))) > 1:
        notes.append(f"{attempts} attempts")
    name = name_of(run.task)
    return f"{name} ({', '.join(notes)})" if notes else name


def listed(names: Iterable[str]) -> str:
    """Returns the names, each once: `joke (3 tasks)`; of many, the first and how many more."""
    counts = Counter(names)
    each = [name if count == 1 else f"{name} ({count} tasks)" for name, count in counts.items()]
    more = [f"{len(each) - _MOST_NAMES} more"] if len(each) > _MOST_NAMES + 1 else []
    return ", ".join([*each[:_MOST_NAMES], *more] if more else each)
