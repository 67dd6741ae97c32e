"""`stream_generate`: chunks as they come, sync and async; continued responses; sessions."""

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


def provider_for(model: LoopbackServer, api: str = "chat", **fields: Any) -> OpenAIProvider:
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
def test_chunks_add_up_to_the_reply(take: Take, api: str) -> None:
    """Whoever shows the chunks and whoever stores the answer must see the same."""
    answer = Call(
        ("add", {"a": 1, "b": 2}),
        text="Let me see.",
        reasoning="A sum." if api == "responses" else None,
    )
    with ScriptedModel([answer]) as model:
        provider = provider_for(
            model, api, reasoning_summary="auto" if api == "responses" else None
        )
        stream = provider.stream_generate([("user", "1+2?")], tools=[add])
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
def test_a_refusal_has_its_own_chunk_type(take: Take, api: str) -> None:
    """A refusal is no answer, and must not be shown as one."""
    with ScriptedModel([Refuse("I will not.")]) as model:
        chunks = take(provider_for(model, api).stream_generate([("user", "Q")]))
    assert (joined(chunks), joined(chunks, "refusal")) == ("", "I will not.")


class Gated(LoopbackServer):
    """Sends the first half of an answer, and the second half only when it is allowed to."""

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
                b'data: {"choices": [{"index": 0, "delta": {"content": " second"}, '
                b'"finish_reason": "stop"}]}\n\n'
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


def test_a_chunk_arrives_before_the_next_one_is_sent(gated: Gated) -> None:
    """An answer that is collected first is not streamed. Reading a stream starts no thread."""
    stream = provider_for(gated).stream_generate([("user", "Q")])
    threads = threading.active_count()
    assert next(stream).text == "first"
    assert threading.active_count() == threads
    gated.go_on.set()
    assert joined(list(stream)) == " second"


async def test_a_piece_is_there_before_the_next_one_is_sent_on_an_event_loop(gated: Gated) -> None:
    """The same, by `async for`."""
    stream = provider_for(gated).astream_generate([("user", "Q")])
    assert (await anext(stream)).text == "first"
    gated.go_on.set()
    assert joined([chunk async for chunk in stream]) == " second"


def test_closing_a_stream_early_closes_the_connection(gated: Gated) -> None:
    """The vendor stops writing, and billing, when nobody listens."""
    with provider_for(gated).stream_generate([("user", "Q")]) as stream:
        assert next(stream).text == "first"
    assert gated.left.wait(60)


async def test_leaving_early_hangs_up_on_an_event_loop(gated: Gated) -> None:
    """The same, by `async with`."""
    async with provider_for(gated).astream_generate([("user", "Q")]) as stream:
        assert (await anext(stream)).text == "first"
    assert await asyncio.to_thread(gated.left.wait, 10)


def test_nothing_is_sent_before_the_first_chunk_is_taken() -> None:
    """A stream that is made and dropped costs nothing."""
    with ScriptedModel() as model:
        stream = provider_for(model).stream_generate([("user", "Q")])
        assert stream.payload.body["messages"][-1] == {"role": "user", "content": "Q"}
        assert model.requests == ()


def test_a_stream_can_be_iterated_over_once() -> None:
    """A second time would be a second call, which nobody asked for."""
    with ScriptedModel() as model:
        stream = provider_for(model).stream_generate([("user", "Q")])
        assert take(stream)
        assert take(stream) == []
        with pytest.raises(TurnInvocationError, match="by `for` already"):
            atake(stream)
        assert len(model.requests) == 1


def failing(stream: ChunkStream, take: Take) -> tuple[list[StreamChunk], ProviderError]:
    """Returns the chunks up to the error, and the error."""
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
def test_an_error_is_the_last_chunk_and_is_then_raised(take: Take, api: str) -> None:
    """A front end has something to show, and code cannot overlook it."""
    with ScriptedModel([Fail(429, headers={"Retry-After": "3"})]) as model:
        chunks, error = failing(provider_for(model, api).stream_generate([("user", "Q")]), take)
    assert (error.kind, error.retry_after_s) == ("rate_limit", 3)
    assert chunks == [StreamChunk(type="error", text=error.message)]


