"""The configuration of a LangChain chat model of the OpenAI family, as that of a provider."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI

__all__ = ["config_fields"]

_SAME: Final = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_tokens",
    "reasoning_effort": "reasoning_effort",
    "text_verbosity": "verbosity",
    "store": "store",
    "organization": "openai_organization",
    "api_version": "openai_api_version",
}
"""Our fields, and what that class calls them."""

_BODY: Final = (
    *("frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs"),
    *("n", "seed", "stop", "service_tier", "include", "truncation"),
)
"""Members of the request that class has a field for, and a turn does not."""


def config_fields(chat: "BaseChatOpenAI") -> dict[str, Any]:
    """The fields of a `ProviderConfig` that asks as `chat` does, of which only those that were set.

    A key given as a function stays behind: the client that `chat` made calls it.
    """
    found = {ours: getattr(chat, theirs, None) for ours, theirs in _SAME.items()}
    found |= {"model": getattr(chat, "deployment_name", None) or chat.model_name, "base_url": _endpoint(chat)}
    found |= {"vendor": "azure" if getattr(chat, "azure_endpoint", None) else None}
    found |= {"headers": chat.default_headers, "extra_body": _body(chat) or None, "api": _api(chat)}
    if hasattr(chat.openai_api_key, "get_secret_value"):
        found["api_key"] = chat.openai_api_key
    if reasoning := chat.reasoning:
        found |= {"reasoning_effort": reasoning.get("effort"), "reasoning_summary": reasoning.get("summary")}
    return {name: value for name, value in found.items() if value is not None}


def _endpoint(chat: "BaseChatOpenAI") -> str:
    """Where the client of `chat` really sends, which knows about environment variables and Azure's paths."""
    return str(chat.root_client.base_url).rstrip("/")


def _api(chat: "BaseChatOpenAI") -> str | None:
    if chat.use_responses_api is None:
        return None
    return "responses" if chat.use_responses_api else "chat"


def _body(chat: "BaseChatOpenAI") -> dict[str, Any]:
    fields = {name: getattr(chat, name, None) for name in _BODY}
    given = {name: value for name, value in fields.items() if value is not None}
    return {**given, **chat.model_kwargs, **(chat.extra_body or {})}
