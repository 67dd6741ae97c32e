"""Each quirk of each row of the vendors' table has its effect on the JSON, and says so.

The rows come from the data, the claims from here: a quirk without a claim fails
`test_every_quirk_has_a_claim`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from turngraph.providers.vendors.profiles import VENDORS, Quirks, VendorProfile
from turngraph.providers.writing.payload import Payload, build_payload
from turngraph.state.errors import TurnValueError
from turngraph.state.request import Api, ChatRequest, ToolSpec

DEFAULTS = Quirks()
USER = HumanMessage("Hi")
TOOL = ToolSpec(
    name="look",
    parameters={"type": "object", "properties": {"at": {"type": "string"}}},
    strict=True,
)
ASKED: dict[str, Any] = {
    "temperature": 0.5,
    "top_p": 0.5,
    "stop": ("END",),
    "seed": 7,
    "logprobs": True,
    "top_logprobs": 2,
    "parallel_tool_calls": False,
    "tool_choice": "auto",
    "verbosity": "low",
    "store": False,
    "max_tokens": 99,
}
"""A value for every parameter of a request that a row may drop."""


class Case:
    """A row's profile, and a model for it."""

    def __init__(self, profile: VendorProfile, model: str) -> None:
        self.profile, self.model, self.quirks = profile, model, profile.for_model(model)

    def build(self, *messages: BaseMessage, api: Api = "chat", **parameters: Any) -> Payload:
        request = ChatRequest(vendor=self.profile.name, api=api, model=self.model, **parameters)
        return build_payload(request, messages or (USER,), self.profile)

    def tools(self) -> dict[str, Any]:
        return (
            {"tools": (TOOL,)}
            if self.quirks.tool_types is None or "function" in self.quirks.tool_types
            else {}
        )

    def efforts(self) -> list[str]:
        return ["none", "low", "high"] if self.quirks.efforts is None else list(self.quirks.efforts)


def called(**extra: Any) -> AIMessage:
    """An answer with a tool call, as a reader leaves it."""
    wire = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "look", "arguments": "{}"},
        **extra,
    }
    return AIMessage(
        "",
        tool_calls=[{"id": "call_1", "name": "look", "args": {}}],
        additional_kwargs={"tool_calls": [wire]},
    )


def loop(answer: AIMessage, *after: BaseMessage) -> list[BaseMessage]:
    return [USER, answer, ToolMessage("found", tool_call_id="call_1"), *after]


def token_cap(case: Case) -> None:
    body = case.build(max_tokens=99).body
    caps = {name: body[name] for name in ("max_tokens", "max_completion_tokens") if name in body}
    assert caps == ({} if "max_tokens" in case.quirks.drop else {case.quirks.token_cap: 99})


def min_output_tokens(case: Case) -> None:
    if "max_tokens" in case.quirks.drop:
        return
    payload = case.build(api="responses", max_tokens=1)
    assert payload.body["max_output_tokens"] == case.quirks.min_output_tokens
    assert case.quirks.min_output_tokens == 1 or "max_output_tokens" in payload.warnings[0]


def drop(case: Case) -> None:
    for name in case.quirks.drop & ASKED.keys():
        payload = case.build(**case.tools(), **{name: ASKED[name]})
        assert name not in payload.body
        assert (
            name in ("stop", "store")
            or name not in case.build(api="responses", **{name: ASKED[name]}).body
        )
        if name not in ("parallel_tool_calls", "tool_choice") or case.tools():
            assert any(f"`{name}`" in warning for warning in payload.warnings)
    for name in case.quirks.drop - ASKED.keys():
        payload = case.build(extra_body={name: 1})
        assert payload.body[name] == 1, "what a person writes into the body is sent"
        assert any(name in warning for warning in payload.warnings), "a warning names each of them"


