"""A turn inside somebody else's agent graph: nothing lost, nothing doubled, and every LangGraph
feature still there.
"""

import asyncio
import operator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph, add_messages
from langgraph.types import Command, Send
from pydantic import BaseModel

from tests.turns import Run, ask, both_ways, result_of, told, turn_on
from turngraph.billing import Ledger
from turngraph.graphs import TurnGraph, chat_turn
from turngraph.scripted import Call, Say, ScriptedModel
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.reply import ToolCall
from turngraph.state.result import Charge, TurnResult

THREAD: Any = {"configurable": {"thread_id": "t"}}


class House(MessagesState):
    """A parent's state: the shared messages, and what it collects of its turns."""

    result: TurnResult
    charges: Annotated[list[Charge], operator.add]


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


def in_sequence(*turns: TurnGraph) -> Any:
    """A parent that runs `turns` one after the other."""
    graph = StateGraph(House)
    for place, turn in enumerate(turns):
        graph.add_node(f"chat{place}", turn)
        graph.add_edge(f"chat{place - 1}" if place else START, f"chat{place}")
    return graph.compile(checkpointer=InMemorySaver())


@both_ways
def test_two_turns_in_sequence_share_the_conversation_and_double_nothing(run: Run) -> None:
    """A reducer like `operator.add` doubles whatever a subgraph hands back whole."""
    with ScriptedModel(
        [Call(("weather", {"city": "Oslo"})), Say("Rain."), Say("Take an umbrella.")]
    ) as model:
        parent = in_sequence(turn_on(model, tools=[weather]), turn_on(model))
        out = run(parent, ask("Weather in Oslo?"), THREAD)
        third = model.requests[2].body["messages"]
    texts = [message.text for message in out["messages"]]
    assert texts == ["Weather in Oslo?", "", "Oslo: rain", "Rain.", "Take an umbrella."]
    assert len({message.id for message in out["messages"]}) == 5
    assert len(out["charges"]) == 3
    assert [message["role"] for message in third] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]


class Trip(MessagesState):
    """A parent's state with keys that no turn knows."""

    cities: list[str]
    worked: Annotated[list[str], operator.add]


@both_ways
def test_a_parent_may_keep_more_than_a_conversation(run: Run) -> None:
    """LangGraph hands a node that is a graph all of the parent's state; the turn takes what it
    reads.
    """
    with ScriptedModel([Say("The opera.")]) as model:
        graph = StateGraph(Trip).add_node("chat", turn_on(model)).add_edge(START, "chat")
        out = run(graph.compile(), {**ask("Sights?"), "cities": ["Oslo"], "worked": ["plan"]})
    assert out["messages"][-1].text == "The opera."
    assert (out["cities"], out["worked"]) == (["Oslo"], ["plan"])


@both_ways
def test_the_parents_thread_goes_on(run: Run) -> None:
    """The second run of the parent sees the first one's messages, each once."""
    with ScriptedModel([Say("one"), Say("two")]) as model:
        parent = in_sequence(turn_on(model))
        run(parent, ask("first"), THREAD)
        out = run(parent, ask("second"), THREAD)
    assert [message.text for message in out["messages"]] == ["first", "one", "second", "two"]
    assert len(out["charges"]) == 2


class Fan(MessagesState):
    """A parent that asks several things at once."""

    questions: list[str]
    charges: Annotated[list[Charge], operator.add]


@both_ways
def test_turns_run_side_by_side_under_send(run: Run) -> None:
    """Map and reduce: each turn is its own, and all messages come back."""

    def spread(state: Fan) -> list[Send]:
        return [
            Send("chat", {"messages": [HumanMessage(text, id=text)]}) for text in state["questions"]
        ]

    with ScriptedModel() as model:
        graph = StateGraph(Fan)
        graph.add_node("chat", turn_on(model))
        graph.add_conditional_edges(START, spread, ["chat"])
        out = run(graph.compile(), {"messages": [], "questions": ["red", "green", "blue"]})
    asked = [message.text for message in out["messages"] if isinstance(message, HumanMessage)]
    answers = [message.text for message in out["messages"] if isinstance(message, AIMessage)]
    assert sorted(asked) == ["blue", "green", "red"]
    assert len(answers) == 3
    assert len(out["charges"]) == 3


@both_ways
def test_a_supervisor_hands_the_conversation_to_turns_and_back(run: Run) -> None:
    """A router decides by `Command(goto=…)` on what the last turn said."""

    def supervisor(state: MessagesState) -> Command[Literal["expert", "__end__"]]:
        last = state["messages"][-1]
        done = isinstance(last, AIMessage) and "done" in last.text
        return Command(goto="__end__" if done else "expert")

    with ScriptedModel([Say("thinking"), Say("done")]) as model:
        graph = StateGraph(MessagesState)
        graph.add_node("supervisor", supervisor)
        graph.add_node("expert", turn_on(model))
        graph.add_edge(START, "supervisor")
        graph.add_edge("expert", "supervisor")
        out = run(graph.compile(), ask("Work."))
    assert [message.text for message in out["messages"]] == ["Work.", "thinking", "done"]


