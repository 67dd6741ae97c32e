"""A step of a walk: where it stands, what ran to get there, what is next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from turngraph.interfaces.stepper.engine.snapshots import NOTHING, Snapshot
from turngraph.interfaces.stepper.engine.task_controller import Done, Key, Override, Task, Waiting
from turngraph.state.events import ChargeCreated, TurnEvent
from turngraph.state.reply import ProviderReply
from turngraph.state.result import Attempt, Charge

__all__ = ["Step", "StepKind"]

StepKind = Literal["start", "step", "edit", "answer", "fork", "past"]


@dataclass(frozen=True, eq=False)
class Step:
    """One stop of a walk. `done` ran since the stop before; `pending` is about to run."""

    number: int
    kind: StepKind
    pending: tuple[Task, ...]
    done: tuple[Done, ...] = ()
    events: tuple[TurnEvent, ...] = field(default=(), repr=False)
    waiting: tuple[Waiting, ...] = ()
    error: BaseException | None = None
    """What a node raised: the walk stands before it still, and stepping again runs it again."""
    what: str = ""
    """What was edited, in words."""
    seconds: float = 0.0
    memory: Snapshot = field(default=NOTHING, repr=False)
    """The checkpoints."""
    entered: frozenset[str] = field(default=frozenset(), repr=False)
    """The ids of the subgraphs' tasks that are under way."""
    came_from: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The node that ran last, in each namespace."""
    known: Mapping[Key, Any] = field(default_factory=dict, repr=False)
    """What those of some parallel tasks returned that are done while their siblings are not."""
    swaps: Mapping[Key, Override] = field(default_factory=dict, repr=False)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to run."""
        return not self.pending and not self.waiting and self.error is None

    @property
    def failed(self) -> bool:
        """Whether a node raised."""
        return self.error is not None

    @property
    def nodes(self) -> tuple[str, ...]:
        """What is about to run, by readable path: `chat/call_llm`."""
        return tuple(task.name for task in self.pending)

    @property
    def space(self) -> str:
        """The namespace in which something is next; empty for the outermost graph, and at the end."""
        tasks = [*self.pending, *(waiting.task for waiting in self.waiting)]
        return tasks[0].space if tasks else ""

    @property
    def ran(self) -> tuple[str, ...]:
        """What ran, by readable path."""
        return tuple(done.task.name for done in self.done)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The requests that were sent in this step, and what came of them."""
        outputs = (done.output for done in self.done if done.task.node == "call_llm")
        found = [
            made
            for output in outputs
            if isinstance(output, Mapping)
            for made in output.get("attempts", ())
        ]
        return tuple(made for made in found if isinstance(made, Attempt))

    @property
    def reply(self) -> ProviderReply | None:
        """The model's answer that came in this step."""
        return next(
            (made.reply for made in reversed(self.attempts) if made.reply is not None), None
        )

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What was charged in this step."""
        return tuple(event.charge for event in self.events if isinstance(event, ChargeCreated))

    @property
    def cost_usd(self) -> Decimal:
        """What this step cost, as far as it is priced."""
        return sum((charge.amount_usd or Decimal(0) for charge in self.charges), Decimal(0))

    def __str__(self) -> str:
        """One line: what ran and what is next."""
        ran = self.what or ", ".join(dict.fromkeys(self.ran)) or self.kind
        if self.error is not None:
            return f"{self.number}: {ran} failed: {type(self.error).__name__}"
        if self.waiting:
            return f"{self.number}: {ran}, waiting for an answer"
        ahead = (f"{task.name} (whole)" if task.whole else task.name for task in self.pending)
        return f"{self.number}: {ran} → {', '.join(ahead) or 'finished'}"
