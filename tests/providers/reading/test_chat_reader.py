"""Chat Completions answers as vendors send them: read whole, or marked as truncated."""

from typing import Any

import pytest

from tests.providers.chat_answers import (
    JsonObject,
    call_piece,
    calls_of,
    event,
    message,
    reply_of,
    stream,
)
from turngraph.providers.reading.asked import Asked
from turngraph.providers.reading.chat_reader import ChatReader, read_chat
from turngraph.state.errors import ProviderError
from turngraph.state.usage import Usage


def test_a_stream_and_its_json_read_the_same() -> None:
    """A reply does not show whether it was streamed."""
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    pieces = [
        event({"role": "assistant", "content": ""}),
        event({"content": "Hel"}),
        event({"content": "lo"}),
    ]
    end = [
        event(finish="stop"),
        {"id": "c1", "model": "m", "choices": [], "usage": usage, "service_tier": "default"},
    ]
    streamed, chunks = stream(*pieces, *end)
    whole = read_chat(
        {
            "id": "c1",
            "model": "m",
            "service_tier": "default",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "Hello"},
                    "finish_reason": "stop",
                }
            ],
            "usage": usage,
        }
    )
    assert streamed.model_copy(update={"raw": None}) == whole.model_copy(update={"raw": None})
    assert [(chunk.type, chunk.text) for chunk in chunks] == [
        ("text", "Hel"),
        ("text", "lo"),
        ("usage", ""),
    ]
    assert read_chat(streamed.raw).model_copy(update={"raw": None}) == whole.model_copy(
        update={"raw": None}
    )


@pytest.mark.parametrize("done", [True, False])
def test_without_a_finish_reason_an_answer_is_truncated(done: bool) -> None:
    """A worker that crashes closes the connection cleanly, too."""
    reply = reply_of(event({"content": "Hel"}), done=done)
    assert (reply.text, reply.truncated, reply.finish_reason) == ("Hel", True, None)


def test_a_vendor_known_to_leave_the_finish_reason_out_is_believed_with_done_or_usage() -> None:
    """Ollama and routers leave it out of whole answers, which end with `[DONE]` or usage."""
    usage = {"choices": [], "usage": {"prompt_tokens": 1}}
    assert not reply_of(event({"content": "4"}), finish_reason_optional=True).truncated
    assert not reply_of(
        event({"content": "4"}), usage, done=False, finish_reason_optional=True
    ).truncated
    assert reply_of(event({"content": "4"}), done=False, finish_reason_optional=True).truncated


def test_a_missing_done_is_noted_and_nothing_more() -> None:
    """Perplexity never sends it."""
    reply = reply_of(event({"content": "4"}, "stop"), done=False)
    assert (reply.truncated, reply.notes) == (False, ("The stream ended without `[DONE]`.",))


def test_a_json_body_is_whole_without_a_finish_reason() -> None:
    """Snowflake sends `""`; a JSON body that parses was not cut off."""
    reply = message("4", finish="")
    assert (reply.text, reply.truncated, reply.finish_reason) == ("4", False, None)


def test_the_last_usage_counts_and_is_never_added() -> None:
    """vLLM repeats a running total on every chunk; a sum would bill too much."""
    first, last = ({"prompt_tokens": 10, "completion_tokens": n} for n in (2, 5))
    reply = reply_of(
        event({"content": "a"}, usage=first),
        event({}, "stop", usage=last),
        {"choices": [], "usage": None},
    )
    assert reply.usage == Usage(input_tokens=10, output_tokens=5)


@pytest.mark.parametrize("place", ["choiceless", "beside", "x_groq"])
def test_usage_is_found_wherever_it_stands(place: str) -> None:
    """OpenAI sends it alone, Mistral beside the last choice, Groq in a member of its own."""
    usage = {"prompt_tokens": 7}
    last = {
        "choiceless": [event({}, "stop"), {"choices": [], "usage": usage}],
        "beside": [event({}, "stop", usage=usage)],
        "x_groq": [event({}, "stop", x_groq={"id": "r", "usage": usage})],
    }[place]
    reply, chunks = stream(event({"content": "a"}), *last)
    assert reply.usage == Usage(input_tokens=7)
    assert [chunk.usage for chunk in chunks if chunk.type == "usage"] == [Usage(input_tokens=7)]


