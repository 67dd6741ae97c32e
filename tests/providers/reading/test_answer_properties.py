"""Whatever happens to an answer on the wire, reading it ends in a reply or a ProviderError."""

import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from turngraph.providers.reading.answer_reader import AnswerReader
from turngraph.state.errors import ProviderError
from turngraph.state.reply import ProviderReply, StreamChunk
from turngraph.state.request import Api

JsonObject = dict[str, Any]


def sse(*events: Any, name: str = "") -> bytes:
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return "".join(
        (f"event: {name}\n" if name else "") + f"data: {text}\n\n" for text in texts
    ).encode()


def chunk(content: str | None = None, finish: str | None = None, **delta: Any) -> JsonObject:
    return {
        "id": "c1",
        "choices": [{"index": 0, "delta": {"content": content, **delta}, "finish_reason": finish}],
    }


CALL = {"index": 0, "id": "a", "function": {"name": "pay", "arguments": '{"amount": 1000}'}}
CHAT = (
    b": hello\n\n"
    + sse(chunk("Snow \N{SNOWMAN} "), chunk("and more"), chunk(None, reasoning_content="hm"))
    + sse(chunk(None, tool_calls=[CALL | {"function": {"name": "pay", "arguments": '{"amount"'}}]))
    + sse(chunk(None, tool_calls=[{"index": 0, "function": {"arguments": ": 1000}"}}]))
    + sse(chunk(None, "tool_calls"), {"choices": [], "usage": {"prompt_tokens": 7}})
    + b"data: [DONE]\n\n"
)
ITEM = {
    "type": "function_call",
    "id": "fc",
    "call_id": "a",
    "name": "pay",
    "arguments": '{"amount": 1000}',
}
FINAL = {
    "id": "r",
    "status": "completed",
    "output": [ITEM],
    "usage": {"input_tokens": 7, "output_tokens": 3},
}
RESPONSES = (
    sse(
        {
            "type": "response.created",
            "response": {"id": "r", "status": "in_progress", "output": []},
        },
        name="response.created",
    )
    + sse(
        {
            "type": "response.output_text.delta",
            "output_index": 0,
            "content_index": 0,
            "delta": "\N{SNOWMAN}",
        }
    )
    + sse(
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"amount"'}
    )
    + sse({"type": "response.output_item.done", "output_index": 1, "item": ITEM})
    + sse({"type": "response.completed", "response": FINAL}, name="response.completed")
)
STREAMS: dict[Api, bytes] = {"chat": CHAT, "responses": RESPONSES}


def outcome(api: Api, pieces: Iterable[bytes]) -> tuple[ProviderReply | str, list[StreamChunk]]:
    """The reply or the error's text, and all chunks before. Only ProviderError is caught."""
    told: list[StreamChunk] = []
    reader = AnswerReader(api, vendor="acme", status=200, headers={}, streaming=True)
    try:
        for piece in pieces:
            told += reader.feed(piece, 0.0)
        return reader.finish(), told
    except ProviderError as error:
        return str(error), told


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("eol", [b"\n", b"\r\n", b"\r"])
def test_a_stream_cut_at_any_byte_never_announces_a_call(api: Api, eol: bytes) -> None:
    """Every byte is tried: nothing is complete before the event that ends the answer."""
    wire = STREAMS[api].replace(b"\n", eol)
    end = wire.index(b'"finish_reason": "tool_calls"' if api == "chat" else b'"response.completed"')
    whole, _ = outcome(api, [wire])
    for cut in range(len(wire)):
        reply, told = outcome(api, [wire[:cut]])
        complete = isinstance(reply, ProviderReply) and not reply.truncated
        assert not (cut < end and complete), f"cut at {cut}"
        assert complete or all(piece.type != "tool_call" for piece in told), f"cut at {cut}"
        if complete:
            assert isinstance(reply, ProviderReply)
            assert isinstance(whole, ProviderReply)
            assert reply.tool_calls == whole.tool_calls


