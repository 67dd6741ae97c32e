"""`stream_generate`: pieces as they come, sync and async, continued by response id, remembered by
session.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import SecretStr

from turngraph.providers import ChunkStream, OpenAIProvider, ProviderConfig
from turngraph.providers.session_memory import SessionMemory
from turngraph.scripted import Call, Cut, Fail, LoopbackServer, Raw, Refuse, Say, ScriptedModel
from turngraph.state.errors import (
    ProviderError,
    ResponsesAPIError,
    TurnConfigurationError,
    TurnInvocationError,
    TurnValueError,
)
from turngraph.state.reply import ProviderReply, StreamChunk
from turngraph.state.usage import Usage

Take = Callable[[ChunkStream], list[StreamChunk]]


@tool
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


def provider(model: LoopbackServer, api: str = "chat", **fields: Any) -> OpenAIProvider:
    given = {
        "vendor": "openai",
        "model": "gpt-5-mini",
        "base_url": model.base_url,
        "api_key": "k",
        "api": api,
    }
    return OpenAIProvider(ProviderConfig.model_validate({**given, **fields}))


def take(stream: ChunkStream) -> list[StreamChunk]:
    return list(stream)


def atake(stream: ChunkStream) -> list[StreamChunk]:
    async def taken() -> list[StreamChunk]:
        return [chunk async for chunk in stream]

    return asyncio.run(taken())


both_ways = pytest.mark.parametrize("take", [take, atake], ids=["sync", "async"])
both_apis = pytest.mark.parametrize("api", ["chat", "responses"])


def joined(chunks: list[StreamChunk], kind: str = "text") -> str:
    return "".join(chunk.text for chunk in chunks if chunk.type == kind)


def kinds(chunks: list[StreamChunk]) -> list[str]:
    return list(dict.fromkeys(chunk.type for chunk in chunks))


@both_ways
@both_apis
def test_the_pieces_are_typed_and_add_up_to_the_reply(take: Take, api: str) -> None:
    """Whoever shows them and whoever keeps the answer must see the same."""
    said = Call(
        ("add", {"a": 1, "b": 2}),
        text="Let me see.",
        reasoning="A sum." if api == "responses" else None,
    )
    with ScriptedModel([said]) as model:
        asked = provider(model, api, reasoning_summary="auto" if api == "responses" else None)
        stream = asked.stream_generate([("user", "1+2?")], tools=[add])
        chunks = take(stream)
    assert (
        kinds(chunks)
        == ["reasoning", "text", "tool_call", "usage"][0 if api == "responses" else 1 :]
    )
    assert stream.reply is not None
    assert joined(chunks) == stream.reply.text == "Let me see."
    [call] = [chunk.tool_call for chunk in chunks if chunk.type == "tool_call"]
    assert call is not None
    assert (call.name, call.arguments) == ("add", '{"a": 1, "b": 2}')
    assert chunks[-1].usage == stream.reply.usage


@both_ways
@both_apis
def test_a_refusal_is_a_kind_of_its_own(take: Take, api: str) -> None:
    """It is no answer, and must not be shown as one."""
    with ScriptedModel([Refuse("I will not.")]) as model:
        chunks = take(provider(model, api).stream_generate([("user", "Q")]))
    assert (joined(chunks), joined(chunks, "refusal")) == ("", "I will not.")


class Gated(LoopbackServer):
    """Sends the first half of an answer, and the second only when it is let."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.go_on = threading.Event()
        self.left = threading.Event()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            await response.write(
                b'data: {"choices": [{"index": 0, "delta": {"content": "first"}}]}\n\n'
            )
            while not self.go_on.is_set():  # noqa: ASYNC110  another thread sets it
                await asyncio.sleep(0.01)
            await response.write(
                b'data: {"choices": [{"index": 0, "delta": {"content": " second"}, "finish_reason": "stop"}]}\n\n'
                b"data: [DONE]\n\n"
            )
        except asyncio.CancelledError:
            self.left.set()
            raise
        return response


