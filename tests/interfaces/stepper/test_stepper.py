"""`TurnStepper` from the outside: it stops where it should, sends what it shows, and sends nothing
twice.
"""

import asyncio
import operator
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Send
from sqlalchemy import text

from tests.graphs.test_plugins import plugin
from tests.turns import KEY, ask, both_apis, turn_on
from turngraph.billing import Ledger
from turngraph.interfaces.stepper import Breakpoint, TurnStepper
from turngraph.scripted import Call, Fail, Say, ScriptedModel
from turngraph.state.errors import TurnInvocationError, TurnValueError
from turngraph.state.result import Charge, TurnResult
from turngraph.state.turn import TurnSettings
from turngraph.tools import load_manifests

STAGES = [
    *("prep_first_request", "call_llm", "bill", "dispatch_tools"),
    *("prep_second_request", "call_llm", "bill", "finalize"),
]
OSLO, ROME = ("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"})


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """Asks for the weather in two cities, then answers; two more answers are for forks."""
    with ScriptedModel(
        [Call(OSLO, ROME), Say("Rain."), Say("Still rain."), Say("Again.")]
    ) as scripted:
        yield scripted


@pytest.fixture
def stepper(model: ScriptedModel) -> Iterator[TurnStepper]:
    """Stands before the first stage of a turn with two tool calls."""
    with TurnStepper(turn_on(model, tools=[weather]), ask("Oslo and Rome?")) as opened:
        yield opened


def tool_messages(stepper: TurnStepper) -> list[str]:
    """Returns the tool results in the conversation."""
    return [message.content for message in stepper.state["messages"] if message.type == "tool"]


def test_each_step_runs_one_stage(stepper: TurnStepper) -> None:
    """Every stage of the design can be stopped at, in its order."""
    seen = []
    while not stepper.now.finished:
        seen.append(stepper.now.pending[0].node)
        stepper.step()
    assert seen == STAGES
    assert stepper.state["result"].answer == "Rain."
    assert stepper.state["status"] == "done"


def test_every_tool_call_can_be_stepped_into(stepper: TurnStepper) -> None:
    """LangGraph runs parallel tasks together; a debugger must show one at a time."""
    stepper.run_until("dispatch_tools")
    calls = [task.call for task in stepper.now.pending]
    assert [call.arguments for call in calls if call] == ['{"city": "Oslo"}', '{"city": "Rome"}']
    stepper.step_into()
    assert tool_messages(stepper) == ["Oslo: rain"]
    assert len(stepper.now.pending) == 1
    stepper.step_into()
    assert tool_messages(stepper) == ["Oslo: rain", "Rome: rain"]
    assert stepper.now.nodes == ("prep_second_request",)


@both_apis
def test_the_shown_request_is_the_sent_request(api: str) -> None:
    """The request in the stepper is the JSON that the server receives."""
    with ScriptedModel([Call(OSLO), Say("Rain.")]) as model:
        stepper = TurnStepper(turn_on(model, api=api, tools=[weather]), ask("Oslo?"))
        for index in (0, 1):
            stepper.run_until("call_llm")
            shown = stepper.request
            assert shown is not None
            assert not shown.sent
            stepper.step()
            assert model.requests[index].body == shown.body
            assert stepper.request is not None
            assert stepper.request.sent
            assert stepper.request.body == shown.body
        stepper.close()


def test_the_request_as_a_command_never_shows_the_key(stepper: TurnStepper) -> None:
    """People paste it into bug reports."""
    stepper.run_until("call_llm")
    request = stepper.request
    assert request is not None
    for shown in (
        request.as_curl(),
        request.as_python(),
        repr(request),
        str(request),
        repr(stepper.now.pending),
    ):
        assert KEY not in shown
    assert "$OPENAI_API_KEY" in request.as_curl()
    compile(request.as_python(), "request", "exec")


