"""Chat Completions, the way out: an answer as the documented JSON, or as the chunks of a stream.

Reference: https://platform.openai.com/docs/api-reference/chat/object and …/chat-streaming
"""

from collections.abc import Iterator, Mapping
from typing import Any

from turngraph.scripted.envelope import Envelope, cut, dump
from turngraph.scripted.prompt import Answer
from turngraph.scripted.responder.text_patterns import tokens
from turngraph.state.usage import Usage

__all__ = ["chat_chunks", "chat_json"]

FINGERPRINT = "fp_scripted"


def chat_json(
    answer: Answer,
    usage: Usage,
    envelope: Envelope,
    *,
    choices: int = 1,
    logprobs: int | None = None,
) -> dict[str, Any]:
    """The `chat.completion` object. Reasoning goes into `reasoning_content`, where many vendors put
    it.

    >>> made = chat_json(Answer("Four."), Usage(input_tokens=3, output_tokens=1), Envelope("c1", 0, "m"))
    >>> made["choices"][0]["message"], made["usage"]["total_tokens"]
    ({'role': 'assistant', 'content': 'Four.', 'refusal': None, 'annotations': []}, 4)
    """
    choice = {
        "message": _message(answer),
        "logprobs": None if logprobs is None else _logprobs(answer.text, logprobs),
        "finish_reason": answer.finish,
    }
    made: dict[str, Any] = {
        "id": envelope.id,
        "object": "chat.completion",
        "created": envelope.created,
        "model": envelope.model,
        "choices": [{"index": index, **choice} for index in range(choices)],
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }
    counted = usage_json(usage)
    return made if counted is None else made | {"usage": counted}


def chat_chunks(
    answer: Answer,
    usage: Usage,
    envelope: Envelope,
    *,
    choices: int = 1,
    logprobs: int | None = None,
    include_usage: bool = False,
) -> Iterator[str]:
    """The events of the stream, each with the blank line that ends it. Usage comes last, if it was
    asked for.

    >>> list(chat_chunks(Answer("Hi"), Usage(), Envelope("c1", 0, "m")))[-1]
    'data: [DONE]\\n\\n'
    """
    counted = usage_json(usage) if include_usage else None
    head = dump(_chunk_head(envelope))[:-1]
    nulls = ',"usage":null' if include_usage else ""
    for index in range(choices):
        for delta, probabilities, finish in _deltas(answer, envelope.pieces, logprobs):
            rest = f'"delta":{delta},"logprobs":{probabilities},"finish_reason":{finish}'
            yield f'data: {head},"choices":[{{"index":{index},{rest}}}]{nulls}}}\n\n'
    if counted is not None:
        yield f'data: {head},"choices":[],"usage":{dump(counted)}}}\n\n'
    yield "data: [DONE]\n\n"


def usage_json(usage: Usage) -> dict[str, Any] | None:
    """Usage as the API nests it; None where there is nothing to report."""
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    total = (
        usage.input_tokens + usage.output_tokens
        if usage.total_tokens is None
        else usage.total_tokens
    )
    prompt_details = {
        "cached_tokens": usage.cache_read_tokens or 0,
        "audio_tokens": usage.input_audio_tokens or 0,
    }
    if usage.cache_write_tokens is not None:
        prompt_details["cache_write_tokens"] = usage.cache_write_tokens
    # As OpenRouter says it.
    told = {} if usage.cost_usd is None else {"cost": float(usage.cost_usd)}
    return {
        **told,
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


def _message(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {
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


def _chunk_head(envelope: Envelope) -> dict[str, Any]:
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
    """Delta, token probabilities and finish reason of each chunk, as JSON text."""
    content = "null" if (answer.calls or answer.refusal) and not answer.text else '""'
    yield f'{{"role":"assistant","content":{content},"refusal":null}}', "null", "null"
    for member, text in (
        ("reasoning_content", answer.reasoning or ""),
        ("refusal", answer.refusal or ""),
    ):
        for piece in cut(text, pieces):
            yield f'{{"{member}":{dump(piece)}}}', "null", "null"
    for piece in cut(answer.text, pieces):
        probabilities = "null" if logprobs is None else dump(_logprobs(piece, logprobs))
        yield f'{{"content":{dump(piece)}}}', probabilities, "null"
    for delta in _call_deltas(answer, pieces):
        yield dump({"tool_calls": [delta]}), "null", "null"
    yield "{}", "null", dump(answer.finish)


def _call_deltas(answer: Answer, pieces: int | None) -> Iterator[Mapping[str, Any]]:
    """Each call's id and name come first, with no arguments; then its arguments, in pieces."""
    for index, call in enumerate(answer.calls):
        yield {
            "index": index,
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": ""},
        }
        for piece in cut(call.arguments, pieces):
            yield {"index": index, "function": {"arguments": piece}}


def _logprobs(text: str, alternatives: int) -> dict[str, Any]:
    """Made-up probabilities: every token is certain, its alternatives ever less likely."""
    return {"content": token_logprobs(text, alternatives), "refusal": None}


def token_logprobs(text: str, alternatives: int) -> list[dict[str, Any]]:
    """One entry for each token, with so many alternatives."""
    made = []
    for token in tokens(text):
        others = [_token(f"{token}{n}" if n else token, -float(n)) for n in range(alternatives)]
        made.append(_token(token, 0.0) | {"top_logprobs": others})
    return made


def _token(token: str, logprob: float) -> dict[str, Any]:
    return {
        "token": token,
        "logprob": logprob,
        "bytes": list(token.encode("utf-8", "surrogatepass")),
    }