def test_an_answer_without_usage_has_none() -> None:
    """The ledger estimates or holds it; it is never zero."""
    assert reply_of(event({"content": "a"}, "stop")).usage is None


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_read_under_every_name_and_kept_to_be_sent_back(name: str) -> None:
    """DeepSeek refuses a tool's result if the reasoning before its call is missing."""
    reply, chunks = stream(event({name: "2+"}), event({name: "2"}), event({"content": "4"}, "stop"))
    assert (reply.reasoning, reply.text, reply.extra) == ("2+2", "4", {name: "2+2"})
    assert [chunk.type for chunk in chunks] == ["reasoning", "reasoning", "text"]


def test_reasoning_sent_under_two_names_is_shown_once() -> None:
    """Servers that change from `reasoning_content` to `reasoning` send both for a while."""
    both = {"reasoning": "hm", "reasoning_content": "hm"}
    reply = reply_of(event(both), event({}, "stop"))
    assert (reply.reasoning, reply.extra) == ("hm", both)


def test_reasoning_details_are_put_together_and_kept_whole() -> None:
    """OpenRouter wants them back as one list, each with its whole text and its signature."""
    details = [
        {"type": "reasoning.text", "text": "Let ", "format": "x", "index": 0},
        {"type": "reasoning.text", "text": "me see.", "format": "x", "index": 0},
        {"type": "reasoning.text", "signature": "c2ln", "format": "x", "index": 0},
        {"type": "reasoning.encrypted", "data": "b3Blbg==", "id": "t1", "index": 0},
        {"type": "reasoning.encrypted", "data": "c2VjcmV0", "id": "t2", "index": 0},
    ]
    reply = reply_of(
        *(event({"reasoning_details": [detail]}) for detail in details), event({}, "stop")
    )
    text = {
        "type": "reasoning.text",
        "text": "Let me see.",
        "format": "x",
        "index": 0,
        "signature": "c2ln",
    }
    assert (reply.reasoning, reply.extra) == (
        "Let me see.",
        {"reasoning_details": [text, *details[3:]]},
    )
    assert reply == reply_of(event({"reasoning_details": details}), event({}, "stop")).model_copy(
        update={"raw": reply.raw}
    )


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_think_tag_at_the_very_start_is_reasoning_wherever_it_is_cut(cut: int) -> None:
    """Servers without a reasoning parser leave it in the answer."""
    text = "\n<think>\n2+2?</think>\n\n4 </think>"
    reply = reply_of(
        event({"content": text[:cut]}), event({"content": text[cut:]}), event({}, "stop")
    )
    assert (reply.reasoning, reply.text) == ("\n2+2?", "4 </think>")


@pytest.mark.parametrize(
    "text", ["Use <think> tags.", "<thin", "<thinking>", " <", "a<think>b</think>", "", "\n"]
)
def test_a_think_tag_anywhere_else_is_text(text: str) -> None:
    """Somebody may have asked about the tag."""
    assert (message(text).text, message(text).reasoning) == (text, None)
    assert reply_of(event({"content": text}), event({}, "stop")).text == text


def test_reasoning_without_a_closing_tag_is_no_answer() -> None:
    """The cap on tokens ended it; half a thought is not an answer."""
    reply = message("<think>Let me</thi", finish="length")
    assert (reply.text, reply.reasoning) == ("", "Let me</thi")


def test_content_in_parts_is_read_and_kept() -> None:
    """Mistral's reasoning models answer in a list, and want it back."""
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "2+2"}], "closed": True},
        {"type": "text", "text": "4"},
    ]
    reply = message(parts)
    assert (reply.text, reply.reasoning, list(reply.items)) == ("4", "2+2", parts)
    pieces = [
        event({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "2"}]}]}),
        event(
            {
                "content": [
                    {
                        "type": "thinking",
                        "thinking": [{"type": "text", "text": "+2"}],
                        "closed": True,
                    }
                ]
            }
        ),
        event({"content": "4"}, "stop"),
    ]
    streamed = reply_of(*pieces)
    assert (streamed.text, streamed.reasoning, list(streamed.items)) == ("4", "2+2", parts)


