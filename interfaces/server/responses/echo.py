"""What a response repeats of its request, and of how its model is asked.

Reference: https://platform.openai.com/docs/api-reference/responses/object
"""

from collections.abc import Mapping
from typing import Any, Final

from turngraph.interfaces.server.responses.request import conversation_id
from turngraph.providers.config import ProviderConfig
from turngraph.state.json_types import JsonMapping, JsonObject

__all__ = ["echo_of"]

_ECHOED: Final[Mapping[str, Any]] = {
    "frequency_penalty": 0,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "presence_penalty": 0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "temperature": 1,
    "tool_choice": "auto",
    "top_p": 1,
    "truncation": "disabled",
    "user": None,
}
"""What a response repeats of its request, with the value where neither the request nor the model's
configuration says one: OpenAI's own, because clients check that these are numbers.
"""
_TOOL_MEMBERS: Final[Mapping[str, Any]] = {"description": None, "parameters": None, "strict": None}
"""What a response says of a tool whose request leaves it out."""


def echo_of(body: JsonMapping, config: ProviderConfig | None) -> JsonObject:
    """What a response repeats of its request, or else of the model's configuration."""
    asked, told = _configured(config), dict(body)
    for name, value in asked.items():
        given = told.get(name)
        if given is None:
            told[name] = value
        elif isinstance(value, dict):
            told[name] = {**value, **{key: one for key, one in given.items() if one is not None}}
    echo = {
        name: default if told.get(name) is None else told[name] for name, default in _ECHOED.items()
    }
    reasoning, text = told.get("reasoning") or {}, told.get("text") or {}
    conversation = conversation_id(body)
    return {
        **echo,
        "tools": [{**_TOOL_MEMBERS, **tool} for tool in body.get("tools") or ()],
        "background": bool(body.get("background")),
        "store": body.get("store") is not False,
        "conversation": None if conversation is None else {"id": conversation},
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "text": {
            "format": text.get("format") or {"type": "text"},
            "verbosity": text.get("verbosity") or "medium",
        },
        "service_tier": "default",
        "top_logprobs": 0,
    }


def _configured(config: ProviderConfig | None) -> JsonObject:
    """The parameters of a model's configuration under the names that requests have for them."""
    if config is None:
        return {}
    return {
        "temperature": config.temperature,
        "top_p": config.top_p,
        "max_output_tokens": config.max_tokens,
        "parallel_tool_calls": config.parallel_tool_calls,
        "reasoning": {"effort": config.reasoning_effort, "summary": config.reasoning_summary},
        "text": {"verbosity": config.text_verbosity},
    }