def test_going_back_and_on_again_sends_nothing(model: ScriptedModel, stepper: TurnStepper) -> None:
    """A request that was answered is not sent again, unless a person retries it."""
    stepper.run()
    end, sent = stepper.state, len(model.requests)
    for number in (3, 0, 6, 1):
        stepper.jump(number)
        assert stepper.now.number == number
    stepper.back()
    stepper.run()
    assert stepper.state == end
    assert len(model.requests) == sent == 2
    assert len(stepper.charges) == 2


def test_an_edited_request_is_what_is_sent(model: ScriptedModel, stepper: TurnStepper) -> None:
    """Edited fields hold for the rest of the turn; edited JSON holds for one request."""
    stepper.run_until("call_llm")
    stepper.edit(request={"temperature": 0.5})
    body = {**stepper.request.body, "seed": 7}  # type: ignore[union-attr]
    stepper.edit(body=body)
    assert stepper.request is not None
    assert stepper.request.body == body
    stepper.step()
    stepper.run()
    first, second = (request.body for request in model.requests)
    assert (first["temperature"], first["seed"]) == (0.5, 7)
    assert second["temperature"] == 0.5
    assert "seed" not in second


def test_a_member_taken_out_of_the_json_is_not_sent(
    model: ScriptedModel, stepper: TurnStepper
) -> None:
    """So a person can find out which member a server rejects."""
    stepper.run_until("call_llm")
    body = {name: value for name, value in stepper.request.body.items() if name != "tools"}  # type: ignore[union-attr]
    stepper.edit(body=body)
    stepper.step()
    assert model.requests[0].body == body


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        ({"request": {"temprature": 1}}, "temprature"),
        ({"body": "{not json"}, "not valid JSON"),
        ({"body": {"messages": []}}, "`model`"),
        ({"tool": "weather", "result": "x"}, "No call of `weather`"),
        ({"messages": [("wizard", "x")]}, "wizard"),
        ({"charges": "none"}, "charges"),
        ({}, "one thing"),
    ],
)
def test_a_wrong_edit_is_refused_and_changes_nothing(
    model: ScriptedModel, stepper: TurnStepper, edit: Any, error: str
) -> None:
    """A typing mistake must not cost the session."""
    stepper.run_until("call_llm")
    before = stepper.now
    with pytest.raises((TurnValueError, TurnInvocationError), match=error):
        stepper.edit(**edit)
    assert stepper.now is before
    stepper.run()
    assert stepper.state["result"].answer == "Rain."
    assert len(model.requests) == 2


def test_a_tools_arguments_are_edited_before_it_runs(stepper: TurnStepper) -> None:
    """What if the model had asked for another city? It works between two parallel calls too."""
    stepper.run_until("dispatch_tools")
    stepper.step_into()
    stepper.edit(tool="weather", arguments={"city": "Paris"})
    assert tool_messages(stepper) == ["Oslo: rain"]
    stepper.run()
    assert sorted(tool_messages(stepper)) == ["Oslo: rain", "Paris: rain"]
    assert len(stepper.state["result"].tool_runs) == 2


def test_a_tools_result_is_edited_before_and_after_it_runs(
    model: ScriptedModel, stepper: TurnStepper
) -> None:
    """The model receives what the person wrote."""
    stepper.run_until("dispatch_tools")
    first, second = (task.call.id for task in stepper.now.pending if task.call)
    stepper.edit(tool=first, result="Oslo: sun")
    stepper.step()
    stepper.edit(tool=second, result="Rome: snow")
    stepper.run()
    sent = [
        message["content"]
        for message in model.requests[1].body["messages"]
        if message["role"] == "tool"
    ]
    assert sent == ["Oslo: sun", "Rome: snow"]
    assert [run.content for run in stepper.state["result"].tool_runs] == sent


def test_state_is_edited_at_any_stage(model: ScriptedModel, stepper: TurnStepper) -> None:
    """Before the first stage, and in the middle of the turn."""
    stepper.edit(settings=TurnSettings(temperature=0.25))
    stepper.run_until("prep_second_request")
    question = stepper.state["messages"][0]
    stepper.edit(messages=[HumanMessage("And Paris?", id=question.id)])
    stepper.run()
    assert model.requests[0].body["temperature"] == 0.25
    assert [
        message["content"]
        for message in model.requests[1].body["messages"]
        if message["role"] == "user"
    ] == ["And Paris?"]