@both_ways
def test_an_error_event_of_responses_has_its_own_class(take: Take) -> None:
    """Its code, parameter and place in the stream are kept."""
    events = [
        'data: {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1"}}',
        'data: {"type": "error", "sequence_number": 1, "code": "server_error", '
        '"message": "Oh.", "param": "p"}',
    ]
    with ScriptedModel([Raw(events)]) as model:
        _, error = failing(provider_for(model, "responses").stream_generate([("user", "Q")]), take)
    assert isinstance(error, ResponsesAPIError)
    assert (error.code, error.message, error.param, error.sequence_number) == (
        "server_error",
        "Oh.",
        "p",
        1,
    )


@both_ways
@both_apis
def test_a_truncated_answer_is_an_error(take: Take, api: str) -> None:
    """The session continues from the answer before it."""
    with ScriptedModel(
        [Cut(after=6, answer=Say("one two three four five six seven"), clean=True)]
    ) as model:
        provider = provider_for(model, api)
        chunks, error = failing(provider.stream_generate([("user", "Q")], session_id="s"), take)
    assert (error.kind, error.billed) == ("truncated", "partial")
    assert provider.get_last_response_id("s") is None
    assert joined(chunks).startswith("one")
    assert kinds(chunks) == ["text", "error"]


@both_ways
def test_a_stored_response_can_be_continued(take: Take) -> None:
    """Only what is new is sent: the vendor has the rest."""
    with ScriptedModel([Call(("add", {"a": 1, "b": 2}, "call_1")), Say("Three.")]) as model:
        provider = provider_for(model, "responses")
        take(provider.stream_generate([("user", "1+2?")], session_id="s", tools=[add]))
        before = provider.get_last_response_id("s")
        chunks = take(
            provider.stream_generate(
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
    assert provider.get_last_response_id("s") != before


def test_arguments_may_be_none_where_there_is_nothing_to_give() -> None:
    with ScriptedModel([Say("Hi.")]) as model:
        stream = provider_for(model).stream_generate(
            [("user", "Hi")], tool_outputs=None, unanswered_predefined_questions=None, tools=None
        )
        assert [chunk.text for chunk in stream if chunk.type == "text"]


@both_apis
def test_a_content_that_is_an_object_is_sent_as_its_json(api: str) -> None:
    with ScriptedModel() as model:
        [system, user] = provider_for(model, api).convert_messages_to_provider_format(
            [("system", "Be brief."), {"role": "user", "content": {"city": "Zürich"}}]
        )
    assert system["role"] in ("system", "developer")
    content = user["content"]
    assert (content if api == "chat" else content[0]["text"]) == '{"city": "Zürich"}'


def test_tool_outputs_may_have_three_forms() -> None:
    """LangChain's messages, and the objects of both APIs."""
    with ScriptedModel() as model:
        provider = provider_for(model, "responses")
        outputs = [
            ToolMessage("one", tool_call_id="c1"),
            {"type": "function_call_output", "call_id": "c2", "output": "two"},
            {"role": "tool", "tool_call_id": "c3", "content": [1, 2]},
        ]
        items = provider.stream_generate(
            [], previous_response_id="resp_1", tool_outputs=outputs[:2]
        ).payload.body["input"]
    assert [(item["call_id"], item["output"]) for item in items] == [("c1", "one"), ("c2", "two")]


@pytest.mark.parametrize("output", [{"output": "no id"}, {"call_id": "c1"}, "text"])
def test_a_tool_output_without_a_call_id_is_refused(output: Any) -> None:
    """Nobody could know which call it belongs to."""
    with ScriptedModel() as model, pytest.raises(TurnValueError, match="tool's output"):
        provider_for(model, "responses").stream_generate(
            [], previous_response_id="r", tool_outputs=[output]
        )


def test_tool_outputs_follow_the_messages_on_chat_completions() -> None:
    """That API gets the whole conversation, so they must come after their call."""
    call = AIMessage("", tool_calls=[{"id": "c1", "name": "add", "args": {"a": 1, "b": 2}}])
    with ScriptedModel([Say("Three.")]) as model:
        stream = provider_for(model).stream_generate(
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
    ("api", "vendor", "message"),
    [
        ("chat", "openai", "belongs to the Responses API"),
        ("responses", "ollama", "stores no answers"),
    ],
)
def test_a_response_that_is_not_stored_cannot_be_continued(
    api: str, vendor: str, message: str
) -> None:
    """The vendor would refuse it, or answer as if there had been no conversation."""
    with ScriptedModel() as model, pytest.raises(TurnValueError, match=message):
        provider_for(model, api, vendor=vendor).stream_generate(
            [("user", "Q")], previous_response_id="resp_1"
        )


def test_names_are_sent_as_metadata_if_the_api_has_it() -> None:
    """The vendor's logs then show whose call it was. The session's id is not sent."""
    names: Any = {
        "assistant_name": "helper",
        "endpoint_name": "support",
        "turn_id": "t1",
        "session_id": "secret-s",
    }
    with ScriptedModel() as model:
        body = (
            provider_for(model, "responses")
            .stream_generate([("user", "Q")], 2, **names)
            .payload.body
        )
        kept = (
            provider_for(model, store=True)
            .stream_generate([("user", "Q")], 2, **names)
            .payload.body
        )
        plain = provider_for(model).stream_generate([("user", "Q")], 2, **names).payload
        groq = (
            provider_for(model, vendor="groq").stream_generate([("user", "Q")], 2, **names).payload
        )
    metadata = {
        "assistant_name": "helper",
        "endpoint_name": "support",
        "turn_id": "t1",
        "sequence_number": "2",
    }
    assert body["metadata"] == kept["metadata"] == metadata
    assert "metadata" not in plain.body, "OpenAI refuses it on Chat Completions without `store`"
    assert "metadata" not in groq.body
    assert b"secret-s" not in plain.content + groq.content + str(body).encode()


def test_a_name_that_is_too_long_is_refused() -> None:
    """The error names it, and is raised before anything is sent."""
    with (
        ScriptedModel() as model,
        pytest.raises(TurnValueError, match="`turn_id` has 600 characters"),
    ):
        provider_for(model, "responses").stream_generate([("user", "Q")], turn_id="t" * 600)


def test_open_questions_are_in_the_system_message() -> None:
    """They are added to it, or are the only instructions if the vendor stores the conversation."""
    questions = ["How old are you?"]
    with ScriptedModel() as model:
        provider = provider_for(model, "responses")
        first = provider.stream_generate(
            [SystemMessage("Be kind."), HumanMessage("Hi")],
            unanswered_predefined_questions=questions,
        ).payload.body
        continued = provider.stream_generate(
            [HumanMessage("Hi")],
            previous_response_id="r",
            unanswered_predefined_questions=questions,
        ).payload.body
    text = first["input"][0]["content"][0]["text"]
    assert text.startswith("Be kind.\n\n")
    assert "- How old are you?" in text
    assert "- How old are you?" in continued["instructions"]
    assert "Be kind." not in str(continued)


@pytest.mark.parametrize(
    "messages", [[], [("user", "")], [("nobody", "Q")], [HumanMessage("\ud800")]]
)
def test_what_cannot_be_sent_is_an_error_of_the_call_itself(messages: list[Any]) -> None:
    """The error is not raised later, when the first chunk is taken somewhere else."""
    with ScriptedModel() as model, pytest.raises(TurnValueError):
        provider_for(model).stream_generate(messages)


@both_ways
@both_apis
def test_sessions_remember_their_own_calls_and_no_others(take: Take, api: str) -> None:
    """One provider serves many tenants."""
    usage = [Usage(input_tokens=n, output_tokens=1, total_tokens=n + 1) for n in (10, 20, 40)]
    with ScriptedModel([Say("Hi", usage=used) for used in usage]) as model:
        provider = provider_for(model, api)
        for session in ("a", "a", None):
            take(provider.stream_generate([("user", "Q")], session_id=session))
    stats = provider.get_usage_stats("a")
    assert stats.calls == 2
    assert stats.last is not None
    assert stats.total is not None
    assert (stats.last.total_tokens, stats.total.total_tokens) == (21, 32)
    assert provider.get_last_response_id("a") is not None
    for other in ("b", "", "None"):
        assert (provider.get_last_response_id(other), provider.get_usage_stats(other).calls) == (
            None,
            0,
        )
    assert provider_for(model, api).get_last_response_id("a") is None, (
        "another provider is another tenant's"
    )


def test_the_least_recently_used_session_is_forgotten() -> None:
    """Memory does not grow with the number of visitors."""
    memory = SessionMemory(max_sessions=2)
    for session, answer in (("a", "r1"), ("b", "r2"), ("a", "r3"), ("c", "r4")):
        memory.remember(session, ProviderReply(response_id=answer))
    assert [memory.last_response_id(session) for session in "abc"] == ["r3", None, "r4"]


def test_sessions_are_counted_correctly_in_many_threads() -> None:
    """Lost updates would be lost usage."""
    memory = SessionMemory()
    one = ProviderReply(response_id="r", usage=Usage(total_tokens=1))

    def remember_many() -> None:
        for _ in range(200):
            memory.remember("s", one)

    threads = [threading.Thread(target=remember_many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = memory.usage("s")
    assert (stats.calls, stats.total) == (1600, Usage(total_tokens=1600))


def test_only_calls_of_a_session_search_its_vector_stores() -> None:
    """One tenant's files must not answer another's question."""
    with ScriptedModel() as model:
        provider = provider_for(model, "responses")
        provider.set_vector_store_ids(["vs_1", "vs_2"], session_id="a")
        of_a, of_b, of_nobody = (
            provider.stream_generate([("user", "Q")], session_id=session).payload.body
            for session in ("a", "b", None)
        )
        provider.set_vector_store_ids([], session_id="a")
        later = provider.stream_generate([("user", "Q")], session_id="a").payload.body
    assert of_a["tools"] == [{"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"]}]
    assert all("tools" not in body for body in (of_b, of_nobody, later))


def test_every_request_searches_the_vector_stores_of_its_provider() -> None:
    """`with_vector_store_ids` returns a new provider. A session's own stores win."""
    with ScriptedModel() as model:
        before = provider_for(model, "responses", builtin_tools=({"type": "web_search"},))
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


def test_vector_stores_need_an_api_with_file_search() -> None:
    """An answer without a search would look like one from the files."""
    with ScriptedModel() as model:
        with pytest.raises(TurnConfigurationError, match="belongs to the Responses API"):
            provider_for(model).set_vector_store_ids(["vs_1"], session_id="a")
        with pytest.raises(TurnConfigurationError, match="leave out `api="):
            provider_for(model).with_vector_store_ids(["vs_1"])
        with pytest.raises(TurnConfigurationError, match="mistral does not have it"):
            OpenAIProvider(
                ProviderConfig(vendor="mistral", model="m", api_key=SecretStr("k"))
            ).with_vector_store_ids(["vs_1"])


def test_too_many_sessions_with_vector_stores_are_refused_not_forgotten() -> None:
    """A search that silently stops is worse than an error."""
    memory = SessionMemory(max_sessions=1)
    memory.set_vector_stores("a", ["vs_1"])
    with pytest.raises(TurnInvocationError, match="with_vector_store_ids"):
        memory.set_vector_stores("b", ["vs_2"])
    memory.set_vector_stores("a", ["vs_3"])
    assert (memory.vector_stores("a"), memory.vector_stores("b")) == (("vs_3",), ())


def test_a_dropped_stream_closes_its_connection(gated: Gated) -> None:
    """Python closes the generator when nobody holds the stream any more, even without `close`."""
    stream = provider_for(gated).stream_generate([("user", "Q")])
    with suppress(StopIteration):
        next(stream)
    del stream
    assert gated.left.wait(60)
