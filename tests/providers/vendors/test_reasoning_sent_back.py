"""Reasoning goes back exactly once, in the member that the vendor documents, or not at all.

Each answer is read, stored on a message and written into the next request, for every model of every
row of the vendors' table that replays reasoning.
"""

from typing import Final, get_args

import pytest
from langchain_core.messages import HumanMessage, ToolMessage

from turngraph.providers.reading.chat_reader import ChatReader, read_chat
from turngraph.providers.vendors.profiles import VENDORS, VendorProfile
from turngraph.providers.vendors.reasoning_fields import (
    REASONING_PART_FIELDS,
    REASONING_TEXT_FIELDS,
    ReasoningPartsField,
    ReasoningTextTarget,
)
from turngraph.providers.writing.messages import to_ai_message
from turngraph.providers.writing.payload import build_payload
from turngraph.state.json_types import JsonObject
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest

REASONING: Final = "First I look."
CALL: Final = {
    "index": 0,
    "id": "call_1",
    "type": "function",
    "function": {"name": "look", "arguments": "{}"},
}
DETAILS: Final = [{"type": "reasoning.text", "index": 0, "text": REASONING, "signature": "s"}]
BLOCKS: Final = [{"type": "thinking", "thinking": REASONING, "signature": "s"}]
COPY: Final = {"reasoningContentBlocks": [{"reasoningText": {"text": REASONING}}]}
ANSWERS: Final[dict[str, JsonObject]] = {
    "reasoning_content": {"reasoning_content": REASONING},
    "reasoning": {"reasoning": REASONING},
    "reasoning_text": {"reasoning_text": REASONING},
    "two names": {"reasoning": REASONING, "reasoning_content": REASONING},
    "text and details": {"reasoning": REASONING, "reasoning_details": DETAILS},
    "details alone": {"reasoning_details": DETAILS},
    "text, blocks and a copy": {
        "reasoning_content": REASONING,
        "thinking_blocks": BLOCKS,
        "provider_specific_fields": COPY,
    },
    "think tags": {"content": f"<think>{REASONING}</think>"},
}
"""What answers of vendors look like, by where their reasoning stands."""

REPLAYING: Final = [
    (vendor, model)
    for vendor, profile in VENDORS.items()
    for model in ("some-model", *(rule.example for rule in profile.models))
    if profile.for_model(model).reasoning_replay != "never"
]
DOCUMENTED: Final = {
    # https://api-docs.deepseek.com/guides/thinking_mode
    "deepseek": ("reasoning_content", "reasoning_content"),
    # https://platform.minimax.io/docs/api-reference/text-openai-api
    "minimax": ("content", "reasoning_details"),
    # https://platform.moonshot.ai/docs/api/chat
    "moonshot": ("reasoning_content", "reasoning_content"),
    # https://docs.z.ai/api-reference/llm/chat-completion
    "zai": ("reasoning_content", "reasoning_content"),
    # https://inference-docs.cerebras.ai/api-reference/chat-completions
    "cerebras": ("content", "content"),
    # https://docs.fireworks.ai/api-reference/post-chatcompletions
    "fireworks": ("reasoning_content", "reasoning_content"),
    # https://docs.litellm.ai/docs/reasoning_content
    "litellm": ("reasoning_content", "thinking_blocks"),
    # https://openrouter.ai/docs/use-cases/reasoning-tokens
    "openrouter": ("reasoning", "reasoning_details"),
    # https://docs.together.ai/docs/openai-api-compatibility
    "together": ("reasoning_content", "reasoning_content"),
    # https://vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions/reasoning
    "vercel": ("reasoning", "reasoning_details"),
    # Older servers write `reasoning_content`, newer ones `reasoning`; each reads its own.
    "vllm": ("reasoning_content", "reasoning_content"),
    # https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
    "llamacpp": ("reasoning_content", "reasoning_content"),
}
"""The member for reasoning that came as `reasoning_content`, and for reasoning that came in the
vendor's own parts as well.
"""


