"""Reads the configuration of a LangChain chat model into fields of `ProviderConfig`."""

import logging
from typing import TYPE_CHECKING, Any, Final

from turngraph.providers.timeouts import Timeouts
from turngraph.providers.wire.url_credentials import strip_credentials
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI

__all__ = [
    "config_fields",
    "is_chat_model",
    "refuse_not_used",
    "timeouts_of",
    "warn_of_left_out",
]

_log: Final = logging.getLogger("turngraph")

_FIELDS: Final = {
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
"""Fields of `ProviderConfig`, and the names that LangChain's class has for them."""

_BODY_FIELDS: Final = (
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "n",
    "service_tier",
    "include",
    "truncation",
    "context_management",
    "prompt_cache_options",
)
"""Fields of LangChain's class that are members of a request, and that `ProviderConfig` has not."""

_NOT_USED: Final = {
    "rate_limiter": "no request would wait for it. Wait where the turns are started",
    "cache": "each call would go to the vendor. Keep answers that you ask for again yourself",
    "callbacks": "they would hear nothing. Give `on_event=` to `chat_turn`",
}
"""Fields that only LangChain's `invoke` uses, and what to do instead."""


_LEFT_OUT: Final = {
    "streaming": "give `stream=True` to `chat_turn`",
    "disable_streaming": "`stream` of `chat_turn` says whether an answer is streamed",
    "stream_usage": "a stream is asked for its usage wherever the vendor knows that",
    "use_previous_response_id": (
        "every request has the whole conversation; give `previous_response_id` as a setting"
    ),
    "output_version": "the messages of a turn have one form",
    "include_response_headers": "an answer's headers are not kept",
    "tags": "give them in the configuration of the run",
    "metadata": "give it in the configuration of the run",
}
"""Fields that change what LangChain's own call does or tells, and what holds in a turn instead."""
_OF_REASONING: Final = ("effort", "summary")


def is_chat_model(value: object) -> bool:
    """Whether `value` is a `ChatOpenAI`, or of a class on the same base.

    What `bind` or `with_fallbacks` returns has the attributes of the model inside of it, but what
    it adds to a request would be lost. So its class is asked, not the object.
    """
    return "root_client" in getattr(type(value), "model_fields", {})


def refuse_not_used(chat: "BaseChatOpenAI") -> None:
    """Raises TurnConfigurationError for a rate limiter, a cache or callbacks: LangChain's `invoke`
    asks them, and a turn, which sends its own requests, does not.
    """
    for name, consequence in _NOT_USED.items():
        value = getattr(chat, name, None)
        # `False` is no cache; a manager of callbacks holds them as `handlers`.
        if getattr(value, "handlers", value) not in (None, False, []):
            raise TurnConfigurationError(
                f"The `{name}` of a {type(chat).__name__} is not used by a turn: {consequence}, "
                f"and build the model without `{name}`."
            )


def warn_of_left_out(chat: "BaseChatOpenAI") -> None:
    """Logs a warning with the fields of `chat` that somebody set, and that a turn does not heed."""
    told = [f"`{name}` ({instead})" for name, instead in _LEFT_OUT.items() if _says(chat, name)]
    if others := sorted((chat.reasoning or {}).keys() - set(_OF_REASONING)):
        told.append(f"`reasoning.{others[0]}` (give it as `extra_body`)")
    if told:
        _log.warning(
            "What a %s says by %s is not heeded by a turn.", type(chat).__name__, ", ".join(told)
        )


def _says(chat: "BaseChatOpenAI", name: str) -> bool:
    """Whether somebody set the field `name` to another value than that which changes nothing."""
    value = getattr(chat, name, None) if name in chat.model_fields_set else None
    if name == "stream_usage":  # LangChain turns it on by itself
        return value is False
    if name == "metadata":  # LangChain adds its versions
        return bool((value or {}).keys() - {"lc_versions"})
    return bool(value)


def config_fields(chat: "BaseChatOpenAI") -> JsonObject:
    """Returns the fields of a `ProviderConfig` that asks as `chat` does. Unset ones are left out.

    A key that is given as a function is left out: the client of `chat` calls that function. So are
    retries, because a turn has its own.
    """
    fields = {ours: getattr(chat, theirs, None) for ours, theirs in _FIELDS.items()}
    is_azure = bool(getattr(chat, "azure_endpoint", None))
    fields |= {
        # A dated Azure endpoint knows a model by its deployment's name.
        "model": getattr(chat, "deployment_name", None) or chat.model_name,
        "vendor": "azure" if is_azure else getattr(chat, "vendor", None),
        "base_url": _endpoint(chat),
        "stop": _stop_sequences(chat),
        "timeouts": _timeouts(chat),
        "headers": chat.default_headers,
        "extra_body": _extra_body(chat) or None,
        "api": _api(chat),
    }
    # A function that returns a key (a token that expires) has no such method.
    if hasattr(chat.openai_api_key, "get_secret_value"):
        fields["api_key"] = chat.openai_api_key
    if reasoning := chat.reasoning:
        fields |= {
            "reasoning_effort": reasoning.get("effort"),
            "reasoning_summary": reasoning.get("summary"),
        }
    return {name: value for name, value in fields.items() if value is not None}


def timeouts_of(timeout: Any) -> Timeouts | None:
    """Returns the timeouts that seconds, or a `Timeout` of an HTTP library, stand for.

    To these libraries both mean the longest silence, so that is what is limited here; the whole
    answer may always take the default time. Returns None if `timeout` says nothing about silence.

    >>> timeouts_of(700.0)
    Timeouts(connect_s=700.0, first_byte_s=700.0, idle_s=700.0, total_s=700.0)
    """
    default, is_number = Timeouts(), isinstance(timeout, int | float)
    silence_s = timeout if is_number else getattr(timeout, "read", None)
    connect_s = timeout if is_number else getattr(timeout, "connect", None)
    if not silence_s:
        return None
    return Timeouts(
        connect_s=connect_s or default.connect_s,
        first_byte_s=silence_s,
        idle_s=silence_s,
        total_s=max(default.total_s, silence_s),
    )


def _timeouts(chat: "BaseChatOpenAI") -> Timeouts | None:
    timeouts = timeouts_of(chat.request_timeout)
    # LangChain's default for it is no wish of the user's.
    pause_s = getattr(chat, "stream_chunk_timeout", None)
    if not pause_s or "stream_chunk_timeout" not in chat.model_fields_set:
        return timeouts
    return (timeouts or Timeouts()).model_copy(update={"idle_s": pause_s})


def _endpoint(chat: "BaseChatOpenAI") -> str | None:
    # The client knows where it really sends: it has read environment variables and Azure's fields.
    if chat.root_client is None:
        return chat.openai_api_base
    return strip_credentials(str(chat.root_client.base_url)).rstrip("/")


def _stop_sequences(chat: "BaseChatOpenAI") -> tuple[str, ...] | None:
    if not chat.stop:
        return None
    return (chat.stop,) if isinstance(chat.stop, str) else tuple(chat.stop)


def _api(chat: "BaseChatOpenAI") -> str | None:
    if chat.use_responses_api is None:
        return None
    return "responses" if chat.use_responses_api else "chat"


def _extra_body(chat: "BaseChatOpenAI") -> JsonObject:
    fields = {name: getattr(chat, name, None) for name in _BODY_FIELDS}
    # Later ones win, as they do in `ChatOpenAI`.
    members = {name: value for name, value in fields.items() if value is not None}
    return {**members, **chat.model_kwargs, **(chat.extra_body or {})}
