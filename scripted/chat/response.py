"""Renders an answer for Chat Completions: as a `chat.completion` object or as a stream's chunks.

Reference: https://platform.openai.com/docs/api-reference/chat/object and …/chat-streaming
"""

from collections.abc import Iterator
from typing import Final

from turngraph.scripted.envelope import Envelope, compact_json, split_text, total_tokens
from turngraph.scripted.prompt import Answer
from turngraph.scripted.responder.text_patterns import split_tokens
from turngraph.state.json_types import JsonObject
from turngraph.state.usage import Usage

__all__ = ["chat_chunks", "chat_json", "token_logprobs"]

FINGERPRINT: Final = "fp_scripted"


def chat_json(
    answer: Answer,
    usage: Usage,
    envelope: Envelope,
    *,
    choices: int = 1,
    logprobs: int | None = None,
) -> JsonObject:
    """Returns the `chat.completion` object with `choices` equal choices.

    Reasoning is sent as `reasoning_content`, where many vendors put it. `logprobs` is the number of
    alternatives for each token; None sends no log probabilities.

    >>> usage = Usage(input_tokens=3, output_tokens=1)
    >>> completion = chat_json(Answer("Four."), usage, Envelope("c1", 0, "m"))
    >>> completion["choices"][0]["message"], completion["usage"]["total_tokens"]
    ({'role': 'assistant', 'content': 'Four.', 'refusal': None, 'annotations': []}, 4)
    """
    choice = {
        "message": _message(answer),
        "logprobs": None if logprobs is None else _logprobs(answer.text, logprobs),
        "finish_reason": answer.finish,
    }
    completion: JsonObject = {
        "id": envelope.id,
        "object": "chat.completion",
        "created": envelope.created,
        "model": envelope.model,
        "choices": [{"index": index, **choice} for index in range(choices)],
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }
    counts = _usage_json(usage)
    return completion if counts is None else completion | {"usage": counts}


def chat_chunks(
    answer: Answer,
    usage: Usage,
    envelope: Envelope,
    *,
    choices: int = 1,
    logprobs: int | None = None,
    include_usage: bool = False,
) -> Iterator[str]:
    """Yields the events of the stream, each with the blank line that ends it.

    With `include_usage`, the last chunk has no choices and carries the usage.

    >>> list(chat_chunks(Answer("Hi"), Usage(), Envelope("c1", 0, "m")))[-1]
    'data: [DONE]\\n\\n'
    """
    counts = _usage_json(usage) if include_usage else None
    # A chunk repeats its head, so it is rendered once, without the closing brace: benchmarks send
    # thousands of chunks a second through here.
    head = compact_json(_chunk_head(envelope))[:-1]
    null_usage = ',"usage":null' if include_usage else ""
    for index in range(choices):
        for delta, probabilities, finish in _deltas(answer, envelope.pieces, logprobs):
            rest = f'"delta":{delta},"logprobs":{probabilities},"finish_reason":{finish}'
            yield f'data: {head},"choices":[{{"index":{index},{rest}}}]{null_usage}}}\n\n'
    if counts is not None:
        yield f'data: {head},"choices":[],"usage":{compact_json(counts)}}}\n\n'
    yield "data: [DONE]\n\n"


def _usage_json(usage: Usage) -> JsonObject | None:
    """Returns the usage as this API nests it, or None where there is nothing to report."""
    total = total_tokens(usage)
    if total is None:
        return None
    prompt_details = {
        "cached_tokens": usage.cache_read_tokens or 0,
        "audio_tokens": usage.input_audio_tokens or 0,
    }
    if usage.cache_write_tokens is not None:
        prompt_details["cache_write_tokens"] = usage.cache_write_tokens
    # OpenRouter's member, in USD: https://openrouter.ai/docs/use-cases/usage-accounting
    cost = {} if usage.cost_usd is None else {"cost": float(usage.cost_usd)}
    return {
        **cost,
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": total,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens or 0,
            "audio_tokens": usage.output_audio_tokens or 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _message(answer: Answer) -> JsonObject:
    message: JsonObject = {
        "role": "assistant",
        "content": answer.text if answer.text or not (answer.calls or answer.refusal) else None,
        "refusal": answer.refusal,
        "annotations": [],
    }
    if answer.reasoning is not None:
        message["reasoning_content"] = answer.reasoning
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in answer.calls
        ]
    return message


def _chunk_head(envelope: Envelope) -> JsonObject:
    return {
        "id": envelope.id,
        "object": "chat.completion.chunk",
        "created": envelope.created,
        "model": envelope.model,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }


def _deltas(
    answer: Answer, pieces: int | None, logprobs: int | None
) -> Iterator[tuple[str, str, str]]:
    """Yields delta, log probabilities and finish reason of each chunk, as JSON text."""
    content = "null" if (answer.calls or answer.refusal) and not answer.text else '""'
    yield f'{{"role":"assistant","content":{content},"refusal":null}}', "null", "null"
    for member, text in (
        ("reasoning_content", answer.reasoning or ""),
        ("refusal", answer.refusal or ""),
    ):
        for piece in split_text(text, pieces):
            yield f'{{"{member}":{compact_json(piece)}}}', "null", "null"
    for piece in split_text(answer.text, pieces):
        probabilities = "null" if logprobs is None else compact_json(_logprobs(piece, logprobs))
        yield f'{{"content":{compact_json(piece)}}}', probabilities, "null"
    for delta in _call_deltas(answer, pieces):
        yield compact_json({"tool_calls": [delta]}), "null", "null"
    yield "{}", "null", compact_json(answer.finish)


def _call_deltas(answer: Answer, pieces: int | None) -> Iterator[JsonObject]:
    """Yields id and name of each call with empty arguments, then its arguments in pieces."""
    for index, call in enumerate(answer.calls):
        yield {
            "index": index,
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": ""},
        }
        for piece in split_text(call.arguments, pieces):
            yield {"index": index, "function": {"arguments": piece}}


def _logprobs(text: str, alternatives: int) -> JsonObject:
    return {"content": token_logprobs(text, alternatives), "refusal": None}


def token_logprobs(text: str, alternatives: int) -> list[JsonObject]:
    """Returns one entry for each token, with `alternatives` alternatives.

    The numbers are made up: every token is certain, and each alternative is less likely than the
    one before it.
    """
    entries = []
    for token in split_tokens(text):
        others = [_token(f"{token}{n}" if n else token, -float(n)) for n in range(alternatives)]
        entries.append(_token(token, 0.0) | {"top_logprobs": others})
    return entries


def _token(token: str, logprob: float) -> JsonObject:
    # A text may hold half a surrogate pair, which JSON allows and UTF-8 does not.
    content = list(token.encode("utf-8", "surrogatepass"))
    return {"token": token, "logprob": logprob, "bytes": content}
