"""One step for all stages, or one step a stage: nobody can tell from what a turn did.

Random turns, each run both ways. `TURNGRAPH_STEP_SEEDS=2000` runs so many, 100 are the default; a
failure names its seed.
"""

import asyncio
import json
import os
import random
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from sqlalchemy import select

from tests.turns import KEY, ask, both_ways, result_of
from turngraph import Budget, Ledger, ProviderConfig, ScriptedModel, TurnLimits, chat_turn
from turngraph.billing.store.schema import attempt_t
from turngraph.graphs import TurnGraph
from turngraph.scripted import Call, Cut, Fail, Refuse, Say
from turngraph.state import StageState, StageUpdate, TurnEvent

SEEDS = int(os.environ.get("TURNGRAPH_STEP_SEEDS", "100"))


@tool
def works(x: int) -> str:
    """Answer with twice the number."""
    return str(2 * x)


@tool
def fails(x: int) -> str:
    """Raise."""
    raise ValueError(f"no {x}")


@tool
def hangs(x: int) -> str:
    """Take longer than it may."""
    time.sleep(0.5)
    return "late"


@tool
def asks(x: int) -> str:
    """Ask a person."""
    return f"{x}: {interrupt({'number': x})}"


TOOLS = [works, fails, hangs, asks]


@dataclass
class Plan:
    """One random turn: what the model answers, and how the turn is built and run."""

    seed: int
    script: list[Any] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    api: str = "chat"
    ledger: bool = False
    keeps_thread: bool = False
    run_async: bool = False

    @classmethod
    def random(cls, seed: int) -> "Plan":
        """The turn of a seed."""
        chance = random.Random(seed)
        plan = cls(seed)
        plan.api = chance.choice(["chat", "responses"])
        plan.keeps_thread, plan.run_async = chance.random() < 0.5, chance.random() < 0.5
        plan.ledger = chance.random() < 0.4
        names = ["works", "works", "fails", *(["asks"] if plan.keeps_thread else [])]
        if chance.random() < 0.05:
            names.append("hangs")
        plan.script = [_step(chance, names, number) for number in range(chance.randint(0, 3))]
        plan.script.append(chance.choice([Say("done"), Say("done"), Refuse("No."), Say("")]))
        plan.options = {
            "stream": chance.random() < 0.4,
            "limits": TurnLimits(
                calls=chance.choice([1, 2, 8]),
                tool_calls=chance.choice([1, 2, 16]),
                tool_seconds=0.1 if "hangs" in names else 30,
            ),
        }
        if plan.keeps_thread and chance.random() < 0.3:
            plan.options["approve"] = ["works"]
        if chance.random() < 0.3:
            plan.options["before_model"] = [remind]
            plan.options["before_tools"] = [only_small]
        if plan.ledger and chance.random() < 0.5:
            plan.options["budget"] = Budget(usd=chance.choice(["0.0001", "0.01", "1"]))
        return plan


def _step(chance: random.Random, names: list[str], number: int) -> Any:
    kind = chance.random()
    if kind < 0.75:
        calls = [
            (chance.choice([*names, "unknown"]), {"x": chance.randint(0, 9)}, f"call-{number}-{n}")
            for n in range(chance.randint(1, 3))
        ]
        return Call(*calls)
    if kind < 0.85:
        return Fail(chance.choice([400, 401, 429, 500]), headers={"Retry-After": "0"})
    return Cut(after=1) if kind < 0.9 else Say("enough")


def remind(state: StageState) -> StageUpdate:
    """Edit the request."""
    return {"request": state["request"].model_copy(update={"temperature": 0.5})}


def only_small(state: StageState) -> StageUpdate:
    """Leave calls out."""
    small = [call for call in state["pending_tool_calls"] if '"x": 9' not in call.arguments]
    return {"pending_tool_calls": small}


@dataclass
class Observed:
    """What anyone can see of a turn, without ids, times and the order of parallel tools."""

    requests: list[str]
    events: list[str]
    result: str
    messages: str
    attempts: list[str]


_IDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:-\d+)*|[0-9a-f]{16,}(?:-\d+)*")
_TIMES = re.compile(r'"(?:seconds|created|\w+_at)": ?[0-9.e+-]+')