def test_a_retry_sends_again_and_is_charged_again(
    model: ScriptedModel, stepper: TurnStepper
) -> None:
    """It is the only way to send the same request twice."""
    stepper.run_until("response_received")
    stepper.run_until("call_llm")
    stepper.step()
    stepper.retry()
    stepper.run()
    assert stepper.state["result"].answer == "Still rain."
    assert len(model.requests) == 3
    ids = [attempt.id for attempt in stepper.state["result"].attempts]
    assert len(set(ids)) == len(ids) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda stepper: stepper.edit(request={"temperature": 0.1}),
        lambda stepper: stepper.edit(messages=[HumanMessage("And Bergen?")]),
        lambda stepper: stepper.edit(body={"model": "other", "messages": []}),
        lambda stepper: stepper.retry(),
    ],
    ids=["request", "state", "body", "retry"],
)
def test_an_edit_in_the_past_loses_no_run(
    model: ScriptedModel, stepper: TurnStepper, change: Callable[[TurnStepper], object]
) -> None:
    """What ran before keeps its name, is finished and open to go on; the edited line is a fork."""
    stepper.run()
    before, answer, cost = stepper.timeline, stepper.state["result"].answer, stepper.cost
    stepper.jump(1)
    change(stepper)
    assert list(stepper.forks) == ["main", "fork 1"]
    assert stepper.forks["fork 1"] is stepper
    assert "line `main`" in str(stepper.timeline[2 if stepper.timeline[1] is before[1] else 1])
    kept = stepper.forks["main"]
    assert (kept.timeline, kept.now.finished) == (before, True)
    assert (kept.state["result"].answer, kept.cost) == (answer, cost)
    stepper.run()
    assert stepper.compare("main", "fork 1").first_different_step in (1, 2)
    sent = len(model.requests)
    kept.back(1)
    assert kept.step() is before[-1]
    assert len(model.requests) == sent


def test_every_edit_in_the_past_has_a_name_of_its_own(stepper: TurnStepper) -> None:
    """Two edits at one place leave two runs; an edit with nothing ahead leaves none."""
    stepper.run_until("call_llm")
    stepper.edit(request={"temperature": 0.1})
    assert list(stepper.forks) == ["main"]
    stepper.fork("fork 2")
    for temperature in (0.2, 0.3):
        stepper.step()
        stepper.back(1)
        stepper.edit(request={"temperature": temperature})
    assert list(stepper.forks) == ["main", "fork 2", "fork 1", "fork 3"]


def test_a_fork_is_a_separate_line(model: ScriptedModel, stepper: TurnStepper) -> None:
    """Both lines go on from the same step; each call is made once in each line."""
    stepper.run_until("prep_second_request")
    fork = stepper.fork("paris")
    fork.edit(messages=[HumanMessage("And Paris?", id=stepper.state["messages"][0].id)])
    stepper.run()
    fork.run()
    assert (stepper.state["result"].answer, fork.state["result"].answer) == ("Rain.", "Still rain.")
    compared = stepper.compare("main", fork)
    assert compared.calls == (2, 2)
    assert compared.answers == ("Rain.", "Still rain.")
    assert any("message 1 (user)" in change.path for change in compared.changes)
    assert len(model.requests) == 3
    first, second = (line.state["result"].attempts[1].id for line in (stepper, fork))
    assert first != second
    with pytest.raises(TurnInvocationError, match="already"):
        stepper.fork("paris")


def test_the_difference_of_two_steps_names_what_changed(stepper: TurnStepper) -> None:
    """The new message, the attempt and the tool calls; nothing else."""
    stepper.run_until("call_llm")
    stepper.step()
    paths = {
        change.path.partition(" ")[0].partition(".")[0]
        for change in stepper.diff(stepper.now.number - 1)
    }
    assert paths == {"message", "attempts", "pending_tool_calls"}
    assert str(stepper.diff(2, 2)) == "no difference"


