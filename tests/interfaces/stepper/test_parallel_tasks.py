"""Parallel tasks are told apart: each has its name and number, its state, and its own answer."""

import asyncio
from operator import add
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from langgraph.graph import START, StateGraph
from langgraph.types import Send, interrupt
from pydantic import SecretStr

from tests.interfaces.stepper.test_stepper import OSLO, ROME, weather
from tests.turns import ask, turn_on
from turngraph.interfaces.stepper import TurnStepper
from turngraph.interfaces.stepper.views.panes import headline, pane_of, step_now
from turngraph.interfaces.stepper.views.state_edits import edit_state
from turngraph.interfaces.stepper.views.status import NodeStatus, node_statuses, problems_of
from turngraph.interfaces.stepper.views.widget_view import widget_view
from turngraph.scripted import Call, Fail, Say, ScriptedModel


class Words(TypedDict, total=False):
    """The state of the graph and of each task."""

    words: list[str]
    word: str
    said: Annotated[list[str], add]


class Said(TypedDict):
    """What a task writes."""

    said: Annotated[list[str], add]


def say(state: Words) -> dict[str, Any]:
    """Asks, fails or says the word."""
    word = state["word"]
    if word == "fail":
        raise LookupError("no such word")
    return {"said": [interrupt("Which word?") if word == "ask" else word.upper()]}


def spread(worker: Any) -> Any:
    """A graph that gives each word to a task of its own."""
    builder = StateGraph(Words).add_node("each", worker)
    sends = lambda state: [Send("each", {"word": word}) for word in state["words"]]  # noqa: E731
    return builder.add_conditional_edges(START, sends, ["each"]).compile()


def rows(stepper: TurnStepper) -> list[tuple[str, ...]]:
    """What the pane shows of each task but what it was given."""
    return [(status, name, answer) for status, name, _, answer in pane_of(stepper, "tasks").rows]


def test_the_timeline_says_which_of_the_parallel_tasks_ran() -> None:
    """Also inside of their subgraphs, in the first line and in a comparison."""
    builder = StateGraph(Words, output_schema=Said).add_node("say", say).add_edge(START, "say")
    inner = builder.compile()
    with TurnStepper(spread(inner), {"words": ["a", "b", "c"]}) as stepper:
        stepper.step()
        stepper.step_into()
        other = stepper.fork("other")
        stepper.step_into()
        other.step()
        assert widget_view(stepper)["steps"] == [
            "0: start → each 1, each 2, each 3",
            "1: entered each 1, each 2, each 3 → each 1/say, each 2/say, each 3/say",
            "2: each 1/say, each 1 → each 2/say, each 3/say",
            "3: each 2/say, each 2 → each 3/say",
        ]
        assert "step 3: each 2/say, each 2 → each 3/say" in headline(stepper)
        assert stepper.compare("main", "other").first_steps[0] == "each 2/say, each 2 → each 3/say"
        assert str(stepper.timeline[1]) == "1: entered each → each/say (3 tasks)"


def test_the_pane_diff_compares_each_graph_with_itself() -> None:
    """Two tasks have states of their own, and neither is what the graph around them has."""
    builder = StateGraph(Words, output_schema=Said).add_node("say", say).add_node("again", say)
    builder.add_edge(START, "say").add_edge("say", "again")
    with TurnStepper(spread(builder.compile()), {"words": ["a", "b"]}) as stepper:
        stepper.step()
        assert pane_of(stepper, "diff").rows == ()
        stepper.step_into()
        assert pane_of(stepper, "diff").rows == (("said 1", "(absent)", "A"),)
        stepper.back()
        stepper.jump(1)
        together = stepper.fork("together")
        together.step()
        both = pane_of(together, "diff").rows
        assert both == (
            ("each 1: said 1", "(absent)", "A"),
            ("each 2: said 1", "(absent)", "B"),
        )
        together.run()
        assert [path for path, *_ in pane_of(together, "diff").rows] == [
            f"said {place}" for place in range(1, 5)
        ]


def test_of_very_many_tasks_the_first_are_named_and_the_others_counted() -> None:
    """A line that names two hundred tasks is read by nobody."""
    with TurnStepper(spread(say), {"words": [str(n) for n in range(200)]}) as stepper:
        start = widget_view(stepper)["steps"][0]
        assert start == "0: start → each 1, each 2, each 3, each 4, each 5, each 6, 194 more"


def test_each_task_has_its_number_its_state_and_its_answer() -> None:
    """Also when they are stepped one by one, and when one asks a person."""
    with TurnStepper(spread(say), {"words": ["a", "ask", "c"]}) as stepper:
        assert pane_of(stepper, "tasks").rows[1] == ("▶ next", "each 2", "{'word': 'ask'}", "")
        stepper.step_into()
        assert rows(stepper) == [
            ("✓ done", "each 1", "{'said': ['A']}"),
            ("▶ next", "each 2", ""),
            ("▶ next", "each 3", ""),
        ]
        stepper.step()
        assert rows(stepper)[1:] == [
            ("? waiting", "each 2", "Which word?"),
            ("✓ done", "each 3", "{'said': ['C']}"),
        ]
        stepper.answer("B")
        assert rows(stepper)[1] == ("✓ done", "each 2", "{'said': ['B']}")


def test_a_task_that_failed_says_why_and_how_many_did() -> None:
    """Its siblings keep what they have said."""
    with TurnStepper(spread(say), {"words": ["a", "fail", "fail"]}) as stepper:
        for _ in range(2):
            stepper.step_into()
        assert rows(stepper)[:2] == [
            ("✓ done", "each 1", "{'said': ['A']}"),
            ("✗ failed", "each 2", "LookupError: no such word"),
        ]
        assert pane_of(stepper, "tasks").note == "1 of 3 failed"


