"""Calls that the vendor served itself, and calls that wait for the caller."""

from typing import Any

import pytest

from turngraph.providers.reading.asked import Asked
from turngraph.providers.reading.chat_reader import ChatReader, read_chat
from turngraph.providers.reading.responses_reader import read_responses

BUILT_IN = Asked.of({"tools": [{"type": "web_search"}, {"type": "function", "name": "weigh"}]})


def call_item(name: str, call_id: str = "c1") -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}"}


@pytest.mark.parametrize(
    ("name", "call_id", "waits"),
    [
        ("web_search", "c1", False),
        ("browse_page", "ws_call_1", False),
        ("x_keyword_search", "xs_call_1", False),
        ("weigh", "xs_call_1", True),
        ("invented", "c1", True),
    ],
)
def test_a_call_of_a_tool_that_runs_at_the_vendor_does_not_wait_for_us(
    name: str, call_id: str, waits: bool
) -> None:
    """By the name of the vendor's tool, or by how it begins its ids. A name that the model invented
    waits: the model is told that there is no such tool.
    """
    function = {"name": name, "arguments": "{}"}
    message = {"content": "Hi.", "tool_calls": [{"id": call_id, "function": function}]}
    chat = read_chat({"choices": [{"message": message, "finish_reason": "stop"}]}, asked=BUILT_IN)
    items = {"status": "completed", "output": [call_item(name, call_id)]}
    responses = read_responses(items, asked=BUILT_IN)
    assert [bool(reply.tool_calls) for reply in (chat, responses)] == [waits, waits]


def test_each_choice_of_a_joined_answer_has_calls_of_its_own() -> None:
    """Both choices count their calls from 0, and send no ids."""

    def pieces(first: str, second: str, **name: str) -> dict[str, Any]:
        return {
            "choices": [
                {
                    "index": place,
                    "delta": {
                        "tool_calls": [{"index": 0, "function": {"arguments": text, **name}}]
                    },
                }
                for place, text in enumerate((first, second))
            ]
        }

    reader = ChatReader()
    reader.feed(pieces('{"item":', '{"item":', name="weigh"))
    reader.feed(pieces(' "oak"}', ' "elm"}'))
    reader.feed({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    arguments = [call.arguments for call in reader.finish(ended=True).tool_calls]
    assert arguments == ['{"item": "oak"}', '{"item": "elm"}']


def test_a_call_that_holds_its_own_output_was_served() -> None:
    """Gateways put the result of a tool of theirs into the call."""
    items = {"status": "completed", "output": [call_item("ask_wiki") | {"output": "Text."}]}
    assert read_responses(items, asked=BUILT_IN).tool_calls == ()


def test_a_call_with_the_vendors_id_was_served_whatever_its_name() -> None:
    """A search of xAI's that is called like a tool of the caller's made a request after another."""
    item = {
        "type": "custom_tool_call",
        "call_id": "xs_call_1",
        "name": "weigh",
        "input": "{}",
        "status": "completed",
    }
    body = {"status": "completed", "output": [item]}
    assert read_responses(body, asked=Asked(tools=frozenset({"weigh"}))).tool_calls == ()