@both_ways
def test_a_turn_is_a_tool_of_another_turn(run: Run) -> None:
    """An expert behind a function call."""
    with (
        ScriptedModel([Say("It is Oslo.")]) as expert_model,
        ScriptedModel(
            [
                Call(("ask_expert", {"question": "capital of Norway"})),
                Say("The expert says Oslo."),
            ]
        ) as model,
    ):
        expert = turn_on(expert_model)

        @tool
        def ask_expert(question: str) -> str:
            """Ask the expert."""
            return str(expert.invoke(ask(question))["result"].answer)

        out = run(turn_on(model, tools=[ask_expert]), ask("Capital?"))
    assert told(out) == ["It is Oslo."]
    assert out["result"].answer == "The expert says Oslo."


@both_ways
def test_a_turn_within_a_tool_that_hands_on_its_configuration_is_a_turn_of_its_own(
    run: Run, ledger: Ledger
) -> None:
    """Its calls are other calls. With the ids of the outer turn's, it could get their answers."""
    answers = [Call(("consult", {"question": "q"})), Say("outer")]
    with ScriptedModel([Say("inner")]) as expert_model, ScriptedModel(answers) as model:
        expert = turn_on(expert_model, ledger=ledger)

        @tool
        async def consult(question: str, config: RunnableConfig) -> str:
            """Ask the expert."""
            return result_of(await expert.ainvoke(ask(question), config)).answer

        out = run(turn_on(model, ledger=ledger, tools=[consult]), ask("Go"))
    assert (told(out), result_of(out).answer) == (["inner"], "outer")
    with ledger.store.engine.connect() as conn:
        rows = conn.exec_driver_sql("SELECT turn_id, call_id FROM attempt").all()
    assert (len({row.turn_id for row in rows}), len({row.call_id for row in rows})) == (2, 3)


@both_ways
def test_a_person_approves_edits_and_refuses_tool_calls(run: Run) -> None:
    """The graph stops before the tool runs, in the turn or in its parent's thread, and goes on as
    decided.
    """
    calls = Call(*[("weather", {"city": city}) for city in ("Oslo", "Rome", "Bern")])
    with ScriptedModel([calls, Say("Done.")]) as model:
        parent = in_sequence(turn_on(model, tools=[weather], approve=["weather"]))
        stopped = run(parent, ask("Weather?"), THREAD)
        waiting = {each.value["arguments"]["city"]: each.id for each in stopped["__interrupt__"]}
        decisions = {
            waiting["Oslo"]: {"decision": "approve"},
            waiting["Rome"]: {"decision": "edit", "arguments": {"city": "Milan"}},
            waiting["Bern"]: {"decision": "reject", "reason": "too far"},
        }
        assert len(model.requests) == 1
        out = run(parent, Command(resume=decisions), THREAD)
    changed = '[A person changed the arguments to {"city": "Milan"}.]\nMilan: rain'
    assert told(out) == ["Oslo: rain", changed, "A person refused this call: too far."]
    assert out["messages"][-1].text == "Done."


@both_ways
@pytest.mark.parametrize(
    "wrong",
    ["sure, why not", {"decision": "aprove"}, {"decision": "edit"}, [], 1, {"decision": ["x"]}],
)
def test_a_decision_nobody_offered_is_asked_for_again(run: Run, wrong: Any) -> None:
    """Neither the tool nor the model runs for a slip, and the thread is not lost."""
    with ScriptedModel([Call(("weather", {"city": "Oslo"})), Say("ok")]) as model:
        turn = turn_on(model, tools=[weather], approve=True, checkpointer=InMemorySaver())
        run(turn, ask("Weather?"), THREAD)
        for _ in range(2):
            out = run(turn, Command(resume=wrong), THREAD)
            [asked] = out["__interrupt__"]
            assert asked.value["tool"] == "weather"
            assert "is no decision, and nothing was run" in asked.value["problem"]
        assert len(model.requests) == 1
        out = run(turn, Command(resume={"decision": "approve"}), THREAD)
    assert told(out) == ["Oslo: rain"]


