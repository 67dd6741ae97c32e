"""Scripts: each step of them, and the requests that the model keeps."""

import asyncio
import http.client
import json
import socket
import time
from typing import Any

import openai
import pytest

from turngraph.scripted import (
    Call,
    Cut,
    Fail,
    Hang,
    Raw,
    ReceivedRequest,
    Refuse,
    Say,
    ScriptedModel,
)
from turngraph.scripted.script import Step
from turngraph.state.usage import Usage

HI: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def post(model: ScriptedModel, body: dict[str, Any]) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", model.port, timeout=60)
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Connection": "close"})
    return connection.getresponse()


def test_steps_are_taken_in_order_and_then_the_responder_answers(connect: Any) -> None:
    """A test scripts what matters to it, and no more."""
    with ScriptedModel([Say("one"), Refuse("no"), Call(("f", {"x": 1}))]) as model:
        client = connect(model)
        replies = [client.chat.completions.create(**HI).choices[0] for _ in range(4)]
        assert model.steps_left == 0
    assert [reply.finish_reason for reply in replies] == ["stop", "stop", "tool_calls", "stop"]
    assert (replies[0].message.content, replies[1].message.refusal) == ("one", "no")
    assert replies[2].message.tool_calls[0].function.arguments == '{"x": 1}'
    assert "scripted model" in replies[3].message.content


def test_a_strict_model_refuses_what_is_not_scripted(connect: Any) -> None:
    """A request that the test did not foresee fails it."""
    with ScriptedModel([Say("one")], strict=True) as model:
        client = connect(model)
        client.chat.completions.create(**HI)
        with pytest.raises(openai.BadRequestError, match="script is over"):
            client.chat.completions.create(**HI)


def test_a_step_can_look_at_the_request(connect: Any) -> None:
    """One function plays a whole model."""

    def echo(request: ReceivedRequest) -> Step:
        return Say(request.body["messages"][-1]["content"].upper())

    with ScriptedModel([echo, echo]) as model:
        assert connect(model).chat.completions.create(**HI).choices[0].message.content == "HI"


def test_every_request_is_kept_as_it_was_sent(connect: Any) -> None:
    """Many tests are about what was really sent."""
    with ScriptedModel() as model:
        client = connect(model, key="sk-planted")
        client.chat.completions.create(**HI, temperature=0)
        client.responses.create(model="m", input="Hi")
        first, second = model.requests
    assert (first.method, first.path) == ("POST", "/v1/chat/completions")
    assert first.body == {**HI, "temperature": 0}
    assert first.headers["authorization"] == "Bearer sk-planted"
    assert second.body == {"model": "m", "input": "Hi"}
    assert "sk-planted" not in repr(model.requests)


def test_a_request_the_vendor_would_refuse_takes_no_step(connect: Any) -> None:
    """The next good request gets the step."""
    with ScriptedModel([Say("one")]) as model:
        client = connect(model)
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(**HI, temperature=9)
        assert model.steps_left == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
        (418, openai.APIStatusError),
    ],
)
def test_failures_have_the_vendors_form(
    connect: Any, status: int, error: type[openai.APIStatusError]
) -> None:
    """Error readers are tested against it."""
    with (
        ScriptedModel([Fail(status, headers={"Retry-After": "7"})]) as model,
        pytest.raises(error) as caught,
    ):
        connect(model).chat.completions.create(**HI)
    assert caught.value.response.headers["retry-after"] == "7"
    assert isinstance(caught.value.body, dict)
    assert set(caught.value.body) == {"message", "type", "param", "code"}


def test_a_failure_can_be_any_body(connect: Any) -> None:
    """Proxies answer in HTML, Gemini in lists."""
    with ScriptedModel(
        [Fail(502, "<html>Bad gateway</html>"), Fail(400, [{"error": {"code": 7}}])]
    ) as model:
        client = connect(model)
        with pytest.raises(openai.InternalServerError) as failed:
            client.chat.completions.create(**HI)
        assert failed.value.response.text == "<html>Bad gateway</html>"
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(**HI)
        assert refused.value.response.json() == [{"error": {"code": 7}}]


def test_a_hanging_model_lets_the_client_time_out_and_closes_at_once(connect: Any) -> None:
    """Timeouts are tested without waiting."""
    started = time.monotonic()
    with ScriptedModel([Hang(3600), Hang(0.01, Say("at last"))]) as model:
        client = connect(model, timeout=0.3)
        with pytest.raises(openai.APITimeoutError):
            client.chat.completions.create(**HI)
        assert client.chat.completions.create(**HI).choices[0].message.content == "at last"
    assert time.monotonic() - started < 600


def test_a_connection_can_close_before_the_status_line() -> None:
    """Nothing is known then, not even whether the request was billed."""
    with ScriptedModel([Cut()]) as model, pytest.raises(http.client.RemoteDisconnected):
        post(model, HI)


@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.parametrize("stream", [False, True])
def test_a_connection_can_close_inside_the_body(stream: bool, after: int) -> None:
    """Before its first byte, and in the middle."""
    with ScriptedModel([Cut(after, Say("one two three four"))]) as model:
        reply = post(model, {**HI, "stream": stream})
        with pytest.raises(http.client.IncompleteRead) as broken:
            reply.read()
    assert reply.status == 200
    assert bool(broken.value.partial) == (after > 0)
    assert b"four" not in broken.value.partial or not stream


