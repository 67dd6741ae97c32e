"""The exact JSON of a request, and what is refused before anything is sent."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from tests.providers.wire_strategies import values
from turngraph.providers.vendors.profiles import VENDORS
from turngraph.providers.writing.payload import Payload, build_payload
from turngraph.state.errors import TurnValueError
from turngraph.state.request import Api, ChatRequest, ToolSpec

CLOSED = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
BOTH = pytest.mark.parametrize("api", ["chat", "responses"])
USER = HumanMessage("Hi")
TOOL = ToolSpec(name="add", description="Adds.", parameters={"type": "object"})
FORM: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "a", "schema": CLOSED, "strict": True},
}


def build(
    *messages: BaseMessage, vendor: str = "openai", strict: bool = False, **asked: Any
) -> Payload:
    request = ChatRequest(**{"vendor": vendor, "api": "chat", "model": "gpt-4o", **asked})
    return build_payload(request, messages, VENDORS[vendor], strict=strict)


def asks(*ids: str) -> AIMessage:
    return AIMessage("", tool_calls=[{"id": id_, "name": "add", "args": {}} for id_ in ids])


def result(call_id: str) -> ToolMessage:
    return ToolMessage("2", tool_call_id=call_id)


@BOTH
def test_a_parameter_that_is_not_asked_for_is_not_sent(api: Api) -> None:
    """Strict vendors refuse nulls."""
    conversation = "messages" if api == "chat" else "input"
    assert set(build(USER, api=api).body) == {"model", conversation}


@BOTH
def test_a_temperature_of_zero_is_sent(api: Api) -> None:
    """Zero does not mean that none was asked for."""
    assert build(USER, api=api, temperature=0).body["temperature"] == 0


def test_a_whole_chat_request_has_that_apis_names() -> None:
    """Every parameter has the name that this API gives it."""
    asked: dict[str, Any] = {
        "system": "Be brief.",
        "tools": (TOOL,),
        "tool_choice": "add",
        "parallel_tool_calls": False,
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 9,
        "stop": ("END",),
        "seed": 7,
        "logprobs": True,
        "top_logprobs": 2,
        "response_format": FORM,
        "store": False,
        "stream": True,
        "extra_body": {"service_tier": "flex"},
    }
    assert build(USER, **asked).body == {
        "model": "gpt-4o",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "add",
                    "description": "Adds.",
                    "parameters": {"type": "object", "properties": {}},
                },
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": "add"}},
        "parallel_tool_calls": False,
        "temperature": 0.5,
        "top_p": 0.9,
        "max_completion_tokens": 9,
        "stop": ["END"],
        "seed": 7,
        "logprobs": True,
        "top_logprobs": 2,
        "response_format": FORM,
        "store": False,
        "stream": True,
        "stream_options": {"include_usage": True},
        "service_tier": "flex",
    }


def test_a_whole_responses_request_has_that_apis_names() -> None:
    """The same parameters in the other API; those it lacks are noted."""
    asked: dict[str, Any] = {
        "api": "responses",
        "model": "gpt-5-mini",
        "system": "Be brief.",
        "tools": (TOOL,),
        "builtin_tools": ({"type": "web_search"},),
        "tool_choice": "add",
        "max_tokens": 99,
        "seed": 7,
        "response_format": FORM,
        "reasoning_effort": "low",
        "reasoning_summary": "auto",
        "verbosity": "low",
        "store": False,
        "stream": True,
    }
    payload = build(USER, **asked)
    assert payload.body == {
        "model": "gpt-5-mini",
        "input": [
            {"role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        ],
        "tools": [
            # Without `strict` that API would enforce the schema, which Chat Completions does not.
            {
                "type": "function",
                "name": "add",
                "description": "Adds.",
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            },
            {"type": "web_search"},
        ],
        "tool_choice": {"type": "function", "name": "add"},
        "max_output_tokens": 99,
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {
            "format": {
                "type": "json_schema",
                "name": "a",
                "schema": CLOSED,
                "strict": True,
            },
            "verbosity": "low",
        },
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "stream": True,
    }
    assert payload.warnings == ("`seed` is left out: the Responses API has no such parameter.",)


def test_the_same_request_is_the_same_bytes() -> None:
    """It is recognized by their hash, also after a crash."""
    asked: dict[str, Any] = {"tools": (TOOL,), "temperature": 0.5}
    assert build(USER, **asked).content == build(USER, **asked).content
    assert json.loads(build(USER, **asked).content) == build(USER, **asked).body


@BOTH
def test_the_requests_system_message_takes_the_place_of_a_leading_one(api: Api) -> None:
    """A selected plugin changes this request only; the thread keeps its own message."""
    messages = [SystemMessage("Old."), USER, SystemMessage("Later."), USER]
    body = build(*messages, api=api, system="New.").body
    sent = json.dumps(body)
    assert [word in sent for word in ("New.", "Old.", "Later.")] == [True, False, True]
    assert messages[0].content == "Old."


def test_a_continued_response_is_sent_only_what_followed_it() -> None:
    """Vendors refuse the id together with the items it stands for."""
    answer = asks("call_1").model_copy(
        update={"response_metadata": {"id": "resp_1", "model_provider": "openai"}}
    )
    body = build(
        USER,
        answer,
        result("call_1"),
        api="responses",
        previous_response_id="resp_1",
        system="New.",
    ).body
    assert body["input"] == [{"type": "function_call_output", "call_id": "call_1", "output": "2"}]
    assert (body["previous_response_id"], body["instructions"]) == ("resp_1", "New.")


def test_a_response_may_be_continued_without_its_history() -> None:
    """The vendor has the history."""
    body = build(result("call_1"), api="responses", previous_response_id="resp_1").body
    assert [item["type"] for item in body["input"]] == ["function_call_output"]


def test_a_previous_response_that_is_not_in_the_history_is_refused() -> None:
    """Sending all messages would double them; sending none would lose them."""
    with pytest.raises(
        TurnValueError, match="No message of the conversation is the response `resp_9`"
    ):
        build(USER, AIMessage("Hello"), USER, api="responses", previous_response_id="resp_9")
    with pytest.raises(TurnValueError, match="belongs to the Responses API"):
        build(USER, previous_response_id="resp_1")


@BOTH
@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "conversation is empty"),
        ([HumanMessage("")], "Message 1 .user. is empty"),
        ([USER, AIMessage("x"), HumanMessage([])], "Message 3 .user. is empty"),
        (["Hi"], "Message 1 is a `str`"),
        ([USER, asks("call_1")], "Message 2 calls a tool .`call_1`., and no result"),
        ([USER, asks("a", "b"), result("a")], "`b`"),
        ([USER, result("call_1")], "Message 2 is the result of `call_1`"),
        ([USER, asks("a"), result("a"), result("a")], "Message 4 is a second result"),
        ([USER, asks("a"), result("b")], "Message 3 is the result of `b`"),
        ([USER, asks("a"), AIMessage("x"), result("a")], "Message 2 calls a tool"),
    ],
)
def test_a_conversation_that_vendors_refuse_is_refused(
    api: Api, messages: list[Any], said: str
) -> None:
    """The error names the place, before anything is sent."""
    with pytest.raises(TurnValueError, match=said):
        build(*messages, api=api)


def test_results_follow_their_call_at_once() -> None:
    """Chat Completions refuses anything in between; Responses does not."""
    messages = [USER, asks("a"), HumanMessage("Wait."), result("a")]
    with pytest.raises(TurnValueError, match="Message 2 calls a tool"):
        build(*messages)
    assert len(build(*messages, api="responses").body["input"]) == 4


@BOTH
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"extra_body": {"a": [1, {"b": float("nan")}]}}, r"`a\[1\]\.b` is nan"),
        ({"extra_body": {"a": [None, float("nan")]}}, r"`a\[1\]` is nan"),
        ({"extra_body": {"a": float("-inf")}}, "`a` is -inf"),
        ({"extra_body": {"a": "\ud800"}}, "`a` holds half of a surrogate pair"),
        ({"extra_body": {"a": {"\udfff": 1}}}, "half of a surrogate pair"),
        ({"extra_body": {"a": object()}}, "`a` is a `object`"),
        ({"extra_body": {"a": {1, 2}}}, "`a` is a `set`"),
        ({"tool_choice": "sub", "tools": (TOOL,)}, "`sub`, which is not offered. Offered: add"),
        ({"tools": (TOOL, TOOL)}, "Two tools are called `add`"),
    ],
)
def test_an_error_names_the_place_of_a_value_that_cannot_be_sent(
    api: Api, asked: dict[str, Any], said: str
) -> None:
    """A vendor's own error, "invalid JSON body", would come late and name nothing."""
    with pytest.raises(TurnValueError, match=said):
        build(USER, api=api, **asked)