class House(MessagesState):
    """A parent's state."""

    questions: list[str]
    result: TurnResult
    charges: Annotated[list[Charge], operator.add]


class Fan(MessagesState):
    """A parent that asks several things at once."""

    questions: list[str]


def parent_of(turn: Any) -> Any:
    """A parent with a node of its own before a turn."""
    graph = StateGraph(House)
    graph.add_node("greet", lambda state: {})
    graph.add_node("chat", turn)
    graph.add_edge(START, "greet")
    graph.add_edge("greet", "chat")
    return graph.compile()


def test_a_turn_in_a_parent_is_entered_or_stepped_over(model: ScriptedModel) -> None:
    """LangGraph's own breakpoints do not stop inside a subgraph."""
    parent = parent_of(turn_on(model, tools=[weather]))
    with TurnStepper(parent, ask("Oslo and Rome?")) as stepper:
        stepper.step()
        assert stepper.now.nodes == ("chat",)
        stepper.step()
        assert stepper.now.nodes == ("chat/prep_first_request",)
        stepper.run_until("dispatch_tools")
        stepper.step_into()
        assert stepper.now.nodes == ("chat/dispatch_tools",)
        stepper.back(1)
        stepper.edit(tool="weather", arguments={"city": "Paris"})
        stepper.run()
        assert [message.text for message in stepper.state["messages"]][-1] == "Rain."
        assert len(stepper.state["charges"]) == 2
        stepper.jump(1)
        fork = stepper.fork("whole")
        fork.step_over()
        assert fork.now.finished
        assert len(model.requests) == 3


def test_parallel_turns_are_stepped_in_parallel(model: ScriptedModel) -> None:
    """Of three turns in parallel, one may be ahead of the others."""
    graph = StateGraph(Fan)
    with ScriptedModel() as plain:
        graph.add_node("chat", turn_on(plain))
        graph.add_conditional_edges(
            START,
            lambda s: [Send("chat", {"messages": [HumanMessage(q, id=q)]}) for q in s["questions"]],
            ["chat"],
        )
        with TurnStepper(
            graph.compile(), {"messages": [], "questions": ["red", "green", "blue"]}
        ) as stepper:
            assert stepper.now.nodes == ("chat",) * 3
            stepper.step()
            assert stepper.now.nodes == ("chat/prep_first_request",) * 3
            stepper.step_into()
            assert sorted(stepper.now.nodes) == ["chat/call_llm"] + ["chat/prep_first_request"] * 2
            stepper.back(1)
            stepper.run()
            assert len(stepper.state["messages"]) == 6
            assert len(plain.requests) == 3


@pytest.mark.parametrize("awaited", [False, True], ids=["sync", "async"])
def test_a_turn_called_inside_a_function_runs_whole_and_says_so(
    model: ScriptedModel, awaited: bool
) -> None:
    """LangGraph would run the function again from its beginning at each stop. Its requests and its
    cost are shown.
    """
    turn = turn_on(model, tools=[weather])

    def called(state: House) -> Any:
        return {"messages": turn.invoke({"messages": state["messages"]})["messages"]}

    async def acalled(state: House) -> Any:
        return {"messages": (await turn.ainvoke({"messages": state["messages"]}))["messages"]}

    graph = StateGraph(House)
    graph.add_node("ask", acalled if awaited else called)
    graph.add_edge(START, "ask")
    with TurnStepper(graph.compile(), ask("Both?")) as stepper:
        assert str(stepper.now) == "0: start → ask (whole)"
        assert stepper.now.pending[0].runs_whole
        stepper.step()
        assert stepper.now.finished
        assert stepper.state["messages"][-1].text == "Rain."
        assert (
            len(model.requests)
            == len(stepper.charges)
            == stepper.compare("main", "main").calls[0]
            == 2
        )
        stepper.jump(0)
        stepper.run()
        assert len(model.requests) == 2


