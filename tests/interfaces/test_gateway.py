"""`handler`: wire messages in, an HTTP reply out, whatever happens."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from langgraph.checkpoint.memory import InMemorySaver

from tests.turns import turn_on
from turngraph.billing import Ledger
from turngraph.billing.leases.leases import admit
from turngraph.billing.operations.results import Dimension
from turngraph.graphs import TurnGraph
from turngraph.interfaces import ahandler, handler
from turngraph.scripted import Fail, Say, ScriptedModel

Handle = Callable[..., dict[str, Any]]


def later(turn: TurnGraph, data: Any, **named: Any) -> dict[str, Any]:
    """The async form, run to its end."""
    return asyncio.run(ahandler(turn, data, **named))


handled = pytest.mark.parametrize("handle", [handler, later], ids=["sync", "async"])


@handled
def test_a_client_that_sends_its_whole_history_is_kept_once(handle: Handle) -> None:
    """Browsers send every message every time; the thread keeps each one once."""
    with ScriptedModel([Say("one"), Say("two")]) as model:
        turn = turn_on(model, checkpointer=InMemorySaver())
        first = {"session_key": "s", "messages": [{"role": "user", "content": "1"}]}
        handle(turn, first)
        answered = [
            *first["messages"],
            {"role": "assistant", "content": "one"},
            {"role": "user", "content": "2"},
        ]
        reply = handle(turn, {"session_key": "s", "messages": answered}, account="acme")
        sent = model.requests[1].body["messages"]
    assert [message["content"] for message in sent[1:]] == ["1", "one", "2"]
    body = json.loads(reply["body"])
    assert body["choices"][0]["message"]["content"] == "two"
    assert body["turn"]["charges"][0]["account"] == "acme"


@handled
def test_a_text_is_enough(handle: Handle) -> None:
    """`input_text` is one user message."""
    with ScriptedModel([Say("hi")]) as model:
        reply = handle(turn_on(model), {"input_text": "Hello"})
    assert reply["statusCode"] == 200
    assert reply["headers"]["Content-Type"] == "application/json"
    assert reply["isBase64Encoded"] is False


@handled
@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"messages": []},
        {"messages": "Hi"},
        {"messages": [{"role": "wizard", "content": "x"}]},
        {"input_text": 3},
        {"body": []},
        {"messages": [{"role": "user", "content": "\ud800"}]},
    ],
)
def test_bad_data_is_a_400_that_says_why(handle: Handle, data: Any) -> None:
    """No traceback, no 200, nothing sent."""
    with ScriptedModel([Say("never")]) as model:
        reply = handle(turn_on(model), data)
        assert len(model.requests) == 0
    error = json.loads(reply["body"])["error"]
    assert reply["statusCode"] == 400
    assert error["kind"] == "value"
    assert len(error["message"]) > 20


@handled
def test_a_vendors_error_has_its_true_status(handle: Handle) -> None:
    """429 stays 429."""
    with ScriptedModel([Fail(429, headers={"Retry-After": "120"})]) as model:
        reply = handle(turn_on(model), {"input_text": "Q"})
    assert reply["statusCode"] == 429
    assert reply["headers"]["Retry-After"] == "120"


@handled
def test_passthrough_sends_the_body_as_it_is_and_bills_it(handle: Handle) -> None:
    """A client with its own pipeline still pays."""
    own = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hi"}],
        "user": "u1",
        "temperature": 0.5,
    }
    with ScriptedModel([Say("passed")]) as model:
        turn = turn_on(model, functions=["calculator"], system="never sent")
        reply = handle(turn, {"body": own}, account="acme")
        assert model.requests[0].body == own
    body = json.loads(reply["body"])
    assert body["choices"][0]["message"]["content"] == "passed"
    assert body["turn"]["charges"][0]["model"].startswith(("gpt-4o", "scripted"))
    assert body["turn"]["charges"][0]["account"] == "acme"


@handled
def test_a_gateway_says_whose_key_and_tags_a_turn_is_counted_under(
    handle: Handle, tmp_path: Path
) -> None:
    """It is the gateway that knows who came, and with which key."""
    with Ledger(f"sqlite:///{tmp_path}/l.db") as ledger, ScriptedModel([Say("4")]) as model:
        given = {"account": "acme", "api_key_id": "k_17", "tags": ["web"]}
        assert (
            handle(turn_on(model, ledger=ledger), {"input_text": "2 + 2?"}, **given)["statusCode"]
            == 200
        )
        counted: dict[Dimension, str] = {"account": "acme", "api_key_id": "k_17", "tag": "web"}
        for by, who in counted.items():
            assert [(line.value, line.attempts) for line in ledger.spending(by)] == [(who, 1)]


@handled
@pytest.mark.parametrize(
    "key", [None, "\ud800", "a\x00b", {"a": 1}], ids=["none", "half a character", "NUL", "object"]
)
def test_a_thread_that_cannot_be_kept_is_a_400(handle: Handle, key: Any) -> None:
    """The key comes from the caller, and goes into a database."""
    with ScriptedModel([Say("never")]) as model:
        reply = handle(
            turn_on(model, checkpointer=InMemorySaver()), {"session_key": key, "input_text": "Q"}
        )
        assert len(model.requests) == 0
    assert reply["statusCode"] == 400
    assert "session_key" in json.loads(reply["body"])["error"]["message"]


@handled
def test_a_thread_that_another_worker_has_is_a_409(handle: Handle, tmp_path: Path) -> None:
    """The caller learns when to come back; it is no server error."""
    with Ledger(f"sqlite:///{tmp_path}/l.db") as ledger, ScriptedModel([Say("never")]) as model:
        ledger.store.run(admit, "other", thread="t")
        turn = turn_on(model, ledger=ledger, checkpointer=InMemorySaver())
        reply = handle(turn, {"session_key": "t", "input_text": "Q"})
        assert len(model.requests) == 0
    assert reply["statusCode"] == 409
    assert 0 < int(reply["headers"]["Retry-After"]) <= 60


def conversation(call_id: Any = "c1", name: Any = "calculator", result: Any = "42") -> list[Any]:
    """A call, its result, and the next question, as a client may send them."""
    call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": "{}"}}
    return [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call_id, "content": result},
        {"role": "user", "content": "y"},
    ]


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


UNFIT: dict[str, list[Any]] = {
    "an empty call id": conversation(call_id=""),
    "an empty tool name": conversation(name=""),
    "a result of no parts": conversation(result=[]),
    "a system message of no parts": [{"role": "system", "content": []}, *conversation()],
    "a block's type is a list": [{"role": "user", "content": [{"type": ["text"], "text": "x"}]}],
    "a number above 64 bits": [
        {"role": "user", "content": [{"type": "text", "text": "x", "n": 2**64}]}
    ],
    "a number below 64 bits": [
        {"role": "user", "content": [{"type": "text", "text": "x", "n": -(2**63) - 1}]}
    ],
    "900 levels": [{"role": "user", "content": [{"type": "text", "text": "x", "z": nested(900)}]}],
    "300 levels": [{"role": "user", "content": [{"type": "text", "text": "x", "z": nested(300)}]}],
    "a name of half an emoji": [{"role": "user", "content": "x", "name": "\ud83d"}],
}


@handled
@pytest.mark.parametrize("case", UNFIT)
def test_what_cannot_be_sent_or_stored_is_refused_and_the_thread_lives_on(
    handle: Handle, case: str
) -> None:
    """Stored first and refused then, it would stand in every later request of the thread."""
    with ScriptedModel() as model:
        turn = turn_on(model, functions=["calculator"], checkpointer=InMemorySaver())
        refused = handle(turn, {"session_key": "s", "messages": UNFIT[case]})
        later = handle(turn, {"session_key": "s", "input_text": "Hello"})
        sent = len(model.requests)
    assert refused["statusCode"] == 400
    assert json.loads(refused["body"])["error"]["kind"] == "value"
    assert later["statusCode"] == 200
    assert sent == 1


@handled
@settings(max_examples=60, deadline=None)
@given(
    data=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(st.characters(), max_size=8)
        | st.sampled_from(["user", "tool", "assistant", "text", "image_url", "function"]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    [
                        *("messages", "role", "content", "type", "text", "tool_calls", "id"),
                        *("name", "session_key", "input_text", "body", "function", "stream"),
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_makes_the_handler_raise(handle: Handle, data: Any) -> None:
    """A gateway that fails on what a client sent is down for everybody."""
    with ScriptedModel() as model:
        turn = turn_on(model, checkpointer=InMemorySaver())
        whole = {"session_key": "s", "messages": data if isinstance(data, list) else [data]}
        for given_data in (data, whole):
            assert handle(turn, given_data)["statusCode"] in (200, 400)


@handled
@pytest.mark.parametrize("data", [{"input_text": "x"}, {"body": {"messages": [], "stream": True}}])
def test_a_stream_is_refused_in_words(handle: Handle, data: dict[str, Any]) -> None:
    """The client would wait for events that never come."""
    with ScriptedModel() as model:
        reply = handle(turn_on(model), {"stream": "body" not in data, **data})
        sent = model.requests
    assert reply["statusCode"] == 400
    assert "`stream`" in json.loads(reply["body"])["error"]["message"]
    assert not sent


def _conversation(**answer: Any) -> list[dict[str, Any]]:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return [
        {"role": "user", "content": "Q"},
        {"role": "assistant", "content": None, "tool_calls": [call], **answer},
        {"role": "tool", "tool_call_id": answer.pop("answers", "c1"), "content": "x"},
        {"role": "user", "content": "And?"},
    ]


def _called_with(arguments: Any) -> list[dict[str, Any]]:
    function = {"name": "f", "arguments": arguments}
    return _conversation(tool_calls=[{"id": "c1", "type": "function", "function": function}])


@handled
@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize(
    "messages",
    [
        _called_with(float("nan")),
        _called_with({"a": float("inf")}),
        _conversation(refusal=["No."]),
        _conversation(refusal=7),
        _conversation(answers="another"),
        _conversation(audio={"data": "x"}, tool_calls=None),
    ],
    ids=["NaN", "infinity", "refusal list", "refusal number", "wrong result", "audio without id"],
)
def test_an_answer_that_cannot_be_sent_back_costs_no_thread(
    handle: Handle, messages: list[Any], api: Any
) -> None:
    """It is a 400 before anything is sent, and the thread's next question is answered."""
    with ScriptedModel([Say("hi")]) as model:
        turn = turn_on(model, api=api, checkpointer=InMemorySaver())
        reply = handle(turn, {"session_key": "s", "messages": messages})
        assert (reply["statusCode"], len(model.requests)) == (400, 0)
        assert json.loads(reply["body"])["error"]["kind"] == "value"
        assert handle(turn, {"session_key": "s", "input_text": "Hello"})["statusCode"] == 200
