"""The words for how an answer ended, in those of Chat Completions.

Most of them are `stop`, `length`, `tool_calls` and `content_filter`. A vendor's own word is kept,
except one that says that the answer was cut: no tool may run on it.
"""

from collections.abc import Mapping
from typing import Final

from turngraph.state.json_types import JsonMapping
from turngraph.state.reply import UNFINISHED_STATUSES

__all__ = ["chat_finish_reason", "status_finish_reason"]

_CUT: Final[Mapping[str, str]] = {
    # https://docs.claude.com/en/api/messages, `stop_reason`, which gateways pass on; also
    # https://ai.google.dev/api/generate-content#FinishReason, and Cohere's
    "max_tokens": "length",
    "safety": "content_filter",
    "recitation": "content_filter",
    "prohibited_content": "content_filter",
    "malformed_function_call": "incomplete",
    # https://docs.mistral.ai/api/
    "model_length": "length",
    # https://docs.z.ai/api-reference/llm/chat-completion
    "sensitive": "content_filter",
    "model_context_window_exceeded": "length",
    "network_error": "incomplete",
    # https://api-docs.deepseek.com/api/create-chat-completion
    "insufficient_system_resource": "incomplete",
    # vLLM and SGLang, for a request that was stopped
    "abort": "incomplete",
    # https://platform.openai.com/docs/api-reference/responses/object, `incomplete_details.reason`
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}


_NONE: Final = "null"
"""A text that says that the answer goes on. Alibaba's own API writes it:
https://www.alibabacloud.com/help/en/model-studio/qwen-api-reference
"""


def chat_finish_reason(word: str) -> str:
    """Returns the finish reason of a choice, from the vendor's `word` for it; empty for none.

    >>> chat_finish_reason("MAX_TOKENS"), chat_finish_reason("end_turn"), chat_finish_reason("null")
    ('length', 'end_turn', '')
    """
    return "" if word.lower() == _NONE else _CUT.get(word.lower(), word)


def status_finish_reason(response: JsonMapping) -> str | None:
    """Returns the finish reason of a response that its status says is unfinished, else None.

    A status that nobody knows is `incomplete`, as is a reason for it that nobody knows.

        >>> status_finish_reason({"status": "queued"}), status_finish_reason({"status": "expired"})
        ('queued', 'incomplete')
    """
    status = response.get("status")
    if status in (None, "", "completed"):
        return None
    details = response.get("incomplete_details")
    if status == "incomplete" and isinstance(details, dict):
        return _CUT.get(str(details.get("reason")).lower(), "incomplete")
    return str(status) if str(status) in UNFINISHED_STATUSES else "incomplete"