@pytest.mark.parametrize(
    ("stop", "at"),
    [
        (Breakpoint(node="bill"), ("bill",)),
        (Breakpoint(tool="weather"), ("dispatch_tools", "dispatch_tools")),
        (Breakpoint(iteration=2), ("call_llm",)),
        (Breakpoint(answer="^Ra.n"), ("bill",)),
        (Breakpoint(event="tool_responded"), ("prep_second_request",)),
        (Breakpoint(cost_above="0.000001"), ("dispatch_tools", "dispatch_tools")),
        (Breakpoint(when=lambda step: step.number == 2), ("bill",)),
    ],
)
def test_breakpoints_stop_a_run(
    model: ScriptedModel, stop: Breakpoint, at: tuple[str, ...]
) -> None:
    """Every kind of breakpoint stops where it should."""
    with TurnStepper(turn_on(model, tools=[weather]), ask("Both?"), breakpoints=(stop,)) as stepper:
        stepper.run()
        assert stepper.now.nodes == at
        stepper.breakpoints.clear()
        assert stepper.run().finished


def test_a_run_stops_where_a_plugin_is_selected() -> None:
    """The stepper stops right after the selection, before anything is sent."""
    house = plugin("house", "always", role="Be kind.")
    with ScriptedModel([Say("Hello.")]) as model:
        turn = turn_on(model, plugins=load_manifests(house))
        with TurnStepper(turn, ask("Hi"), breakpoints=(Breakpoint(plugin="house"),)) as stepper:
            assert stepper.run().nodes == ("call_llm",)
            assert not model.requests
            assert stepper.run().finished


def test_a_failing_node_is_shown_and_can_be_run_again(model: ScriptedModel) -> None:
    """A node of any graph may raise; the stepper then still stands before it."""
    fails = [RuntimeError("no disk"), None]

    def greet(state: House) -> dict[str, Any]:
        if (error := fails.pop(0)) is not None:
            raise error
        return {}

    graph = StateGraph(House)
    graph.add_node("greet", greet)
    graph.add_node("chat", turn_on(model, tools=[weather]))
    graph.add_edge(START, "greet")
    graph.add_edge("greet", "chat")
    with TurnStepper(graph.compile(), ask("Both?")) as stepper:
        assert stepper.run().failed
        assert "no disk" in str(stepper.now.error)
        assert stepper.now.nodes == ("greet",)
        assert stepper.run().finished


def test_a_person_is_asked_and_answers(model: ScriptedModel) -> None:
    """Approval of a tool call: the stepper waits and says so."""
    turn = turn_on(model, tools=[weather], approve=True, checkpointer=InMemorySaver())
    with TurnStepper(turn, ask("Both?")) as stepper:
        stepper.run()
        assert len(stepper.now.waiting) == 2
        with pytest.raises(TurnInvocationError, match="answer"):
            stepper.step()
        first = stepper.now.waiting[0]
        stepper.answer({"decision": "reject", "reason": "no"}, first.interrupt.id)
        stepper.answer({"decision": "approve"})
        stepper.run()
        assert {run.status for run in stepper.state["result"].tool_runs} == {"rejected", "ok"}


def test_what_a_person_approved_is_what_runs(model: ScriptedModel) -> None:
    """Edited arguments are shown for approval and run, not the ones the model wrote."""
    turn = turn_on(model, tools=[weather], approve=True, checkpointer=InMemorySaver())
    with TurnStepper(turn, ask("Both?")) as stepper:
        stepper.run_until("dispatch_tools")
        stepper.edit(tool="weather", arguments={"city": "Paris"})
        stepper.run()
        asked = [waiting.interrupt.value["arguments"] for waiting in stepper.now.waiting]
        assert asked == [{"city": "Paris"}, {"city": "Rome"}]
        stepper.answer("approve", stepper.now.waiting[1].interrupt.id)
        stepper.answer({"decision": "approve"})
        stepper.run()
        assert tool_messages(stepper)[0] == "Paris: rain"


