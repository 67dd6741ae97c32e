"""What the pages of `docs/` promise. `promises.yaml` names the test of each; sentences that no
other test is about have theirs here, under the page that makes the promise.
"""

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from tests.paths import ROOT
from tests.turns import Run, ask, both_ways, turn_on
from turngraph.billing import Budget, Ledger
from turngraph.graphs import TurnGraph
from turngraph.interfaces.stepper import TurnStepper
from turngraph.scripted import Call, Say, ScriptedModel

THREAD: Any = {"configurable": {"thread_id": "t"}}
PROMISES: dict[str, dict[str, str]] = yaml.safe_load(
    (ROOT / "tests" / "promises.yaml").read_text("utf-8")
)
WITHOUT = {
    "docs/changelog.md",
    "docs/contributing.md",
    "docs/glossary.md",
    "docs/reference/index.md",
}
"""Pages that promise nothing, or only include another one."""


def test_every_page_has_its_promises_written_down() -> None:
    """A new page is looked through for what its readers can hold us to."""
    docs = ROOT / "docs"
    pages = {
        f"docs/{page.relative_to(docs)}"
        for page in docs.rglob("*.md")
        if not {"_build", "rooms"} & set(page.parts)
    }
    assert set(PROMISES) | WITHOUT == pages | {"README.md"}


@pytest.mark.parametrize("page", PROMISES)
def test_a_promise_stands_on_its_page_in_the_words_that_are_tested(page: str) -> None:
    """Whoever changes or drops the sentence sees here which test was about it."""
    text = " ".join((ROOT / page).read_text("utf-8").split())
    assert [words for words in PROMISES[page] if words not in text] == []


@pytest.mark.parametrize("page", PROMISES)
def test_the_test_of_a_promise_exists(page: str) -> None:
    """A test that was renamed or removed leaves its promise without one."""
    for words, test in PROMISES[page].items():
        file, _, name = test.partition("::")
        source = (ROOT / "tests" / file).read_text("utf-8")
        assert f"def {name}(" in source, f"{page}, {words!r}: there is no {test}"


def parent_of(turn: TurnGraph) -> Any:
    graph = StateGraph(MessagesState)
    graph.add_node("chat", turn)
    graph.add_edge(START, "chat")
    return graph.compile()


@both_ways
def test_turn_a_tool_that_interrupts_is_started_once_more_from_its_beginning(run: Run) -> None:
    """docs/turn.md: as LangGraph does at every resume; its call is made once."""
    begun = []

    @tool
    def lamp(room: str) -> str:
        """Switches the lamp in a room."""
        begun.append(room)
        return f"{room}: {interrupt('Which color?')}"

    with ScriptedModel([Call(("lamp", {"room": "hall"})), Say("Done.")]) as model:
        turn = turn_on(model, tools=[lamp], checkpointer=InMemorySaver())
        assert run(turn, ask("Light!"), THREAD)["__interrupt__"][0].value == "Which color?"
        result = run(turn, Command(resume="red"), THREAD)["result"]
        assert [each.content for each in result.tool_runs] == ["hall: red"]
        assert (begun, len(model.requests)) == (["hall", "hall"], 2)


@pytest.mark.parametrize("mode", ["custom", "messages", "updates", "values"])
def test_watching_without_a_stream_there_are_no_token_events(mode: Any) -> None:
    """docs/watching.md: whoever watches, the request is the one that was asked for."""
    seen: list[Any] = []
    with ScriptedModel([Say("It is 4.")]) as model:
        turn = turn_on(model, stream=False, on_event=seen.append)
        list(turn.stream(ask("2 + 2?"), stream_mode=mode))
        assert "stream" not in model.requests[0].body
    assert "token" not in {event.type for event in seen}


def test_watching_a_parent_hears_a_turns_events_only_with_subgraphs() -> None:
    """docs/watching.md: `stream_mode="custom"` of a parent is its own."""
    with ScriptedModel() as model:
        parent = parent_of(turn_on(model))
        alone = list(parent.stream(ask("Hi"), stream_mode="custom"))
        inside = list(parent.stream(ask("Hi"), stream_mode="custom", subgraphs=True))
    assert alone == []
    assert {event.type for _, event in inside} >= {"prompt_started", "prompt_finished"}


async def test_watching_langchains_events_have_no_tokens() -> None:
    """docs/watching.md: a turn is no chat model; its tokens are in `stream_mode="messages"`."""
    with ScriptedModel() as model:
        turn = turn_on(model, stream=True)
        names = {event["event"] async for event in turn.astream_events(ask("Hi"), version="v2")}
        chunks = [part async for part in turn.astream(ask("Hi"), stream_mode="messages")]
    assert not [name for name in names if name.startswith("on_chat_model")]
    assert len(chunks) > 1


@both_ways
def test_money_a_budget_counts_from_the_moment_it_is_stored(run: Run, tmp_path: Path) -> None:
    """docs/money.md: what was spent before is not in it."""
    with ScriptedModel() as model, Ledger(f"sqlite:///{tmp_path}/turns.db") as ledger:
        turn = turn_on(model, ledger=ledger)
        assert run(turn, ask("Hi"))["result"].cost_usd > 0
        ledger.set_budget(Budget(usd="0.01", per="ledger"))
        cost = run(turn, ask("Hi"))["result"].cost_usd
        [state] = ledger.budget_states()
        assert state.spent_usd == cost


def methods_of(kind: type) -> set[str]:
    return {
        name
        for name, value in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


def test_stepping_every_method_that_runs_something_has_an_async_version() -> None:
    """docs/stepping.md: `astep`, `arun`, `aedit`, …, which runs the same in a loop."""
    methods = methods_of(TurnStepper)
    runs = {"step", "step_into", "step_over", "run", "run_until", "edit", "answer", "retry", "fork"}
    assert {f"a{name}" for name in runs} <= methods

    async def walk(stepper: TurnStepper) -> tuple[str, ...]:
        await stepper.arun_until("call_llm")
        await stepper.aedit(request={"temperature": 0})
        await stepper.astep()
        other = await stepper.afork("other")
        await other.aretry()
        await stepper.arun()
        return tuple(stepper.forks)

    with ScriptedModel() as model, TurnStepper(turn_on(model), ask("Hi")) as stepper:
        lines = asyncio.run(walk(stepper))
        assert (lines[:2], stepper.now.finished, len(model.requests)) == (
            ("main", "other"),
            True,
            2,
        )
