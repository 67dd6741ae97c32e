"""Ids of tool calls in a conversation: each call has its own, and its result the same."""

import time
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from turngraph.providers.vendors.profiles import VENDORS
from turngraph.providers.writing.payload import build_payload
from turngraph.providers.writing.unique_ids import UniqueCallIds
from turngraph.state.errors import TurnValueError
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


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_two_calls_of_one_answer_with_one_id_are_told_apart(api: Api) -> None:
    """In a conversation that is given. Their results belong to them in their order."""
    calls: Any = [{"id": "x", "name": "add", "args": {"n": n}} for n in (1, 2)]
    results = [ToolMessage(text, tool_call_id="x") for text in ("one", "two")]
    messages = [HumanMessage("Add."), AIMessage("", tool_calls=calls), *results]
    request = ChatRequest(vendor="openai", api=api, model="gpt-4.1")
    body = build_payload(request, messages, VENDORS["openai"]).body
    if api == "chat":
        made = [call["id"] for call in body["messages"][1]["tool_calls"]]
        told = {m["tool_call_id"]: m["content"] for m in body["messages"][2:]}
    else:
        made = [item["call_id"] for item in body["input"][1:3]]
        told = {item["call_id"]: item["output"] for item in body["input"][3:]}
    assert (made, told) == (["x", "x_2"], {"x": "one", "x_2": "two"})
    for wrong in (messages[:-1], [*messages, results[0]]):
        with pytest.raises(TurnValueError, match="`x`"):
            build_payload(request, wrong, VENDORS["openai"])


THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_0",
    "name": "add",
    "arguments": "{}",
}
OTHER_CALL = {**CALL, "id": "fc_2"}
TEXT = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "3", "annotations": []}],
}


@pytest.mark.parametrize("store", [None, False])
@pytest.mark.parametrize(
    ("again", "sent_again"),
    [
        ([THOUGHT, CALL], ["function_call"]),
        ([THOUGHT, OTHER_CALL], ["function_call"]),
        ([SEARCH, CALL], ["function_call"]),
        ([{**THOUGHT, "id": "rs_2"}, CALL], ["reasoning", "function_call"]),
        ([{**THOUGHT, "id": "rs_2"}, SEARCH], []),
        ([TEXT], ["message"]),
        ([TEXT, TEXT], ["message", "message"]),
    ],
)
def test_an_item_that_comes_again_has_no_id_or_is_left_out(
    again: list[Any], sent_again: list[str], store: bool | None
) -> None:
    """OpenAI refuses a conversation with the same id twice, and every later one of its thread."""

    def answer(items: list[Any]) -> list[BaseMessage]:
        calls: Any = [
            {"id": item["call_id"], "name": "add", "args": {}, "type": "tool_call"}
            for item in items
            if item["type"] == "function_call"
        ]
        text = "3" * items.count(TEXT)
        message = AIMessage(text, tool_calls=calls, additional_kwargs={"output_items": items})
        return [message, *(ToolMessage("3", tool_call_id=call["id"]) for call in calls)]

    first = [*answer([THOUGHT, SEARCH, CALL]), *answer([TEXT])]
    messages = [HumanMessage("Add."), *first, *answer(again), HumanMessage("And now?")]
    request = ChatRequest(vendor="openai", api="responses", model="gpt-5", store=store)
    sent = build_payload(request, messages, VENDORS["openai"]).body["input"]
    items = [item for item in sent if item.get("type") not in (None, "function_call_output")]
    assert [item["type"] for item in items[4:]] == sent_again
    ids = [item["id"] for item in items if "id" in item]
    assert len(set(ids)) == len(ids)
    assert not [item for item in items[4:] if item.get("id") in ("fc_2", "fc_1", "msg_1")]


def test_an_id_in_every_answer_of_a_long_thread_is_counted_once() -> None:
    """Counting up from 2 each time took longer than all else of a request."""
    ids, began = UniqueCallIds(), time.process_time()
    unique = [ids.call("call_0") for _ in range(20_000)]
    assert unique[-1] == "call_0_20000"
    assert time.process_time() - began < 5
