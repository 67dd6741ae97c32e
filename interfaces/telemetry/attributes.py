"""What a turn's requests and answers are called in OpenTelemetry's attributes: pure functions.

Source: https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-spans.md
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from turngraph.state.json_types import JsonObject
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest
from turngraph.state.usage import Usage

__all__ = [
    "Attributes",
    "body_attributes",
    "provider_name",
    "reply_attributes",
    "request_attributes",
    "server_of",
]

Attributes = dict[str, str | bool | int | float | list[str]]

_PROVIDERS: Final[Mapping[str, str]] = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "googleai": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""The well-known values of `gen_ai.provider.name` that differ from the vendor's name here."""
_USAGE: Final[Mapping[str, str]] = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "input_audio_tokens": "gen_ai.usage.audio.input_tokens",
    "output_audio_tokens": "gen_ai.usage.audio.output_tokens",
}
_IN_BODIES: Final[Mapping[str, tuple[str, tuple[type, ...]]]] = {
    "temperature": ("gen_ai.request.temperature", (int, float)),
    "top_p": ("gen_ai.request.top_p", (int, float)),
    "max_tokens": ("gen_ai.request.max_tokens", (int,)),
    "max_completion_tokens": ("gen_ai.request.max_tokens", (int,)),
    "max_output_tokens": ("gen_ai.request.max_tokens", (int,)),
    "seed": ("gen_ai.request.seed", (int,)),
    "stream": ("gen_ai.request.stream", (bool,)),
}
"""Members of a vendor's own request, in both APIs, with the types that they may have."""
_MODEL_CHARS: Final = 200
"""How much of a model's name is told; a client may have written anything."""
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


def provider_name(vendor: str) -> str:
    """Returns the value of `gen_ai.provider.name` for a vendor.

    >>> provider_name("openai"), provider_name("mistral")
    ('openai', 'mistral_ai')
    """
    return _PROVIDERS.get(vendor, vendor)


def request_attributes(request: ChatRequest) -> Attributes:
    """Returns what a request asks for. Its messages are no part of it.

    >>> request_attributes(ChatRequest(vendor="openai", api="chat", model="gpt-5"))
    {'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai', 'gen_ai.request.model': 'gpt-5'}
    """  # noqa: E501  one line of output
    attributes: Attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider_name(request.vendor),
        "gen_ai.request.model": request.model,
    }
    optional = {
        "gen_ai.request.temperature": request.temperature,
        "gen_ai.request.top_p": request.top_p,
        "gen_ai.request.max_tokens": request.max_tokens,
        "gen_ai.request.seed": request.seed,
        "gen_ai.request.stop_sequences": None if request.stop is None else list(request.stop),
        "gen_ai.request.stream": request.stream or None,
        "gen_ai.output.type": None if request.response_format is None else "json",
    }
    attributes.update({name: value for name, value in optional.items() if value is not None})
    return attributes


def body_attributes(vendor: str, body: JsonObject) -> Attributes:
    """Returns what a vendor's own request asks for, in either API. Values of a wrong type are left
    out: the vendor will refuse them.

    >>> body_attributes("openai", {"model": "gpt-5", "max_output_tokens": 9, "temperature": "hot"})
    {'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai', 'gen_ai.request.model': 'gpt-5', 'gen_ai.request.max_tokens': 9}
    """  # noqa: E501  one line of output
    attributes: Attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider_name(vendor),
        "gen_ai.request.model": str(body.get("model"))[:_MODEL_CHARS],
    }
    for name, (attribute, kinds) in _IN_BODIES.items():
        value = body.get(name)
        if isinstance(value, int | float) and type(value) in kinds:
            attributes[attribute] = value
    return attributes


def reply_attributes(reply: ProviderReply) -> Attributes:
    """Returns what is known of an answer, without its text."""
    optional = {
        "gen_ai.response.id": reply.response_id,
        "gen_ai.response.model": reply.model,
        "gen_ai.response.finish_reasons": reply.finish_reason and [reply.finish_reason],
    }
    known: Attributes = {name: value for name, value in optional.items() if value}
    return {**known, **_usage_attributes(reply.usage)}


def _usage_attributes(usage: Usage | None) -> Attributes:
    if usage is None:
        return {}
    counts = {name: getattr(usage, field) for field, name in _USAGE.items()}
    return {name: count for name, count in counts.items() if count is not None}


def server_of(url: str) -> Attributes:
    """Returns the host and the port of a URL, and nothing else of it.

    >>> server_of("https://user:secret@api.openai.com/v1?key=x")
    {'server.address': 'api.openai.com', 'server.port': 443}
    """
    parts = urlsplit(url)
    if not parts.hostname:
        return {}
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 443)
    return {"server.address": parts.hostname, "server.port": port}