def test_a_refusal_is_not_the_text() -> None:
    """It is kept and billed like any answer."""
    reply, chunks = stream(event({"refusal": "I can"}), event({"refusal": "not."}, "stop"))
    assert (reply.refusal, reply.text, [chunk.type for chunk in chunks]) == (
        "I cannot.",
        "",
        ["refusal"] * 2,
    )


def test_several_choices_that_nobody_asked_for_are_one_answer() -> None:
    """Copilot puts the text of Claude's answers into one choice and the calls into the next."""
    other = {"choices": [{"index": 1, "delta": {"content": "B"}, "finish_reason": "stop"}]}
    reply = reply_of(event({"content": "A"}), other, event({}, "stop"))
    assert reply.text == "AB"
    assert "One answer came in several choices; they were joined." in reply.notes


def test_the_first_of_several_choices_is_kept_where_several_were_asked_for() -> None:
    """With `n` they are alternatives: joined, they would read as one answer, `AB`."""
    choices = [
        {"index": 1, "message": {"content": "B"}, "finish_reason": "stop"},
        {"index": 0, "message": {"content": "A"}, "finish_reason": "stop"},
    ]
    reply = read_chat({"choices": choices}, asked=Asked(several_choices=True))
    assert (reply.text, reply.notes) == ("A", ("More than one choice; the first is kept.",))


@pytest.mark.parametrize(
    "body", [{}, {"choices": None}, {"choices": []}, {"choices": "?"}, {"choices": [None]}]
)
def test_an_answer_without_choices_is_an_error(body: JsonObject) -> None:
    """Clients raise an IndexError on it, or take it for an empty success."""
    with pytest.raises(ProviderError, match="no choices") as caught:
        read_chat(body)
    assert (caught.value.kind, caught.value.billed) == ("protocol", "unknown")
    with pytest.raises(ProviderError, match="no choices") as caught:
        reply_of(body, done=False)
    assert caught.value.kind == "truncated"


def test_null_choices_and_azures_first_chunk_add_nothing() -> None:
    """OpenRouter sends `choices: null`; Azure starts with the filter results of the prompt."""
    reply = reply_of(
        {"choices": [], "prompt_filter_results": [{}]},
        {"choices": None},
        event({"content": "4"}, "stop"),
    )
    assert reply.text == "4"


def test_an_answer_with_nothing_in_it_is_an_empty_answer() -> None:
    """The turn decides what to do about it."""
    reply = message(None)
    assert (reply.text, reply.tool_calls, reply.finish_reason) == ("", (), "stop")


@pytest.mark.parametrize("reason", ["eos", "max_tool_calls", "length"])
def test_a_finish_reason_is_kept_as_the_vendor_wrote_it(reason: str) -> None:
    """An unknown one is not taken for success."""
    assert message("4", finish=reason).finish_reason == reason


def test_text_after_the_finish_reason_is_kept_and_noted() -> None:
    """SenseNova and NVIDIA send the last piece of the answer after its finish reason."""
    reply = reply_of(event({"content": "4"}, "stop"), event({"content": "2"}))
    assert (reply.text, reply.finish_reason) == ("42", "stop")
    assert "Something came after the finish reason; it was kept." in reply.notes


def test_a_finish_reason_called_error_is_an_error() -> None:
    """OpenRouter reports a failure in mid-stream like this, if its error object was lost."""
    with pytest.raises(ProviderError) as caught:
        reply_of(event({"content": "4"}), event({}, "error"))
    assert caught.value.kind == "server"


def test_a_chunk_of_another_id_is_noted() -> None:
    """Perplexity gives every chunk an id of its own, so it cannot be refused."""
    reply = reply_of(event({"content": "4"}), event({}, "stop") | {"id": "c2"})
    assert (reply.response_id, reply.notes) == (
        "c1",
        ("`id` changed within the stream; the first is kept.",),
    )