@pytest.fixture
def gated() -> Iterator[Gated]:
    with Gated() as server:
        yield server


def test_a_piece_is_there_before_the_next_one_is_sent(gated: Gated) -> None:
    """A stream that is collected first is none; and pulling it starts no thread."""
    stream = provider(gated).stream_generate([("user", "Q")])
    threads = threading.active_count()
    assert next(stream).text == "first"
    assert threading.active_count() == threads
    gated.go_on.set()
    assert joined(list(stream)) == " second"


async def test_a_piece_is_there_before_the_next_one_is_sent_on_an_event_loop(gated: Gated) -> None:
    """The same, by `async for`."""
    stream = provider(gated).astream_generate([("user", "Q")])
    assert (await anext(stream)).text == "first"
    gated.go_on.set()
    assert joined([chunk async for chunk in stream]) == " second"


def test_leaving_early_hangs_up(gated: Gated) -> None:
    """The vendor stops writing, and billing, when nobody listens."""
    with provider(gated).stream_generate([("user", "Q")]) as stream:
        assert next(stream).text == "first"
    assert gated.left.wait(10)


async def test_leaving_early_hangs_up_on_an_event_loop(gated: Gated) -> None:
    """The same, by `async with`."""
    async with provider(gated).astream_generate([("user", "Q")]) as stream:
        assert (await anext(stream)).text == "first"
    assert await asyncio.to_thread(gated.left.wait, 10)


def test_nothing_leaves_before_the_first_piece_is_asked_for() -> None:
    """A stream that is made and dropped costs nothing."""
    with ScriptedModel() as model:
        stream = provider(model).stream_generate([("user", "Q")])
        assert stream.payload.body["messages"][-1] == {"role": "user", "content": "Q"}
        assert model.requests == ()


def test_a_stream_is_gone_through_once() -> None:
    """A second time would be a second call, and nobody asked for one."""
    with ScriptedModel() as model:
        stream = provider(model).stream_generate([("user", "Q")])
        assert take(stream)
        assert take(stream) == []
        with pytest.raises(TurnInvocationError, match="by `for` already"):
            atake(stream)
        assert len(model.requests) == 1


def failing(stream: ChunkStream, take: Take) -> tuple[list[StreamChunk], ProviderError]:
    """The pieces up to the error, and the error."""
    chunks: list[StreamChunk] = []

    def taken() -> None:
        for chunk in stream:
            chunks.append(chunk)  # noqa: PERF402  one by one: what came before the error counts

    async def ataken() -> None:
        async for chunk in stream:
            chunks.append(chunk)  # noqa: PERF401

    with pytest.raises(ProviderError) as caught:
        asyncio.run(ataken()) if take is atake else taken()
    return chunks, caught.value


@both_ways
@both_apis
def test_an_error_is_the_last_piece_and_then_raised(take: Take, api: str) -> None:
    """Who shows pieces has something to show, and who does not look cannot miss it."""
    with ScriptedModel([Fail(429, headers={"Retry-After": "3"})]) as model:
        chunks, error = failing(provider(model, api).stream_generate([("user", "Q")]), take)
    assert (error.kind, error.retry_after_s) == ("rate_limit", 3)
    assert chunks == [StreamChunk(type="error", text=error.message)]


@both_ways
def test_an_error_event_of_responses_has_its_own_class(take: Take) -> None:
    """Its code, parameter and place in the stream are kept."""
    events = [
        'data: {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1"}}',
        'data: {"type": "error", "sequence_number": 1, "code": "server_error", "message": "Oh.", "param": "p"}',
    ]
    with ScriptedModel([Raw(events)]) as model:
        _, error = failing(provider(model, "responses").stream_generate([("user", "Q")]), take)
    assert isinstance(error, ResponsesAPIError)
    assert (error.code, error.message, error.param, error.sequence_number) == (
        "server_error",
        "Oh.",
        "p",
        1,
    )


