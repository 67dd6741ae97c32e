"""A streamed Chat Completions answer as the one JSON object it would have been without a stream."""

from collections.abc import Mapping
from typing import Any, Final

from turngraph.state.reply import ProviderReply, ToolCall

__all__ = ["assembled", "top_citations"]

NOT_KEPT: Final = frozenset({"usage", "obfuscation", "p"})
"""Members of a chunk that say nothing of the answer: OpenAI and Bedrock pad chunks to hide their
length.
"""


def assembled(reply: ProviderReply, top: Mapping[str, Any], usage: Any) -> dict[str, Any]:
    """The `chat.completion` that the events of `reply` add up to; `top` is what stood beside their
    choices.

    >>> assembled(ProviderReply(text="4", finish_reason="stop"), {"id": "c1"}, None)["choices"][0]["message"]["content"]
    '4'
    """
    content: Any = list(reply.items) or reply.text
    message = {"role": "assistant", "content": content, "refusal": reply.refusal, **reply.extra}
    if reply.tool_calls:
        message["tool_calls"] = [wire_call(call) for call in reply.tool_calls]
    if reply.citations and reply.citations != top_citations(top):
        message["annotations"] = list(reply.citations)
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    if reply.logprobs:
        choice["logprobs"] = {"content": list(reply.logprobs)}
    kept = {name: value for name, value in top.items() if name not in NOT_KEPT}
    return {**kept, "object": "chat.completion", "choices": [choice], "usage": usage}


def wire_call(call: ToolCall) -> dict[str, Any]:
    if (call.extra or {}).get("type") == "custom":
        return {
            "id": call.id,
            **(call.extra or {}),
            "custom": {"name": call.name, "input": call.arguments},
        }
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function, **(call.extra or {})}


def top_citations(top: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Perplexity's sources, which stand beside the choices:
    https://docs.perplexity.ai/api-reference.

    >>> top_citations({"citations": ["https://a.example"]})
    ({'type': 'url_citation', 'url': 'https://a.example'},)
    """
    listed = [each for each in listed_in(top, "search_results") if isinstance(each, dict)]
    urls = [{"url": each} for each in listed_in(top, "citations") if isinstance(each, str)]
    return tuple({"type": "url_citation", **source} for source in listed or urls)


def listed_in(top: Mapping[str, Any], name: str) -> list[Any]:
    value = top.get(name)
    return value if isinstance(value, list) else []
