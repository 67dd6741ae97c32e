"""Random walks end where an unstepped run ends, ask nobody twice, and cost the same at any length of thread."""

import os
import random
import time
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from tests.turns import ask, turn_on
from turngraph.interfaces.stepper import TurnStepper
from turngraph.providers.scripted import Call, Say, ScriptedModel
from turngraph.providers.scripted.requests import ReceivedRequest
from turngraph.providers.scripted.steps import ScriptStep, Step

CITIES = ("Oslo", "Rome", "Lima", "Cairo")


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


def script(plan: list[int]) -> list[ScriptStep]:
    """Answers that depend on nothing but the request: `plan[n]` calls in the n-th round, then an answer."""

    def answer(request: ReceivedRequest) -> Step:
        rounds = sum(message["role"] == "assistant" for message in request.body["messages"])
        if rounds < len(plan):
            cities = CITIES[: plan[rounds]]
            return Call(*(("weather", {"city": city}, f"c{rounds}-{city}") for city in cities))
        tools = [message["content"] for message in request.body["messages"] if message["role"] == "tool"]
        question = next(m["content"] for m in request.body["messages"] if m["role"] == "user")
        return Say(f"{question} {request.body.get('temperature')} {tools}")

    return [answer] * 200


def essence(state: Any) -> Any:
    """What a turn came to, without the ids and times of one run."""
    result = state["result"]
    said = [(m.type, m.text, [c["args"] for c in getattr(m, "tool_calls", [])]) for m in state["messages"]]
    runs = [(run.name, run.arguments, run.content, run.order) for run in result.tool_runs]
    usage = [attempt.reply.usage for attempt in result.attempts]
    return said, sorted(runs, key=lambda run: run[3]), result.answer, usage, result.cost_usd, result.status


class RandomWalk:
    """Walks at random; what it edits, it remembers, so that an unstepped run can be given the same."""

    def __init__(self, stepper: TurnStepper, chance: random.Random) -> None:
        self.stepper, self.chance = stepper, chance
        self.asked_anew = 0
        self.edits: dict[int, dict[str, Any]] = {}

    def move(self) -> None:
        """One random move."""
        self.chance.choice((self.step, self.step, self.into, self.back, self.jump, self.edit, self.fork, self.stage))()

    def step(self) -> None:
        self.stepper.step()

    def into(self) -> None:
        self.stepper.step_into()

    def stage(self) -> None:
        self.stepper.run_until(self.chance.choice(("call_llm", "dispatch_tools", "bill", "finalize")))

    def back(self) -> None:
        self.stepper.back(self.chance.randint(0, min(3, self.stepper.now.number)))

    def jump(self) -> None:
        self.stepper.jump(self.chance.randrange(len(self.stepper.timeline)))

    def fork(self) -> None:
        self.stepper = self.stepper.fork(f"fork {len(self.stepper.forks)}")

    def edit(self) -> None:
        """The temperature of the pending request: what an unstepped run is given with its settings."""
        if self.stepper.now.pending and self.stepper.now.pending[0].node == "call_llm":
            self.stepper.edit(request={"temperature": self.chance.choice((0.25, 0.5))})


def unstepped(model: ScriptedModel, stepper: TurnStepper) -> Any:
    """The same turn run at once, with the temperatures the walk ended up with."""
    sent = [attempt.request.temperature for attempt in stepper.state["result"].attempts]
    turn = turn_on(model, tools=[weather], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "plain"}}
    turn.invoke(ask("Weather?"), config, interrupt_before=["call_llm"])
    for temperature in sent:
        request = turn.get_state(config).values["request"].model_copy(update={"temperature": temperature})
        turn.update_state(config, {"request": request})
        turn.invoke(None, config, interrupt_before=["call_llm"])
    return turn.get_state(config).values


