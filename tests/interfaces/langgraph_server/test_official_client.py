"""LangGraph's official client walks the turn on LangGraph's own server."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from langgraph_sdk.client import SyncLangGraphClient
from langgraph_sdk.errors import APIStatusError
from langgraph_sdk.schema import StreamMode, ThreadState

from tests.interfaces.cli.commands import environment
from tests.paths import ROOT

STAGES = [
    *("prep_first_request", "call_llm", "bill", "dispatch_tools"),
    *("prep_second_request", "call_llm", "bill", "finalize"),
]
MODES: tuple[StreamMode, ...] = (
    *("values", "updates", "messages", "messages-tuple", "custom"),
    *("debug", "tasks", "checkpoints", "events"),
)


def question(number: int) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": f"What is {number} * 7?"}]}


def ask(client: SyncLangGraphClient, thread: str, given: Any, **options: Any) -> dict[str, Any]:
    """Runs a turn of the thread to its end and returns its output."""
    out = client.runs.wait(thread, "chat_turn", input=given, **options)
    assert isinstance(out, dict)
    return out


def values_of(state: ThreadState) -> dict[str, Any]:
    assert isinstance(state["values"], dict)
    return state["values"]


def first_at(history: Sequence[ThreadState], stage: str) -> ThreadState:
    """The latest state of a thread before a stage."""
    return next(state for state in history if list(state["next"]) == [stage])


def products_of(values: Mapping[str, Any]) -> list[str]:
    return [message["content"] for message in values["messages"] if message["type"] == "tool"]


def test_twelve_turns_are_one_thread(client: SyncLangGraphClient, thread: str) -> None:
    """The state stays readable across the full copies of the lists that grow (`GrowingList`)."""
    for number in range(12):
        out = ask(client, thread, question(number))
        values = values_of(client.threads.get_state(thread))
        assert out["result"]["status"] == "completed"
        assert len(values["messages"]) == 4 * (number + 1)
        assert [run["content"] for run in values["tool_runs"]][-1] == str(number * 7)
    assert products_of(values) == [str(number * 7) for number in range(12)]
    assert client.threads.get(thread)["status"] == "idle"


def test_the_history_has_every_stage(client: SyncLangGraphClient, thread: str) -> None:
    ask(client, thread, question(6))
    history = client.threads.get_history(thread, limit=50)
    assert [list(state["next"]) for state in reversed(history)] == [
        ["__start__"],
        *([stage] for stage in STAGES),
        [],
    ]
    assert first_at(history, "bill")["metadata"] is not None
    sent = values_of(first_at(history, "call_llm"))["request"]
    assert (sent["model"], sent["api"]) == ("scripted", "chat")


def test_a_thread_forks_from_a_checkpoint(client: SyncLangGraphClient, thread: str) -> None:
    """The model is called again from the past; the turns after it are not in the fork."""
    for number in (1, 2):
        ask(client, thread, question(number))
    history = client.threads.get_history(thread, limit=100)
    after_first = next(state for state in history if len(values_of(state)["messages"]) == 4)
    checkpoint = after_first["checkpoint"]
    out = ask(client, thread, question(9), checkpoint_id=checkpoint["checkpoint_id"])
    assert products_of(out) == ["7", "63"]
    again = first_at(history, "dispatch_tools")["checkpoint"]["checkpoint_id"]
    assert products_of(ask(client, thread, None, checkpoint_id=again)) == ["7", "14"]


def test_a_state_is_updated_from_outside(client: SyncLangGraphClient, thread: str) -> None:
    """Messages and settings, as JSON, now and in the past; a wrong one is refused."""
    ask(client, thread, question(1))
    settings = {"temperature": 0, "account": "acme"}
    told = {"role": "user", "content": "Remember Oslo."}
    client.threads.update_state(thread, {"messages": [told], "settings": settings})
    values = values_of(client.threads.get_state(thread))
    assert values["messages"][-1]["content"] == "Remember Oslo."
    assert values["settings"]["account"] == "acme"
    assert len(ask(client, thread, question(2))["messages"]) == 9

    past = first_at(client.threads.get_history(thread, limit=50), "call_llm")["checkpoint"]
    request = {**values_of(client.threads.get_state(thread, past))["request"], "temperature": 0.5}
    edited = client.threads.update_state(thread, {"request": request}, checkpoint=past)
    ask(client, thread, None, checkpoint=edited["checkpoint"])
    values = values_of(client.threads.get_state(thread))
    assert (values["request"]["temperature"], values["result"]["status"]) == (0.5, "completed")

    before = client.threads.get_state(thread)
    with pytest.raises(APIStatusError):
        client.threads.update_state(thread, {"messages": 5})
    assert client.threads.get_state(thread)["checkpoint"] == before["checkpoint"]


def test_a_run_stops_where_it_is_told(client: SyncLangGraphClient, thread: str) -> None:
    """`interrupt_before` stands before a stage, and nothing as input goes on."""
    ask(client, thread, question(6), interrupt_before=["call_llm"])
    assert client.threads.get_state(thread)["next"] == ["call_llm"]
    ask(client, thread, None, interrupt_before=["dispatch_tools"])
    assert client.threads.get_state(thread)["next"] == ["dispatch_tools"]
    ask(client, thread, None, interrupt_after=["dispatch_tools"])
    assert client.threads.get_state(thread)["next"] == ["prep_second_request"]
    out = ask(client, thread, None)
    assert (out["result"]["status"], products_of(out)) == ("completed", ["42"])
    walked = client.threads.create()["thread_id"]
    stages: list[str] = []
    ask(client, walked, question(6), interrupt_before="*")
    while pending := client.threads.get_state(walked)["next"]:
        stages += pending
        ask(client, walked, None, interrupt_before="*")
    assert stages == STAGES


@pytest.mark.parametrize("mode", MODES)
def test_every_stream_mode_tells_a_turn(
    client: SyncLangGraphClient, thread: str, mode: StreamMode
) -> None:
    """Each mode has parts of its own, and none is an error."""
    parts = list(client.runs.stream(thread, "chat_turn", input=question(6), stream_mode=mode))
    kinds = {part.event.split("/")[0] for part in parts}
    assert kinds == {"metadata", mode.removesuffix("-tuple")}
    assert products_of(values_of(client.threads.get_state(thread))) == ["42"]


def test_all_stream_modes_at_once(client: SyncLangGraphClient, thread: str) -> None:
    """What Studio asks for, with its subgraphs; tokens, events and stages are all there."""
    modes = [mode for mode in MODES if mode != "messages"]
    parts = list(
        client.runs.stream(
            thread, "chat_turn", input=question(6), stream_mode=modes, stream_subgraphs=True
        )
    )
    kinds = {part.event for part in parts}
    assert kinds == {"metadata", *(mode.removesuffix("-tuple") for mode in modes)}
    events = [part.data["type"] for part in parts if part.event == "custom"]
    assert (events[0], events[-1]) == ("prompt_started", "prompt_finished")


def test_the_schemas_are_told(client: SyncLangGraphClient) -> None:
    """Studio draws its forms from them."""
    [assistant] = client.assistants.search(graph_id="chat_turn")
    schemas = client.assistants.get_schemas(assistant["assistant_id"])
    given, out, state = (schemas[f"{kind}_schema"] for kind in ("input", "output", "state"))  # type: ignore[literal-required]
    assert set(given["properties"]) == {"messages", "turn_id", "settings"}
    assert set(out["properties"]) == {"messages", "result", "charges"}
    assert {"request", "attempts", "tool_runs"} <= set(state["properties"])
    assert "TurnResult" in out["$defs"]


def test_the_graph_is_told(client: SyncLangGraphClient) -> None:
    graph = client.assistants.get_graph("chat_turn", xray=True)
    assert {node["id"] for node in graph["nodes"]} == {"__start__", "__end__", *STAGES}


@pytest.mark.parametrize(
    "given",
    [
        {"messages": [{"role": "nobody", "content": "Hi"}]},
        {"messages": [{"role": "tool", "tool_call_id": "", "content": "4"}]},
        {"messages": 5},
        {"nonsense": 1},
        {"messages": [], "settings": {"temperature": 9}},
        [],
    ],
    ids=["role", "call id", "no messages", "key", "settings", "list"],
)
def test_a_refused_input_is_told_and_leaves_the_thread_as_it_was(
    client: SyncLangGraphClient, thread: str, given: Any
) -> None:
    ask(client, thread, question(1))
    before = client.threads.get_state(thread)["checkpoint"]
    with pytest.raises(Exception, match="TurnValueError"):
        ask(client, thread, given)
    assert client.threads.get_state(thread)["checkpoint"] == before
    assert products_of(ask(client, thread, question(2))) == ["7", "14"]


def test_the_example_walks_a_thread(server: str, tmp_path: Any) -> None:
    """The program of the how-to page."""
    program = [sys.executable, str(ROOT / "examples/langgraph_client.py"), server]
    done = subprocess.run(
        program, env=environment(tmp_path), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "turn 1: 6 * 7 is 42; 4 messages",
        "turn 2: 6 * 8 is 48; 8 messages",
        "stopped before call_llm; about to ask scripted",
        "the same question from the past: 8 messages",
    ]
