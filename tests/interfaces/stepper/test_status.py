"""What is shown is what happened: failures, refusals and questions, in marks and sentences."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from operator import add
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langgraph.graph import END, MessagesState, StateGraph
from langgraph.types import Send, interrupt

from tests.turns import ask, config, turn_on
from turngraph.billing import Budget, Ledger
from turngraph.drawing import draw_text
from turngraph.graphs import chat_turn
from turngraph.interfaces.stepper import TurnStepper
from turngraph.interfaces.stepper.views.page import graph_svg, pane_texts
from turngraph.interfaces.stepper.views.questions import answer_draft, question_text
from turngraph.interfaces.stepper.views.status import (
    answer_of,
    node_statuses,
    problems_of,
    step_mark,
    turn_mark,
    why_no_step,
)
from turngraph.interfaces.stepper.views.widget_view import widget_view
from turngraph.providers import OpenAIProvider
from turngraph.providers.timeouts import Timeouts
from turngraph.scripted import Call, Fail, Hang, Say, ScriptedModel
from turngraph.state.limits import TurnLimits


@tool
def pay(usd: int) -> str:
    """Pays."""
    if usd > 100:
        raise ValueError(f"{usd} is too much")
    return f"paid {usd}"


@contextmanager
def stepping(script: list[Any], **options: Any) -> Iterator[TurnStepper]:
    with (
        ScriptedModel(script) as model,
        TurnStepper(turn_on(model, tools=[pay], **options), ask("Pay!")) as stepper,
    ):
        yield stepper


def marks(stepper: TurnStepper) -> dict[str, str]:
    return {node: status.mark for node, status in node_statuses(stepper).items()}


def test_a_refused_call_is_failed_and_its_sentence_stands_where_the_answer_would() -> None:
    """The stages after it ran well; the turn did not."""
    with stepping([Fail(401)]) as stepper:
        stepper.run()
        assert marks(stepper)["call_llm"] == "failed"
        assert marks(stepper)["finalize"] == "done"
        assert marks(stepper)[END] == turn_mark(stepper) == "failed"
        assert "401" in answer_of(stepper).text
        assert "401" in problems_of(stepper)[0]
        assert "401" in pane_texts(stepper)["answer"]
        assert [step_mark(step) for step in stepper.timeline].count("failed") == 1
        # The last stage did what it had to; the line that ends with it says how the turn ended.
        view = widget_view(stepper)
        assert (view["marks"][-1], view["steps"][-1]) == ("failed", "4: finalize → failed")
        assert 'data-mark="failed"' in graph_svg(stepper)
        assert "over" in why_no_step(stepper)


def test_an_answer_that_was_cut_stands_below_why() -> None:
    """What has arrived is worth reading."""
    with stepping([Say("Bergen: ra", finish_reason="length")]) as stepper:
        stepper.run()
        assert answer_of(stepper).mark == "failed"
        assert answer_of(stepper).text.endswith("\n\nBergen: ra")


def test_a_request_that_timed_out_is_a_failed_call() -> None:
    """The sentence names the time that was allowed."""
    with ScriptedModel([Hang(30)]) as model:
        provider = OpenAIProvider(config(model, timeouts=Timeouts(total_s=0.3)))
        with TurnStepper(chat_turn(provider), ask("Hi")) as stepper:
            stepper.run()
            assert marks(stepper)["call_llm"] == "failed"
            assert "0.3" in answer_of(stepper).text


def test_a_budget_and_a_limit_are_failures_of_the_stage_that_met_them() -> None:
    """Nothing was sent, and a reader must see why."""
    with Ledger("sqlite://") as ledger:
        poor = {"ledger": ledger, "budget": Budget(usd="0.0000001")}
        with stepping([Say("?")], **poor) as stepper:
            stepper.run()
            assert marks(stepper)["prep_first_request"] == "failed"
            assert "budget of one turn" in answer_of(stepper).text
    with stepping([Call(("pay", {"usd": 1}))], limits=TurnLimits(tool_calls=0)) as stepper:
        stepper.run()
        assert marks(stepper)["call_llm"] == "failed"
        assert "tool_calls" in answer_of(stepper).text


def test_of_several_calls_it_is_said_how_many_failed() -> None:
    """The turn goes on, and its answer is no failure."""
    calls = Call(("pay", {"usd": 1}), ("pay", {"usd": 500}), ("pay", {"usd": 2}))
    with stepping([calls, Say("Two were paid.")]) as stepper:
        stepper.run_until("prep_second_request")
        assert node_statuses(stepper)["dispatch_tools"] == ("failed", "1 of 3 failed")
        assert "1 of 3 failed" in graph_svg(stepper)
        assert problems_of(stepper) == (
            "The tool `pay` failed (error): ValueError: 500 is too much",
        )
        assert step_mark(stepper.now) == "failed"
        stepper.run()
        assert turn_mark(stepper) == "done"
        assert answer_of(stepper)[:2] == ("done", "Two were paid.")
        assert problems_of(stepper) == ()


def test_a_call_that_reached_no_tool_is_not_said_to_have_failed_in_one() -> None:
    """A person refused it, or there is no such tool: nothing ran."""
    with stepping([Call(("pay", {"usd": 1})), Say("No.")], approve=True) as stepper:
        stepper.run()
        stepper.answer({"decision": "reject"})
        (problem,) = problems_of(stepper)
        assert problem.startswith("The tool `pay` did not run (rejected): A person refused")
    with stepping([Call(("lend", {})), Say("No.")]) as stepper:
        stepper.run_until("prep_second_request")
        (problem,) = problems_of(stepper)
        assert problem.startswith("The tool `lend` did not run (unknown): ")


def test_the_answer_of_an_earlier_call_is_not_shown_as_this_one_s() -> None:
    """Before a call is sent it has no answer, and after it failed none either."""
    with stepping([Call(("pay", {"usd": 1})), Fail(500), Fail(500), Fail(500)]) as stepper:
        stepper.run_until("dispatch_tools")
        assert answer_of(stepper)[:2] == ("done", 'calls pay({"usd": 1})')
        stepper.run_until("call_llm")
        assert answer_of(stepper) == ("next", "", "call 2 is about to be sent")
        stepper.run()
        assert answer_of(stepper).mark == "failed"
        assert "call_" not in pane_texts(stepper)["response"]
        assert "500" in pane_texts(stepper)["response"]


@pytest.mark.parametrize("nodes", [["finalize"], ["bill", "finalize"]])
def test_what_kept_the_answer_away_is_said_once(nodes: list[str]) -> None:
    """In the answer's place; another failure stands in the pane `problem`."""
    with stepping([Fail(401)]) as stepper:
        for node in nodes:
            stepper.run_until(node)
        texts = pane_texts(stepper)
        assert sum(texts[name].count("answered 401") for name in ("problem", "answer")) == 1
        assert "answered 401" in texts["answer"]
        assert "answered 401" not in texts["response"]
        assert '"status": 401' in texts["response"]


