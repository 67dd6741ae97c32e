"""A random walk through a turn ends where a plain run with the same edits ends, and sends nothing
twice unless an edit, a fork or a retry asks for it. No run is lost that it undid, saved or opened.

`TURNGRAPH_WALKS=500 pytest tests/interfaces/stepper/test_random_walks.py` makes more walks;
`TURNGRAPH_SEED=42` makes others.
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
from turngraph.scripted.script import ScriptStep, Step as Scripted
from turngraph.state.errors import TurnInvocationError

CITIES = ("Oslo", "Rome", "Lima", "Cairo")
QUESTION: Any = {"messages": [HumanMessage("Weather?", id="q")]}
FIRST = int(os.environ.get("TURNGRAPH_SEED", "0"))
WALKS = range(FIRST, FIRST + int(os.environ.get("TURNGRAPH_WALKS", "16")))
Edits = dict[tuple[str, int], list[dict[str, Any]]]
"""The edits, by the stage that ran next and the number of model calls made until then."""


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


def script(plan: list[int]) -> list[ScriptStep]:
    """Returns answers that depend on the request alone: `plan[n]` calls in round n, then a text."""

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


def outcome(state: Any) -> Any:
    """Returns what a turn came to, without the ids and times of one run."""
    result = state["result"]
    messages = [
        (m.type, m.text, [c["args"] for c in getattr(m, "tool_calls", [])])
        for m in state["messages"]
    ]
    runs = [
        (run.name, run.arguments, run.content, run.status, run.order) for run in result.tool_runs
    ]
    usage = [attempt.reply.usage for attempt in result.attempts]
    return (
        messages,
        sorted(runs, key=lambda run: run[4]),
        result.answer,
        usage,
        result.cost_usd,
        result.status,
    )


class RandomWalk:
    """Moves a stepper at random and records the edits, so that a plain run can make the same."""

    def __init__(
        self, stepper: TurnStepper, chance: random.Random, model: ScriptedModel, file: Path
    ) -> None:
        self.stepper, self.chance, self.model, self.file = stepper, chance, model, file
        self.edits: dict[Step, tuple[tuple[str, int], dict[str, Any]]] = {}
        self.new_lineages = 0
        """The number of edits, forks and retries: each may send again what was sent."""

    def move(self) -> None:
        """Makes one random move. One that looks, or that goes along known steps, sends nothing."""
        forward = (self.step, self.step, self.into, self.over, self.stage)
        move = self.chance.choice(
            (
                *(*forward, self.back, self.jump, self.edit, self.edit, self.fork, self.run),
                *(self.undo, self.undo, self.redo, self.save_and_open, self.reload),
            )
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
        self.new_lineages += 1

    def undo(self) -> None:
        if self.stepper.to_undo:
            self.stepper = self.stepper.undo()

    def redo(self) -> None:
        if self.stepper.to_redo:
            self.stepper = self.stepper.redo()

    def reload(self) -> None:
        """As after a change of the graph's file: every move can still be undone."""
        before = (self.stepper.to_undo, self.stepper.to_redo)
        self.stepper.reload(self.stepper.graph)
        assert (self.stepper.to_undo, self.stepper.to_redo) == before

    def save_and_open(self) -> None:
        """Goes on with what the file holds. Runs that were undone are lines there."""
        saved = self.stepper
        saved.save(self.file)
        self.stepper = TurnStepper.open(self.file, saved.graph)
        saved.close()
        self.edits = {  # an opened walk has steps of its own
            mine: self.edits[step]
            for name, line in saved.forks.items()
            for step, mine in zip(line.timeline, self.stepper.forks[name].timeline, strict=True)
            if step in self.edits
        }

    def retry(self) -> None:
        if any(step.runs for step in self.stepper.steps_so_far):
            self.stepper.retry()
            self.new_lineages += 1

    def answer(self) -> None:
        asked = self.chance.choice(self.stepper.now.waiting)
        self.stepper.answer(
            {"decision": self.chance.choice(("approve", "approve", "reject"))}, asked.interrupt.id
        )

    def edit(self) -> None:
        """Edits something that can be edited here: a message, the request, its JSON, a tool's
        arguments or its result.
        """
        at = self._position()
        if at is None:
            return
        given = self.chance.choice(list(self._editable(at[0])))
        try:
            self.stepper.edit(**{name: value for name, value in given.items() if name != "of"})
        except TurnInvocationError as exc:
            refusals = ("Some of the parallel tasks", "its siblings did not", "nothing was changed")
            assert any(refusal in str(exc) for refusal in refusals)  # noqa: PT017
            return
        self.edits[self.stepper.now] = (at, given)
        self.new_lineages += 1

    def _position(self) -> tuple[str, int] | None:
        now = self.stepper.now
        tasks = [*now.pending, *(waiting.task for waiting in now.waiting)]
        return (
            (tasks[0].node, sum(len(step.attempts) for step in self.stepper.steps_so_far))
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

    def edits_of_line(self) -> Edits:
        """Returns the edits of the line it ended on."""
        found: Edits = {}
        for step in self.stepper.steps_so_far:
            if step in self.edits:
                at, given = self.edits[step]
                found.setdefault(at, []).append(given)
        return found


class PlainRun:
    """Runs the same turn by LangGraph's own breakpoints and makes the edits by `update_state`."""

    def __init__(
        self, model: ScriptedModel, edits: Edits, decisions: dict[str, str], *, approve: bool
    ) -> None:
        self.turn = turn_on(model, tools=[weather], approve=approve, checkpointer=InMemorySaver())
        self.config: Any = {"configurable": {"thread_id": "plain"}}
        self.edits, self.decisions = edits, decisions
        self.last_node = "__start__"

    def state(self) -> Any:
        """Runs to the end and returns the state."""
        self.turn.invoke(QUESTION, self.config, interrupt_before="*")
        while nodes := self.turn.get_state(self.config).next:
            self._edit(nodes[0])
            self._go_on(nodes[0])
        return self.turn.get_state(self.config).values

    def _go_on(self, node: str) -> None:
        calls = len(self.values.get("attempts", ()))
        before = self.values.get("request")
        bodies = [given["body"] for given in self.edits.get((node, calls), []) if "body" in given]
        for body in bodies[-1:]:  # this request alone has the edited JSON
            assert before is not None
            request = before.model_copy(
                update={"extra_body": {**before.extra_body, "seed": body["seed"]}}
            )
            self._update({"request": request})
        self.turn.invoke(None, self.config, interrupt_before="*")
        asked = self.turn.get_state(self.config).interrupts
        if asked:
            resume = {
                each.id: {"decision": self.decisions[each.value["call_id"]]} for each in asked
            }
            self.turn.invoke(Command(resume=resume), self.config, interrupt_before="*")
        self.last_node = node
        if bodies:
            self._update({"request": before})

    @property
    def values(self) -> dict[str, Any]:
        """The present state."""
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
                self._set_result(given["tool"], given["result"])
        if (
            node == "bill"
        ):  # the tools' tasks are made of the pending calls, so those are changed here
            self._set_arguments(self.edits.get(("dispatch_tools", calls), []))
        if node == "prep_second_request":
            for call, result in self._results(
                self.edits.get(("dispatch_tools", calls), [])
            ).items():
                if ("prep_second_request", calls) not in self.edits or call not in {
                    given.get("tool") for given in self.edits["prep_second_request", calls]
                }:
                    self._set_result(call, result)

    def _set_arguments(self, edits: list[dict[str, Any]]) -> None:
        changed = {given["tool"]: given["arguments"] for given in edits if "arguments" in given}
        if changed:
            calls = [
                call.model_copy(update={"arguments": f'{{"city": "{changed[call.id]["city"]}"}}'})
                if call.id in changed
                else call
                for call in self.values["pending_tool_calls"]
            ]
            self._update({"pending_tool_calls": calls})

    def _results(self, edits: list[dict[str, Any]]) -> dict[str, str]:
        """The last edit of a call counts: new arguments discard a result written before them."""
        found: dict[str, str] = {}
        for given in edits:
            if "arguments" in given:
                found.pop(given["tool"], None)
            elif "result" in given:
                found[given["tool"]] = given["result"]
        return found

    def _set_result(self, call_id: str, result: str) -> None:
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
        self.turn.update_state(self.config, values, as_node=self.last_node)


@pytest.mark.parametrize("with_ledger", [False, True], ids=["no ledger", "ledger"])
@pytest.mark.parametrize("n", WALKS)
def test_a_random_walk_ends_where_a_plain_run_ends(
    n: int, with_ledger: bool, tmp_path: Path
) -> None:
    """The conversation, tool runs, usage and cost are the same, and each call sent one request."""
    chance = random.Random(n)
    print("seed", n)
    plan = [chance.randint(1, 3) for _ in range(chance.randint(0, 3))]
    approve = chance.random() < 0.3
    with ExitStack() as closing:
        model = closing.enter_context(ScriptedModel(script(plan)))
        ledger = (
            closing.enter_context(Ledger(f"sqlite:///{tmp_path}/ledger.db"))
            if with_ledger
            else None
        )
        turn = turn_on(
            model, tools=[weather], approve=approve, ledger=ledger, checkpointer=InMemorySaver()
        )
        walk = RandomWalk(TurnStepper(turn, QUESTION), chance, model, tmp_path / "walk.json")
        for _ in range(chance.randint(3, 25)):
            walk.move()
        while not walk.stepper.run().finished:
            assert walk.stepper.now.error is None, repr(walk.stepper.now.error)
            walk.answer()
        walk.save_and_open()
        closing.callback(walk.stepper.close)
        _check_requests(walk, len(plan))
        if ledger is not None:
            _check_ledger(ledger, len(model.requests))
        result = walk.stepper.state["result"]
        assert [charge.attempt_id for charge in result.charges] == [
            attempt.id for attempt in result.attempts
        ]
        assert walk.stepper.cost == (result.cost_usd or Decimal(0))
        decisions = {
            run.call_id: "reject" if run.status == "rejected" else "approve"
            for run in result.tool_runs
        }
        plain = PlainRun(model, walk.edits_of_line(), decisions, approve=approve)
        assert outcome(walk.stepper.state) == outcome(plain.state())


def _check_requests(walk: RandomWalk, rounds: int) -> None:
    # What an edit or a retry replaced, or what was undone, is a line as well.
    steps = {step for line in walk.stepper.forks.values() for step in line.timeline}
    sent = [attempt.id for step in steps for attempt in step.attempts]
    assert len(walk.model.requests) == len(sent), (
        "one request was sent for each attempt, and no other"
    )
    assert len(set(sent)) == len(sent), "attempt ids are unique"
    assert len(sent) <= (walk.new_lineages + 1) * (rounds + 1), (
        "nothing was sent again without an edit, a fork or a retry"
    )
    charged = [charge.attempt_id for step in steps for charge in step.charges]
    assert set(charged) <= set(sent), "every charge belongs to a request"
    assert len(set(charged)) <= len(sent)


def _check_ledger(ledger: Ledger, sent: int) -> None:
    """Each request has one attempt, each is settled at most once, and the ledger balances."""
    with ledger.store.engine.connect() as conn:
        states = [
            row[0]
            for row in conn.execute(text("SELECT state FROM attempt WHERE kind = 'completion'"))
        ]
    dispatched = [state for state in states if state not in ("reserved", "released")]
    assert len(dispatched) == sent
    assert set(dispatched) <= {"answered", "settled"}
    assert ledger.verify() == []
