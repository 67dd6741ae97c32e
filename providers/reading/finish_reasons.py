"""The words for how an answer ended, in those of Chat Completions.

Most of them are `stop`, `length`, `tool_calls` and `content_filter`. A vendor's own word is kept,
except one that says that the answer was cut: no tool may run on it.
"""

import re
from collections.abc import Mapping
from typing import Final

from turngraph.state.json_types import JsonMapping
from turngraph.state.reply import UNFINISHED_STATUSES

__all__ = ["chat_finish_reason", "status_finish_reason"]

_CUT: Final[Mapping[str, str]] = {
    # https://docs.claude.com/en/api/messages, `stop_reason`, which gateways pass on
    "max_tokens": "length",
    "refusal": "content_filter",
    # https://ai.google.dev/api/generate-content#FinishReason
    "safety": "content_filter",
    "recitation": "content_filter",
    "language": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "image_safety": "content_filter",
    "other": "incomplete",
    "malformed_function_call": "incomplete",
    "malformed_response": "incomplete",
    "unexpected_tool_call": "incomplete",
    "too_many_tool_calls": "incomplete",
    "missing_thought_signature": "incomplete",
    # https://docs.cohere.com/reference/chat, also those of its first version
    "error": "error",
    "error_toxic": "content_filter",
    "error_limit": "length",
    "timeout": "incomplete",
    "user_cancel": "cancelled",
    # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "incomplete",
    "malformed_tool_use": "incomplete",
    # https://cloud.ibm.com/apidocs/watsonx-ai
    "not_finished": "incomplete",
    "token_limit": "length",
    "time_limit": "incomplete",
    "cancelled": "cancelled",
    # The words of the AI SDK, which gateways built with it send: https://ai-sdk.dev/docs/reference
    "content-filter": "content_filter",
    # https://docs.mistral.ai/api/
    "model_length": "length",
    # https://docs.z.ai/api-reference/llm/chat-completion
    "sensitive": "content_filter",
    "model_context_window_exceeded": "length",
    "network_error": "incomplete",
    # https://api-docs.deepseek.com/api/create-chat-completion
    "insufficient_system_resource": "incomplete",
    # vLLM and SGLang, for a request that was stopped, or whose output repeats itself
    "abort": "incomplete",
    "aborted": "incomplete",
    "repetition": "incomplete",
    # Others for the same
    "canceled": "cancelled",
    "interrupted": "incomplete",
    "max_length": "length",
    "context_length": "length",
    "context_length_exceeded": "length",
    "truncated": "length",
    # https://platform.openai.com/docs/api-reference/responses/object, `incomplete_details.reason`
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}


_SEPARATORS: Final = re.compile(r"[:.]\s*")
_NONE: Final = "null"
"""A text that says that the answer goes on. Alibaba's own API writes it:
https://www.alibabacloud.com/help/en/model-studio/qwen-api-reference
"""


def chat_finish_reason(word: str) -> str:
    """Returns the finish reason of a choice, from the vendor's `word` for it; empty for none.

    Gemini's compatible endpoint writes `content_filter: RECITATION`, Python servers may write
    `FinishReason.MAX_TOKENS`: the last part is the reason.

        >>> chat_finish_reason("MAX_TOKENS"), chat_finish_reason("end_turn")
        ('length', 'end_turn')
        >>> chat_finish_reason("null"), chat_finish_reason("content_filter: RECITATION")
        ('', 'content_filter')
    """
    lower = word.lower()
    parts = (lower, *reversed(_SEPARATORS.split(lower)))
    known = next((_CUT[part] for part in parts if part in _CUT), word)
    return "" if lower == _NONE else known


def status_finish_reason(response: JsonMapping) -> str | None:
    """Returns the finish reason of a response that its status says is unfinished, else None.

    A status that nobody knows is `incomplete`, as is a reason for it that nobody knows.

        >>> status_finish_reason({"status": "queued"}), status_finish_reason({"status": "expired"})
        ('queued', 'incomplete')
    """
    status = str(response.get("status") or "completed").lower()
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else details
    # Gateways that translate leave the status out, or write `completed` beside the reason.
    if reason and status in ("completed", "incomplete"):
        return _CUT.get(str(reason).lower(), "incomplete")
    if status == "completed":
        return None
    return status if status in UNFINISHED_STATUSES else "incomplete"