@given(
    st.sampled_from(["chat", "responses"]),
    st.lists(st.integers(0, 2000), max_size=12),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_any_cutting_of_the_bytes_gives_the_same_answer(
    api: Api, cuts: list[int], eol: bytes
) -> None:
    """Where the network cuts the bytes is chance."""
    wire = STREAMS[api].replace(b"\n", eol)
    places = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    assert outcome(api, [wire[a:b] for a, b in pairwise(places)]) == outcome(api, [wire])


@given(
    st.sampled_from(["chat", "responses"]),
    st.lists(
        st.tuples(
            st.integers(0, 2000), st.sampled_from([lambda b: b"", lambda b: b + b, bytes.swapcase])
        ),
        max_size=4,
    ),
    st.binary(max_size=6),
)
def test_a_stream_with_bytes_lost_doubled_or_changed_ends_in_a_reply_or_a_provider_error(
    api: Api, changes: list[tuple[int, Callable[[bytes], bytes]]], noise: bytes
) -> None:
    """Whatever arrives, no other class of error is raised."""
    wire = STREAMS[api]
    for place, change in changes:
        wire = wire[:place] + change(wire[place : place + 5]) + noise + wire[place + 5 :]
    outcome(api, [wire])


CHAT_MEMBERS = [
    *(
        "choices",
        "delta",
        "message",
        "index",
        "finish_reason",
        "content",
        "tool_calls",
        "function",
        "name",
        "arguments",
    ),
    *(
        "id",
        "usage",
        "x_groq",
        "type",
        "text",
        "thinking",
        "reasoning",
        "reasoning_details",
        "logprobs",
        "audio",
    ),
    *(
        "annotations",
        "refusal",
        "function_call",
        "custom",
        "model",
        "citations",
        "search_results",
        "prompt_tokens",
    ),
]
RESPONSES_MEMBERS = [
    "output",
    "item",
    "response",
    "output_index",
    "summary",
    "status",
    "incomplete_details",
    "part",
    "call_id",
]
KINDS = [
    *(
        "response.created",
        "response.completed",
        "response.incomplete",
        "response.output_item.added",
    ),
    *(
        "response.output_item.done",
        "response.output_text.delta",
        "response.function_call_arguments.delta",
    ),
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(KINDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(CHAT_MEMBERS + RESPONSES_MEMBERS), inner, max_size=5)
    ),
    max_leaves=25,
)


def some(*members: str) -> st.SearchStrategy[JsonObject]:
    return st.dictionaries(st.sampled_from(members), VALUES, max_size=3)


def answer_like(top: JsonObject, choice: JsonObject, item: JsonObject, kind: str) -> JsonObject:
    choices = [{"index": 0, "delta": item, "message": item} | choice]
    response = {"id": "r", "output": [item]}
    return {
        "choices": choices,
        "response": response,
        "item": item,
        "delta": "x",
        "type": kind,
        **response,
    } | top


ANSWERS = st.builds(
    answer_like,
    some("choices", "usage", "x_groq", "output", "id", "status", "item", "response", "delta"),
    some("index", "finish_reason", "logprobs", "delta"),
    some(*CHAT_MEMBERS, *RESPONSES_MEMBERS),
    st.sampled_from(KINDS),
)


@given(
    st.sampled_from(["chat", "responses"]), st.lists(VALUES | ANSWERS, max_size=4), st.booleans()
)
@example("responses", [answer_like({}, {}, {"type": []}, "response.created")], False)
def test_any_json_at_all_ends_in_a_reply_or_a_provider_error(
    api: Api, values: list[Any], whole: bool
) -> None:
    """Members of the wrong type, nulls, lists where objects belong: no TypeError, no KeyError, no
    ValidationError.
    """
    pieces = [json.dumps(value) for value in values]
    outcome(api, [pieces[0].encode()] if whole and pieces else [sse(*pieces)])