def drop_with_reasoning(case: Case) -> None:
    on = [None] if case.quirks.reasons_by_default else [e for e in case.efforts() if e != "none"]
    for name in case.quirks.drop_with_reasoning & ASKED.keys() if on else ():
        assert name not in case.build(reasoning_effort=on[0], **{name: ASKED[name]}).body
        if "none" in case.efforts() and name not in case.quirks.drop:
            assert name in case.build(reasoning_effort="none", **{name: ASKED[name]}).body


def rename(case: Case) -> None:
    for ours, theirs in case.quirks.rename.items():
        body = case.build(**{ours: ASKED[ours]}).body
        assert body[theirs] == ASKED[ours]
        assert ours not in body


def body(case: Case) -> None:
    assert case.quirks.body.items() <= case.build().body.items()


def min_temperature(case: Case) -> None:
    if "temperature" not in case.quirks.drop | case.quirks.drop_with_reasoning:
        payload = case.build(temperature=0.0)
        assert payload.body["temperature"] == case.quirks.min_temperature
        assert case.quirks.min_temperature == 0 or "`temperature`" in payload.warnings[0]


def max_temperature(case: Case) -> None:
    if "temperature" not in case.quirks.drop | case.quirks.drop_with_reasoning:
        payload = case.build(temperature=2.0)
        assert payload.body["temperature"] == case.quirks.max_temperature
        assert case.quirks.max_temperature == 2 or "`temperature`" in payload.warnings[0]


def stream_usage(case: Case) -> None:
    expected = {"include_usage": True} if case.quirks.stream_usage else None
    assert case.build(stream=True).body.get("stream_options") == expected
    assert "stream_options" not in case.build().body


def response_formats(case: Case) -> None:
    forms: dict[str, Any] = {
        "json_object": {"type": "json_object"},
        "json_schema": {
            "type": "json_schema",
            "json_schema": {"name": "a", "schema": {"type": "object"}},
        },
    }
    for kind, form in forms.items():
        payload = case.build(response_format=form)
        known = kind in case.quirks.response_formats
        assert payload.body.get("response_format") == (form if known else None)
        assert known or kind in payload.warnings[0]


def format_excludes(case: Case) -> None:
    kind = sorted(case.quirks.response_formats)[:1]
    form: Any = (
        {"type": "json_object"}
        if kind == ["json_object"]
        else {"type": "json_schema", "json_schema": {"name": "a"}}
    )
    for other in case.quirks.format_excludes:
        parameters = {"tools": (TOOL,)} if other == "tools" else {"stream": True}
        payload = case.build(response_format=form, **parameters)
        assert "response_format" not in payload.body
        assert other in payload.warnings[0]


def efforts(case: Case) -> None:
    payload = case.build(reasoning_effort="absurd")
    if case.quirks.efforts is None:
        assert payload.warnings == () or "levels" in payload.warnings[0]
    else:
        assert "reasoning_effort" in payload.warnings[0]
        assert payload.body == case.build().body
    for level in case.efforts():
        sent = level if case.quirks.efforts is None else case.quirks.efforts[level]
        template = case.quirks.reasoning_off if level == "none" else case.quirks.reasoning_on
        written = case.build(reasoning_effort=level).body
        for name, member in template.items():
            assert str(written[name]) == str(member).replace("$effort", str(sent)) or written[
                name
            ] == _filled(member, sent)


def _filled(member: Any, sent: Any) -> Any:
    if isinstance(member, dict):
        return {name: _filled(inner, sent) for name, inner in member.items()}
    return sent if member == "$effort" else member


def reasoning_replay(case: Case) -> None:
    first = called()
    first.additional_kwargs["reasoning_content"] = "Where?"
    answer = AIMessage("There.", additional_kwargs={"reasoning_content": "I see."})
    wire = case.build(*loop(first, answer, HumanMessage("More?"), answer)).body["messages"]
    kept = ["Where?" in str(m) or "I see." in str(m) for m in wire if m["role"] == "assistant"]
    expected = {
        "never": (0, 0, 0),
        "tool_loop": (0, 0, 1),
        "with_calls": (1, 0, 0),
        "always": (1, 1, 1),
    }
    assert tuple(kept) == expected[case.quirks.reasoning_replay]