def test_a_clean_cut_looks_like_an_end(connect: Any) -> None:
    """Truncation that only a missing finish reason gives away."""
    with ScriptedModel([Cut(3, Say("one two three four"), clean=True)]) as model:
        chunks = list(connect(model).chat.completions.create(**HI, stream=True))
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", "one", " two"]
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks)


def test_raw_events_are_sent_as_they_are(connect: Any) -> None:
    """Whatever a vendor may do can be played."""
    events = [
        ": keep alive",
        'data: {"choices":[{"index":0,"delta":{"content":"odd"}}]}',
        "data: [DONE]",
    ]
    with ScriptedModel([Raw(events)]) as model:
        [chunk] = connect(model).chat.completions.create(**HI, stream=True)
    assert chunk.choices[0].delta.content == "odd"


def test_usage_can_be_scripted_or_left_out(connect: Any) -> None:
    """Bills are tested with round numbers; an absent usage is not a zero."""
    counted = Usage(input_tokens=1000, output_tokens=10, cache_read_tokens=400)
    with ScriptedModel([Say("a", usage=counted), Say("b", usage=Usage())] * 2) as model:
        client = connect(model)
        first, second = (client.chat.completions.create(**HI).usage for _ in range(2))
        third, fourth = (client.responses.create(model="m", input="Hi").usage for _ in range(2))
    assert (first.prompt_tokens, first.total_tokens, first.prompt_tokens_details.cached_tokens) == (
        1000,
        1010,
        400,
    )
    assert (third.input_tokens, third.total_tokens, third.input_tokens_details.cached_tokens) == (
        1000,
        1010,
        400,
    )
    assert (second, fourth) == (None, None)


def test_pieces_and_delay_shape_a_stream(connect: Any) -> None:
    """A thousand chunks, or one; all at once, or one after another."""
    with ScriptedModel([Say("word " * 999 + "word")], pieces=4) as model:
        chunks = list(connect(model).chat.completions.create(**HI, stream=True))
    assert len(chunks) == 1 + 4 + 1
    with ScriptedModel([Say("one two")], delay_s=0.001) as model:
        chunks = list(connect(model).chat.completions.create(**HI, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "one two"


def test_a_key_can_be_demanded(connect: Any) -> None:
    """As the vendor does, the error repeats a wrong key: clients must not."""
    with ScriptedModel([Say("yes")], api_key="sk-right-one") as model:
        with pytest.raises(openai.AuthenticationError, match=r"sk-wrong\*+4711") as refused:
            connect(model, key="sk-wrong-key-4711").chat.completions.create(**HI)
        assert refused.value.code == "invalid_api_key"
        assert (
            connect(model, key="sk-right-one")
            .chat.completions.create(**HI)
            .choices[0]
            .message.content
            == "yes"
        )


def test_an_unknown_path_is_not_found(model: ScriptedModel) -> None:
    """A base URL without its /v1 is the commonest slip."""
    connection = http.client.HTTPConnection("127.0.0.1", model.port)
    for method, path in [
        ("POST", "/chat/completions"),
        ("GET", "/v1/nothing"),
        ("GET", "/v1/chat/nothing"),
    ]:
        connection.request(method, path, b"{}")
        reply = connection.getresponse()
        assert (reply.status, b"Invalid URL" in reply.read()) == (404, True)
    connection.close()


def test_ids_differ_between_models_and_are_repeatable_by_name(connect: Any) -> None:
    """A conversation kept from yesterday must not meet its own ids again today."""

    def ids(name: str | None) -> str:
        with ScriptedModel(name=name, clock=lambda: 1_700_000_000) as model:
            return str(connect(model).chat.completions.create(**HI).id)

    assert ids(None) != ids(None)
    assert ids("tape") == ids("tape")


async def test_sixty_four_requests_at_once_are_answered(connect: Any) -> None:
    """Benchmarks put this load on it."""
    async with (
        ScriptedModel() as model,
        openai.AsyncOpenAI(base_url=model.base_url, api_key="x") as client,
    ):
        ask = client.chat.completions.create
        replies = await asyncio.gather(
            *(
                ask(model="m", messages=[{"role": "user", "content": f"Number {n}"}])
                for n in range(64)
            )
        )
        assert len(model.requests) == 64
    for n, reply in enumerate(replies):
        assert f"“Number {n}”" in (reply.choices[0].message.content or "")
    assert len({reply.id for reply in replies}) == 64


def test_closing_a_model_closes_its_connections(connect: Any) -> None:
    """Keep-alive connections included."""
    with ScriptedModel() as model:
        client = connect(model)
        client.chat.completions.create(**HI)
        port = model.port
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(**HI)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_completion_is_stored_if_the_request_says_so(model: ScriptedModel) -> None:
    """It is found by its id and by its metadata; a completion that was not stored is not found."""
    connection = http.client.HTTPConnection("127.0.0.1", model.port)
    plain = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    for body in (plain, {**plain, "store": True, "metadata": {"team": "a"}}):
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        stored = json.load(connection.getresponse())
    replies = []
    for path in (
        f"/{stored['id']}",
        "?metadata[team]=a&model=m",
        "?metadata[team]=b",
        "/chatcmpl-none",
    ):
        connection.request("GET", f"/v1/chat/completions{path}")
        replies.append(json.load(connection.getresponse()))
    connection.close()
    assert replies[0] == {**stored, "metadata": {"team": "a"}}
    assert [page["data"] for page in replies[1:3]] == [[replies[0]], []]
    assert "not found" in replies[3]["error"]["message"]