@given(st.lists(values, max_size=4))
@example([None, 2**70, -(2**70), 1e-8, 2**-14, 1e300, "null", 'a":null', {"\x7f\x00": "\u2028"}])
def test_the_bytes_are_the_compact_json_of_the_body(members: list[Any]) -> None:
    """Members that are lists are written by another encoder, which must lose no value."""
    written = Payload("chat", {"model": "m", "messages": members}).content
    text = written.decode()
    assert json.loads(text) == {"model": "m", "messages": members}
    # Encoders write the same float in more or fewer digits: it stands here as a number as long.
    read = json.loads(text, parse_float=lambda written: int("1" * len(written)))
    assert len(text) <= len(json.dumps(read, ensure_ascii=False, separators=(",", ":")))


@BOTH
def test_an_error_names_the_place_of_half_a_surrogate_pair(api: Api) -> None:
    """Programs that count in UTF-16 cut text in the middle of an emoji."""
    with pytest.raises(
        TurnValueError, match=r"`(messages|input)\[1\]\.content.*half of a surrogate pair"
    ):
        build(USER, HumanMessage("\ud83d"), api=api)


@BOTH
def test_arguments_that_json_cannot_hold_are_refused(api: Api) -> None:
    """A person may have edited the message."""
    edited = AIMessage("", tool_calls=[{"id": "a", "name": "add", "args": {"x": float("inf")}}])
    with pytest.raises(TurnValueError, match="arguments of a tool call"):
        build(USER, edited, result("a"), api=api)