async def test_it_steps_inside_a_running_event_loop_and_from_other_threads(
    model: ScriptedModel,
) -> None:
    """A notebook has a running loop, and its buttons come from other threads with other loops."""
    stepper = TurnStepper(turn_on(model, tools=[weather]), ask("Both?"))
    await stepper.astep()
    stepper.step()
    worker = threading.Thread(target=lambda: asyncio.run(stepper.astep()))
    worker.start()
    worker.join(60)
    assert stepper.now.nodes == ("dispatch_tools",) * 2
    await asyncio.gather(stepper.astep(), stepper.astep())
    await stepper.arun()
    assert stepper.state["result"].answer == "Rain."
    assert len(model.requests) == 2
    stepper.close()


def test_a_stored_turn_is_looked_at_without_calling_anyone(model: ScriptedModel) -> None:
    """A fork of it calls the model, and the stored thread stays as it was."""
    turn = turn_on(model, tools=[weather], checkpointer=InMemorySaver())
    thread: Any = {"configurable": {"thread_id": "t"}}
    turn.invoke(ask("Both?"), thread)
    stepper = TurnStepper.attach(turn, "t")
    assert [step.ran for step in stepper.timeline if step.ran] == [
        *[("prep_first_request",), ("call_llm",), ("bill",), ("dispatch_tools", "dispatch_tools")],
        *[("prep_second_request",), ("call_llm",), ("bill",), ("finalize",)],
    ]
    assert stepper.state["result"].answer == "Rain."
    assert [step.reply.text for step in stepper.timeline if step.reply is not None] == ["", "Rain."]
    assert [task.call.arguments for task in stepper.timeline[3].pending if task.call] == [
        '{"city": "Oslo"}',
        '{"city": "Rome"}',
    ]
    stepper.jump(1)
    assert stepper.state["status"] == "running"
    assert stepper.request is not None
    assert stepper.request.body == model.requests[0].body
    stepper.jump(5)
    assert stepper.now.nodes == ("call_llm",)
    assert len(model.requests) == 2
    before = turn.get_state(thread)
    fork = stepper.fork("again")
    fork.run()
    assert fork.state["result"].answer == "Still rain."
    assert len(model.requests) == 3
    assert turn.get_state(thread) == before
    stepper.close()


def test_a_turn_of_a_thread_begins_with_its_conversation(model: ScriptedModel) -> None:
    """The thread is read and not written."""
    turn = turn_on(model, tools=[weather], checkpointer=InMemorySaver())
    thread: Any = {"configurable": {"thread_id": "t"}}
    turn.invoke(ask("Both?"), thread)
    with TurnStepper(turn, ask("Thanks."), "t") as stepper:
        stepper.run()
        assert [message.text for message in stepper.state["messages"]][-2:] == [
            "Thanks.",
            "Still rain.",
        ]
        assert len(model.requests[-1].body["messages"]) == 7
    assert len(turn.get_state(thread).values["messages"]) == 5


def test_an_error_of_the_vendor_is_a_step_like_any_other() -> None:
    """The error is on the attempt, and the turn ends as it would without a stepper."""
    with ScriptedModel([Fail(400)]) as model, TurnStepper(turn_on(model), ask("Q")) as stepper:
        stepper.run()
        assert stepper.state["result"].status == "error"
        assert stepper.response is None


