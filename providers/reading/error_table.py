"""The kind of an error by the vendor's own words and by the HTTP status: rows with sources."""

from collections.abc import Mapping
from typing import Final, Literal

from turngraph.state.errors import ErrorKind

__all__ = ["KIND_BY_PHRASE", "KIND_BY_STATUS", "KIND_BY_WORD", "billed_for", "kind_of"]

KIND_BY_WORD: Final[Mapping[str, ErrorKind]] = {
    # OpenAI and Azure: https://platform.openai.com/docs/guides/error-codes
    "insufficient_quota": "quota",
    "billing_hard_limit_reached": "quota",
    "billing_not_active": "quota",
    "context_length_exceeded": "context_length",
    "string_above_max_length": "bad_request",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
    "responsibleaipolicyviolation": "content_filter",
    "rate_limit_exceeded": "rate_limit",
    "requests": "rate_limit",
    "tokens": "rate_limit",
    "invalid_api_key": "authentication",
    "authentication_error": "authentication",
    "unsupported_country_region_territory": "permission",
    "permission_error": "permission",
    "model_not_found": "not_found",
    "deploymentnotfound": "not_found",
    "not_found_error": "not_found",
    "previous_response_not_found": "not_found",
    "server_error": "server",
    "internal_server_error": "server",
    "server_is_overloaded": "overloaded",
    "slow_down": "overloaded",
    # llama.cpp: https://github.com/ggml-org/llama.cpp/tree/master/tools/server
    "exceed_context_size_error": "context_length",
    "unavailable_error": "overloaded",
    # Groq: https://console.groq.com/docs/errors
    "tool_use_failed": "bad_request",
    "json_validate_failed": "bad_request",
    # Mistral, DeepSeek: https://api-docs.deepseek.com/quick_start/error_codes
    "invalid_model": "not_found",
    "insufficient_balance": "quota",
    # Moonshot: https://platform.moonshot.ai/docs/api/errors
    "exceeded_current_quota_error": "quota",
    "engine_overloaded_error": "overloaded",
    "rate_limit_reached_error": "rate_limit",
    # Alibaba: https://www.alibabacloud.com/help/en/model-studio/error-code
    "arrearage": "quota",
    "data_inspection_failed": "content_filter",
    "datainspectionfailed": "content_filter",
    "throttling": "rate_limit",
    "throttling.ratequota": "rate_limit",
    "throttling.burstrate": "rate_limit",
    "throttling.allocationquota": "quota",
    # Z.AI: https://docs.z.ai/api-reference/api-code
    "1113": "quota",
    "1261": "context_length",
    "1301": "content_filter",
    "1302": "rate_limit",
    "1303": "rate_limit",
    "1305": "rate_limit",
    "1308": "quota",
    # MiniMax, in `base_resp`: https://platform.minimax.io/docs/api-reference/errorcode
    "1002": "rate_limit",
    "1004": "authentication",
    "1008": "quota",
    "1026": "content_filter",
    "1027": "content_filter",
    "1039": "rate_limit",
    "2013": "bad_request",
    # Bedrock: https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
    "throttling_exception": "rate_limit",
    "throttlingexception": "rate_limit",
    "accessdeniedexception": "permission",
    "serviceunavailableexception": "overloaded",
    "modelnotreadyexception": "overloaded",
    "validationexception": "bad_request",
    # Cerebras: https://inference-docs.cerebras.ai/support/error
    "too_many_requests_error": "rate_limit",
    "request_quota_exceeded": "rate_limit",
    "token_quota_exceeded": "rate_limit",
    # GitHub Copilot
    "quota_exceeded": "quota",
    # TGI: https://huggingface.co/docs/text-generation-inference
    "overloaded": "overloaded",
    # Cloudflare: https://developers.cloudflare.com/workers-ai/platform/errors/
    "3036": "quota",
    "3040": "overloaded",
    # Anthropic behind gateways: https://docs.claude.com/en/api/errors
    "overloaded_error": "overloaded",
    "rate_limit_error": "rate_limit",
    "billing_error": "quota",
    "request_too_large": "too_large",
    "timeout_error": "timeout",
    "api_error": "server",
    # Gemini's compatible endpoint: https://ai.google.dev/gemini-api/docs/troubleshooting
    "resource_exhausted": "rate_limit",
    "unauthenticated": "authentication",
    "permission_denied": "permission",
    "deadline_exceeded": "timeout",
    "unavailable": "overloaded",
}
"""The kind for an error's `code`, otherwise for its `type`, in lower case."""