@both_ways
@both_apis
def test_an_answer_cut_short_is_no_answer(take: Take, api: str) -> None:
    """Its beginning was shown; its end is an error, and the session goes on from the answer before
    it.
    """
    with ScriptedModel(
        [Cut(after=6, answer=Say("one two three four five six seven"), clean=True)]
    ) as model:
        asked = provider(model, api)
        chunks, error = failing(asked.stream_generate([("user", "Q")], session_id="s"), take)
    assert (error.kind, error.billed) == ("truncated", "partial")
    assert asked.get_last_response_id("s") is None
    assert joined(chunks).startswith("one")
    assert kinds(chunks) == ["text", "error"]


@both_ways
def test_a_conversation_goes_on_from_a_response(take: Take) -> None:
    """Only what is new is sent: the vendor knows the rest."""
    with ScriptedModel([Call(("add", {"a": 1, "b": 2}, "call_1")), Say("Three.")]) as model:
        asked = provider(model, "responses")
        take(asked.stream_generate([("user", "1+2?")], session_id="s", tools=[add]))
        before = asked.get_last_response_id("s")
        chunks = take(
            asked.stream_generate(
                [],
                session_id="s",
                previous_response_id=before,
                tool_outputs=[{"call_id": "call_1", "output": {"sum": 3}}],
                tools=[add],
            )
        )
        body = model.requests[1].body
    assert joined(chunks) == "Three."
    assert body["previous_response_id"] == before
    assert body["input"] == [
        {"type": "function_call_output", "call_id": "call_1", "output": '{"sum": 3}'}
    ]
    assert [offered["name"] for offered in body["tools"]] == ["add"]
    assert asked.get_last_response_id("s") != before


def test_outputs_of_tools_come_in_any_form() -> None:
    """LangChain's messages, and both APIs' own objects."""
    with ScriptedModel() as model:
        asked = provider(model, "responses")
        outputs = [
            ToolMessage("one", tool_call_id="c1"),
            {"type": "function_call_output", "call_id": "c2", "output": "two"},
            {"role": "tool", "tool_call_id": "c3", "content": [1, 2]},
        ]
        items = asked.stream_generate(
            [], previous_response_id="resp_1", tool_outputs=outputs[:2]
        ).payload.body["input"]
    assert [(item["call_id"], item["output"]) for item in items] == [("c1", "one"), ("c2", "two")]


@pytest.mark.parametrize("output", [{"output": "no id"}, {"call_id": "c1"}, "text"])
def test_an_output_without_its_call_is_refused(output: Any) -> None:
    """Nobody could tell whose it is."""
    with ScriptedModel() as model, pytest.raises(TurnValueError, match="tool's output"):
        provider(model, "responses").stream_generate(
            [], previous_response_id="r", tool_outputs=[output]
        )


def test_outputs_follow_the_messages_on_chat_completions() -> None:
    """There the whole conversation is sent, so they have their place behind the call."""
    call = AIMessage("", tool_calls=[{"id": "c1", "name": "add", "args": {"a": 1, "b": 2}}])
    with ScriptedModel([Say("Three.")]) as model:
        stream = provider(model).stream_generate(
            [HumanMessage("1+2?"), call],
            tool_outputs=[{"tool_call_id": "c1", "content": "3"}],
            tools=[add],
        )
        assert joined(take(stream)) == "Three."
    assert stream.payload.body["messages"][-1] == {
        "role": "tool",
        "tool_call_id": "c1",
        "content": "3",
    }


@pytest.mark.parametrize(
    ("api", "vendor", "said"),
    [
        ("chat", "openai", "belongs to the Responses API"),
        ("responses", "ollama", "stores no answers"),
    ],
)
def test_what_nobody_keeps_is_not_continued(api: str, vendor: str, said: str) -> None:
    """The vendor would refuse it, or answer as if nothing had been said."""
    with ScriptedModel() as model, pytest.raises(TurnValueError, match=said):
        provider(model, api, vendor=vendor).stream_generate(
            [("user", "Q")], previous_response_id="resp_1"
        )