@pytest.mark.parametrize("inside", [False, True])
def test_it_is_said_which_of_the_parallel_tasks_failed(inside: bool, tmp_path: Path) -> None:
    """One beside it is done, another is stopped half way: neither has failed with it."""
    done = asyncio.Event()

    async def work(state: Words) -> dict[str, Any]:
        word = state["word"]
        if word == "fail":
            await done.wait()
            raise LookupError("no such word")
        if word == "slow":
            await asyncio.sleep(60 if not done.is_set() else 0)
        done.set()
        return {"said": [word]}

    builder = StateGraph(Words, output_schema=Said).add_node("say", work).add_edge(START, "say")
    worker: Any = builder.compile() if inside else work
    with TurnStepper(spread(worker), {"words": ["slow", "fail", "quick"]}) as stepper:
        for _ in range(2 if inside else 1):
            stepper.step()
        end = "/say" if inside else ""
        text = f"each 2{end} failed: LookupError (each 3"
        assert text in step_now(stepper)
        assert f"done, each 1{end} stopped)" in step_now(stepper)
        assert [row[:2] for row in rows(stepper)] == [
            ("▶ at say" if inside else "▶ next", "each 1"),
            ("✗ failed", "each 2"),
            ("✓ done", "each 3"),
        ]
        assert "stopped half way" in rows(stepper)[0][2]
        assert pane_of(stepper, "tasks").note == "1 of 3 failed"
        assert problems_of(stepper) == ("LookupError: no such word",)
        assert node_statuses(stepper)["say" if inside else "each"].mark == "failed"
        stepper.save(tmp_path / "run.json")
        with TurnStepper.open(tmp_path / "run.json", stepper.graph) as opened:
            assert step_now(opened) == step_now(stepper)
            assert rows(opened) == rows(stepper)


def test_the_screen_is_about_the_task_that_failed() -> None:
    """Its graph and its state are shown, and edited, and not those of a task that waits beside it;
    what runs again and fails again has failed once.
    """
    builder = StateGraph(Words, output_schema=Said).add_node("say", say).add_node("again", say)
    builder.add_edge(START, "say").add_edge("say", "again")
    with TurnStepper(spread(builder.compile()), {"words": ["a", "fail"]}) as stepper:
        for _ in range(2):
            stepper.step()
        view = widget_view(stepper)
        assert view["next"]["text"] == (
            "`each/say` failed. Step runs it again and goes on with `each/again`, as it is or as "
            "you edit it."
        )
        assert view["graph"] == "each 2"
        assert view["panes"]["state"]["note"] == "2 values of each 2"
        stepper.step()
        assert node_statuses(stepper)["say"] == NodeStatus("failed")
        edit_state(stepper, {"name": "word", "value": '"b"'})
        assert stepper.run().finished
        assert stepper.state["said"] == ["A", "A", "B", "B"]


def test_the_tasks_of_langgraph_s_own_agent_are_calls_and_their_results() -> None:
    """In words, as those of a turn: `create_agent` gives each call a task of its own."""
    with ScriptedModel([Call(OSLO, ROME), Say("Rain.")]) as model:
        chat = ChatOpenAI(model="gpt-4o-mini", base_url=model.base_url, api_key=SecretStr("none"))
        with TurnStepper(create_agent(chat, tools=[weather]), ask("?")) as stepper:
            stepper.run_until("tools")
            stepper.step()
            assert [row[2:] for row in pane_of(stepper, "tasks").rows] == [
                ('weather({"city": "Oslo"})', "Oslo: rain"),
                ('weather({"city": "Rome"})', "Rome: rain"),
            ]


def test_subgraphs_say_where_they_are() -> None:
    """And their answer when they are done."""
    inner = StateGraph(Words).add_node("say", say).add_edge(START, "say").compile()
    with TurnStepper(spread(inner), {"words": ["a", "b"]}) as stepper:
        stepper.step()
        assert rows(stepper) == [("▶ at say", "each 1", ""), ("▶ at say", "each 2", "")]
        stepper.step_into()
        assert rows(stepper)[0] == ("✓ done", "each 1", "{'word': 'a', 'said': ['A']}")


def test_turns_side_by_side_have_an_answer_each() -> None:
    """One was answered, one was refused."""
    with ScriptedModel([Say("One."), Fail(401)]) as model:
        turn = turn_on(model)
        builder = StateGraph(Words).add_node("chat", turn)
        sends = lambda state: [Send("chat", ask(word)) for word in state["words"]]  # noqa: E731
        graph = builder.add_conditional_edges(START, sends, ["chat"]).compile()
        with TurnStepper(graph, {"words": ["a", "b"]}) as stepper:
            for _ in range(9):
                stepper.step_into()
            assert "▶ at" in rows(stepper)[1][0]
            stepper.run()
            done, failed = rows(stepper)
            assert done == ("✓ done", "chat 1", "One.")
            assert failed[:2] == ("✗ failed", "chat 2")
            assert "401" in failed[2]


def test_calls_of_the_same_tool_are_numbered() -> None:
    """In the pane of tools, where each has its arguments and its result."""
    with (
        ScriptedModel([Call(OSLO, ROME), Say("Rain.")]) as model,
        TurnStepper(turn_on(model, tools=[weather]), ask("?")) as stepper,
    ):
        stepper.run()
        assert [row[1] for row in pane_of(stepper, "tools").rows] == ["weather 1", "weather 2"]
        assert pane_of(stepper, "tasks").is_empty
        names = [each["name"] for each in widget_view(stepper)["calls"]]
        assert names == ["weather 1", "weather 2"], "the forms are called as the rows are"
        stepper.edit(tool=stepper.state["tool_runs"][1].call_id, result="hail")
        assert "edited the result of weather 2" in step_now(stepper)