def plain(value: Any) -> str:
    """`value` as text, with every minted id replaced by the place where it first appears."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, sort_keys=True)
    seen: dict[str, str] = {}
    text = _TIMES.sub("", text)
    return _IDS.sub(lambda found: seen.setdefault(found[0], f"<id {len(seen)}>"), text)


def observe(plan: Plan, steps: str, folder: Path) -> Observed:
    """Run the turn of `plan` to its end, with a person who approves and answers everything."""
    events: list[TurnEvent] = []
    folder.mkdir()
    ledger = Ledger(f"sqlite:///{folder}/ledger.db") if plan.ledger else None
    with ScriptedModel(plan.script) as model:
        provider = ProviderConfig(
            vendor="openai", model="gpt-4o-mini", base_url=model.base_url, api_key=KEY, api=plan.api
        )
        turn = chat_turn(
            provider,
            tools=TOOLS,
            checkpointer=InMemorySaver() if plan.keeps_thread else None,
            ledger=ledger,
            on_event=events.append,
            steps=steps,  # type: ignore[arg-type]
            **plan.options,
        )
        out = asyncio.run(_afinished(turn)) if plan.run_async else _finished(turn)
        requests = [plain(request.body) for request in model.requests]
    attempts = [] if ledger is None else _attempts(ledger)
    if ledger is not None:
        assert ledger.verify() == []
        ledger.close()
    result = result_of(out)
    return Observed(
        requests,
        _in_order(events),
        plain(result.model_dump_json()),
        plain([message.model_dump() for message in out["messages"]]),
        attempts,
    )


def _finished(turn: TurnGraph) -> dict[str, Any]:
    thread: Any = {"configurable": {"thread_id": "t"}}
    out: dict[str, Any] = turn.invoke(ask("Go", turn_id="turn"), thread)
    while "__interrupt__" in out:
        out = turn.invoke(Command(resume=_answers(out)), thread)
    return out


async def _afinished(turn: TurnGraph) -> dict[str, Any]:
    thread: Any = {"configurable": {"thread_id": "t"}}
    out: dict[str, Any] = await turn.ainvoke(ask("Go", turn_id="turn"), thread)
    while "__interrupt__" in out:
        out = await turn.ainvoke(Command(resume=_answers(out)), thread)
    return out


def _answers(out: dict[str, Any]) -> dict[str, Any]:
    return {each.id: {"decision": "approve"} for each in out["__interrupt__"]}


def _attempts(ledger: Ledger) -> list[str]:
    columns = ("kind", "tool", "state", "basis", "charge_nano", "hold_nano", "request_sha")
    with ledger.store.engine.connect() as conn:
        rows = conn.execute(select(attempt_t).order_by(attempt_t.c.created)).mappings().all()
    # The SHA-256 covers the vendor's own ids, which are new in every run.
    return sorted(str([row[name] for name in columns[:-1]]) for row in rows)


def _in_order(events: list[TurnEvent]) -> list[str]:
    """The events, those of tools that ran side by side sorted, each question to a person once."""
    told: list[str] = []
    side_by_side: list[str] = []
    for event in [*events, None]:
        if (
            event is not None
            and type(event).__name__.startswith("Tool")
            and hasattr(event, "call_id")
        ):
            side_by_side.append(_event(event))
            continue
        told += sorted(set(side_by_side))
        side_by_side = []
        if event is not None:
            told.append(_event(event))
    return told


def _event(event: TurnEvent) -> str:
    data = event.model_dump(mode="json", exclude={"seconds", "retry_in_s"})
    if "request" in data:
        data["request"] = event.request.model  # type: ignore[attr-defined]
    return plain(data)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_random_turn_does_the_same_in_one_step_and_in_a_step_a_stage(
    seed: int, tmp_path: Path
) -> None:
    """The same requests, events, result, messages and charges."""
    plan = Plan.random(seed)
    each, one = (observe(plan, steps, tmp_path / steps) for steps in ("each", "one"))
    assert one.requests == each.requests, plan
    assert one.events == each.events, plan
    assert one.result == each.result, plan
    assert one.messages == each.messages, plan
    assert one.attempts == each.attempts, plan


SIX = ["prep_first_request", "call_llm", "bill", "dispatch_tools", "prep_second_request"]


def on(model: ScriptedModel, **options: Any) -> TurnGraph:
    """A turn with one tool on `model`."""
    return chat_turn(
        ProviderConfig(base_url=model.base_url, model="m"), functions=["calculator"], **options
    )


def thread(name: str) -> Any:
    """The configuration of a thread."""
    return {"configurable": {"thread_id": name}}


@both_ways
def test_one_step_stores_one_checkpoint_for_the_whole_turn(run: Any) -> None:
    """The input, and the end; a step a stage stores each stage too."""
    with ScriptedModel() as model:
        turn = on(model, checkpointer=InMemorySaver(), steps="one")
        run(turn, ask("What is 6 * 7?"), thread("one"))
        each = on(model, checkpointer=InMemorySaver(), steps="each")
        run(each, ask("What is 6 * 7?"), thread("each"))
    assert len(list(turn.get_state_history(thread("one")))) == 3
    assert len(list(each.get_state_history(thread("each")))) > 8
    assert turn.get_state(thread("one")).next == ()


def test_a_thread_written_one_way_goes_on_the_other_way() -> None:
    """The state is the same, so a change of the setting needs no migration."""
    saver = InMemorySaver()
    with ScriptedModel() as model:
        one = on(model, checkpointer=saver, steps="one")
        each = on(model, checkpointer=saver, steps="each")
        for turn in (one, each, one):
            turn.invoke(ask("What is 6 * 7?"), thread("t"))
        conversation = each.get_state(thread("t")).values["messages"]
        sent = model.requests[-1].body["messages"]
    assert [message.type for message in conversation] == ["human", "ai", "tool", "ai"] * 3
    assert len(sent) == 12


def test_a_breakpoint_and_a_look_at_the_steps_are_always_a_step_a_stage() -> None:
    """Also where one step was asked for: it would pass the breakpoint by."""
    with ScriptedModel() as model:
        turn = on(model, checkpointer=InMemorySaver(), steps="one")
        turn.invoke(ask("Hello!"), thread("t"), interrupt_before=["call_llm"])
        assert turn.get_state(thread("t")).next == ("call_llm",)
        assert turn.invoke(None, thread("t"))["result"].status == "completed"
        updates = on(model).stream(ask("What is 6 * 7?"), stream_mode="updates")
        assert [name for update in updates for name in update][:5] == SIX


def test_watching_from_outside_shows_single_stages() -> None:
    """Tokens name the stage they come from, and a parent that streams subgraphs sees the nodes."""
    with ScriptedModel() as model:
        tokens = on(model, stream=True).stream(ask("Hello!"), stream_mode="messages")
        assert {metadata["langgraph_node"] for _, metadata in tokens} >= {"call_llm"}
        parent = StateGraph(MessagesState).add_node("chat", on(model)).add_edge(START, "chat")
        watched: Any = parent.compile().stream
        parts = watched(ask("What is 6 * 7?"), stream_mode="updates", subgraphs=True)
        inside = [name for namespace, update in parts if namespace for name in update]
    assert inside[:5] == SIX


def test_callbacks_are_told_of_every_stage() -> None:
    """A tracer draws the tree of a turn from them."""
    from langchain_core.callbacks import BaseCallbackHandler

    names: list[str] = []

    class Tracer(BaseCallbackHandler):
        def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
            names.append(str(kwargs.get("name")))

    with ScriptedModel() as model:
        on(model).invoke(ask("Hello!"), {"callbacks": [Tracer()]})
    assert {"prep_first_request", "call_llm", "bill", "finalize"} <= set(names)


@both_ways
def test_an_approval_leaves_the_one_step_and_nothing_is_called_twice(run: Any) -> None:
    """The model was asked before the person; a resume does not ask it again."""
    with ScriptedModel() as model:
        turn = on(model, checkpointer=InMemorySaver(), steps="one", approve=True)
        stopped = run(turn, ask("What is 6 * 7?"), thread("t"))
        assert stopped["__interrupt__"][0].value["tool"] == "calculator"
        assert turn.get_state(thread("t")).next == ("dispatch_tools",)
        out = run(turn, Command(resume={"decision": "approve"}), thread("t"))
        assert len(model.requests) == 2
    assert [each.status for each in result_of(out).tool_runs] == ["ok"]


def test_the_drawn_graph_is_the_same_whatever_the_steps() -> None:
    """How a turn is run is no part of what it is."""
    with ScriptedModel() as model:
        turns = [on(model, steps=steps) for steps in ("auto", "each", "one")]
        drawn = {turn.get_graph().draw_mermaid() for turn in turns}
    assert len(drawn) == 1