def test_citations_are_kept_wherever_a_vendor_puts_them() -> None:
    """OpenAI annotates the message, Perplexity lists its sources beside the choices."""
    annotation = {
        "type": "url_citation",
        "url_citation": {"url": "https://a.example", "title": "A"},
    }
    assert message("4", annotations=[annotation]).citations == (annotation,)
    assert reply_of(event({"annotations": [annotation]}), event({}, "stop")).citations == (
        annotation,
    )
    beside = event({"content": "4"}, "stop", citations=["https://a.example"])
    assert reply_of(beside).citations == ({"type": "url_citation", "url": "https://a.example"},)
    results = event(
        {"content": "4"}, "stop", search_results=[{"url": "https://a.example", "title": "A"}]
    )
    assert reply_of(results).citations == (
        {"type": "url_citation", "url": "https://a.example", "title": "A"},
    )


def test_logprobs_of_all_chunks_are_kept() -> None:
    """One entry for each token."""
    chunks = [event({"content": token}) for token in "ab"]
    for chunk, token in zip(chunks, "ab", strict=True):
        chunk["choices"][0]["logprobs"] = {
            "content": [{"token": token, "logprob": -0.1}],
            "refusal": None,
        }
    reply = reply_of(*chunks, event({}, "stop"))
    assert [entry["token"] for entry in reply.logprobs] == ["a", "b"]


def test_a_spoken_answers_transcript_is_its_text() -> None:
    """Its content is null; a later request refers to its id."""
    reply = message(
        None, audio={"id": "audio_1", "data": "UklGRg==", "transcript": "Four.", "expires_at": 1}
    )
    assert (reply.text, reply.extra) == ("Four.", {"audio": {"id": "audio_1"}})


def test_unknown_members_of_the_message_are_kept() -> None:
    """A vendor may want them back."""
    assert message("4", reasoning_opaque="b3Blbg==").extra == {"reasoning_opaque": "b3Blbg=="}
    assert reply_of(event({"reasoning_opaque": "b3Blbg=="}), event({}, "stop")).extra == {
        "reasoning_opaque": "b3Blbg=="
    }


def test_the_assembled_answer_is_a_chat_completion() -> None:
    """`raw` of a streamed reply is what the vendor would have answered without streaming."""
    reply = reply_of(
        event({"role": "assistant", "content": "Hi", "reasoning_content": "hm"}, created=1),
        event({"tool_calls": [call_piece(0, "a", "f", "{}")]}, "tool_calls"),
        {"choices": [], "usage": {"prompt_tokens": 1}},
    )
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert reply.raw == {
        "id": "c1",
        "model": "m",
        "created": 1,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hi",
                    "refusal": None,
                    "reasoning_content": "hm",
                    "tool_calls": [call],
                },
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {"prompt_tokens": 1},
    }


def test_a_call_after_the_finish_reason_is_kept_and_announced() -> None:
    """The stream ends where it ends, and not at the first finish reason."""
    reader = ChatReader()
    reader.feed(event({}, "tool_calls"))
    late = reader.feed(event({"tool_calls": [call_piece(0, "a", "add", "{}")]}))
    chunks = [*late, *reader.end(ended=True)]
    assert [chunk.tool_call for chunk in chunks] == list(reader.finish(ended=True).tool_calls)
    assert reader.finish(ended=True).tool_calls[0].name == "add"


def test_a_finish_reason_that_says_cut_wins_over_an_earlier_one() -> None:
    """One choice may be whole while the other, with the calls, was cut."""
    assert reply_of(event({"content": "4"}, "stop"), event({}, "length")).finish_reason == "length"


def test_usage_and_done_end_an_answer_without_a_finish_reason() -> None:
    """Some servers never send one; a stream without both may have been cut."""
    usage = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}
    assert not reply_of(event({"content": "4"}), usage).truncated
    assert reply_of(event({"content": "4"}), usage, done=False).truncated
    assert reply_of(event({"content": "4"})).truncated


@pytest.mark.parametrize(
    "later",
    [
        call_piece(1, args='": 1}'),
        call_piece(1, "", "", '": 1}'),
        call_piece(1, "a", args='": 1}'),
        call_piece(1, "a", "add", '": 1}'),
        call_piece(args='": 1}'),
        call_piece(0, "b", args='": 1}'),
        call_piece(1, "b", args='": 1}'),
        {"id": "b", "function": {"arguments": '": 1}'}},
    ],
    ids=[
        "new index",
        "empty id and name",
        "id again",
        "id and name again",
        "nothing",
        "new id",
        "new index and id",
        "new id alone",
    ],
)
def test_a_piece_that_names_no_new_call_continues_the_call_under_way(later: JsonObject) -> None:
    """Some servers count the pieces in `index`, repeat ids, send empty ones or ever new ones."""
    assert calls_of([call_piece(0, "a", "add", '{"x')], [later]) == [("a", "add", '{"x": 1}')]


