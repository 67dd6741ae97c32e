"""Conversations that hypothesis makes up: as LangChain messages, and as vendors answer them."""

import json
from base64 import b64encode
from typing import Any

from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from turngraph.providers.writing.messages import to_ai_message
from turngraph.state.reply import ProviderReply, ToolCall
from turngraph.state.request import Api

text = st.text(max_size=40)
said = st.text(min_size=1, max_size=40)
ids = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=12)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,16}", fullmatch=True)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(text, values, max_size=4)


@st.composite
def argument_texts(draw: st.DrawFn) -> str:
    """Arguments as models write them: any spacing, escaped or not, cut or not JSON at all."""
    written = json.dumps(
        draw(objects), ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))
    )
    cut = draw(st.one_of(st.none(), st.integers(0, len(written))))
    return draw(st.sampled_from([written, written, written[:cut], "", "not JSON", '{"a": NaN}']))


text_parts = st.builds(lambda value: {"type": "text", "text": value}, text)
base64 = st.binary(min_size=1, max_size=9).map(lambda data: b64encode(data).decode())
images = st.builds(
    lambda url, detail: {"type": "image_url", "image_url": {"url": url, **detail}},
    st.sampled_from(["https://example.com/a.png", "data:image/png;base64,AAAA"]),
    st.sampled_from([{}, {"detail": "low"}]),
)
files = st.builds(
    lambda data: {
        "type": "file",
        "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{data}"},
    },
    base64,
)
audio = st.builds(
    lambda data: {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}, base64
)


def user_messages(api: Api) -> st.SearchStrategy[BaseMessage]:
    """User messages. A list of one text is written as a text, as Responses does."""
    parts = text_parts | images | files | audio if api == "chat" else text_parts | images | files
    several = st.lists(parts, min_size=2, max_size=4)
    named = st.none() | names if api == "chat" else st.none()
    return st.builds(HumanMessage, content=said | several, name=named)


def system_messages() -> st.SearchStrategy[BaseMessage]:
    """Instructions, in either of the two roles."""
    extra = st.sampled_from([{}, {"__openai_role__": "developer"}])
    return st.builds(SystemMessage, content=said, additional_kwargs=extra)


@st.composite
def chat_replies(draw: st.DrawFn, turn: int = 0) -> ProviderReply:
    """Answers of Chat Completions: text or a refusal, calls, reasoning, a vendor's own fields."""
    calls = draw(st.lists(st.tuples(names, argument_texts()), max_size=3))
    extra = draw(
        st.sampled_from([None, {"extra_content": {"google": {"thought_signature": "abc"}}}])
    )
    tool_calls = tuple(
        ToolCall(id=f"call_{turn}_{n}", name=c[0], arguments=c[1], extra=extra)
        for n, c in enumerate(calls)
    )
    reasoning = draw(st.none() | said)
    spelling = draw(st.sampled_from(["reasoning_content", "reasoning"]))
    fields: dict[str, Any] = {} if reasoning is None else {spelling: reasoning}
    fields |= draw(
        st.sampled_from([{}, {"reasoning_details": [{"type": "reasoning.text", "text": "t"}]}])
    )
    refusal = draw(st.none() | said)
    answer = "" if refusal else draw(text if tool_calls else said)
    return ProviderReply(
        text=answer, tool_calls=tool_calls, reasoning=reasoning, extra=fields, refusal=refusal
    )


@st.composite
def responses_replies(draw: st.DrawFn, turn: int = 0) -> ProviderReply:
    """An answer through Responses: reasoning, searches, texts and calls, as items in any order."""
    kinds = draw(
        st.lists(
            st.sampled_from(["reasoning", "web_search_call", "message", "function_call"]),
            min_size=1,
            max_size=5,
        )
        # An answer that was cut while the model reasoned is not sent back as it came.
        .filter(lambda kinds: kinds[-1] != "reasoning")
    )
    items, calls, answer = [], [], ""
    for n, kind in enumerate(kinds):
        item: dict[str, Any] = {"type": kind, "id": f"{kind}_{turn}_{n}", "status": "completed"}
        if kind == "reasoning":
            item |= {"summary": [], "encrypted_content": draw(said)}
        elif kind == "web_search_call":
            item |= {"action": {"type": "search", "query": draw(text)}}
        elif kind == "message":
            words = draw(said)
            answer += words
            part = {"type": "output_text", "text": words, "annotations": [], "logprobs": []}
            item |= {"role": "assistant", "content": [part]}
        else:
            item |= {
                "call_id": f"call_{turn}_{n}",
                "name": draw(names),
                "arguments": draw(argument_texts()),
            }
            calls.append(
                ToolCall(id=item["call_id"], name=item["name"], arguments=item["arguments"])
            )
        items.append(item)
    return ProviderReply(text=answer, tool_calls=tuple(calls), items=tuple(items))


@st.composite
def conversations(draw: st.DrawFn, api: Api) -> list[BaseMessage]:
    """A whole conversation: every call answered, no two answers of the model in a row."""
    messages: list[BaseMessage] = draw(st.lists(system_messages(), max_size=1))
    for turn in range(draw(st.integers(1, 3))):
        messages.append(draw(user_messages(api)))
        reply = draw(chat_replies(turn) if api == "chat" else responses_replies(turn))
        answer = to_ai_message(reply, message_id=f"m{turn}", vendor="openai", api=api)
        messages.append(answer)
        messages += [draw(results(call.id, api)) for call in reply.tool_calls]
    return [*messages, draw(user_messages(api))]


def results(call_id: str, api: Api) -> st.SearchStrategy[ToolMessage]:
    """Tool messages. Their artifact is never sent."""
    parts = (
        st.lists(text_parts, min_size=2, max_size=3)
        if api == "chat"
        else st.lists(text_parts | images, min_size=2)
    )
    return st.builds(
        ToolMessage,
        content=text | parts,
        tool_call_id=st.just(call_id),
        artifact=st.sampled_from([None, 1]),
    )


def essence(message: BaseMessage) -> dict[str, Any]:
    """Returns what must survive the wire: all but the id and what is never sent."""
    kept: dict[str, Any] = {"type": message.type, "content": message.content, "name": message.name}
    kept["kwargs"] = dict(message.additional_kwargs)
    if isinstance(message, AIMessage):
        kept |= {"calls": message.tool_calls, "invalid": message.invalid_tool_calls}
    if isinstance(message, ToolMessage):
        kept["call"] = message.tool_call_id
    return kept
