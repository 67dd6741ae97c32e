"""The raw members of a Chat Completions answer, and a streamed answer as one JSON object."""

from collections.abc import Mapping
from typing import Any, Final

from turngraph.providers.reading.json_values import as_list, objects_in
from turngraph.providers.writing.wire_calls import chat_call
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.reply import ProviderReply, ToolCall

__all__ = ["assembled_completion", "logprob_entries", "top_level_citations"]

PADDING: Final = frozenset({"usage", "obfuscation", "p"})
"""Members of a chunk that are no part of the answer. `usage` is added once, at the end; OpenAI
(`obfuscation`) and Bedrock (`p`) pad chunks so that their length does not reveal the text:
https://platform.openai.com/docs/api-reference/chat/create
"""


def assembled_completion(reply: ProviderReply, top: JsonMapping, usage: object) -> JsonObject:
    """The `chat.completion` object that the chunks of `reply` add up to.

    top: the members that stood beside `choices`.
    usage: the vendor's own usage object, or None.

        >>> answer = assembled_completion(ProviderReply(text="4"), {"id": "c1"}, None)
        >>> answer["choices"][0]["message"]["content"]
        '4'
    """
    content: Any = list(reply.items) or reply.text
    message = {"role": "assistant", "content": content, "refusal": reply.refusal, **reply.extra}
    if reply.tool_calls:
        message["tool_calls"] = [call_as_sent(call) for call in reply.tool_calls]
    if reply.citations and reply.citations != top_level_citations(top):
        message["annotations"] = list(reply.citations)
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    if reply.logprobs:
        choice["logprobs"] = {"content": list(reply.logprobs)}
    kept = {name: value for name, value in top.items() if name not in PADDING}
    return {**kept, "object": "chat.completion", "choices": [choice], "usage": usage}


def call_as_sent(call: ToolCall) -> JsonObject:
    extra: Mapping[str, Any] = call.extra or {}
    custom = extra.get("type") == "custom"
    return {**chat_call(call.id, call.name, call.arguments, custom=custom), **extra}


def top_level_citations(top: JsonMapping) -> tuple[JsonObject, ...]:
    """Perplexity's sources, which stand beside `choices`: https://docs.perplexity.ai/api-reference

    `search_results` has titles and dates, `citations` only the URLs of the same pages.

        >>> top_level_citations({"citations": ["https://a.example"]})
        ({'type': 'url_citation', 'url': 'https://a.example'},)
    """
    urls = [{"url": url} for url in as_list(top.get("citations")) if isinstance(url, str)]
    sources = objects_in(top.get("search_results")) or urls
    return tuple({"type": "url_citation", **source} for source in sources)


def logprob_entries(logprobs: object) -> list[JsonObject]:
    """The log probabilities of a choice, one entry for each token.

    >>> logprob_entries({"content": [{"token": "4"}], "refusal": None})
    [{'token': '4'}]
    """
    if not isinstance(logprobs, dict):
        return []
    if not logprobs.keys() <= {"content", "refusal"}:
        # The format of the older completions API, which Together sends here too: kept as it is.
        return [logprobs]
    return [*objects_in(logprobs.get("content")), *objects_in(logprobs.get("refusal"))]
