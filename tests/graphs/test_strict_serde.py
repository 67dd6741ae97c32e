"""Checkpoints are read strictly, whatever the environment says: no class of others is loaded."""

import os
import subprocess
import sys
import textwrap

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


def test_a_turn_reads_its_own_values_and_nothing_else() -> None:
    """LangGraph's default brings any class to life that a row names, and warns for each of ours."""
    environ = {
        name: value for name, value in os.environ.items() if name != "LANGGRAPH_STRICT_MSGPACK"
    }
    script = [sys.executable, "-c", textwrap.dedent(RUN)]
    done = subprocess.run(script, capture_output=True, text=True, env=environ, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "TurnResult Attempt 8"
    assert lines[1] == "TurnResult"
    assert lines[-1] == "dict", "a class that is no part of a turn stays data"
    assert not any("unregistered type turngraph" in line for line in lines)