def test_with_a_ledger_each_call_is_billed_once_in_its_lineage(
    model: ScriptedModel, tmp_path: Path
) -> None:
    """Going back bills nothing, a call of a fork is charged once, and the ledger balances."""
    with Ledger(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        turn = turn_on(model, tools=[weather], ledger=ledger, checkpointer=InMemorySaver())
        with TurnStepper(turn, ask("Both?")) as stepper:
            assert stepper.run().finished, repr(stepper.now.error)
            stepper.jump(0)
            stepper.run()
            assert len(model.requests) == 2
            stepper.jump(5)
            fork = stepper.fork("other")
            fork.run()
            fork.run_until("finalize")
            assert fork.state["result"].answer == "Still rain."
        with ledger.store.engine.connect() as conn:
            charged = [tuple(row) for row in conn.execute(text("SELECT kind, state FROM attempt"))]
        assert [state for kind, state in charged if kind == "completion"] == ["settled"] * 3
        assert len(model.requests) == 3
        assert ledger.verify() == []


@pytest.mark.parametrize("name", ["cal_llm", "chat/cal_llm", "response_recieved", "", 5, None])
def test_a_name_that_nothing_has_is_refused(model: ScriptedModel, name: Any) -> None:
    """The run would go to the turn's end, and pay for it."""
    with TurnStepper(turn_on(model), ask("What is 6 * 7?")) as stepper:
        with pytest.raises(TurnInvocationError, match=r"No node and no event|stops at a name"):
            stepper.run_until(name)
        assert not model.requests
        assert stepper.run_until("call_llm").pending[0].node == "call_llm"


def test_the_nodes_of_a_turn_inside_a_parent_have_names(model: ScriptedModel) -> None:
    """With the parent's node before them or without it."""
    graph = StateGraph(MessagesState).add_node("chat", turn_on(model)).add_edge(START, "chat")
    with TurnStepper(graph.compile(), ask("What is 6 * 7?")) as stepper:
        with pytest.raises(TurnInvocationError, match="Did you mean `chat/call_llm`"):
            stepper.run_until("chat/cal_llm")
        assert stepper.run_until("chat/call_llm").pending[0].name == "chat/call_llm"
        stepper.run_until("finalize")


def test_events_are_told_while_a_step_runs(model: ScriptedModel, stepper: TurnStepper) -> None:
    """Tokens can be shown as they come; a fork tells the same watcher."""
    told: list[str] = []
    stepper.on_event(lambda event: told.append(event.type))
    stepper.run_until("bill")
    assert told == [event.type for event in stepper.events]
    before = len(told)
    stepper.fork("other").step()
    assert len(told) > before


def test_a_reloaded_graph_goes_on_where_the_old_one_stood() -> None:
    """The file of a graph was changed: what has run stays, what comes next is the new code."""

    def graph(word: str, *nodes: str) -> Any:
        builder = StateGraph(MessagesState)
        for node in nodes:
            builder.add_node(node, lambda state, node=node: {"messages": [("ai", word + node)]})
        builder.add_edge(START, nodes[0])
        for edge in pairwise(nodes):
            builder.add_edge(*edge)
        return builder.compile()

    with TurnStepper(graph("old ", "one", "two"), ask("Hi")) as stepper:
        stepper.step()
        other = stepper.fork("other")
        other.step()
        stepper.reload(graph("new ", "one", "two"))
        assert str(stepper.now) == "2: the graph was reloaded → two"
        stepper.step()
        assert [each.text for each in stepper.state["messages"]] == ["Hi", "old one", "new two"]
        assert other.now.finished
        other.back()
        other.retry()
        assert other.state["messages"][-1].text == "new one"
        with pytest.raises(TurnInvocationError, match="no node `two`, so this run goes on"):
            stepper.reload(graph("newer ", "one"))
        assert stepper.state["messages"][-1].text == "new two"


async def test_a_move_that_takes_too_long_is_stopped() -> None:
    """Who waits for it is told; the stepper stands where it stood, and closing it stops it too."""

    async def sleep(state: MessagesState) -> None:
        begun.set()
        await asyncio.sleep(60)

    begun = threading.Event()
    graph = StateGraph(MessagesState).add_node("sleep", sleep).set_entry_point("sleep").compile()
    stepper = TurnStepper(graph, ask("Hi"))
    for stop in (stepper.stop, stepper.close):
        waiting = asyncio.create_task(asyncio.to_thread(stepper.run))
        await asyncio.to_thread(begun.wait)
        begun.clear()
        stop()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert stepper.now.nodes == ("sleep",)
