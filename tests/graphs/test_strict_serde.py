"""Checkpoints are read strictly, whatever the environment says: no class of others is loaded."""

import os
import subprocess
import sys
import textwrap

import pytest

RUN = """
    import logging, sys
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING)
    from langgraph.checkpoint.memory import InMemorySaver
    from turngraph.graphs import chat_turn
    from turngraph.providers import ProviderConfig
    from turngraph.scripted import ScriptedModel

    saver = InMemorySaver()
    thread = {"configurable": {"thread_id": "t"}}
    with ScriptedModel() as model:
        config = ProviderConfig(model="m", base_url=model.base_url)
        turn = chat_turn(config, functions=["calculator"], checkpointer=saver)
        turn.invoke({"messages": [("user", "What is 6 * 7?")]}, thread)
        values = chat_turn(config, checkpointer=saver).get_state(thread).values
        out = turn.invoke({"messages": [("user", "And 6 * 8?")]}, thread)
    kinds = [type(values["result"]).__name__, type(values["attempts"][0]).__name__]
    print(*kinds, len(out["messages"]))
    serde = turn.checkpointer.serde
    print(type(serde.loads_typed(serde.dumps_typed(values["result"]))).__name__)
    print(type(serde.loads_typed(serde.dumps_typed(config.timeouts))).__name__)
"""

PARENT = """
    import logging, sys
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING)
    from dataclasses import dataclass
    from typing import Any
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.graph import START, MessagesState, StateGraph
    from langgraph.types import Command
    from turngraph.graphs import chat_turn, with_strict_serde

    @dataclass
    class Mine:
        n: int

    class Parent(MessagesState):
        result: Any
        charges: Any
        mine: Any

    def built(saver):
        turn = chat_turn("scripted", functions=["calculator"], approve=lambda call: True)
        graph = StateGraph(Parent)
        graph.add_node("first", lambda state: {"mine": Mine(1)})
        graph.add_node("chat", turn)
        graph.add_edge(START, "first")
        graph.add_edge("first", "chat")
        return graph.compile(checkpointer=saver)

    thread = {"configurable": {"thread_id": "t"}}
    with SqliteSaver.from_conn_string(":memory:") as saver:
        agent = built(with_strict_serde(saver, Mine))
        agent.invoke({"messages": [("user", "What is 6 * 7?")]}, thread, durability="sync")
        inside = agent.get_state(thread, subgraphs=True).tasks[0].state.values
        print(type(inside["request"]).__name__, type(inside["attempts"][0]).__name__)
        agent.invoke(Command(resume={"decision": "approve"}), thread, durability="sync")
        for state in agent.get_state_history(thread):
            values = state.values
            kinds = {type(values[key]).__name__ for key in ("result", "mine") if key in values}
            print(*sorted(kinds))
        if sys.argv[1] == "raw":
            rows = list(with_strict_serde(saver, Mine).list(thread))
            print(type(rows[0].checkpoint["channel_values"]["charges"][0]).__name__)
"""


def printed(script: str, *, strict: bool) -> list[str]:
    """What a script prints in a process of its own: LangGraph reads the variable at import."""
    environ = {**os.environ, "LANGGRAPH_STRICT_MSGPACK": "true" if strict else "false"}
    command = [sys.executable, "-c", textwrap.dedent(script), "raw"]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("strict", [True, False])
def test_a_parent_and_a_script_read_a_turns_values_without_a_warning(strict: bool) -> None:
    """Stored state belongs to whoever has the checkpointer: `with_strict_serde` says its types."""
    lines = printed(PARENT, strict=strict)
    assert lines[0] == "ChatRequest Attempt"
    assert lines[1] == "Mine TurnResult"
    assert lines[-1] == "Charge"
    assert not any("WARNING" in line for line in lines), lines


INHERITED = """
    import logging, sys
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING)
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import START, MessagesState, StateGraph
    from langgraph.types import Command
    from turngraph.graphs import chat_turn

    thread = {"configurable": {"thread_id": "t"}}
    turn = chat_turn("scripted", functions=["calculator"], approve=lambda call: True)
    graph = StateGraph(MessagesState)
    graph.add_node("chat", turn)
    graph.add_edge(START, "chat")
    agent = graph.compile(checkpointer=InMemorySaver())
    agent.invoke({"messages": [("user", "What is 6 * 7?")]}, thread)
    print(type(agent.get_state(thread, subgraphs=True).tasks[0].state.values["request"]).__name__)
    print(agent.invoke(Command(resume={"decision": "approve"}), thread)["messages"][2].content)
"""


@pytest.mark.parametrize("strict", [True, False])
def test_a_turn_reads_its_values_from_a_checkpointer_that_its_parent_lends(strict: bool) -> None:
    """A parent of plain messages knows none of our types, and need not."""
    assert printed(INHERITED, strict=strict) == ["ChatRequest", "42"]


def test_a_turn_reads_its_own_values_and_nothing_else() -> None:
    """LangGraph's default brings any class to life that a row names, and warns for each of ours."""
    lines = printed(RUN, strict=False)
    assert lines[0] == "TurnResult Attempt 8"
    assert lines[1] == "TurnResult"
    assert lines[-1] == "dict", "a class that is no part of a turn stays data"
    assert not any("unregistered type turngraph" in line for line in lines)