@both_ways
@pytest.mark.parametrize("steps", ["auto", "one", "each"])
def test_a_call_for_which_approve_raises_is_not_run(
    run: Run, steps: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """As a tool that raises, it costs its call and not its turn; and nothing runs unseen."""

    def approve(call: ToolCall) -> bool:
        if "Rome" in call.arguments:
            raise KeyError("nobody is on duty")
        return False

    calls = Call(*[("weather", {"city": city}) for city in ("Oslo", "Rome")])
    with ScriptedModel([calls, Say("Done.")]) as model:
        turn = turn_on(
            model, tools=[weather], approve=approve, steps=steps, checkpointer=InMemorySaver()
        )
        out = run(turn, ask("Weather?"), THREAD)
    ran, refused = out["result"].tool_runs
    assert (ran.status, ran.content) == ("ok", "Oslo: rain")
    assert refused.status == "rejected"
    assert "Not run: `approve` failed" in refused.content
    assert "KeyError: 'nobody is on duty'" in refused.content
    assert (out["result"].status, out["messages"][-1].text) == ("completed", "Done.")
    assert "`approve` failed for a call of weather" in caplog.text


def test_an_async_approve_is_refused() -> None:
    """Its coroutine would be taken for yes, and every call would wait for a person."""

    async def approve(call: ToolCall) -> bool:
        return False

    with pytest.raises(TurnConfigurationError, match="`approve` is an async function"):
        chat_turn("scripted", tools=[weather], approve=approve)  # type: ignore[arg-type]


@both_ways
@pytest.mark.parametrize("steps", ["auto", "one", "each"])
@pytest.mark.parametrize("approve", [True, ["weather"], lambda call: False])
def test_an_approval_that_nothing_could_keep_is_refused(run: Run, steps: Any, approve: Any) -> None:
    """Without a checkpointer the turn would stop for a person and never go on."""
    with ScriptedModel() as model:
        turn = turn_on(model, tools=[weather], approve=approve, steps=steps)
        parent = StateGraph(House).add_node("chat", turn).add_edge(START, "chat").compile()
        for graph in (turn, parent, turn.with_config(tags=["x"])):
            with pytest.raises(TurnConfigurationError, match="without a checkpointer"):
                run(graph, ask("Weather?"))
        assert not model.requests
        kept = StateGraph(House).add_node("chat", turn).add_edge(START, "chat")
        out = run(kept.compile(checkpointer=InMemorySaver()), ask("Hello!"), THREAD)
    assert out["result"].status == "completed"


@both_ways
@pytest.mark.parametrize("steps", ["auto", "one", "each"])
@pytest.mark.parametrize("kind", ["node", "entrypoint", "task"])
def test_a_turn_called_in_a_function_asks_a_person_through_the_graph_around_it(
    run: Run, kind: str, steps: Any
) -> None:
    """The graph around the function keeps the question, and no request is sent twice."""
    with ScriptedModel([Call(("weather", {"city": "Oslo"})), Say("Rain.")]) as model:
        turn = turn_on(model, tools=[weather], approve=True, steps=steps)
        parent = around(turn, kind)
        asked = run(parent, ask("Weather?"), THREAD)["__interrupt__"]
        out = run(parent, Command(resume="approve"), THREAD)
        assert len(model.requests) == 2
    assert asked[0].value["tool"] == "weather"
    assert [message.text for message in out["messages"]][-1] == "Rain."


def around(turn: TurnGraph, kind: str) -> Any:
    """A graph with a checkpointer whose function calls `turn`."""

    def call(state: Any) -> Any:
        return {"messages": turn.invoke({"messages": state["messages"]})["messages"]}

    if kind == "node":
        graph = StateGraph(House).add_node("chat", call).add_edge(START, "chat")
        return graph.compile(checkpointer=InMemorySaver())
    as_task = task(call)

    @entrypoint(checkpointer=InMemorySaver())
    def flow(state: Any) -> Any:
        return as_task(state).result() if kind == "task" else call(state)

    return flow


def test_a_parents_stream_shows_the_stages_and_the_tokens_of_its_turns() -> None:
    """`stream(subgraphs=True)`: node by node, events and tokens, under the turn's namespace."""
    with ScriptedModel([Say("one two three")]) as model:
        parent = in_sequence(turn_on(model, stream=True))
        parts = list(
            parent.stream(
                ask("Count."), THREAD, stream_mode=["updates", "custom", "messages"], subgraphs=True
            )
        )
    nodes = [next(iter(data)) for space, mode, data in parts if mode == "updates" and space]
    tokens = [data[0].content for space, mode, data in parts if mode == "messages" and space]
    events = [data.type for space, mode, data in parts if mode == "custom"]
    assert nodes == ["prep_first_request", "call_llm", "bill", "finalize"]
    assert "".join(tokens) == "one two three"
    assert events[0] == "prompt_started"
    assert events[-1] == "prompt_finished"
    assert "token" in events


def test_watching_does_not_change_what_is_sent_or_billed() -> None:
    """With other clients a watched stream turns streaming on, and the usage disappears."""
    with ScriptedModel([Say("a"), Say("a")]) as model:
        turn = turn_on(model)
        plain = turn.invoke(ask("Q"))["result"]
        watched = list(turn.stream(ask("Q"), stream_mode=["messages", "values"]))[-1][1]["result"]
        first, second = (request.body for request in model.requests)
    assert first == second
    assert plain.usage == watched.usage
    assert plain.cost_usd == watched.cost_usd


async def test_turns_of_one_graph_run_at_once_without_meeting() -> None:
    """One compiled graph serves any number of conversations; nothing is remembered on it."""
    with ScriptedModel() as model:
        turn = turn_on(model, functions=["calculator"], checkpointer=InMemorySaver())
        asked = [f"What is {n} * 3?" for n in range(20)]
        outs = await asyncio.gather(
            *(turn.ainvoke(ask(text), {"configurable": {"thread_id": text}}) for text in asked)
        )
    for n, out in enumerate(outs):
        assert told(out) == [str(n * 3)]
        assert len(out["messages"]) == 4


class Foreign(TypedDict):
    """The context of a parent graph, with a key that a turn might know."""

    provider: str


def test_a_parent_with_its_own_context_leaves_the_turn_alone() -> None:
    """LangGraph hands a parent's context to its subgraphs as it is; a turn must not read it."""
    with ScriptedModel([Say("fine")]) as model:
        graph = StateGraph(MessagesState, context_schema=Foreign)
        graph.add_node("chat", turn_on(model))
        graph.add_edge(START, "chat")
        given: MessagesState = {"messages": [HumanMessage("Q")]}
        out = graph.compile().invoke(given, context={"provider": "someone else's"})
    assert out["messages"][-1].text == "fine"


@both_ways
def test_an_edited_call_is_on_record_as_it_ran(run: Run) -> None:
    """The audit names what really ran, and the model is told that it is not what it asked for."""
    with ScriptedModel([Call(("weather", {"city": "Oslo"})), Say("ok")]) as model:
        turn = turn_on(model, tools=[weather], approve=True, checkpointer=InMemorySaver())
        run(turn, ask("Weather?"), THREAD)
        out = run(turn, Command(resume={"decision": "edit", "arguments": {"city": "Rome"}}), THREAD)
    assert told(out) == ['[A person changed the arguments to {"city": "Rome"}.]\nRome: rain']
    assert out["result"].tool_runs[0].arguments == '{"city": "Rome"}'


class ModelHouse(BaseModel):
    """A parent's state in a pydantic model."""

    messages: Annotated[list[AnyMessage], add_messages] = []
    result: TurnResult | None = None
    mood: str = "good"


@dataclass
class DataHouse:
    """A parent's state in a dataclass."""

    messages: Annotated[list[AnyMessage], add_messages] = field(default_factory=list)
    result: TurnResult | None = None
    mood: str = "good"


class OwnIdHouse(ModelHouse):
    """A parent that names its turns itself."""

    turn_id: str = "order-1"


@both_ways
@pytest.mark.parametrize("house", [ModelHouse, DataHouse, OwnIdHouse])
@pytest.mark.parametrize("keeps", [False, True], ids=["in memory", "kept"])
def test_a_parents_state_may_be_a_class_of_its_own(run: Run, house: type[Any], keeps: bool) -> None:
    """LangGraph hands such a state to its nodes as an object, not as a dict."""
    with ScriptedModel([Say("one"), Say("two")]) as model:
        graph = StateGraph(house).add_node("chat", turn_on(model)).add_edge(START, "chat")
        parent = graph.compile(checkpointer=InMemorySaver() if keeps else None)
        out = run(parent, ask("First?"), THREAD)
        if keeps:
            out = run(parent, ask("Second?"), THREAD)
    texts = [message.text for message in out["messages"]]
    assert texts == ["First?", "one", *(["Second?", "two"] if keeps else [])]
    assert out["result"].status == "completed"
    assert (out["result"].turn_id == "order-1") is (house is OwnIdHouse)


def test_a_turn_tells_its_schemas() -> None:
    """LangGraph's server shows them, and tools are made of them. On every Python."""
    with ScriptedModel() as model:
        turn = turn_on(model)
    given, returned = turn.get_input_jsonschema(), turn.get_output_jsonschema()
    assert given["properties"].keys() == {"messages", "turn_id", "settings"}
    assert returned["properties"].keys() == {"messages", "result", "charges"}
    assert turn.get_input_schema().model_json_schema()["required"] == ["messages"]


@pytest.mark.filterwarnings("ignore:This API is in beta")
def test_a_turn_is_a_tool_that_needs_messages_alone() -> None:
    """A model that calls it knows no turn id."""
    with ScriptedModel([Say("Rain.")]) as model:
        asked = turn_on(model).as_tool(name="ask", description="Ask the weather office.")
        out = asked.invoke({"messages": [{"role": "user", "content": "Weather in Oslo?"}]})
    assert out["result"].answer == "Rain."