@pytest.mark.parametrize("n", range(int(os.environ.get("TURNGRAPH_WALKS", "12"))))
def test_a_random_walk_ends_where_a_run_ends(n: int) -> None:
    """Whatever way it went: the same conversation, tool runs, usage and cost; one request for each call."""
    chance = random.Random(n)
    print("seed", n)
    plan = [chance.randint(1, 3) for _ in range(chance.randint(0, 3))]
    with ScriptedModel(script(plan)) as model, TurnStepper(turn_on(model, tools=[weather]), ask("Weather?")) as start:
        walk = RandomWalk(start, chance)
        for _ in range(chance.randint(3, 25)):
            walk.move()
        walk.stepper.run()
        assert walk.stepper.now.finished
        lines = list(start.forks.values())
        kept = {id(step): step for line in lines for step in line.timeline}
        kept.update({id(step): step for line in lines for tail in line._line.left for step in tail})
        made = [made for step in kept.values() for made in step.attempts]
        assert len(model.requests) == len(made), "a request was sent for each attempt, and for nothing else"
        ids = [attempt.id for attempt in made]
        assert len(set(ids)) == len(ids), "no two calls are the same call"
        charged = [charge.attempt_id for step in kept.values() for charge in step.charges]
        result = walk.stepper.state["result"]
        assert [charge.attempt_id for charge in result.charges] == [attempt.id for attempt in result.attempts]
        assert set(charged) <= set(ids), "charges match requests made"
        assert walk.stepper.cost == (result.cost_usd or Decimal(0))
        assert essence(walk.stepper.state) == essence(unstepped(model, walk.stepper))


def cpu_ms(work: Any) -> float:
    """CPU this process spends on `work`, in milliseconds: the best of three."""
    best = float("inf")
    for _ in range(3):
        before = time.process_time()
        work()
        best = min(best, (time.process_time() - before) * 1000)
    return best


@pytest.fixture(scope="module")
def long_walk() -> Any:
    """A thread of 5000 messages, and a turn of 50 steps and more on it."""
    said = [(HumanMessage if n % 2 == 0 else AIMessage)(f"message {n} " + "x" * 90, id=str(n)) for n in range(5000)]
    calls = [Call(("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"})) for _ in range(12)]
    with ScriptedModel([*calls, Say("Rain.")]) as model:
        turn = turn_on(model, tools=[weather])
        with TurnStepper(turn, {"messages": [*said, HumanMessage("Q", id="q")]}) as stepper:
            assert stepper.run().finished
            yield turn, said, stepper


def test_a_long_thread_is_opened_quickly(long_walk: Any) -> None:
    """200 ms of CPU: what a person takes for at once."""
    turn, said, _ = long_walk
    assert cpu_ms(lambda: TurnStepper(turn, {"messages": said}).close()) < 200


def test_a_long_walk_goes_back_and_shows_its_state_quickly(long_walk: Any) -> None:
    """Back to the beginning and to the end of more than 50 steps, the state shown each time."""
    _, _, stepper = long_walk
    assert len(stepper.timeline) > 50

    def there_and_back() -> None:
        stepper._states.clear()
        stepper.jump(1)
        assert len(stepper.state["messages"]) == 5001

    assert cpu_ms(there_and_back) < 200
    stepper.jump(len(stepper.timeline) - 1)


def test_a_step_of_a_long_walk_is_quick(long_walk: Any) -> None:
    """Any stage, the tool calls' too; the building of the JSON itself counts with the call to the model."""
    _, _, stepper = long_walk
    for node in ("dispatch_tools", "bill", "prep_second_request"):
        place = max(step.number for step in stepper.timeline if node in step.nodes and not step.failed)
        stepper.jump(place)
        fork = stepper.fork(f"at {node}")
        spent = []
        for _ in range(3):
            before = time.process_time()
            fork.step()
            spent.append((time.process_time() - before) * 1000)
            fork.back(1)
            fork.edit(turn_id="t")
        print(node, spent)
        assert min(spent) < 200, f"a step of `{node}`"