@pytest.mark.parametrize(
    ("field", "value"),
    [("temperature", 2.5), ("temperature", float("nan")), ("top_p", 7), ("max_tokens", 0)],
)
def test_a_value_that_was_not_validated_is_refused(field: str, value: float) -> None:
    """`model_copy`, with which steppers edit, validates nothing."""
    request = ChatRequest(vendor="openai", api="chat", model="gpt-4o").model_copy(
        update={field: value}
    )
    with pytest.raises(TurnValueError, match=field):
        build_payload(request, [USER], VENDORS["openai"])


def test_ten_megabytes_are_written_whole() -> None:
    """The turn limits what may be sent; the writer does not."""
    text = "ü" * 10_000_000
    assert build(HumanMessage(text)).body["messages"][0]["content"] == text


def test_with_strict_a_warning_is_an_error() -> None:
    """Some callers rather fail than send something else than they asked for."""
    assert build(USER, model="gpt-5", temperature=0.5).warnings == (
        "`temperature` is left out: openai does not take it while gpt-5 reasons.",
    )
    with pytest.raises(TurnValueError, match=r"`temperature` is left out.*Nothing was sent"):
        build(USER, model="gpt-5", temperature=0.5, strict=True)


def test_a_tool_choice_without_tools_is_left_out() -> None:
    """OpenAI and vLLM refuse it, and nothing is lost."""
    payload = build(USER, tool_choice="auto", parallel_tool_calls=True)
    assert set(payload.body) == {"model", "messages"}
    assert len(payload.warnings) == 2


def test_a_tool_choice_may_be_an_object_in_the_form_of_either_api() -> None:
    """People copy it from the documentation of one API and use the other."""
    for form in (
        {"type": "function", "function": {"name": "add"}},
        {"type": "function", "name": "add"},
    ):
        assert build(USER, tools=(TOOL,), tool_choice=form).body["tool_choice"] == {
            "type": "function",
            "function": {"name": "add"},
        }
        sent = build(USER, tools=(TOOL,), tool_choice=form, api="responses").body["tool_choice"]
        assert sent == {"type": "function", "name": "add"}
    allowed: dict[str, Any] = {"type": "allowed_tools", "mode": "auto", "tools": []}
    assert build(USER, tools=(TOOL,), tool_choice=allowed).body["tool_choice"] == allowed


def test_extra_body_overrides_the_profile() -> None:
    """Rows of the vendors' table may be wrong; a person who knows better writes the member."""
    assert (
        build(USER, max_tokens=9, extra_body={"max_completion_tokens": 5}).body[
            "max_completion_tokens"
        ]
        == 5
    )


def test_a_schema_that_refers_to_itself_or_to_nothing_is_cut() -> None:
    """With its references replaced, the schema of a tree would be endless."""
    tree: dict[str, Any] = {
        "type": "object",
        "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}},
    }
    other: dict[str, Any] = {"type": "object", "properties": {"a": {"$ref": "#/$defs/Gone"}}}
    tools = (ToolSpec(name="tree", parameters=tree), ToolSpec(name="gone", parameters=other))
    payload = build(USER, vendor="alibaba", model="qwen-max", tools=tools)
    assert "$ref" not in json.dumps(payload.body)
    assert any("refers to itself" in warning for warning in payload.warnings)


def test_what_another_vendor_added_does_not_travel() -> None:
    """A thread may be continued elsewhere: Gemini's signature means nothing to DeepSeek, nor its
    reasoning.
    """
    wire = {
        "id": "a",
        "type": "function",
        "function": {"name": "add", "arguments": "{}"},
        "extra_content": {"google": {}},
    }
    answer = asks("a").model_copy(
        update={
            "additional_kwargs": {"tool_calls": [wire], "reasoning_content": "Hm."},
            "response_metadata": {"model_provider": "googleai"},
        }
    )
    at_home = build(USER, answer, result("a"), vendor="googleai", model="gemini-3-pro").body[
        "messages"
    ][1]
    away = build(USER, answer, result("a"), vendor="deepseek", model="deepseek-v4-flash").body[
        "messages"
    ][1]
    assert at_home["tool_calls"][0]["extra_content"] == {"google": {}}
    assert "extra_content" not in away["tool_calls"][0]
    assert away["reasoning_content"] == "", "the member must be there, the words were not its own"


@BOTH
def test_the_history_is_not_changed(api: Api) -> None:
    """It belongs to the state; many payloads are built from it."""
    history = [
        USER,
        asks("a"),
        result("a"),
        HumanMessage([{"type": "text", "text": "And?", "cache_control": {}}], name="a b"),
    ]
    before = [message.model_dump_json() for message in history]
    for vendor in VENDORS:
        request = ChatRequest(vendor=vendor, api=api, model="some-model")
        build_payload(request, history, VENDORS[vendor])
    assert [message.model_dump_json() for message in history] == before
