"""The configuration of a LangChain chat model of the OpenAI family, as that of a provider."""

from typing import TYPE_CHECKING, Any, Final

from turngraph.providers.config import Timeouts
from turngraph.providers.wire.endpoint import without_userinfo

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI

__all__ = ["config_fields", "stop_of", "timeouts_of"]

_SAME: Final = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_tokens",
    "reasoning_effort": "reasoning_effort",
    "text_verbosity": "verbosity",
    "store": "store",
    "seed": "seed",
    "logprobs": "logprobs",
    "top_logprobs": "top_logprobs",
    "organization": "openai_organization",
    "api_version": "openai_api_version",
}
"""Our fields, and what that class calls them."""

_BODY: Final = (
    *(
        "frequency_penalty",
        "presence_penalty",
        "logit_bias",
        "n",
        "service_tier",
        "include",
        "truncation",
    ),
    *("context_management", "prompt_cache_options"),
)
"""Members of the request that class has a field for, and a turn does not."""


def config_fields(chat: "BaseChatOpenAI") -> dict[str, Any]:
    """The fields of a `ProviderConfig` that asks as `chat` does, of which only those that were set.

    A key given as a function stays behind: the client that `chat` made calls it. So do its retries:
    a turn has its own.
    """
    found = {ours: getattr(chat, theirs, None) for ours, theirs in _SAME.items()}
    found |= {
        "model": getattr(chat, "deployment_name", None) or chat.model_name,
        "base_url": _endpoint(chat),
    }
    found |= {
        "vendor": "azure"
        if getattr(chat, "azure_endpoint", None)
        else getattr(chat, "vendor", None)
    }
    found |= {"stop": stop_of(chat), "timeouts": timeouts_of(chat.request_timeout)}
    found |= {"headers": chat.default_headers, "extra_body": _body(chat) or None, "api": _api(chat)}
    if hasattr(chat.openai_api_key, "get_secret_value"):
        found["api_key"] = chat.openai_api_key
    if reasoning := chat.reasoning:
        found |= {
            "reasoning_effort": reasoning.get("effort"),
            "reasoning_summary": reasoning.get("summary"),
        }
    return {name: value for name, value in found.items() if value is not None}


def stop_of(chat: "BaseChatOpenAI") -> tuple[str, ...] | None:
    """The stop sequences of `chat`, one or several; `None` where it has none."""
    if not chat.stop:
        return None
    return (chat.stop,) if isinstance(chat.stop, str) else tuple(chat.stop)


def timeouts_of(given: Any) -> Timeouts | None:
    """Seconds, or the `Timeout` of an HTTP library: to these clients both mean how long nothing may
    come.

    >>> timeouts_of(700.0)
    Timeouts(connect_s=700.0, first_byte_s=700.0, idle_s=700.0, total_s=700.0)
    """
    default, plain = Timeouts(), isinstance(given, int | float)
    read = given if plain else getattr(given, "read", None)
    connect = given if plain else getattr(given, "connect", None)
    if not read:
        return None
    total_s = max(default.total_s, read)
    return Timeouts(
        connect_s=connect or default.connect_s, first_byte_s=read, idle_s=read, total_s=total_s
    )


def _endpoint(chat: "BaseChatOpenAI") -> str | None:
    """Where the client of `chat` really sends, which knows about environment variables and Azure's
    paths.
    """
    if chat.root_client is None:
        return chat.openai_api_base
    return without_userinfo(str(chat.root_client.base_url)).rstrip("/")


def _api(chat: "BaseChatOpenAI") -> str | None:
    if chat.use_responses_api is None:
        return None
    return "responses" if chat.use_responses_api else "chat"


def _body(chat: "BaseChatOpenAI") -> dict[str, Any]:
    fields = {name: getattr(chat, name, None) for name in _BODY}
    given = {name: value for name, value in fields.items() if value is not None}
    return {**given, **chat.model_kwargs, **(chat.extra_body or {})}