def test_a_name_that_came_in_pieces_is_that_of_the_tool() -> None:
    """It is not the next call, unless a tool is called like the piece."""
    pieces = [call_piece(0, "a", "wei"), call_piece(0, name="gh", args="{}")]
    names = [
        [
            call.name
            for call in reply_of(
                *(event({"tool_calls": [piece]}) for piece in pieces),
                event(finish="tool_calls"),
                asked=Asked(tools=frozenset(tools)),
            ).tool_calls
        ]
        for tools in ({"weigh"}, {"weigh", "gh"}, {"add"})
    ]
    assert names == [["weigh"], ["wei", "gh"], ["wei", "gh"]]


def test_a_text_that_says_null_is_no_finish_reason() -> None:
    """The answer goes on, and ends with the reason that follows."""
    reply = reply_of(event({"content": "4"}, "null"), event({"content": "2"}, "length"))
    assert (reply.text, reply.finish_reason, reply.notes) == ("42", "length", ())
    assert reply_of(event({"content": "4"}, "null")).truncated


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"title": "Tö"}, '{"title": "Tö"}'),
        ([{"title": "T"}], '[{"title": "T"}]'),
        ([1, 2], "[1, 2]"),
        (4, "4"),
        ([{"type": "text", "text": "4"}], "4"),
    ],
)
def test_content_that_is_no_text_is_its_json(content: Any, text: str) -> None:
    """A JSON mode may answer with the value itself, and that answer was paid for."""
    assert message(content).text == text
    assert reply_of(event({"content": content}, "stop")).text == text


@pytest.mark.parametrize(
    "pieces",
    [("2+2</think>4",), ("2+", "2</th", "ink>", "4"), ("\n2+2\n</think>\n\n4",)],
)
def test_a_lone_closing_tag_ends_reasoning(pieces: tuple[str, ...]) -> None:
    """The opening tag stood in the prompt, where a chat template had put it."""
    reply = reply_of(*(event({"content": piece}) for piece in pieces), event({}, "stop"))
    assert (reply.text, (reply.reasoning or "").strip()) == ("4", "2+2")


def test_a_closing_tag_in_backticks_is_text() -> None:
    """The model writes about the tag."""
    assert message("End it by `</think>`.").text == "End it by `</think>`."


def test_calls_that_the_vendor_serves_itself_are_not_ours() -> None:
    """A gateway may list the vendor's own searches among the calls."""
    search = {"id": "srvtoolu_1", **call_piece(0, name="web_search", args="{}")}
    body = {"choices": [{"message": {"content": "4", "tool_calls": [search]}}]}
    reply = read_chat(body, asked=Asked(tools=frozenset({"add"})))
    assert (reply.text, reply.tool_calls) == ("4", ())
    offered = read_chat(body, asked=Asked(tools=frozenset({"web_search"})))
    assert [call.name for call in offered.tool_calls] == ["web_search"]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("MAX_TOKENS", "length"),
        ("model_length", "length"),
        ("SAFETY", "content_filter"),
        ("sensitive", "content_filter"),
        ("insufficient_system_resource", "incomplete"),
        ("abort", "incomplete"),
        ("end_turn", "end_turn"),
    ],
)
def test_a_vendors_own_word_for_a_cut_answer_is_understood(word: str, reason: str) -> None:
    """No tool may run on arguments that did not arrive whole."""
    reply, chunks = stream(
        event({"tool_calls": [call_piece(0, "a", "pay", '{"amount": 100}')]}), event(finish=word)
    )
    assert reply.finish_reason == reason
    assert reply.unfinished is (reason != "end_turn")
    assert bool([chunk for chunk in chunks if chunk.type == "tool_call"]) is not reply.unfinished