def reasoning_field(case: Case) -> None:
    if case.quirks.reasoning_replay in ("never", "tool_loop"):
        return
    first = called()
    first.additional_kwargs |= {
        "reasoning_content": "Where?",
        "extra": {"reasoning_field": "reasoning"},
    }
    wire = case.build(*loop(first)).body["messages"][1]
    if case.quirks.reasoning_field == "think_tags":
        assert wire["content"] == "<think>Where?</think>"
        return
    expected = (
        "reasoning" if case.quirks.reasoning_field == "as_received" else case.quirks.reasoning_field
    )
    assert [name for name in ("reasoning_content", "reasoning") if name in wire] == [expected]


def reasoning_parts(case: Case) -> None:
    first = called()
    parts = {"reasoning_details": [{"text": "Where?"}], "thinking_blocks": [{"thinking": "Where?"}]}
    first.additional_kwargs |= {"reasoning_content": "Where?", "extra": parts}
    wire = case.build(*loop(first)).body["messages"][1]
    name = case.quirks.reasoning_parts
    assert {key: wire[key] for key in parts if key in wire} == ({name: parts[name]} if name else {})
    assert str(wire).count("Where?") == (0 if case.quirks.reasoning_replay == "never" else 1)


def blank_reasoning(case: Case) -> None:
    wire = case.build(*loop(called())).body["messages"][1]
    assert ("reasoning_content" in wire) == case.quirks.blank_reasoning


def reasoning_items(case: Case) -> None:
    if case.profile.responses == "none":
        return
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
    answer = AIMessage(
        "Yes.",
        additional_kwargs={
            "output_items": [thought, {"type": "message", "content": [{"type": "output_text"}]}]
        },
    )
    items = case.build(USER, answer, USER, api="responses", store=False).body["input"]
    assert (thought in items) == case.quirks.reasoning_items


def extra_content(case: Case) -> None:
    signature = {"google": {"thought_signature": "abc"}}
    call = case.build(*loop(called(extra_content=signature))).body["messages"][1]["tool_calls"][0]
    assert call.get("extra_content") == (signature if case.quirks.extra_content else None)


def missing_extra_content(case: Case) -> None:
    call = case.build(*loop(called())).body["messages"][1]["tool_calls"][0]
    assert call.get("extra_content") == case.quirks.missing_extra_content


def system_role(case: Case) -> None:
    developer = SystemMessage("b", additional_kwargs={"__openai_role__": "developer"})
    for message, written in ((SystemMessage("a"), "system"), (developer, "developer")):
        wire = case.build(message, USER).body["messages"][0]
        assert wire["role"] == (
            written if case.quirks.system_role == "as_written" else case.quirks.system_role
        )


def one_system_message(case: Case) -> None:
    payload = case.build(SystemMessage("a"), USER, SystemMessage("b"), USER)
    roles = [m["role"] for m in payload.body["messages"]]
    if case.quirks.one_system_message:
        assert roles == ["system", "user", "user"]
        assert payload.body["messages"][0]["content"] == "a\n\nb"
        assert payload.warnings
    else:
        assert len(roles) == 4


def names(case: Case) -> None:
    payload = case.build(HumanMessage("Hi", name="ada"))
    assert ("name" in payload.body["messages"][0]) == case.quirks.names
    assert case.quirks.names or "`name`" in payload.warnings[0]


def text_content(case: Case) -> None:
    listed = HumanMessage([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])
    content = case.build(listed).body["messages"][0]["content"]
    assert content == ("a\nb" if case.quirks.text_content else listed.content)