KIND_BY_PHRASE: Final[tuple[tuple[str, ErrorKind], ...]] = (
    # Some vendors have no code for these and only write a message. Each phrase was seen in an
    # answer or in an issue.
    ("maximum context length", "context_length"),  # vLLM, DeepSeek
    ("max context length", "context_length"),  # Ollama
    ("available context size", "context_length"),  # llama.cpp
    ("context window", "context_length"),
    ("prompt is too long", "context_length"),  # Claude behind gateways
    ("prompt too long", "context_length"),
    ("too large for model with", "context_length"),  # Mistral
    ("insufficient balance", "quota"),  # DeepSeek
    ("insufficient credits", "quota"),  # OpenRouter
    ("credit balance is too low", "quota"),
    ("content management policy", "content_filter"),  # Azure
    ("`inputs` tokens + `max_new_tokens`", "context_length"),  # TGI, Together
)
"""Searched for only in a 4xx and in errors inside an answer, and only if the words say nothing."""

KIND_BY_STATUS: Final[Mapping[int, ErrorKind]] = {
    401: "authentication",
    402: "quota",
    403: "permission",
    404: "not_found",
    407: "authentication",
    408: "timeout",
    409: "conflict",
    410: "not_found",
    413: "too_large",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    524: "timeout",  # Cloudflare: the origin took too long
    529: "overloaded",
}
"""For other statuses, a 3xx is `protocol`, a 4xx `bad_request` and a 5xx `server`."""

GENERIC: Final = frozenset({"server", "bad_request", "authentication"})
"""Kinds whose words vendors use loosely (`server_error` for everything). A status that says more
than these is trusted instead.
"""


def kind_of(*, words: tuple[str | None, ...], message: str, status: int | None) -> ErrorKind:
    """The kind of an error.

    words: its code and its type.
    status: the HTTP status, or the one an error inside an answer gives as its own; None if there
        is neither.

        >>> kind_of(words=("insufficient_quota",), message="", status=429)
        'quota'
        >>> message = "This model's maximum context length is 4096 tokens."
        >>> kind_of(words=(None,), message=message, status=400)
        'context_length'
    """
    kinds = (KIND_BY_WORD.get(word.lower()) for word in words if word is not None)
    by_word = next((kind for kind in kinds if kind is not None), None)
    by_status = None if status is None else kind_of_status(status)
    # A specific word beats the status: `insufficient_quota` comes as a 429, and waiting does not
    # help. A loose word yields to a status that says more.
    if by_word is not None and (
        by_status is None or by_word not in GENERIC or by_status in GENERIC
    ):
        return by_status if by_word == "server" and by_status is not None else by_word
    # Only these statuses are vague enough that the wording of the message may overrule them.
    if by_status in (None, "bad_request", "too_large", "rate_limit"):
        lower = message.lower()
        by_phrase = next((kind for phrase, kind in KIND_BY_PHRASE if phrase in lower), None)
        return by_phrase or by_status or "server"
    return by_status


def kind_of_status(status: int) -> ErrorKind:
    rest: ErrorKind = "server" if status >= 500 else "bad_request" if status >= 400 else "protocol"
    return KIND_BY_STATUS.get(status, rest)


def billed_for(status: int, *, explained: bool) -> Literal["none", "unknown"]:
    """What a vendor may charge for an answer of this status.

    explained: whether the API itself answered (in JSON), and not a proxy before it.

        >>> billed_for(429, explained=True), billed_for(504, explained=True)
        ('none', 'unknown')
    """
    # The model may have done the work behind a proxy that gave up waiting; a refusal is free.
    if status in (408, 504, 524):
        return "unknown"
    if status < 500 or status in (503, 529) or explained:
        return "none"
    return "unknown"