def test_names_go_where_the_api_has_a_place_for_them() -> None:
    """The vendor's logs then tell whose call it was; the session's id stays here."""
    names: Any = {
        "assistant_name": "helper",
        "endpoint_name": "support",
        "turn_id": "t1",
        "session_id": "secret-s",
    }
    with ScriptedModel() as model:
        body = (
            provider(model, "responses").stream_generate([("user", "Q")], 2, **names).payload.body
        )
        kept = provider(model, store=True).stream_generate([("user", "Q")], 2, **names).payload.body
        plain = provider(model).stream_generate([("user", "Q")], 2, **names).payload
        groq = provider(model, vendor="groq").stream_generate([("user", "Q")], 2, **names).payload
    told = {
        "assistant_name": "helper",
        "endpoint_name": "support",
        "turn_id": "t1",
        "sequence_number": "2",
    }
    assert body["metadata"] == kept["metadata"] == told
    assert "metadata" not in plain.body, "OpenAI refuses it on Chat Completions without `store`"
    assert "metadata" not in groq.body
    assert b"secret-s" not in plain.content + groq.content + str(body).encode()


def test_a_name_too_long_for_the_vendor_is_refused() -> None:
    """Before it is sent, and saying which."""
    with (
        ScriptedModel() as model,
        pytest.raises(TurnValueError, match="`turn_id` has 600 characters"),
    ):
        provider(model, "responses").stream_generate([("user", "Q")], turn_id="t" * 600)


def test_open_questions_are_named_in_this_request() -> None:
    """Beside the conversation's own system message; alone, where the vendor keeps the conversation."""
    questions = ["How old are you?"]
    with ScriptedModel() as model:
        asked = provider(model, "responses")
        begun = asked.stream_generate(
            [SystemMessage("Be kind."), HumanMessage("Hi")],
            unanswered_predefined_questions=questions,
        ).payload.body
        going = asked.stream_generate(
            [HumanMessage("Hi")],
            previous_response_id="r",
            unanswered_predefined_questions=questions,
        ).payload.body
    said = begun["input"][0]["content"][0]["text"]
    assert said.startswith("Be kind.\n\n")
    assert "- How old are you?" in said
    assert "- How old are you?" in going["instructions"]
    assert "Be kind." not in str(going)


@pytest.mark.parametrize(
    "messages", [[], [("user", "")], [("nobody", "Q")], [HumanMessage("\ud800")]]
)
def test_what_cannot_be_sent_is_told_when_it_is_asked_for(messages: list[Any]) -> None:
    """Not at the first piece, somewhere else in the program."""
    with ScriptedModel() as model, pytest.raises(TurnValueError):
        provider(model).stream_generate(messages)


@both_ways
@both_apis
def test_sessions_remember_their_own_calls_and_no_others(take: Take, api: str) -> None:
    """One provider serves many tenants."""
    usage = [Usage(input_tokens=n, output_tokens=1, total_tokens=n + 1) for n in (10, 20, 40)]
    with ScriptedModel([Say("Hi", usage=used) for used in usage]) as model:
        asked = provider(model, api)
        for session in ("a", "a", None):
            take(asked.stream_generate([("user", "Q")], session_id=session))
    stats = asked.get_usage_stats("a")
    assert stats.calls == 2
    assert stats.last is not None
    assert stats.total is not None
    assert (stats.last.total_tokens, stats.total.total_tokens) == (21, 32)
    assert asked.get_last_response_id("a") is not None
    for other in ("b", "", "None"):
        assert (asked.get_last_response_id(other), asked.get_usage_stats(other).calls) == (None, 0)
    assert provider(model, api).get_last_response_id("a") is None, (
        "another provider is another tenant's"
    )