def test_a_comparison_leads_with_what_came_of_each_line() -> None:
    """Status, answer, error, cost, calls, then the first difference; messages by place and role."""
    with stepping([Fail(401), Say("Paid.")]) as stepper:
        stepper.run()
        stepper.jump(1)
        stepper.edit(request={"temperature": 0.5})
        stepper.run()
        comparison = stepper.compare("fork 1", "main")
        assert [row[0] for row in comparison.rows] == [
            *("status", "answer", "error", "cost", "calls to the model", "steps"),
            "first difference",
        ]
        status, answer, error, *_, difference = comparison.rows
        assert status[1:] == ("done", "failed")
        assert answer[1:] == ("Paid.", "")
        assert error[1] == ""
        assert "401" in error[2]
        assert difference[1].startswith("edited the request")
        assert difference[2] == "call_llm → bill"
        assert "differ from step 2 on (fork 1: edited the request" in comparison.summary
        assert "main: call_llm → bill" in comparison.summary
        assert "message 2 (assistant)" in [change.path for change in comparison.changes]
        assert "status: done | failed" in pane_texts(stepper)["compare"]
        assert stepper.compare("main", "main").summary == "the lines do not differ"


def test_waiting_for_a_person_is_no_problem() -> None:
    """It has a mark and a pane of its own, and the editor begins with the present arguments."""
    from langgraph.checkpoint.memory import InMemorySaver

    options = {"approve": True, "checkpointer": InMemorySaver()}
    with stepping([Call(("pay", {"usd": 5})), Say("Paid.")], **options) as stepper:
        stepper.run()
        (waiting,) = stepper.now.waiting
        assert marks(stepper)["dispatch_tools"] == turn_mark(stepper) == "waiting"
        assert answer_of(stepper)[:2] == ("waiting", 'May pay({"usd": 5}) run?')
        assert pane_texts(stepper)["question"] == question_text(waiting.interrupt.value)
        assert pane_texts(stepper)["problem"] == ""
        draft = answer_draft(waiting.interrupt.value)
        assert draft == '{"decision": "edit", "arguments": {"usd": 5}}'
        assert "answer the question" in why_no_step(stepper)