def empty_assistant(case: Case) -> None:
    silent = case.build(USER, AIMessage(""), USER).body["messages"]
    calling = case.build(*loop(called())).body["messages"][1]
    assert len(silent) == (2 if case.quirks.empty_assistant == "left_out" else 3)
    assert calling.get("content") == ("" if case.quirks.empty_assistant == "string" else None)


def bridge(case: Case) -> None:
    wire = case.build(*loop(called(), HumanMessage("And?"))).body["messages"]
    roles = [m["role"] for m in wire[2:]]
    assert roles == (
        ["tool", "user"] if case.quirks.bridge is None else ["tool", "assistant", "user"]
    )


def refusal_parts(case: Case) -> None:
    content = case.build(USER, AIMessage("", additional_kwargs={"refusal": "No."}), USER).body[
        "messages"
    ][1]["content"]
    kept = [{"type": "refusal", "refusal": "No."}]
    assert content == (
        kept
        if case.quirks.refusal_parts
        else "No."
        if case.quirks.text_content
        else [{"type": "text", "text": "No."}]
    )


def cache_control(case: Case) -> None:
    marked = HumanMessage([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}])
    payload = case.build(marked)
    assert ("cache_control" in str(payload.body)) == case.quirks.cache_control
    assert case.quirks.cache_control or "`cache_control`" in payload.warnings[0]


