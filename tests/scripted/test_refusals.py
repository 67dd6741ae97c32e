"""The requests that the scripted model refuses, as the vendor does.

Mistakes show here before they cost anything.
"""

import copy
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from turngraph.scripted.chat.request import read_chat
from turngraph.scripted.checks import RequestError
from turngraph.scripted.prompt import Prompt
from turngraph.scripted.request_guard import parse_body
from turngraph.scripted.responder import default_responder
from turngraph.scripted.responder.token_counter import PromptCache, count_usage, truncate
from turngraph.scripted.responses.request import read_responses
from turngraph.scripted.responses.response_store import ResponseStore

HI = {"role": "user", "content": "Hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ASKING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "42"}
FUNCTION = {"name": "f", "parameters": {"type": "object", "properties": {"x": {}}}}
F = {"type": "function", "function": FUNCTION}
FLAT = {"type": "function", **FUNCTION}
STRICT = {"type": "function", "function": {**FUNCTION, "strict": True}}


def chat(**members: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [HI], **members}


def responses(**members: Any) -> dict[str, Any]:
    return {"model": "m", "input": "Hi", **members}


def read(body: dict[str, Any]) -> Prompt:
    return read_chat(body) if "messages" in body else read_responses(body, ResponseStore()).prompt


BAD: list[tuple[dict[str, Any], str | None, str | None]] = [
    # Chat Completions: the request, the error's param and code
    ({"messages": [HI]}, "model", "missing_required_parameter"),
    (chat(messages=[]), "messages", "empty_array"),
    (chat(messages="Hi"), "messages", "invalid_type"),
    (chat(messages=[{"role": "robot", "content": "Hi"}]), "messages[0].role", "invalid_value"),
    (chat(messages=[{"content": "Hi"}]), "messages[0].role", "missing_required_parameter"),
    (chat(messages=[{"role": "user"}]), "messages[0].content", "missing_required_parameter"),
    (chat(messages=[{"role": "user", "content": None}]), "messages[0].content", "invalid_type"),
    (
        chat(messages=[{"role": "assistant", "content": None}]),
        "messages[0].content",
        "invalid_type",
    ),
    (
        chat(messages=[{"role": "user", "content": [{"text": "Hi"}]}]),
        "messages[0].content[0].type",
        None,
    ),
    (
        chat(messages=[{"role": "user", "content": [{"type": "video"}]}]),
        "messages[0].content[0].type",
        None,
    ),
    (chat(messages=[HI, RESULT]), "messages[1].role", None),
    (chat(messages=[HI, ASKING]), "messages[1].role", None),
    (chat(messages=[HI, ASKING, HI, RESULT]), "messages[1].role", None),
    (
        chat(messages=[HI, ASKING, {**RESULT, "tool_call_id": "c2"}]),
        "messages[2].tool_call_id",
        None,
    ),
    (
        chat(messages=[HI, {**ASKING, "tool_calls": [{**CALL, "id": 7}]}]),
        "messages[1].tool_calls[0].id",
        "invalid_type",
    ),
    (chat(messages=[HI, {**ASKING, "tool_calls": []}]), "messages[1].tool_calls", "empty_array"),
    (chat(temperature=2.1), "temperature", "decimal_above_max_value"),
    (chat(temperature=-0.1), "temperature", "decimal_below_min_value"),
    (chat(temperature="0"), "temperature", "invalid_type"),
    (chat(temperature=None), "temperature", "invalid_type"),
    (chat(top_p=True), "top_p", "invalid_type"),
    (chat(max_tokens=0), "max_tokens", "integer_below_min_value"),
    (chat(n=1.5), "n", "invalid_type"),
    (chat(stop=["a", "b", "c", "d", "e"]), "stop", None),
    (chat(stream_options={"include_usage": True}), "stream_options", None),
    (chat(parallel_tool_calls=True), "parallel_tool_calls", None),
    (chat(top_logprobs=3), "top_logprobs", None),
    (chat(tools=[]), "tools", "empty_array"),
    (chat(tools=[{"function": F["function"]}]), "tools[0].type", None),
    (chat(tools=[FLAT]), "tools[0].function", "missing_required_parameter"),
    (
        chat(tools=[{"type": "function", "function": {"name": "a b"}}]),
        "tools[0].function.name",
        "invalid_value",
    ),
    (chat(tools=[STRICT]), "tools[0].function.parameters", "invalid_function_parameters"),
    (
        chat(tools=[F], tool_choice={"type": "function", "function": {"name": "g"}}),
        "tool_choice",
        None,
    ),
    (chat(tools=[F], tool_choice="any"), "tool_choice", "invalid_value"),
    (chat(response_format={"type": "json"}), "response_format.type", "invalid_value"),
    (chat(thinking={"type": "enabled"}), "thinking", "unknown_parameter"),
    (chat(reasoning_effort="a lot"), "reasoning_effort", "invalid_value"),
    (chat(model="gpt-5-mini", max_tokens=10), "max_tokens", "unsupported_parameter"),
    (chat(model="o3", temperature=0), "temperature", "unsupported_parameter"),
    (chat(model="gpt-5.1", top_p=0.5, reasoning_effort="low"), "top_p", "unsupported_parameter"),
    # Responses
    ({"input": "Hi"}, "model", "missing_required_parameter"),
    ({"model": "m"}, "input", "missing_required_parameter"),
    (responses(input=[]), "input", "empty_array"),
    (responses(input=[{"role": "tool", "content": "Hi"}]), "input[0].role", "invalid_value"),
    (
        responses(input=[{"role": "user", "content": [{"type": "text"}]}]),
        "input[0].content[0].type",
        "invalid_value",
    ),
    (responses(input=[{"type": "thought"}]), "input[0].type", "invalid_value"),
    (
        responses(input=[{"type": "function_call_output", "call_id": "c", "output": "1"}]),
        "input",
        None,
    ),
    (
        responses(
            input=[{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]
        ),
        "input",
        None,
    ),
    (
        responses(input=[{"role": "user", "content": "Hi", "id": "x1"}]),
        "input[0].id",
        "invalid_value",
    ),
    (responses(input=[{"type": "reasoning", "id": "rs_1", "summary": []}]), "input", None),
    (responses(max_output_tokens=15), "max_output_tokens", "integer_below_min_value"),
    (responses(max_tokens=100), "max_tokens", "unknown_parameter"),
    (
        responses(previous_response_id="resp_1"),
        "previous_response_id",
        "previous_response_not_found",
    ),
    (responses(tools=[F]), "tools[0].name", "missing_required_parameter"),
    (responses(text={"format": {"type": "json_schema", "schema": {}}}), "text.format.name", None),
    (responses(reasoning={"effort": "huge"}), "reasoning.effort", "invalid_value"),
    (responses(stop="x"), "stop", "unknown_parameter"),
]
GOOD: list[dict[str, Any]] = [
    chat(
        messages=[HI, ASKING, RESULT, HI],
        tools=[F],
        tool_choice="required",
        temperature=0,
        max_tokens=1,
    ),
    chat(
        messages=[{"role": "developer", "content": [{"type": "text", "text": "Be kind."}]}, HI],
        stop="x",
        n=2,
    ),
    chat(model="gpt-5.1", temperature=0.5, max_completion_tokens=5, logprobs=True, top_logprobs=2),
    chat(model="o3", temperature=1, presence_penalty=0),
    responses(
        input=[HI, {"role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}, HI]
    ),
    responses(
        input=[
            HI,
            {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"},
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [{"type": "input_text", "text": "42"}],
            },
        ],
        tools=[FLAT, {"type": "web_search"}],
        tool_choice={"type": "function", "name": "f"},
    ),
]


@pytest.mark.parametrize(("body", "param", "code"), BAD, ids=lambda value: str(value)[:60])
def test_a_bad_request_is_refused_by_name(
    body: dict[str, Any], param: str | None, code: str | None
) -> None:
    """In the vendor's form, naming what is wrong."""
    with pytest.raises(RequestError) as refused:
        read(body)
    error = refused.value.body["error"]
    assert error["param"] == param
    assert code is None or error["code"] == code
    assert error["type"] == "invalid_request_error"
    assert error["message"]


@pytest.mark.parametrize("body", GOOD, ids=lambda value: str(value)[:60])
def test_a_good_request_is_read(body: dict[str, Any]) -> None:
    """The checks refuse nothing that the vendor accepts."""
    assert read(body).question == "Hi"


def test_members_can_be_accepted_by_name() -> None:
    """Other vendors' parameters are sent to this server too."""
    assert read_chat(chat(thinking={"type": "enabled"}), accepts={"thinking"}).question == "Hi"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'"x"', b'{"temperature": NaN}', b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(content: bytes) -> None:
    """NaN is not JSON, though Python reads it."""
    with pytest.raises(RequestError):
        parse_body(content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with every key in it."""
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [found for key, inner in inside for found in [(value, key), *places(inner)]]


@settings(deadline=None)
@given(st.data())
def test_any_request_is_answered_or_refused(data: st.DataObject) -> None:
    """No value anywhere in a request makes the server fail."""
    body = copy.deepcopy(data.draw(st.sampled_from(GOOD)))
    container, key = data.draw(st.sampled_from(places(body)))
    container[key] = data.draw(JSON)
    try:
        prompt = read(body)
    except RequestError:
        return
    answer = truncate(default_responder.answer(prompt), prompt)
    assert count_usage(answer, prompt, PromptCache()).total_tokens
