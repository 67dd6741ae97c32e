"""Tool calls in all the pieces, and with all the ids, in which vendors send them."""

from typing import Any

import pytest

from tests.providers.chat_answers import call_piece, calls_of, event, message, reply_of, stream
from turngraph.providers.reading.chat_reader import ChatReader, read_chat
from turngraph.providers.reading.read_limits import ReadLimits
from turngraph.state.errors import ProviderError


def test_fragments_of_parallel_calls_may_interleave() -> None:
    """vLLM and OpenAI may write several calls at the same time."""
    assert calls_of(
        [call_piece(0, "a", "add", "")],
        [call_piece(1, "b", "mul", "")],
        [call_piece(0, args='{"x"'), call_piece(1, args='{"y"')],
        [call_piece(1, args=":2}")],
        [call_piece(0, args=":1}")],
    ) == [("a", "add", '{"x":1}'), ("b", "mul", '{"y":2}')]


def test_whole_calls_without_an_index_are_distinguished_by_their_id() -> None:
    """Mistral and Gemini send each call whole, without an index."""
    assert calls_of([call_piece(None, "a", "f", "{}"), call_piece(None, "b", "f", "{}")]) == [
        ("a", "f", "{}"),
        ("b", "f", "{}"),
    ]


def test_pieces_without_index_and_id_belong_to_the_last_call() -> None:
    """LangChain makes two calls with empty arguments of them."""
    assert calls_of(
        [call_piece(None, "a", "f", "")], [call_piece(args='{"x":')], [call_piece(args="1}")]
    ) == [("a", "f", '{"x":1}')]


def test_the_same_index_with_another_id_is_another_call() -> None:
    """Some servers number every call 0."""
    assert calls_of([call_piece(0, "a", "f", "{}")], [call_piece(0, "b", "g", "{}")]) == [
        ("a", "f", "{}"),
        ("b", "g", "{}"),
    ]


def test_a_name_repeated_on_every_piece_is_one_name() -> None:
    """LangChain calls `addadd`."""
    pieces = [
        call_piece(0, "a", "add", '{"x"'),
        call_piece(0, "a", "add", ":1"),
        call_piece(0, "a", "add", "}"),
    ]
    assert calls_of(*([piece] for piece in pieces)) == [("a", "add", '{"x":1}')]
    nameless_id = [call_piece(0, None, "add", '{"x"'), call_piece(0, None, "add", ":1}")]
    assert calls_of(*([piece] for piece in nameless_id)) == [("call_0", "add", '{"x":1}')]


def test_whole_calls_without_ids_under_one_index_are_two_calls() -> None:
    """A name that comes again after complete arguments is not a repetition."""
    assert calls_of(
        [call_piece(0, None, "f", '{"x":1}')], [call_piece(0, None, "f", '{"x":2}')]
    ) == [
        ("call_0", "f", '{"x":1}'),
        ("call_1", "f", '{"x":2}'),
    ]


def test_missing_and_doubled_ids_are_made_up_the_same_way_each_time() -> None:
    """Results are matched by id, so each call needs one of its own, and the same one on
    every reading.
    """
    pieces = [
        call_piece(0, "x", "f", "{}"),
        call_piece(1, "x", "g", "{}"),
        call_piece(2, "", "h", "{}"),
    ]
    assert calls_of(pieces) == [("x", "f", "{}"), ("x#2", "g", "{}"), ("call_2", "h", "{}")]
    reply = message(
        tool_calls=[{"function": {"name": "f", "arguments": "{}"}}], finish="tool_calls"
    )
    assert reply.tool_calls[0].id == "call_0"
    assert reply.notes == ("A tool call had no id; one was made up.",)


@pytest.mark.parametrize("arguments", [None, ""])
def test_arguments_that_are_null_or_empty_are_empty(arguments: Any) -> None:
    """vLLM sends null on the first piece; the toolbox decides what an empty text means."""
    assert calls_of([call_piece(0, "a", "f", arguments)], [call_piece(0, args=arguments)]) == [
        ("a", "f", "")
    ]


