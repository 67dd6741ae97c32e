"""Ids of tool calls in a conversation: each call has its own, and its result the same."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from turngraph.providers.vendors.profiles import VENDORS
from turngraph.providers.writing.payload import build_payload
from turngraph.state.request import Api, ChatRequest


def conversation() -> list[BaseMessage]:
    messages: list[BaseMessage] = []
    for _ in range(3):
        call: Any = {"id": "call_0", "name": "add", "args": {}, "type": "tool_call"}
        messages += [
            HumanMessage("Add."),
            AIMessage("", tool_calls=[call]),
            ToolMessage("3", tool_call_id="call_0"),
            AIMessage("3"),
        ]
    return [*messages, HumanMessage("And now?")]


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_an_id_that_comes_again_is_renamed_in_call_and_result(api: Api) -> None:
    """Servers that count the calls of each answer use `call_0` in every one."""
    messages = conversation()
    request = ChatRequest(vendor="openai", api=api, model="gpt-4.1")
    body = build_payload(request, messages, VENDORS["openai"]).body
    if api == "chat":
        calls = [c["id"] for m in body["messages"] for c in m.get("tool_calls", ())]
        results = [m["tool_call_id"] for m in body["messages"] if m["role"] == "tool"]
    else:
        calls = [i["call_id"] for i in body["input"] if i.get("type") == "function_call"]
        results = [i["call_id"] for i in body["input"] if i.get("type") == "function_call_output"]
    assert calls == results == ["call_0", "call_0_2", "call_0_3"]
    stored = [m.tool_calls[0]["id"] for m in messages if isinstance(m, AIMessage) and m.tool_calls]
    assert stored == ["call_0"] * 3
