"""`POST /v1/chat/completions` from outside: OpenAI's own client, against a turn on the scripted
model.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx2
import openai
import pytest
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

from tests.interfaces.server.serving import (
    PlainCallers,
    Vendor,
    client,
    config_of,
    model_config,
    serving,
)
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.config import FallbackConfig
from turngraph.scripted import Call, Cut, Fail, Refuse, Say
from turngraph.state.limits import TurnLimits

LOCATE: Any = {
    "type": "function",
    "function": {"name": "locate", "parameters": {"type": "object", "properties": {}}},
}
ASK: Any = [{"role": "user", "content": "What is 6 * 7?"}]
CALCULATE = Call(("calculator", {"expression": "6 * 7"}))
SPOKEN = Call(("calculator", {"expression": "6 * 7"}), text="Let me see.")


@pytest.fixture(scope="module")
def url(vendor: Vendor) -> Iterator[str]:
    models = {
        "assistant": model_config(vendor, functions=("calculator",)),
        "strict": model_config(vendor, system="Rhyme.", limits=TurnLimits(calls=1, attempts=1)),
        "guarded": model_config(vendor, functions=("calculator",), approve=True),
        "first": model_config(
            vendor,
            limits=TurnLimits(attempts=1),
            fallbacks=(FallbackConfig(model="strict", on=("server",)),),
        ),
    }
    narrow = Caller("acme", "k-1", frozenset({"models"}), frozenset({"strict"}))
    with serving(config_of(models), callers=PlainCallers({"narrow": narrow})) as served:
        yield served


def test_an_unknown_model_is_answered_with_those_that_the_key_may_ask(url: str) -> None:
    """The nearest name comes first, and a key learns nothing of models that it may not ask."""
    with pytest.raises(openai.NotFoundError, match="may ask: `assistant`, `strict`, `guarded`"):
        client(url).chat.completions.create(model="asistant", messages=ASK)
    with pytest.raises(openai.NotFoundError, match="may ask: `strict`\\."):
        client(url, "narrow").chat.completions.create(model="assistant", messages=ASK)


def test_the_address_says_where_the_api_is(url: str) -> None:
    """To a person with a browser, and to a client whose `base_url` ends wrongly."""
    assert "Its API is at `/v1`" in httpx2.get(url).json()["message"]
    for wrong, told in (("/models", "must end in it"), ("/v1/v1/models", "`/v1` twice")):
        assert told in httpx2.get(url + wrong).json()["error"]["message"]
    assert "base_url" not in httpx2.get(f"{url}/favicon.ico").text


def test_a_tool_of_the_server_runs_inside_the_turn(url: str, vendor: Vendor) -> None:
    """The client gets one answer; what it cost and what ran stand under `turngraph`."""
    before = vendor.play(CALCULATE, Say("It is 42."))
    answer: Any = client(url).chat.completions.create(model="assistant", messages=ASK)
    sent = [each.body for each in vendor.requests[before:]]
    [choice] = answer.choices
    assert (choice.message.content, choice.finish_reason) == ("It is 42.", "stop")
    assert "system" not in [message["role"] for message in sent[0]["messages"]]
    own = answer.turngraph
    assert (own["status"], own["calls"], own["tool_runs"][0]["name"]) == (
        "completed",
        2,
        "calculator",
    )
    tokens = answer.usage.prompt_tokens, answer.usage.completion_tokens
    assert Decimal(own["cost_usd"]) * 1_000_000 == tokens[0] + 2 * tokens[1]


def test_a_stream_says_what_the_whole_answer_says(url: str, vendor: Vendor) -> None:
    """Word by word, with the usage at the end where it was asked for."""
    texts, usages = [], []
    for streamed in (False, True):
        vendor.play(SPOKEN, Say("It is 42, for sure."))
        if not streamed:
            whole = client(url).chat.completions.create(model="assistant", messages=ASK)
            texts.append(whole.choices[0].message.content)
            usages.append(whole.usage)
            continue
        with client(url).chat.completions.stream(
            model="assistant", messages=ASK, stream_options={"include_usage": True}
        ) as stream:
            deltas = [each.delta for each in stream if each.type == "content.delta"]
            final = stream.get_final_completion()
        assert len(deltas) > 4
        texts += ["".join(deltas), final.choices[0].message.content]
        usages.append(final.usage)
    assert texts == ["Let me see.\n\nIt is 42, for sure."] * 3
    assert usages[0] == usages[1]


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
def test_a_tool_of_the_client_continues_the_same_turn(
    url: str, vendor: Vendor, stream: bool
) -> None:
    """Its calls come back, and the next request goes on where the turn has stopped: the server's
    tool that ran beside is not run again, and each request is told its own cost.
    """
    calls = Call(("locate", {}), ("calculator", {"expression": "6 * 7"}))
    before = vendor.play(calls, Say("42 in Rome."))
    messages, costs = list(ASK), []
    for expected in ("tool_calls", "stop"):
        options: Any = {"model": "assistant", "messages": messages, "tools": [LOCATE]}
        if stream:
            with client(url).chat.completions.stream(**options) as events:
                last: Any = [each for each in events if each.type == "chunk"][-1].chunk
                answer: Any = events.get_final_completion()
            costs.append(last.turngraph["cost_usd"])
        else:
            answer = client(url).chat.completions.create(**options)
            costs.append(answer.turngraph["cost_usd"])
        message = answer.choices[0].message
        assert answer.choices[0].finish_reason == expected
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls or ():
            assert (call.function.name, call.function.arguments) == ("locate", "{}")
            messages.append({"role": "tool", "tool_call_id": call.id, "content": "Rome"})
    assert message.content == "42 in Rome."
    first, second = (each.body for each in vendor.requests[before:])
    told = [each["content"] for each in second["messages"] if each["role"] == "tool"]
    assert told == ["Rome", "42"]
    assert [each["function"]["name"] for each in first["tools"]] == ["calculator", "locate"]
    assert all(Decimal(cost) > 0 for cost in costs)


def test_what_nothing_waits_for_is_a_conversation(url: str, vendor: Vendor) -> None:
    """After a restart, or in another account: the client's messages alone are what is known."""
    vendor.play(Call(("locate", {})))
    asked: Any = client(url).chat.completions.create(
        model="assistant", messages=ASK, tools=[LOCATE]
    )
    [call] = asked.choices[0].message.tool_calls
    history = [
        *ASK,
        asked.choices[0].message,
        {"role": "tool", "tool_call_id": call.id, "content": "Rome"},
    ]
    before = vendor.play(Say("So it is Rome."))
    answer: Any = client(url, "bolt").chat.completions.create(
        model="assistant", messages=history, tools=[LOCATE]
    )
    [sent] = [each.body for each in vendor.requests[before:]]
    assert [each["role"] for each in sent["messages"]] == ["user", "assistant", "tool"]
    assert (answer.choices[0].message.content, answer.turngraph["calls"]) == ("So it is Rome.", 1)


