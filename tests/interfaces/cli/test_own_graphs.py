"""`step` and `chat` on what is a person's own: graphs, tools, plugins, a ledger, a budget."""

import json
from pathlib import Path

import pytest

from tests.interfaces.cli.commands import one_sentence, turngraph
from tests.paths import ROOT
from turngraph.billing import Ledger
from turngraph.scripted import Call, Say, ScriptedModel

AGENT = """
import gc
from langgraph.graph import MessagesState, StateGraph
from langgraph.types import interrupt

def talk(state):
    said = state["messages"][-1].text
    if said == "fail":
        raise RuntimeError("the tower is down")
    if said == "frozen":
        said = str(gc.get_freeze_count() > 0)
    if said == "ask":
        said = "a " + interrupt("Which color?")
    return {"messages": [("ai", f"{len(state['messages'])}: {said}")]}

builder = StateGraph(MessagesState)
builder.add_node("talk", talk)
builder.set_entry_point("talk")
app = builder.compile()

def count(state):
    return {"total": state["number"] + 1}

from dataclasses import dataclass
from typing import TypedDict
from langgraph.runtime import Runtime
@dataclass
class Person:
    name: str
def greet(state: MessagesState, runtime: Runtime[Person]):
    return {"messages": [("ai", f"Hello, {runtime.context.name}!")]}
greeter = StateGraph(MessagesState, Person).add_node(greet).set_entry_point("greet").compile()
class Sum(TypedDict):
    number: int
    total: int
plain = StateGraph(Sum)
plain.add_node("count", count)
plain.set_entry_point("count")
plain = plain.compile()
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with an agent and a tool."""
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "my_tools.py").write_text(
        'def secret(word: str) -> str:\n    """Tells."""\n    return f"{word} is 17"\n'
    )
    return tmp_path


def test_a_graph_talks_and_its_thread_goes_on(home: Path) -> None:
    """A graph without a checkpointer is given the history of `chat`; `step` reads the same one."""
    first = turngraph(home, "chat", "agent.py:app", stdin="Hi\nfail\n/nope\n")
    assert first.stdout == "1: Hi\n"
    assert "RuntimeError: the tower is down" in first.stderr
    assert "There is no command `/nope`" in first.stderr
    assert first.returncode == 1
    second = turngraph(home, "chat", "agent.py:app", stdin="again\n/history\n")
    assert "Thread `agent.py:app`, 3 messages" in second.stderr
    assert "human  again" in second.stderr
    walked = turngraph(home, "step", "agent.py:app", "-t", "agent.py:app", stdin="p messages\n")
    assert "user: again" in walked.stdout


def test_a_graph_that_asks_is_answered_by_the_next_line(home: Path) -> None:
    """In the same thread, also in another process."""
    asked = turngraph(home, "chat", "agent.py:app", "-t", "t", stdin="ask\n")
    assert "Which color? (Your next line answers it.)" in asked.stderr
    assert turngraph(home, "chat", "agent.py:app", "-t", "t", stdin="red\n").stdout == "1: a red\n"


def test_a_graph_named_by_langgraph_json_is_stepped(home: Path) -> None:
    """With a question or, where it takes no messages, with its input as JSON. What was imported is
    out of the way of the garbage collector.
    """
    graphs = {"talker": "./agent.py:app", "counter": "agent:plain"}
    (home / "langgraph.json").write_text(json.dumps({"dependencies": ["."], "graphs": graphs}))
    done = turngraph(home, "step", "talker", "frozen", stdin="r\n")
    assert "  answer\n    1: True" in done.stdout
    done = turngraph(home, "step", "counter", "?", "--input", '{"number": 1}', stdin="r\np diff\n")
    assert "total: (absent) → 2" in done.stdout
    refused = one_sentence(turngraph(home, "step", "counter", "Hello!"))
    assert "takes no messages" in refused
    assert "number, total" in refused


def test_a_graph_is_given_the_context_that_it_needs(home: Path) -> None:
    """By an option, as JSON; what is missing is named before anything runs."""
    context = ("--context", '{"name": "Ada"}')
    done = turngraph(home, "step", "agent.py:greeter", "Hi", *context, stdin="r\n")
    assert "Hello, Ada!" in done.stdout
    assert turngraph(home, "chat", "agent.py:greeter", *context, stdin="Hi\n").stdout == (
        "Hello, Ada!\n"
    )
    refused = one_sentence(turngraph(home, "step", "agent.py:greeter", "Hi"))
    assert "`name`: Field required" in refused
    assert "--context" in refused


def test_what_cannot_be_loaded_is_one_sentence(home: Path) -> None:
    """And an option that a graph of one's own would not obey is refused."""
    assert "Graphs found: `agent.py:app`, `agent.py:greeter`, `agent.py:plain`" in one_sentence(
        turngraph(home, "step", "agent.py:nope", "Hi")
    )
    refused = one_sentence(turngraph(home, "chat", "agent.py:app", "-m", "x", "--budget", "1"))
    assert refused.startswith("--model, --budget: `agent.py:app` is built in its own file")
    assert "--record" in one_sentence(
        turngraph(home, "step", "agent.py:app", "Hi", "--record", "turn.jsonl")
    )
    assert "`--record` cannot write `agent.py/turn.jsonl`" in one_sentence(
        turngraph(home, "step", "-p", "scripted", "--record", "agent.py/turn.jsonl", "Hi")
    )


def test_tools_plugins_ledger_and_budget_reach_a_turn(home: Path) -> None:
    """The tool runs, the plugin joins the request, the ledger is charged, the budget holds."""
    ledger = f"sqlite:///{home}/turns.db"
    plugin = str(ROOT / "examples" / "plugins" / "planets.yaml")
    with ScriptedModel([Call(("secret", {"word": "it"})), Say("17.")]) as model:
        done = turngraph(
            home,
            *("step", "Which planets are there?", "--tool", "my_tools:secret"),
            *("--plugins", plugin, "--ledger", ledger, "--base-url", model.base_url),
            *("-p", "openai", "-m", "gpt-4o-mini"),
            stdin="r\n",
            OPENAI_API_KEY="none",
        )
    assert "17." in done.stdout
    offered = [tool["function"]["name"] for tool in model.requests[0].body["tools"]]
    assert offered == ["secret", "planets"]
    with Ledger.open_existing(ledger) as books:
        assert books.total().attempts >= 2
    poor = turngraph(home, "run", "Hi", "--budget", "0", OPENAI_API_KEY="none")
    assert "The budget of one turn allows" in poor.stderr
    assert poor.returncode == 1


def test_the_ledger_of_the_environment_is_charged(home: Path) -> None:
    """The same variable that the `ledger` commands read."""
    turngraph(home, "chat", stdin="Hi\n", TURNGRAPH_LEDGER="sqlite:///turns.db")
    assert (home / "turns.db").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_commands_and_options(home: Path, shell: str) -> None:
    """By the library of the command line."""
    script = turngraph(home, "completion", shell).stdout
    assert "replay" in script
    assert "ledger" in script
    assert "max-tokens" in script


def test_a_table_in_a_pipe_is_whole(home: Path) -> None:
    """Nothing is cut to the width of a terminal that is not there."""
    rows = turngraph(home, "vendors").stdout.splitlines()
    assert any(
        "https://RESOURCE.openai.azure.com/openai/v1" in row and "AZURE_OPENAI_API_KEY" in row
        for row in rows
    )