class State(MessagesState):
    seen: Annotated[list[int], add]


class Item(TypedDict):
    item: int


def test_a_graph_without_any_turn_is_marked_the_same_way() -> None:
    """A node that raised, a tool message that says `error`, an interrupt, one of several Sends."""

    def work(state: Item) -> dict[str, Any]:
        if state["item"] == 2:
            message = ToolMessage("no such file", tool_call_id="c", name="read", status="error")
            return {"messages": [message]}
        return {"seen": [state["item"]]}

    def ask_person(state: State) -> dict[str, Any]:
        return {"seen": [interrupt("How many?")]}

    def fail(state: State) -> None:
        raise RuntimeError("the last node fails")

    builder = StateGraph(State)
    builder.add_node("work", work)
    builder.add_node("ask", ask_person)
    builder.add_node("fail", fail)
    sends = lambda state: [Send("work", {"item": item}) for item in (1, 2)]  # noqa: E731
    builder.set_conditional_entry_point(sends, ["work"])
    builder.add_edge("work", "ask")
    builder.add_edge("ask", "fail")
    with TurnStepper(builder.compile(), {"messages": [], "seen": []}) as stepper:
        assert node_statuses(stepper, "running") == {"work": ("running", "")}
        stepper.step()
        assert node_statuses(stepper)["work"] == ("failed", "1 of 2 failed")
        assert problems_of(stepper) == ("The tool `read` failed (error): no such file",)
        stepper.step()
        assert marks(stepper)["ask"] == "waiting"
        stepper.answer(3)
        stepper.step()
        assert marks(stepper) == {"work": "failed", "ask": "done", "fail": "failed"}
        assert answer_of(stepper)[:2] == ("failed", "RuntimeError: the last node fails")


def test_a_node_that_calls_sys_exit_has_failed() -> None:
    """asyncio would end the stepper's loop; instead one can go back and step again."""

    def leave(state: MessagesState) -> None:
        sys.exit(3)

    builder = StateGraph(MessagesState)
    builder.add_node("leave", leave)
    builder.set_entry_point("leave")
    with TurnStepper(builder.compile(), {"messages": []}) as stepper:
        for _ in range(2):
            stepper.step()
            assert answer_of(stepper)[1] == "NodeExitError: The node has called `sys.exit(3)`."
            stepper.back()


@pytest.mark.parametrize("node", ["call_llm", "bill"])
def test_the_text_picture_has_the_signs(node: str) -> None:
    """The boxes keep their places, whatever is marked."""
    with stepping([Say("Hi")]) as stepper:
        graph = stepper.graph.get_graph()
    plain, marked = draw_text(graph, marks={}), draw_text(graph, marks={node: "failed"})
    assert f"✗ {node}" in marked
    assert [len(line) for line in plain.splitlines()] == [len(line) for line in marked.splitlines()]