def test_a_part_of_the_results_is_refused(url: str, vendor: Vendor) -> None:
    """The model would wait for the other call forever."""
    vendor.play(Call(("locate", {"a": 1}), ("locate", {"a": 2})))
    asked: Any = client(url).chat.completions.create(
        model="assistant", messages=ASK, tools=[LOCATE]
    )
    one, other = asked.choices[0].message.tool_calls
    history = [
        *ASK,
        asked.choices[0].message,
        {"role": "tool", "tool_call_id": one.id, "content": "Rome"},
    ]
    with pytest.raises(openai.BadRequestError, match=other.id):
        client(url).chat.completions.create(model="assistant", messages=history, tools=[LOCATE])


def test_a_person_approves_and_the_turn_goes_on(url: str, vendor: Vendor) -> None:
    """The answer says that it waits, and for what; the decision comes in the next request."""
    vendor.play(CALCULATE, Say("It is 42."))
    waiting: Any = client(url).chat.completions.create(model="guarded", messages=ASK)
    assert (waiting.choices[0].finish_reason, waiting.turngraph["status"]) == (
        "stop",
        "waiting_for_person",
    )
    [question] = waiting.turngraph["approvals"]
    assert (question["tool"], question["arguments"]) == ("calculator", {"expression": "6 * 7"})
    answer = client(url).chat.completions.create(
        model="guarded",
        messages=ASK,
        extra_body={"turngraph": {"decisions": {question["id"]: {"decision": "approve"}}}},
    )
    assert answer.choices[0].message.content == "It is 42."


