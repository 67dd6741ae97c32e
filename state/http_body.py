"""A finished turn as the body and the headers of an HTTP response."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from turngraph.state.json_types import JsonObject
from turngraph.state.turn_error import TurnError

if TYPE_CHECKING:
    from turngraph.state.result import TurnResult

__all__ = ["http_body", "http_headers"]


def http_headers(error: TurnError | None) -> dict[str, str]:
    """The headers of a turn that ended with `error`, or without one.

    >>> http_headers(TurnError(kind="rate_limit", message="Slow down.", retry_after_s=1.5))
    {'Content-Type': 'application/json', 'Retry-After': '2'}
    """
    headers = {"Content-Type": "application/json"}
    if error is not None and error.retry_after_s is not None:
        # Whole seconds: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
        headers["Retry-After"] = str(ceil(error.retry_after_s))
    return headers


def http_body(result: "TurnResult", openai_messages: Sequence[JsonObject]) -> JsonObject:
    """The body that `TurnResult.to_http` describes.

    openai_messages: the conversation, which a result does not hold; empty leaves it out.

        >>> from turngraph.state.result import TurnResult
        >>> body = http_body(TurnResult(turn_id="t", status="completed", answer="4"), ())
        >>> body["choices"][0]["message"]["content"], body["metadata"]["status"]
        ('4', 'completed')
    """
    # A stage of the caller's own may have put other words in place of the model's. Then its words
    # go out, and nothing that still holds the model's.
    rewritten = result.answer != (result.responses[-1].text if result.responses else "")
    hidden = {"attempts", "new_messages"} if rewritten else set()
    turn = result.model_dump(mode="json", exclude={"error", "answer", *hidden}, exclude_none=True)
    if openai_messages and not rewritten:
        turn["openai_messages"] = list(openai_messages)
    if result.error is not None:
        return {"error": result.error.model_dump(mode="json", exclude_none=True), "turn": turn}
    raw = _completion(result.answer) if rewritten else _last_body(result)
    return {**raw, "metadata": _metadata(result), "turn": turn}


def _completion(answer: str) -> JsonObject:
    message = {"role": "assistant", "content": answer}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"object": "chat.completion", "choices": [choice]}


def _last_body(result: "TurnResult") -> JsonObject:
    raw: Any = result.responses[-1].raw if result.responses else None
    # A stream that ended in an odd place may leave something other than an object in `raw`.
    return raw if isinstance(raw, dict) else {}


def _metadata(result: "TurnResult") -> JsonObject:
    usage, cost = result.usage, result.cost_usd
    return {
        "turn_id": result.turn_id,
        "status": result.status,
        "tool_calls": [run.model_dump(mode="json") for run in result.tool_runs],
        "usage": None if usage is None else usage.model_dump(mode="json", exclude_none=True),
        "cost_usd": None if cost is None else f"{cost:f}",
    }
