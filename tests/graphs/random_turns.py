"""Random turns, and everything that anyone can see of one."""

import asyncio
import json
import random
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_config
from langgraph.types import Command, interrupt
from sqlalchemy import select

from tests.turns import KEY, ask
from turngraph import Budget, Ledger, ProviderConfig, ScriptedModel, TurnLimits, chat_turn
from turngraph.billing.store.schema import attempt_t
from turngraph.graphs import TurnGraph
from turngraph.scripted import Call, Cut, Fail, Refuse, Say
from turngraph.state import StageState, StageUpdate, TurnEvent, TurnResult
from turngraph.state.events import (
    ApprovalAsked,
    ApprovalDecided,
    PluginCalled,
    ToolRequested,
    ToolResponded,
)
from turngraph.tools import Retry, load_manifests

__all__ = ["Observed", "Plan", "observe"]


HANGS_S = 1.5
"""How long a tool may take in a turn with one that hangs: the others need it on a busy machine."""


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
    time.sleep(2 * HANGS_S)
    return "late"


@tool
def asks(x: int) -> str:
    """Ask a person."""
    return f"{x}: {interrupt({'number': x})}"


@tool
def gives_up(x: int) -> str:
    """Cancel the turn, as its caller could."""
    get_config()["configurable"]["cancel"].set()
    return "cancelled"


TOOLS = [works, fails, hangs, asks, gives_up]

PLUGINS = """
apiVersion: smarter.sh/v1
kind: Plugin
metadata: {name: always_on, description: A test., version: 1.0.0, pluginClass: static}
spec:
  selector: {directive: always}
  prompt: {provider: openai, systemRole: Be kind., temperature: 0.0, maxTokens: 99}
  data: {description: Facts., staticData: {price: 9 USD}}
---
apiVersion: smarter.sh/v1
kind: Plugin
metadata: {name: aside, description: A test., version: 1.0.0, pluginClass: static}
spec:
  selector: {directive: llm}
  prompt: {provider: openai, systemRole: You know the aside., model: gpt-4o}
  data: {description: Facts., staticData: {aside: told}}
"""
"""One plugin that joins every turn, and one that joins when the model calls it."""


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
    watched: bool = False
    """Whether the turn is streamed, and its events are read from LangGraph's `custom` stream."""

    @classmethod
    def random(cls, seed: int) -> "Plan":
        """The turn of a seed."""
        chance = random.Random(seed)
        plan = cls(seed)
        plan.api = chance.choice(["chat", "responses"])
        plan.keeps_thread, plan.run_async = chance.random() < 0.5, chance.random() < 0.5
        plan.ledger = chance.random() < 0.4
        plan.watched = not plan.keeps_thread and chance.random() < 0.3
        names = ["works", "works", "fails", *(["asks"] if plan.keeps_thread else [])]
        if chance.random() < 0.3:
            plan.options["plugins"] = load_manifests(PLUGINS)
            names += ["always_on", "aside"]
        if chance.random() < 0.3:
            plan.options["retries"] = {"fails": Retry(on=(ValueError,), attempts=2, wait_s=0.0)}
        if chance.random() < 0.05:
            names.append("hangs")
        plan.script = [_step(chance, names, number) for number in range(chance.randint(0, 3))]
        plan.script.append(chance.choice([Say("done"), Say("done"), Refuse("No."), Say("")]))
        plan.options["stream"] = chance.random() < 0.4
        plan.options["limits"] = TurnLimits(
            calls=chance.choice([1, 2, 8]),
            tool_calls=chance.choice([1, 2, 16]),
            tool_seconds=HANGS_S if "hangs" in names else 30,
        )
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
    if kind < 0.7:
        called = [chance.choice([*names, "unknown"]) for _ in range(chance.randint(1, 3))]
        return Call(
            *(
                (name, _arguments(name, chance), f"call-{number}-{n}")
                for n, name in enumerate(called)
            )
        )
    if kind < 0.75:
        # Alone: which of its siblings have begun when it cancels the turn is chance.
        return Call(("gives_up", {"x": 0}, f"call-{number}-0"))
    if kind < 0.85:
        return Fail(chance.choice([400, 401, 429, 500]), headers={"Retry-After": "0"})
    return Cut(after=1) if kind < 0.9 else Say("enough")


def _arguments(name: str, chance: random.Random) -> dict[str, Any]:
    if name in ("always_on", "aside"):
        return {"inquiry_type": chance.choice(["price", "aside"])}
    return {"x": chance.choice([*range(10), "no number"])}


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
    results: list[TurnResult] = []

    def keep(result: TurnResult) -> TurnResult:
        results.append(result)
        return result

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
            on_finish=keep,
            steps=steps,  # type: ignore[arg-type]
            **plan.options,
        )
        if plan.watched:
            streamed = asyncio.run(_awatched(turn)) if plan.run_async else _watched(turn)
            assert streamed == events
            messages = []
        else:
            out = asyncio.run(_afinished(turn)) if plan.run_async else _finished(turn)
            assert out["result"] == results[-1]
            messages = [message.model_dump() for message in out["messages"]]
        requests = [plain(request.body) for request in model.requests]
    attempts = [] if ledger is None else _attempts(ledger)
    if ledger is not None:
        assert ledger.verify() == []
        ledger.close()
    result = plain(results[-1].model_dump_json())
    return Observed(requests, _in_order(events), result, plain(messages), attempts)


def _config() -> Any:
    return {"configurable": {"thread_id": "t", "cancel": Event()}}


def _watched(turn: TurnGraph) -> list[Any]:
    return list(turn.stream(ask("Go", turn_id="turn"), _config(), stream_mode="custom"))


async def _awatched(turn: TurnGraph) -> list[Any]:
    parts = turn.astream(ask("Go", turn_id="turn"), _config(), stream_mode="custom")
    return [part async for part in parts]


def _finished(turn: TurnGraph) -> dict[str, Any]:
    config = _config()
    out: dict[str, Any] = turn.invoke(ask("Go", turn_id="turn"), config)
    while "__interrupt__" in out:
        out = turn.invoke(Command(resume=_answers(out)), config)
    return out


async def _afinished(turn: TurnGraph) -> dict[str, Any]:
    config = _config()
    out: dict[str, Any] = await turn.ainvoke(ask("Go", turn_id="turn"), config)
    while "__interrupt__" in out:
        out = await turn.ainvoke(Command(resume=_answers(out)), config)
    return out


def _answers(out: dict[str, Any]) -> dict[str, Any]:
    return {each.id: {"decision": "approve"} for each in out["__interrupt__"]}


def _attempts(ledger: Ledger) -> list[str]:
    columns = ("kind", "tool", "state", "basis", "charge_nano", "hold_nano", "request_sha")
    with ledger.store.engine.connect() as conn:
        rows = conn.execute(select(attempt_t).order_by(attempt_t.c.created)).mappings().all()
    # The SHA-256 covers the vendor's own ids, which are new in every run.
    return sorted(str([row[name] for name in columns[:-1]]) for row in rows)


_OF_TOOLS = (ToolRequested, ToolResponded, PluginCalled, ApprovalAsked, ApprovalDecided)


def _in_order(events: list[TurnEvent]) -> list[str]:
    """The events, those of tools that ran side by side sorted, each question to a person once."""
    told: list[str] = []
    side_by_side: list[str] = []
    for event in [*events, None]:
        if isinstance(event, _OF_TOOLS):
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