@pytest.mark.parametrize(
    "decision", [None, 1, "maybe", {}, {"decision": "edit"}, {"decision": "edit", "arguments": []}]
)
def test_what_is_no_decision_is_refused_and_the_turn_waits_on(
    url: str, vendor: Vendor, decision: Any
) -> None:
    """The error says what is allowed; nothing was run."""
    before = vendor.play(CALCULATE, Say("It is 42."))
    waiting: Any = client(url).chat.completions.create(model="guarded", messages=ASK)
    [question] = waiting.turngraph["approvals"]

    def decide(decision: Any) -> Any:
        given = {"turngraph": {"decisions": {question["id"]: decision}}}
        return client(url).chat.completions.create(model="guarded", messages=ASK, extra_body=given)

    with pytest.raises(openai.BadRequestError, match=r"no decision.*Allowed.*reject") as caught:
        decide(decision)
    assert caught.value.param == f"turngraph.decisions.{question['id']}"
    assert len(vendor.requests) == before + 1
    assert decide({"decision": "approve"}).choices[0].message.content == "It is 42."


class Sum(BaseModel):
    value: int


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
def test_an_answer_has_the_form_that_was_asked_for(url: str, vendor: Vendor, stream: bool) -> None:
    """`parse` reads a pydantic object, also where the model spoke before it called a tool."""
    before = vendor.play(SPOKEN, Say('{"value": 42}'))
    completions = client(url).chat.completions
    if stream:
        with completions.stream(model="assistant", messages=ASK, response_format=Sum) as events:
            answer = events.get_final_completion()
    else:
        answer = completions.parse(model="assistant", messages=ASK, response_format=Sum)
    assert answer.choices[0].message.parsed == Sum(value=42)
    assert vendor.requests[before].body["response_format"]["json_schema"]["name"] == "Sum"


async def test_the_async_client_gets_the_same(url: str, vendor: Vendor) -> None:
    """Refusals too, in their own field."""
    vendor.play(Refuse("I will not."))
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="acme") as asked:
        stream = await asked.chat.completions.create(model="assistant", messages=ASK, stream=True)
        said = [each.choices[0].delta.refusal or "" async for each in stream]
    assert "".join(said) == "I will not."


@pytest.mark.parametrize("responses", [False, True], ids=["chat", "responses"])
def test_langchains_model_speaks_to_the_server(url: str, vendor: Vendor, responses: bool) -> None:
    """Whole and as a stream, with tools and objects, over both APIs."""
    with httpx2.Client() as http:
        model = ChatOpenAI(
            model="assistant",
            base_url=f"{url}/v1",
            api_key=SecretStr("acme"),
            use_responses_api=responses,
            http_client=http,
        )
        vendor.play(Say("It is 42."), Say("It is 42."), Call(("locate", {})), Say('{"value": 42}'))
        assert model.invoke("6 * 7?").text == "It is 42."
        assert "".join(part.text for part in model.stream("6 * 7?")) == "It is 42."
        asked = model.bind_tools([LOCATE]).invoke("Where?")
        assert [call["name"] for call in asked.tool_calls] == ["locate"]
        assert model.with_structured_output(Sum).invoke("6 * 7?") == Sum(value=42)