def test_the_session_unused_longest_is_forgotten() -> None:
    """Memory does not grow with the number of visitors."""
    memory = SessionMemory(max_sessions=2)
    for session, answer in (("a", "r1"), ("b", "r2"), ("a", "r3"), ("c", "r4")):
        memory.remember(session, ProviderReply(response_id=answer))
    assert [memory.last_response_id(session) for session in "abc"] == ["r3", None, "r4"]


def test_sessions_are_counted_rightly_from_many_threads() -> None:
    """Lost updates would be lost usage."""
    memory = SessionMemory()
    one = ProviderReply(response_id="r", usage=Usage(total_tokens=1))
    threads = [
        threading.Thread(target=lambda: [memory.remember("s", one) for _ in range(200)] and None)
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = memory.usage("s")
    assert (stats.calls, stats.total) == (1600, Usage(total_tokens=1600))


def test_vector_stores_of_a_session_are_searched_in_its_calls_alone() -> None:
    """One tenant's files must not answer another's question."""
    with ScriptedModel() as model:
        asked = provider(model, "responses")
        asked.set_vector_store_ids(["vs_1", "vs_2"], session_id="a")
        of_a, of_b, of_nobody = (
            asked.stream_generate([("user", "Q")], session_id=session).payload.body
            for session in ("a", "b", None)
        )
        asked.set_vector_store_ids([], session_id="a")
        later = asked.stream_generate([("user", "Q")], session_id="a").payload.body
    assert of_a["tools"] == [{"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"]}]
    assert all("tools" not in body for body in (of_b, of_nobody, later))


def test_vector_stores_of_a_provider_are_searched_in_every_request() -> None:
    """A new provider: whoever has the old one goes on without them. A session's own come before
    them.
    """
    with ScriptedModel() as model:
        before = provider(model, "responses", builtin_tools=({"type": "web_search"},))
        after = before.with_vector_store_ids(["vs_9"])
        after.set_vector_store_ids(["vs_1"], session_id="a")
        tools = [
            one.stream_generate([("user", "Q")], session_id=session).payload.body["tools"]
            for one, session in ((before, None), (after, None), (after, "a"))
        ]
    web_search, search = {"type": "web_search"}, "file_search"
    assert tools[0] == [web_search]
    assert tools[1] == [web_search, {"type": search, "vector_store_ids": ["vs_9"]}]
    assert tools[2] == [web_search, {"type": search, "vector_store_ids": ["vs_1"]}]


def test_a_search_that_no_api_offers_is_refused() -> None:
    """An answer from nowhere would look like one from the files."""
    with ScriptedModel() as model:
        with pytest.raises(TurnConfigurationError, match="belongs to the Responses API"):
            provider(model).set_vector_store_ids(["vs_1"], session_id="a")
        with pytest.raises(TurnConfigurationError, match="leave out `api="):
            provider(model).with_vector_store_ids(["vs_1"])
        with pytest.raises(TurnConfigurationError, match="mistral does not have it"):
            OpenAIProvider(
                ProviderConfig(vendor="mistral", model="m", api_key=SecretStr("k"))
            ).with_vector_store_ids(["vs_1"])


def test_too_many_sessions_with_vector_stores_are_refused_not_forgotten() -> None:
    """A search that silently ends is worse than an error."""
    memory = SessionMemory(max_sessions=1)
    memory.set_vector_stores("a", ["vs_1"])
    with pytest.raises(TurnInvocationError, match="with_vector_store_ids"):
        memory.set_vector_stores("b", ["vs_2"])
    memory.set_vector_stores("a", ["vs_3"])
    assert (memory.vector_stores("a"), memory.vector_stores("b")) == (("vs_3",), ())


def test_a_dropped_stream_leaves_nothing_open(gated: Gated) -> None:
    """Not even without `close`: Python does that when nobody holds it any more."""
    stream = provider(gated).stream_generate([("user", "Q")])
    with suppress(StopIteration):
        next(stream)
    del stream
    assert gated.left.wait(10)
