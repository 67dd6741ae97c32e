"""Random walks end where an unstepped run with the same edits ends, and ask nobody twice who was
not asked to be.

`TURNGRAPH_WALKS=500 pytest tests/interfaces/stepper/test_walks.py` walks more; `TURNGRAPH_SEED=42`
begins elsewhere.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, Overwrite
from sqlalchemy import text

from tests.turns import turn_on
from turngraph.billing import Ledger
from turngraph.interfaces.stepper import TurnStepper
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.scripted import Call, Say, ScriptedModel
from turngraph.scripted.received import ReceivedRequest
from turngraph.scripted.script import ScriptStep
from turngraph.scripted.script import Step as Scripted
from turngraph.state.errors import TurnInvocationError

CITIES = ("Oslo", "Rome", "Lima", "Cairo")
QUESTION: Any = {"messages": [HumanMessage("Weather?", id="q")]}
FIRST = int(os.environ.get("TURNGRAPH_SEED", "0"))
WALKS = range(FIRST, FIRST + int(os.environ.get("TURNGRAPH_WALKS", "16")))
Edits = dict[tuple[str, int], list[dict[str, Any]]]
"""What was edited, by the stage it was edited before and the calls to the model made until then."""


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


def script(plan: list[int]) -> list[ScriptStep]:
    """Answers that depend on nothing but the request: `plan[n]` calls in the n-th round, then an
    answer.
    """

    def answer(request: ReceivedRequest) -> Scripted:
        rounds = sum(message["role"] == "assistant" for message in request.body["messages"])
        if rounds < len(plan):
            cities = CITIES[: plan[rounds]]
            return Call(*(("weather", {"city": city}, f"c{rounds}-{city}") for city in cities))
        tools = [
            message["content"] for message in request.body["messages"] if message["role"] == "tool"
        ]
        question = next(m["content"] for m in request.body["messages"] if m["role"] == "user")
        return Say(
            f"{question} {request.body.get('temperature')} {request.body.get('seed')} {tools}"
        )

    return [answer] * 400


def essence(state: Any) -> Any:
    """What a turn came to, without the ids and times of one run."""
    result = state["result"]
    said = [
        (m.type, m.text, [c["args"] for c in getattr(m, "tool_calls", [])])
        for m in state["messages"]
    ]
    runs = [
        (run.name, run.arguments, run.content, run.status, run.order) for run in result.tool_runs
    ]
    usage = [attempt.reply.usage for attempt in result.attempts]
    return (
        said,
        sorted(runs, key=lambda run: run[4]),
        result.answer,
        usage,
        result.cost_usd,
        result.status,
    )


class RandomWalk:
    """Walks at random; what it edits, it remembers, so that an unstepped run can be given the same."""

    def __init__(self, stepper: TurnStepper, chance: random.Random, model: ScriptedModel) -> None:
        self.stepper, self.chance, self.model = stepper, chance, model
        self.edits: dict[Step, tuple[tuple[str, int], dict[str, Any]]] = {}
        self.left = 0
        """How often something was asked anew: by an edit, a fork, a retry."""

    def move(self) -> None:
        """One random move. Those that only look, or that go where it was before, send nothing."""
        forward = (self.step, self.step, self.into, self.over, self.stage)
        move = self.chance.choice(
            (*forward, self.back, self.jump, self.edit, self.edit, self.fork, self.run)
        )
        known = self.stepper.now is not self.stepper.timeline[-1]
        before = len(self.model.requests)
        if self.chance.random() < 0.03:
            self.retry()
        elif self.stepper.now.waiting and self.chance.random() < 0.6:
            self.answer()
        else:
            move()
            if move not in (*forward, self.run) or (known and move in (self.step, self.into)):
                assert len(self.model.requests) == before, f"{move.__name__} sent something"

    def _forward(self, move: Callable[[], Step]) -> None:
        try:
            move()
        except TurnInvocationError as exc:
            assert "A person is asked" in str(exc)  # noqa: PT017  one of many moves

    def step(self) -> None:
        self._forward(self.stepper.step)

    def into(self) -> None:
        self._forward(self.stepper.step_into)

    def over(self) -> None:
        self._forward(self.stepper.step_over)

    def run(self) -> None:
        if self.chance.random() < 0.2:
            self.stepper.run()

    def stage(self) -> None:
        self.stepper.run_until(
            self.chance.choice(("call_llm", "dispatch_tools", "bill", "finalize"))
        )

    def back(self) -> None:
        self.stepper.back(self.chance.randint(0, min(3, self.stepper.now.number)))

    def jump(self) -> None:
        self.stepper.jump(self.chance.randrange(len(self.stepper.timeline)))

    def fork(self) -> None:
        self.stepper = self.stepper.fork(f"fork {len(self.stepper.forks)}")
        self.left += 1

    def retry(self) -> None:
        if any(step.done for step in self.stepper.behind):
            self.stepper.retry()
            self.left += 1

    def answer(self) -> None:
        asked = self.chance.choice(self.stepper.now.waiting)
        self.stepper.answer(
            {"decision": self.chance.choice(("approve", "approve", "reject"))}, asked.interrupt.id
        )

    def edit(self) -> None:
        """Something that can be edited here: a message, the request, its JSON, a tool's arguments
        or result.
        """
        at = self._place()
        if at is None:
            return
        given = self.chance.choice(list(self._editable(at[0])))
        try:
            self.stepper.edit(**{name: value for name, value in given.items() if name != "of"})
        except TurnInvocationError as exc:
            assert "Some of the parallel tasks" in str(exc) or "its siblings did not" in str(exc)  # noqa: PT017
            return
        self.edits[self.stepper.now] = (at, given)
        self.left += 1

    def _place(self) -> tuple[str, int] | None:
        now = self.stepper.now
        tasks = [*now.pending, *(waiting.task for waiting in now.waiting)]
        return (
            (tasks[0].node, sum(len(step.attempts) for step in self.stepper.behind))
            if tasks
            else None
        )

    def _editable(self, stage: str) -> Iterator[dict[str, Any]]:
        question = self.stepper.state["messages"][0]
        yield {"messages": [HumanMessage(f"Question {self.chance.randrange(9)}?", id=question.id)]}
        if stage == "call_llm":
            yield {"request": {"temperature": self.chance.choice((0.0, 0.25, 0.5))}}
            assert self.stepper.request is not None
            yield {"body": {**self.stepper.request.body, "seed": self.chance.randrange(9)}}
        tasks = [*self.stepper.now.pending, *(waiting.task for waiting in self.stepper.now.waiting)]
        for call in [task.call for task in tasks if task.call is not None]:
            city = self.chance.choice(CITIES)
            yield {"tool": call.id, "arguments": {"city": city}}
            yield {"tool": call.id, "result": f"{city}: {self.chance.choice(('snow', 'fog'))}"}
        if stage == "prep_second_request":
            run = self.chance.choice(self.stepper.state["tool_runs"])
            yield {"tool": run.call_id, "result": f"fog {self.chance.randrange(9)}"}

    def kept(self) -> Edits:
        """The edits of the line it ended on."""
        found: Edits = {}
        for step in self.stepper.behind:
            if step in self.edits:
                at, given = self.edits[step]
                found.setdefault(at, []).append(given)
        return found


class Unstepped:
    """The same turn without a stepper: LangGraph's own breakpoints, the edits made through its
    `update_state`.
    """

    def __init__(
        self, model: ScriptedModel, edits: Edits, decided: dict[str, str], *, approve: bool
    ) -> None:
        self.turn = turn_on(model, tools=[weather], approve=approve, checkpointer=InMemorySaver())
        self.config: Any = {"configurable": {"thread_id": "plain"}}
        self.edits, self.decided = edits, decided
        self.ran = "__start__"

    def state(self) -> Any:
        """Its state at the end."""
        self.turn.invoke(QUESTION, self.config, interrupt_before="*")
        while nodes := self.turn.get_state(self.config).next:
            self._edit(nodes[0])
            self._go_on(nodes[0])
        return self.turn.get_state(self.config).values

    def _go_on(self, node: str) -> None:
        calls = len(self.values.get("attempts", ()))
        before = self.values.get("request")
        bodies = [given["body"] for given in self.edits.get((node, calls), []) if "body" in given]
        for body in bodies[-1:]:  # the JSON of this request alone
            assert before is not None
            request = before.model_copy(
                update={"extra_body": {**before.extra_body, "seed": body["seed"]}}
            )
            self._update({"request": request})
        self.turn.invoke(None, self.config, interrupt_before="*")
        asked = self.turn.get_state(self.config).interrupts
        if asked:
            resume = {each.id: {"decision": self.decided[each.value["call_id"]]} for each in asked}
            self.turn.invoke(Command(resume=resume), self.config, interrupt_before="*")
        self.ran = node
        if bodies:
            self._update({"request": before})

    @property
    def values(self) -> dict[str, Any]:
        """The state now."""
        return dict(self.turn.get_state(self.config).values)

    def _edit(self, node: str) -> None:
        calls = len(self.values.get("attempts", ()))
        for given in self.edits.get((node, calls), []):
            if "messages" in given:
                self._update({"messages": given["messages"]})
            elif "request" in given:
                self._update(
                    {"request": self.values["request"].model_copy(update=given["request"])}
                )
            elif "result" in given and node == "prep_second_request":
                self._tell(given["tool"], given["result"])
        if (
            node == "bill"
        ):  # the tasks of the tools are made of what was asked: changed here, they run changed
            self._ask_otherwise(self.edits.get(("dispatch_tools", calls), []))
        if node == "prep_second_request":
            for call, result in self._results(
                self.edits.get(("dispatch_tools", calls), [])
            ).items():
                if ("prep_second_request", calls) not in self.edits or call not in {
                    given.get("tool") for given in self.edits["prep_second_request", calls]
                }:
                    self._tell(call, result)

    def _ask_otherwise(self, edits: list[dict[str, Any]]) -> None:
        changed = {given["tool"]: given["arguments"] for given in edits if "arguments" in given}
        if changed:
            asked = [
                call.model_copy(update={"arguments": f'{{"city": "{changed[call.id]["city"]}"}}'})
                if call.id in changed
                else call
                for call in self.values["pending_tool_calls"]
            ]
            self._update({"pending_tool_calls": asked})

    def _results(self, edits: list[dict[str, Any]]) -> dict[str, str]:
        """Of the edits of one call the last holds: a result that was written before its arguments
        were is gone.
        """
        found: dict[str, str] = {}
        for given in edits:
            if "arguments" in given:
                found.pop(given["tool"], None)
            elif "result" in given:
                found[given["tool"]] = given["result"]
        return found

    def _tell(self, call_id: str, result: str) -> None:
        values = self.values
        runs = [
            run.model_copy(update={"content": result}) if run.call_id == call_id else run
            for run in values["tool_runs"]
        ]
        [message] = [m for m in values["messages"] if getattr(m, "tool_call_id", None) == call_id]
        self._update(
            {
                "messages": [message.model_copy(update={"content": result})],
                "tool_runs": Overwrite(runs),
            },
        )

    def _update(self, values: dict[str, Any]) -> None:
        self.turn.update_state(self.config, values, as_node=self.ran)


@pytest.mark.parametrize("kept", [False, True], ids=["no ledger", "ledger"])
@pytest.mark.parametrize("n", WALKS)
def test_a_random_walk_ends_where_a_run_ends(n: int, kept: bool, tmp_path: Path) -> None:
    """Whatever way it went: the same conversation, tool runs, usage and cost; one request for each
    call.
    """
    chance = random.Random(n)
    print("seed", n)
    plan = [chance.randint(1, 3) for _ in range(chance.randint(0, 3))]
    approve = chance.random() < 0.3
    with ExitStack() as closing:
        model = closing.enter_context(ScriptedModel(script(plan)))
        ledger = closing.enter_context(Ledger(f"sqlite:///{tmp_path}/ledger.db")) if kept else None
        turn = turn_on(
            model, tools=[weather], approve=approve, ledger=ledger, checkpointer=InMemorySaver()
        )
        start = closing.enter_context(TurnStepper(turn, QUESTION))
        walk = RandomWalk(start, chance, model)
        for _ in range(chance.randint(3, 25)):
            walk.move()
        while not walk.stepper.run().finished:
            assert walk.stepper.now.error is None, repr(walk.stepper.now.error)
            walk.answer()
        _check_requests(walk, start, len(plan))
        if ledger is not None:
            _check_books(ledger, len(model.requests))
        result = walk.stepper.state["result"]
        assert [charge.attempt_id for charge in result.charges] == [
            attempt.id for attempt in result.attempts
        ]
        assert walk.stepper.cost == (result.cost_usd or Decimal(0))
        decided = {
            run.call_id: "reject" if run.status == "rejected" else "approve"
            for run in result.tool_runs
        }
        plain = Unstepped(model, walk.kept(), decided, approve=approve)
        assert essence(walk.stepper.state) == essence(plain.state())


def _check_requests(walk: RandomWalk, start: TurnStepper, rounds: int) -> None:
    lines = list(start.forks.values())
    steps = {step for line in lines for way in (line.timeline, *line.left_behind) for step in way}
    made = [made.id for step in steps for made in step.attempts]
    assert len(walk.model.requests) == len(made), (
        "a request was sent for each attempt, and for nothing else"
    )
    assert len(set(made)) == len(made), "no two calls are the same call"
    assert len(made) <= (walk.left + 1) * (rounds + 1), (
        "nothing was asked anew that nobody had asked to be"
    )
    charged = [charge.attempt_id for step in steps for charge in step.charges]
    assert set(charged) <= set(made), "charges match requests made"
    assert len(set(charged)) <= len(made)


def _check_books(ledger: Ledger, sent: int) -> None:
    """One attempt for each request, each settled at most once, and the books balance."""
    with ledger.store.engine.connect() as conn:
        states = [
            row[0]
            for row in conn.execute(text("SELECT state FROM attempt WHERE kind = 'completion'"))
        ]
    begun = [state for state in states if state not in ("reserved", "released")]
    assert len(begun) == sent
    assert set(begun) <= {"answered", "settled"}
    assert ledger.verify() == []