def test_all_parameters_reach_the_vendor(url: str, vendor: Vendor) -> None:
    """Zero is a value, null is none, and what nobody knows is passed over."""
    before = vendor.play(Say("ok"))
    client(url).chat.completions.create(
        model="strict",
        messages=[{"role": "system", "content": "Be brief."}, *ASK],
        temperature=0,
        top_p=None,
        seed=0,
        stop="END",
        max_completion_tokens=9,
        presence_penalty=0.5,
        user="u-1",
        extra_body={"something_else": {"deep": [1]}},
    )
    body = vendor.requests[before].body
    assert body["messages"][0] == {"role": "system", "content": "Rhyme.\n\nBe brief."}
    wanted = ("temperature", "seed", "stop", "max_tokens", "presence_penalty")
    assert [body.get(name) for name in wanted] == [0, 0, ["END"], 9, 0.5]
    assert not body.keys() & {"top_p", "user", "something_else"}


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"model": "nobody"}, "model", "model_not_found"),
        ({"model": 3}, "model", "invalid_type"),
        ({"messages": []}, "messages", None),
        ({"messages": [{"role": "owl", "content": ""}]}, "messages", "invalid_value"),
        ({"n": 2}, "n", "unsupported_value"),
        ({"n": 0}, "n", "unsupported_value"),
        ({"stop": {}}, "stop", "invalid_type"),
        ({"stop": False}, "stop", "invalid_type"),
        ({"stream_options": 5}, "stream_options", "invalid_type"),
        (
            {"stream_options": {"include_usage": 1}},
            "stream_options.include_usage",
            "invalid_type",
        ),
        ({"modalities": []}, "modalities", "unsupported_value"),
        ({"web_search_options": {}}, "web_search_options", "unsupported_parameter"),
        ({"functions": []}, "functions", "unsupported_parameter"),
        (
            {"tools": [{"function": {"name": "f", "parameters": []}}]},
            "tools[0].function.parameters",
            "invalid_type",
        ),
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"tools": [{"type": "function"}]}, "tools[0]", "invalid_value"),
        ({"tools": [{"function": {"name": "a b"}}]}, "tools[0].function.name", "invalid_value"),
        ({"response_format": {}}, "response_format", "invalid_value"),
        ({"tool_choice": {}}, "tool_choice", "invalid_value"),
        ({"tool_choice": "perhaps"}, "tool_choice", "invalid_value"),
        ({"functions": [{"name": "f"}]}, "functions", "unsupported_parameter"),
        ({"turngraph": {"decisions": {"x": 1}}}, "turngraph.decisions", None),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(
    url: str, body: dict[str, Any], param: str, code: str | None
) -> None:
    """In OpenAI's shape, before any vendor is asked."""
    given = {"model": "assistant", "messages": ASK, **body}
    with pytest.raises(openai.APIStatusError) as caught:
        client(url).post("/chat/completions", cast_to=object, body=given)
    error: Any = caught.value.body
    assert caught.value.status_code in (400, 404)
    assert (error["param"], error["code"]) == (param, code)
    assert error["type"] == "invalid_request_error"
    assert caught.value.response.headers["x-request-id"].startswith("req_")


def test_a_body_that_is_no_request_is_refused(url: str) -> None:
    """Whatever arrives, the answer is an error object with a request id."""
    deep = b"[" * 5000 + b"]" * 5000
    for body, status in (
        (b"{", 400),
        (b"[]", 400),
        (b'{"model": ' + deep + b"}", 400),
        (b'{"m":' + b'{"a":' * 80 + b"1" + b"}" * 81, 400),
        (b"x" * 20_000_001, 413),
    ):
        answer = httpx2.post(
            f"{url}/v1/chat/completions", content=body, headers={"authorization": "Bearer acme"}
        )
        assert answer.status_code == status
        assert answer.json()["error"]["message"]
        assert "x-request-id" in answer.headers
    many = {"authorization": "Bearer acme", **{f"x-{n}": "y" * 6000 for n in range(20)}}
    assert httpx2.get(f"{url}/v1/models", headers=many).status_code == 431
    assert httpx2.get(f"{url}/nowhere").json()["error"]["type"] == "not_found_error"
    assert httpx2.get(f"{url}/v1/models").status_code == 401


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
@pytest.mark.parametrize(
    ("step", "status", "code"),
    [
        (Fail(429, headers={"Retry-After": "7"}), 429, None),
        (Fail(400), 400, None),
        (Fail(401), 502, "upstream_authentication"),
        (Fail(503), 503, None),
        (Cut(after=0), 502, None),
    ],
)
def test_a_vendors_error_comes_with_its_true_status(
    url: str, vendor: Vendor, step: Any, status: int, code: str | None, stream: bool
) -> None:
    """Also of a stream, which has not begun then. The server's own key is not the client's."""
    vendor.play(step)
    with pytest.raises(openai.APIStatusError) as caught:
        client(url).chat.completions.create(model="strict", messages=ASK, stream=stream)
    error: Any = caught.value.body
    assert caught.value.status_code == status
    assert code in (None, error["code"])
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "7"