PARTS: dict[str, Any] = {
    "image_url": {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    "input_audio": {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    "bare_audio": {"type": "input_audio", "input_audio": "AAAA"},
    "file": {
        "type": "file",
        "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
    },
    "document_url": {"type": "document_url", "document_url": "https://example.com/a.pdf"},
    "video_url": {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
    "file_url": {"type": "file_url", "file_url": {"url": "https://example.com/a.pdf"}},
}


def part_types(case: Case) -> None:
    for kind, part in PARTS.items():
        if case.quirks.part_types is None or kind in case.quirks.part_types:
            assert case.build(HumanMessage([part])).body["messages"][0]["content"] == [part]
        else:
            with pytest.raises(TurnValueError, match=kind):
                case.build(HumanMessage([part]))


def answer_parts(case: Case) -> None:
    if case.quirks.part_types is None:
        return
    part = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    stored = {"content_parts": [part, {"type": "text"}]}
    answer = AIMessage("Four.", additional_kwargs=stored)
    content = case.build(USER, answer, USER).body["messages"][1]["content"]
    assert (part in content) == ("thinking" in case.quirks.answer_parts)
    assert "Four." in str(content)


def image_urls(case: Case) -> None:
    if case.quirks.part_types is not None and "image_url" not in case.quirks.part_types:
        return
    remote = HumanMessage(
        [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    )
    if case.quirks.image_urls:
        assert case.build(remote).body["messages"][0]["content"] == remote.content
    else:
        with pytest.raises(TurnValueError, match="base64"):
            case.build(remote)


def tool_media(case: Case) -> None:
    if case.quirks.part_types is not None and "image_url" not in case.quirks.part_types:
        return
    result = ToolMessage(
        [{"type": "text", "text": "See:"}, PARTS["image_url"]], tool_call_id="call_1"
    )
    payload = case.build(USER, called(), result)
    where = [m["role"] for m in payload.body["messages"] if "image_url" in str(m.get("content"))]
    assert where == (["tool"] if case.quirks.tool_media else ["user"])
    assert case.quirks.tool_media or any("Media" in warning for warning in payload.warnings)


def tool_audio(case: Case) -> None:
    if case.quirks.part_types is not None and "input_audio" not in case.quirks.part_types:
        return
    result = ToolMessage(
        [{"type": "text", "text": "Hear:"}, PARTS["input_audio"]], tool_call_id="call_1"
    )
    body = case.build(USER, called(), result).body
    assert ("AAAA" in str(body["messages"])) == case.quirks.tool_audio


def tool_types(case: Case) -> None:
    for tool in ({"type": "web_search"}, {"type": "custom", "custom": {"name": "c"}}):
        if case.quirks.tool_types is None or tool["type"] in case.quirks.tool_types:
            assert tool in case.build(builtin_tools=(tool,)).body["tools"]
        else:
            with pytest.raises(TurnValueError, match=str(tool["type"])):
                case.build(builtin_tools=(tool,))
    if not case.tools():
        with pytest.raises(TurnValueError, match="function"):
            case.build(tools=(TOOL,))


def tools_with_reasoning(case: Case) -> None:
    if case.quirks.reasons_by_default and case.tools():
        warned = any("refuse tools" in warning for warning in case.build(**case.tools()).warnings)
        assert warned != case.quirks.tools_with_reasoning


def strict_tools(case: Case) -> None:
    if case.tools():
        payload = case.build(tools=(TOOL,))
        assert ("strict" in payload.body["tools"][0]["function"]) == case.quirks.strict_tools
        assert case.quirks.strict_tools or any(
            "`strict`" in warning for warning in payload.warnings
        )


def schema_drop(case: Case) -> None:
    inner = dict.fromkeys(case.quirks.schema_drop, True) | {"type": "string"}
    named = {"type": "object", "properties": dict.fromkeys(("a", *case.quirks.schema_drop), inner)}
    sent = case.build(tools=(ToolSpec(name="t", parameters=named),)).body["tools"][0]["function"][
        "parameters"
    ]
    assert set(sent["properties"]) == set(named["properties"]), (
        "a property may be called as a keyword is"
    )
    assert all(inner == {"type": "string"} for inner in sent["properties"].values())


def gemini_schemas(case: Case) -> None:
    size = {"type": ["integer", "null"], "exclusiveMinimum": 0}
    tool = ToolSpec(name="t", parameters={"type": "object", "properties": {"size": size}})
    sent = case.build(tools=(tool,)).body["tools"][0]["function"]["parameters"]["properties"]
    in_dialect = {"type": "integer", "minimum": 1, "nullable": True}
    assert (sent["size"] == in_dialect) == case.quirks.gemini_schemas


def object_formats(case: Case) -> None:
    branches = [{"type": "object", "properties": {name: {"type": "string"}}} for name in "ab"]
    described = {"name": "n", "schema": {"anyOf": branches}}
    payload = case.build(response_format={"type": "json_schema", "json_schema": described})
    if "response_format" in payload.body:
        sent = payload.body["response_format"]["json_schema"]["schema"]
        assert ("anyOf" not in sent) == case.quirks.object_formats


def schema_inline(case: Case) -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {"type": "integer"}},
    }
    if case.tools():
        sent = case.build(tools=(ToolSpec(name="t", parameters=schema),)).body["tools"][0][
            "function"
        ]["parameters"]
        inlined = {"type": "object", "properties": {"a": {"type": "integer"}}}
        assert sent == (inlined if case.quirks.schema_inline else schema)


def tool_choice(case: Case) -> None:
    if not case.tools() or "tool_choice" in case.quirks.drop:
        return
    words = case.quirks.tool_choice | (
        case.quirks.tool_choice_with_reasoning if case.quirks.reasons_by_default else {}
    )
    for word in ("auto", "none", "required"):
        payload = case.build(tools=(TOOL,), tool_choice=word)
        assert payload.body["tool_choice"] == words.get(word, word)
        assert words.get(word, word) in (word, "any") or any(
            "`tool_choice`" in w for w in payload.warnings
        )


def named_tool_choice(case: Case) -> None:
    if case.tools() and "tool_choice" not in case.quirks.drop:
        payload = case.build(tools=(TOOL,), tool_choice="look")
        if isinstance(payload.body["tool_choice"], dict):
            assert payload.body["tool_choice"] == {"type": "function", "function": {"name": "look"}}
            assert case.quirks.named_tool_choice
        else:
            assert any("by name" in warning for warning in payload.warnings)


def tool_id_length(case: Case) -> None:
    wire = case.build(*loop(called())).body["messages"]
    call_id, result_id = wire[1]["tool_calls"][0]["id"], wire[2]["tool_call_id"]
    assert call_id == result_id
    assert (
        call_id == "call_1"
        if case.quirks.tool_id_length is None
        else len(call_id) == case.quirks.tool_id_length
    )


def plain_tool_ids(case: Case) -> None:
    asks = AIMessage("", tool_calls=[{"id": "functions.add:0", "name": "add", "args": {}}])
    result = ToolMessage("2", tool_call_id="functions.add:0")
    wire = case.build(HumanMessage("Hi"), asks, result).body["messages"]
    call_id = wire[1]["tool_calls"][0]["id"]
    assert call_id == wire[2]["tool_call_id"]
    rewritten = case.quirks.plain_tool_ids or case.quirks.tool_id_length is not None
    assert (call_id != "functions.add:0") == rewritten


def json_arguments(case: Case) -> None:
    broken = {
        "type": "invalid_tool_call",
        "id": "call_1",
        "name": "look",
        "args": '{"at',
        "error": "cut",
    }
    payload = case.build(*loop(AIMessage("", invalid_tool_calls=[broken])))
    sent = payload.body["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert sent == ("{}" if case.quirks.json_arguments else '{"at')
    assert not case.quirks.json_arguments or any(
        "Arguments" in warning for warning in payload.warnings
    )


CLAIMS: Mapping[str, Callable[[Case], None]] = {
    claim.__name__: claim
    for claim in (
        *(
            token_cap,
            min_output_tokens,
            drop,
            drop_with_reasoning,
            rename,
            body,
            min_temperature,
            max_temperature,
        ),
        *(
            stream_usage,
            response_formats,
            format_excludes,
            efforts,
            reasoning_replay,
            reasoning_field,
            reasoning_parts,
            blank_reasoning,
        ),
        *(
            reasoning_items,
            extra_content,
            missing_extra_content,
            system_role,
            one_system_message,
            names,
            text_content,
        ),
        *(
            empty_assistant,
            bridge,
            refusal_parts,
            cache_control,
            part_types,
            answer_parts,
            image_urls,
            tool_audio,
            tool_media,
            tool_types,
        ),
        *(
            tools_with_reasoning,
            strict_tools,
            schema_drop,
            gemini_schemas,
            object_formats,
            schema_inline,
            tool_choice,
            named_tool_choice,
        ),
        *(tool_id_length, plain_tool_ids, json_arguments),
    )
} | {
    "reasons_by_default": drop_with_reasoning,
    "reasoning_on": efforts,
    "reasoning_off": efforts,
    "tool_choice_with_reasoning": tool_choice,
}


def _set(profile: VendorProfile) -> list[tuple[str, str]]:
    """The (model, quirk) pairs that the row sets, and one model for what it leaves as it is."""
    own = [
        ("some-model", n)
        for n in Quirks.model_fields
        if getattr(profile.quirks, n) != getattr(DEFAULTS, n)
    ]
    return own + [(rule.example, name) for rule in profile.models for name in rule.quirks]


def test_every_quirk_has_a_claim() -> None:
    """A quirk that no test checks is only a sentence in a file."""
    assert set(Quirks.model_fields) == set(CLAIMS)


@pytest.mark.parametrize("quirk", CLAIMS)
def test_the_defaults_have_their_effect(quirk: str) -> None:
    """An endpoint that nobody knows is called by the defaults."""
    CLAIMS[quirk](Case(VENDORS["custom"], "some-model"))


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_quirk_of_a_row_has_its_effect(vendor: str) -> None:
    """What a row says is what is sent."""
    for model, quirk in _set(VENDORS[vendor]):
        try:
            CLAIMS[quirk](Case(VENDORS[vendor], model))
        except (AssertionError, TurnValueError, KeyError) as exc:
            raise AssertionError(f"{vendor}, {model}: `{quirk}` has not its effect: {exc}") from exc
