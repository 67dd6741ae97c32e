"""A computer, a shell, a patch, an approval: calls of Responses that wait for the caller.

A vendor refuses every later request of a thread in which such a call has no output.
"""

import json
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from tests.turns import Run, both_ways, result_of
from turngraph import ProviderConfig, chat_turn
from turngraph.scripted import Raw, ScriptedModel

THREAD: Any = {"configurable": {"thread_id": "t"}}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
SAID = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Look.", "annotations": []}],
}
PRESS = {"type": "computer_call", "id": "cu_1", "call_id": "c1", "action": {"type": "screenshot"}}
KINDS: dict[str, dict[str, Any]] = {
    "computer_call": PRESS,
    "shell_call": {"type": "shell_call", "call_id": "c1", "action": {"commands": ["ls"]}},
    "local_shell_call": {"type": "local_shell_call", "id": "c1", "action": {"type": "exec"}},
    "apply_patch_call": {"type": "apply_patch_call", "call_id": "c1", "operation": {}},
    "mcp_approval_request": {"type": "mcp_approval_request", "id": "c1", "name": "delete"},
    "tool_search_call": {"type": "tool_search_call", "call_id": "c1", "execution": "client"},
}
WEIGH = {"type": "function_call", "call_id": "c2", "name": "weigh", "arguments": "{}"}


def weigh() -> str:
    """Weigh it."""
    return "3 kg"


def response(*items: dict[str, Any]) -> Raw:
    usage = {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}
    body = {"id": "r1", "status": "completed", "output": items, "usage": usage}
    return Raw(json.dumps(body), content_type="application/json")


def turn_on(model: ScriptedModel) -> Any:
    """A turn whose vendor takes back the items that it sent."""
    config = ProviderConfig(
        vendor="openai", base_url=model.base_url, model="gpt-5", api="responses", api_key="k"
    )
    return chat_turn(config, tools=[weigh], checkpointer=InMemorySaver())


def sent(model: ScriptedModel) -> list[str]:
    """The types of the items of the last request, after the instructions."""
    return [item.get("type", "message") for item in model.requests[-1].body["input"][1:]]


@both_ways
@pytest.mark.parametrize("kind", KINDS)
def test_a_turn_ends_with_a_status_of_its_own_and_the_thread_goes_on(run: Run, kind: str) -> None:
    """It ended as `empty`, and every later request had the call, which the vendor refuses."""
    with ScriptedModel([response(THOUGHT, KINDS[kind]), response(SAID)]) as model:
        turn = turn_on(model)
        result = result_of(run(turn, {"messages": [("user", "Look.")]}, THREAD))
        assert result.status == "unserved_call"
        assert result.error is not None
        assert f"`{kind}`" in result.error.message
        assert result.to_http()["statusCode"] == 501
        later = result_of(run(turn, {"messages": [("user", "And now?")]}, THREAD))
    assert later.status == "completed"
    assert sent(model) == ["message", "message"]
    assert any(kind in warning and "left out" in warning for warning in later.warnings)


@both_ways
def test_beside_a_tool_of_the_turn_it_is_left_out_with_a_warning(run: Run) -> None:
    """The turn serves what it can; the text beside the call keeps its reasoning."""
    answers = [response(THOUGHT, SAID, PRESS, WEIGH), response(SAID)]
    with ScriptedModel(answers) as model:
        result = result_of(run(turn_on(model), {"messages": [("user", "Look.")]}, THREAD))
    assert result.status == "completed"
    assert sent(model)[1:] == ["reasoning", "message", "function_call", "function_call_output"]
    assert any("a turn does not serve" in warning for warning in result.warnings)


@both_ways
def test_text_beside_it_does_not_complete_the_turn(run: Run) -> None:
    with ScriptedModel([response(SAID, PRESS)]) as model:
        result = result_of(run(turn_on(model), {"messages": [("user", "Look.")]}, THREAD))
    assert (result.status, result.answer) == ("unserved_call", "Look.")


@both_ways
def test_the_caller_may_give_its_output(run: Run) -> None:
    """As a tool message of the output's type; call and reasoning then go back as they came."""
    seen = ToolMessage(
        "seen", tool_call_id="c1", additional_kwargs={"type": "computer_call_output"}
    )
    with ScriptedModel([response(THOUGHT, PRESS), response(SAID)]) as model:
        turn = turn_on(model)
        run(turn, {"messages": [("user", "Look.")]}, THREAD)
        result = result_of(run(turn, {"messages": [seen]}, THREAD))
    assert result.status == "completed"
    assert sent(model) == ["message", "reasoning", "computer_call", "computer_call_output"]


@pytest.mark.parametrize(
    "items",
    [
        [KINDS["shell_call"], {"type": "shell_call_output", "call_id": "c1", "output": []}],
        [KINDS["shell_call"] | {"environment": {"type": "container_reference"}}],
        [KINDS["tool_search_call"] | {"execution": "server"}],
    ],
)
def test_what_the_vendor_runs_itself_does_not_wait(items: list[dict[str, Any]]) -> None:
    with ScriptedModel([response(THOUGHT, *items, SAID)]) as model:
        assert turn_on(model).run("Look.", thread="t").status == "completed"