def test_arguments_that_are_an_object_become_text() -> None:
    """Some proxies pass Ollama's own form on."""
    reply = message(
        tool_calls=[{"id": "a", "function": {"name": "f", "arguments": {"x": 1}}}],
        finish="tool_calls",
    )
    assert reply.tool_calls[0].arguments == '{"x": 1}'
    assert reply.notes == ("Arguments came as JSON, not as text; they were written out.",)


def test_arguments_that_are_not_json_are_kept_as_sent() -> None:
    """The toolbox tells the model; repairing them would run what nobody asked for."""
    assert calls_of([call_piece(0, "a", "f", '{"amount":NaN,')]) == [("a", "f", '{"amount":NaN,')]


def test_what_a_vendor_wants_back_with_a_call_is_kept() -> None:
    """Gemini refuses the next request without the thought signature."""
    signature = {"google": {"thought_signature": "c2ln"}}
    reply = reply_of(
        event(
            {"tool_calls": [call_piece(0, "a", "f", "{}") | {"extra_content": signature}]},
            "tool_calls",
        )
    )
    assert reply.tool_calls[0].extra == {"extra_content": signature}


def test_a_call_is_announced_with_the_finish_reason() -> None:
    """A listener may act on it, so it must be whole by then."""
    reader = ChatReader()
    assert reader.feed(event({"tool_calls": [call_piece(0, "a", "f", "{}")]})) == []
    [chunk] = reader.feed(event({}, "tool_calls"))
    assert (chunk.type, chunk.tool_call) == ("tool_call", reader.finish().tool_calls[0])


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_a_call_cut_by_the_end_of_the_answer_is_kept_but_not_announced(reason: str) -> None:
    """`{"amount":100` cut out of 1000000 must not be paid."""
    pieces = event({"tool_calls": [call_piece(0, "a", "pay", '{"amount":100')]})
    reply, chunks = stream(pieces, event({}, reason))
    assert (reply.finish_reason, reply.tool_calls[0].arguments, chunks) == (
        reason,
        '{"amount":100',
        [],
    )


def test_the_deprecated_function_call_is_a_tool_call() -> None:
    """Some proxies still send it."""
    first = event({"function_call": {"name": "f", "arguments": '{"x":'}})
    reply = reply_of(
        first, event({"function_call": {"arguments": "1}"}}), event({}, "function_call")
    )
    [call] = reply.tool_calls
    assert (call.id, call.name, call.arguments, call.extra) == (
        "call_0",
        "f",
        '{"x":1}',
        {"type": "function_call"},
    )
    assert message("4", function_call={"name": "", "arguments": ""}).tool_calls == ()


def test_a_custom_tool_is_called_with_its_input() -> None:
    """Its arguments are free text."""
    reply = message(
        tool_calls=[{"id": "a", "type": "custom", "custom": {"name": "math", "input": "4 + 4"}}]
    )
    [call] = reply.tool_calls
    assert (call.name, call.arguments, call.extra) == ("math", "4 + 4", {"type": "custom"})
    piece = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "math", "input": "4 + 4"}}
    streamed = reply_of(event({"tool_calls": [piece]}, "tool_calls"))
    assert streamed.tool_calls == read_chat(streamed.raw).tool_calls == reply.tool_calls


def test_too_many_calls_and_too_long_arguments_are_refused() -> None:
    """They come from a model in a loop, or from an attack."""
    limits = ReadLimits(tool_calls=2, argument_chars=10)
    with pytest.raises(ProviderError) as caught:
        reply_of(
            event({"tool_calls": [call_piece(i, str(i), "f", "{}") for i in range(3)]}),
            limits=limits,
        )
    assert caught.value.kind == "too_large"
    with pytest.raises(ProviderError) as caught:
        reply_of(*[event({"tool_calls": [call_piece(0, "a", "f", "12345678")]})] * 2, limits=limits)
    assert caught.value.kind == "too_large"
