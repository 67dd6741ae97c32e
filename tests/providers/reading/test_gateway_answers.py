"""Answers that gateways translate from another API, and lose a part of on the way: what was
streamed is the answer, and a status that stands anywhere counts.
"""

import json
from typing import Any

import pytest

from turngraph.providers.reading.answer_reader import AnswerReader
from turngraph.providers.reading.asked import Asked
from turngraph.state.reply import ProviderReply, StreamChunk
from turngraph.state.request import Api

JsonObject = dict[str, Any]

OAK, ELM = '{"item":"oak"}', '{"item":"elm"}'
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
TOOLS = Asked(tools=frozenset({"weigh"}))


def read(*events: Any, api: Api = "responses") -> tuple[ProviderReply, list[StreamChunk]]:
    reader = AnswerReader(api, vendor="acme", status=200, headers={}, streaming=True, asked=TOOLS)
    told = []
    for event in events:
        text = event if isinstance(event, str) else json.dumps(event)
        told += reader.feed(f"data: {text}\n\n".encode(), 0.0)
    told += reader.end()
    return reader.finish(), told


def read_body(body: JsonObject, api: Api = "responses") -> ProviderReply:
    reader = AnswerReader(api, vendor="acme", status=200, headers={}, streaming=False, asked=TOOLS)
    reader.feed(json.dumps(body).encode(), 0.0)
    return reader.finish()


def chunk(delta: JsonObject | None, finish: str | None = None, **choice: Any) -> JsonObject:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish, **choice}]}


def event(kind: str, index: int = 0, **members: Any) -> JsonObject:
    return {"type": f"response.{kind}", "output_index": index, **members}