def test_a_stream_that_breaks_ends_with_an_error(url: str, vendor: Vendor) -> None:
    """The words that came are kept, and the client knows that there should be more."""
    vendor.play(Cut(after=3))
    stream = client(url).chat.completions.create(model="strict", messages=ASK, stream=True)
    assert [next(stream).choices[0].delta.content for _ in range(3)] == ["", "This", " is"]
    with pytest.raises(openai.APIError, match="before"):
        list(stream)


def test_another_model_answers_where_the_first_cannot(url: str, vendor: Vendor) -> None:
    """After the errors that are named for it, and no others."""
    vendor.play(Fail(500), Say("Here I am."))
    answer: Any = client(url).chat.completions.create(model="first", messages=ASK)
    assert answer.choices[0].message.content == "Here I am."
    assert (answer.model, answer.turngraph["model"]) == ("first", "strict")
    vendor.play(Fail(400), Say("Not me."))
    with pytest.raises(openai.BadRequestError):
        client(url).chat.completions.create(model="first", messages=ASK)


def test_a_key_sees_and_asks_its_own_models_only(vendor: Vendor) -> None:
    """What it may not ask does not exist for it."""
    limited = Caller("acme", "k1", frozenset({"models"}), frozenset({"a"}))
    models = {"a": model_config(vendor), "b/c": model_config(vendor)}
    with serving(config_of(models), callers=PlainCallers({"little": limited})) as served:
        assert [each.id for each in client(served).models.list()] == ["a", "b/c"]
        assert client(served).models.retrieve("b/c").id == "b/c"
        little = client(served, "little")
        assert [each.id for each in little.models.list()] == ["a"]
        with pytest.raises(openai.NotFoundError):
            little.models.retrieve("b/c")
        with pytest.raises(openai.NotFoundError):
            little.chat.completions.create(model="b/c", messages=ASK)
        with pytest.raises(openai.PermissionDeniedError, match="tools"):
            little.chat.completions.create(model="a", messages=ASK, tools=[LOCATE])
        assert httpx2.get(f"{served}/healthz").json() == {"status": "ok"}
        assert httpx2.get(f"{served}/readyz").json() == {"status": "ready"}


def test_the_page_of_the_api_is_whole(url: str) -> None:
    """OpenAPI, for clients that are generated."""
    page = httpx2.get(f"{url}/openapi.json").json()
    assert "/v1/chat/completions" in page["paths"]
    assert json.dumps(page)


@pytest.mark.parametrize("path", ["chat/completions", "responses"])
def test_what_not_every_program_reads_alike_is_no_json(url: str, vendor: Vendor, path: str) -> None:
    """Neither a database nor a vendor takes it, so nobody is asked."""
    before = vendor.play()
    start = '{"model": "assistant", "input": "x", "messages": [{"role": "user", "content": "x"}]'
    for value in ("NaN", "1e400", "-Infinity", r'"\ud800"', "9" * 30, '{"a": 1, "a": 2}'):
        answer = httpx2.post(
            f"{url}/v1/{path}",
            content=f'{start}, "metadata": {{"b": {value}}}}}',
            headers={"Authorization": "Bearer acme"},
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json"), value
    crowd = f'{start}, "b": [{",".join(["[]"] * 500_000)}]}}'
    answer = httpx2.post(
        f"{url}/v1/{path}", content=crowd, headers={"Authorization": "Bearer acme"}
    )
    assert "too many lists" in answer.json()["error"]["message"]
    assert len(vendor.requests) == before