def read(members: JsonObject) -> ProviderReply:
    message = {"role": "assistant", "content": None, "tool_calls": [CALL], **members}
    return read_chat({"choices": [{"message": message, "finish_reason": "tool_calls"}]})


def sent_back(reply: ProviderReply, profile: VendorProfile, model: str) -> JsonObject:
    """The assistant message of the request that follows `reply`."""
    answer = to_ai_message(reply, message_id="m1", vendor=profile.name, api="chat")
    conversation = [HumanMessage("Hi"), answer, ToolMessage("found", tool_call_id="call_1")]
    request = ChatRequest(vendor=profile.name, api="chat", model=model)
    message = build_payload(request, conversation, profile).body["messages"][1]
    assert isinstance(message, dict)
    return message


def members_with_reasoning(message: JsonObject) -> list[str]:
    return [name for name, value in message.items() if REASONING in str(value)]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(("vendor", "model"), REPLAYING)
def test_reasoning_is_sent_back_exactly_once(vendor: str, model: str, answer: str) -> None:
    """What is sent twice is read twice by the model, and billed twice as input."""
    message = sent_back(read(ANSWERS[answer]), VENDORS[vendor], model)
    assert str(message).count(REASONING) == 1
    assert "provider_specific_fields" not in message


@pytest.mark.parametrize("vendor", sorted({vendor for vendor, _ in REPLAYING}))
def test_it_is_sent_in_the_member_the_vendor_documents(vendor: str) -> None:
    """In any other member the vendor overlooks it, or refuses the request."""
    model = next(model for name, model in REPLAYING if name == vendor)
    profile = VENDORS[vendor]
    text_member, parts_member = DOCUMENTED[vendor]
    text_only = sent_back(read({"reasoning_content": REASONING}), profile, model)
    assert members_with_reasoning(text_only) == [text_member]
    name = profile.for_model(model).reasoning_parts or "reasoning_details"
    parts = {"reasoning_details": DETAILS, "thinking_blocks": BLOCKS}[name]
    with_parts = sent_back(read({"reasoning_content": REASONING, name: parts}), profile, model)
    assert members_with_reasoning(with_parts) == [parts_member]
    if parts_member == name:
        assert with_parts[name] == parts


def test_thinking_blocks_of_a_stream_are_put_together_before_they_go_back() -> None:
    """LiteLLM streams them in pieces, the signature last; Claude checks it against the text."""
    reader = ChatReader()
    for text, signature in (("First ", None), ("I look.", None), ("", "s")):
        block = {"type": "thinking", "thinking": text, "signature": signature}
        delta = {"reasoning_content": text, "thinking_blocks": [block]}
        reader.feed({"choices": [{"index": 0, "delta": delta}]})
    end = {"index": 0, "delta": {"tool_calls": [CALL]}, "finish_reason": "tool_calls"}
    reader.feed({"choices": [end]})
    reply = reader.finish(ended=True)
    assert reply.reasoning == REASONING
    assert sent_back(reply, VENDORS["litellm"], "claude")["thinking_blocks"] == BLOCKS


def test_two_signed_blocks_stay_two() -> None:
    """Joined, neither signature would fit the text."""
    second = {"type": "thinking", "thinking": "Then I think.", "signature": "t"}
    reply = read({"reasoning_content": REASONING, "thinking_blocks": [*BLOCKS, second]})
    message = sent_back(reply, VENDORS["litellm"], "claude")
    assert message["thinking_blocks"] == [*BLOCKS, second]


def test_every_target_of_a_profile_is_a_name_that_is_read() -> None:
    """Reading and writing know the same names."""
    targets = set(get_args(ReasoningTextTarget)) - {"think_tags", "as_received"}
    assert targets <= set(REASONING_TEXT_FIELDS)
    assert set(get_args(ReasoningPartsField)) == set(REASONING_PART_FIELDS)