def message(text: str | None, id_: str = "m1") -> JsonObject:
    parts = [] if text is None else [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": id_, "role": "assistant", "content": parts}


def call(id_: str, arguments: str) -> JsonObject:
    return {
        "type": "function_call",
        "id": f"f{id_}",
        "call_id": id_,
        "name": "weigh",
        "arguments": arguments,
    }


def end(*output: JsonObject, kind: str = "completed", **members: Any) -> JsonObject:
    response = {"id": "r", "status": "completed", "output": list(output), **members}
    return {"type": f"response.{kind}", "response": response}


HELLO = (event("output_text.delta", delta="Hel"), event("output_text.delta", delta="lo"))


@pytest.mark.parametrize(
    "last",
    [
        [event("output_item.done", item=message(None)), end()],
        [event("output_item.done", item=message("")), end()],
        [end(message(None))],
        [end(message(""))],
        [{"type": "response.completed"}],
        [{"type": "response.completed", "response": None}],
    ],
    ids=["done empty", "done ''", "end empty", "end ''", "no response", "null"],
)
def test_a_text_that_was_streamed_is_the_text(last: list[JsonObject]) -> None:
    """The listener was told it, and it is paid for.

    https://github.com/agentgateway/agentgateway/pull/2281, https://github.com/mnfst/llm-gateway/issues/2064
    """
    reply, told = read(*HELLO, *last)
    assert (reply.text, reply.finish_reason) == ("Hello", "stop")
    assert "".join(piece.text for piece in told if piece.type == "text") == "Hello"


@pytest.mark.parametrize(
    "last",
    [[end(message("Hello"))], [end(message("Hello"), call("c1", ""))]],
    ids=["no call", "no arguments"],
)
def test_a_call_that_was_streamed_is_a_call(last: list[JsonObject]) -> None:
    """The final response has only the text, or a call without its arguments."""
    reply, _ = read(*HELLO, event("output_item.done", 1, item=call("c1", OAK)), *last)
    assert [(each.id, each.arguments) for each in reply.tool_calls] == [("c1", OAK)]
    assert (reply.text, reply.finish_reason) == ("Hello", "tool_calls")


def test_items_under_one_index_are_several() -> None:
    """A bridge that writes index 0 everywhere; the second call took the place of the first.

    https://github.com/BerriAI/litellm/issues/21331
    """
    events = [event("output_item.added", item={"type": "reasoning", "id": "rs", "summary": []})]
    events += [event("reasoning_summary_text.delta", item_id="rs", delta="Two things.")]
    for id_, arguments in (("a", OAK), ("b", ELM)):
        events += [
            event("output_item.added", item=call(id_, "")),
            event("function_call_arguments.delta", item_id=f"f{id_}", delta=arguments[:5]),
            event("function_call_arguments.delta", item_id=f"f{id_}", delta=arguments[5:]),
            event("output_item.done", item=call(id_, arguments)),
        ]
    reply, _ = read(*events, end())
    assert [(each.id, each.arguments) for each in reply.tool_calls] == [("a", OAK), ("b", ELM)]
    assert reply.reasoning == "Two things."


@pytest.mark.parametrize(
    ("whole", "kind"),
    [
        (event("output_text.done", text="Hello"), "text"),
        (event("content_part.done", part={"type": "output_text", "text": "Hello"}), "text"),
        (event("content_part.done", part={"type": "refusal", "refusal": "Hello"}), "refusal"),
        (event("reasoning_text.done", text="Hello"), "reasoning"),
        (event("reasoning_summary_text.done", summary_index=0, text="Hello"), "reasoning"),
        (
            event("reasoning_summary_part.done", part={"type": "summary_text", "text": "Hello"}),
            "reasoning",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else value["type"],
)
def test_a_text_that_comes_whole_is_read_and_told(whole: JsonObject, kind: str) -> None:
    """Proxies that do not stream send the end of a text without the pieces before it."""
    reply, told = read(whole, end())
    assert getattr(reply, kind) == "Hello"
    assert [(piece.type, piece.text) for piece in told] == [(kind, "Hello")]


def test_what_the_final_response_has_is_told_if_nothing_was() -> None:
    """A stream of nothing but its end."""
    reply, told = read(end(message("Hello")))
    assert (reply.text, [piece.text for piece in told]) == ("Hello", ["Hello"])


@pytest.mark.parametrize("status", [None, "completed"])
@pytest.mark.parametrize("kind", ["incomplete", "cancelled"])
def test_the_name_of_the_last_event_is_a_status(kind: str, status: str | None) -> None:
    """The response within it lacks its status, or has the wrong one; its calls may be cut."""
    reply, told = read(end(call("a", OAK), kind=kind, status=status))
    assert (reply.finish_reason, reply.unfinished) == (kind, True)
    assert not told


@pytest.mark.parametrize("status", [None, "completed"])
def test_a_reason_for_being_incomplete_is_a_status(status: str | None) -> None:
    details = {"reason": "max_output_tokens"}
    body = end(call("a", OAK), status=status, incomplete_details=details)["response"]
    for reply in (read_body(body), read({"type": "response.completed", "response": body})[0]):
        assert (reply.finish_reason, reply.unfinished) == ("length", True)


@pytest.mark.parametrize("details", [None, {}, {"reason": None}], ids=repr)
def test_no_reason_for_being_incomplete_is_none(details: Any) -> None:
    """Servers that write every member."""
    body = end(message("Hello"), incomplete_details=details)["response"]
    assert read_body(body).finish_reason == "stop"


def test_a_message_without_its_type_is_a_message() -> None:
    body = {"status": "completed", "output": [{"role": "assistant", "content": "Hello"}]}
    assert read_body(body).text == "Hello"


def test_a_users_message_among_the_output_is_not_the_answer() -> None:
    """Servers that send the conversation back."""
    said = {**message("Who?", "m0"), "role": "user"}
    assert read_body(end(said, message("Hello"))["response"]).text == "Hello"


def piece(arguments: Any, **members: Any) -> JsonObject:
    return {"index": 0, "function": {"arguments": arguments}, **members}


def test_arguments_that_each_piece_repeats_are_the_last_piece() -> None:
    """https://github.com/NousResearch/hermes-agent/pull/35718"""
    for repeated in ({}, {"id": "a"}):
        sent = [piece(OAK[:n], **repeated) for n in (3, 9, len(OAK), len(OAK))]
        first = {"index": 0, "id": "a", "function": {"name": "weigh", "arguments": ""}}
        chunks = [chunk({"tool_calls": [each]}) for each in (first, *sent)]
        reply, _ = read(*chunks, chunk({}, "tool_calls"), "[DONE]", api="chat")
        assert [each.arguments for each in reply.tool_calls] == [OAK]


def test_pieces_that_begin_alike_are_still_pieces() -> None:
    """`{"a":` and then `{"a":1}}` are one object within another."""
    first = {"index": 0, "id": "a", "function": {"name": "weigh", "arguments": '{"a":'}}
    chunks = [chunk({"tool_calls": [each]}) for each in (first, piece('{"a":1}}'))]
    reply, _ = read(*chunks, chunk({}, "tool_calls"), "[DONE]", api="chat")
    assert [each.arguments for each in reply.tool_calls] == ['{"a":{"a":1}}']


def test_a_call_in_both_forms_is_one_call() -> None:
    """A tool that pays would pay twice."""
    function = {"name": "weigh", "arguments": OAK}
    both = {
        "function_call": function,
        "tool_calls": [{"id": "a", "type": "function", "function": function}],
    }
    whole = {"choices": [{"message": both, "finish_reason": "tool_calls"}], "usage": USAGE}
    streamed, _ = read(chunk(both), chunk({}, "tool_calls"), "[DONE]", api="chat")
    for reply in (read_body(whole, "chat"), streamed):
        assert [(each.id, each.arguments) for each in reply.tool_calls] == [("a", OAK)]
        assert "`function_call` came beside `tool_calls`; it was ignored." in reply.notes


@pytest.mark.parametrize("delta", [None, {}, {"content": ""}], ids=repr)
def test_a_message_at_the_end_brings_what_no_delta_brought(delta: JsonObject | None) -> None:
    """Its text was streamed, its call was not."""
    calls = [{"id": "a", "type": "function", "function": {"name": "weigh", "arguments": OAK}}]
    last = {"role": "assistant", "content": "Hello", "tool_calls": calls}
    events = [chunk({"content": "Hel"}), chunk({"content": "lo"})]
    reply, _ = read(*events, chunk(delta, "tool_calls", message=last), "[DONE]", api="chat")
    assert reply.text == "Hello"
    assert [each.arguments for each in reply.tool_calls] == [OAK]


@pytest.mark.parametrize(
    "answer",
    [
        [{"type": "person", "name": "Ada"}],
        [{"text": "Hallo", "lang": "de"}],
        [{"type": "text", "text": "a"}, {"n": 1}],
        [1, 2],
    ],
    ids=repr,
)
def test_a_list_that_is_an_answer_is_its_json(answer: Any) -> None:
    """A JSON mode that answers with the list itself; objects of any kind may have a `type`."""
    choice = {"message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
    assert json.loads(read_body({"choices": [choice], "usage": USAGE}, "chat").text) == answer


def test_parts_of_reasoning_and_refusal_are_what_they_say() -> None:
    """Databricks writes the reasoning of gpt-oss as a part."""
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Add."}]}
    parts = [thought, {"type": "text", "text": "4"}, {"type": "refusal", "refusal": "No."}]
    choice = {"message": {"role": "assistant", "content": parts}, "finish_reason": "stop"}
    reply = read_body({"choices": [choice], "usage": USAGE}, "chat")
    assert (reply.reasoning, reply.text, reply.refusal) == ("Add.", "4", "No.")
