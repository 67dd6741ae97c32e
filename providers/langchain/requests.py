"""A LangChain call as a request: the model's configuration, changed by this call's parameters."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage
from pydantic import ValidationError

from turngraph.providers.config import ProviderConfig
from turngraph.providers.request_template import request_template
from turngraph.providers.tool_specs import split_tools
from turngraph.providers.writing.wire_calls import id_name_arguments
from turngraph.state.errors import TurnValueError
from turngraph.state.json_types import JsonObject
from turngraph.state.request import Api, ChatRequest
from turngraph.state.response_format import response_format_of

__all__ = ["last_response_id", "request_of", "restore_messages"]

_SAME_NAME: Final = (
    "temperature",
    "top_p",
    "seed",
    "logprobs",
    "top_logprobs",
    "store",
    "parallel_tool_calls",
    "previous_response_id",
    "reasoning_effort",
    "verbosity",
    "max_tokens",
)
_FIELDS: Final = {
    **{name: name for name in _SAME_NAME},
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
}
"""Parameters of a call that are a field of a request, and that field."""
_HANDLED_ELSEWHERE: Final = frozenset(("model", "stream", "stream_usage", "strict"))
_NOT_SENT: Final = ("extra_headers", "extra_query", "timeout")
"""Options of the OpenAI SDK that are no members of a request."""


def request_of(
    config: ProviderConfig,
    api: Api,
    parameters: Mapping[str, Any],
    *,
    stop: Sequence[str] | None,
    stream: bool,
) -> ChatRequest:
    """Returns the request for one call.

    Args:
        config: the model's configuration.
        api: the API that is used.
        parameters: the call's own parameters, which win over `config`. Unknown ones are sent as
            they are.
        stop: the call's stop sequences.
        stream: whether the answer is streamed.

    Raises TurnValueError for what cannot be sent.

        >>> config = ProviderConfig(vendor="ollama", model="llama3.2")
        >>> parameters = {"temperature": 0, "top_k": 5}
        >>> request_of(config, "chat", parameters, stop=None, stream=False).extra_body
        {'top_k': 5}
    """
    changes = {_FIELDS[name]: value for name, value in parameters.items() if name in _FIELDS}
    for name, read in _READERS.items():
        if parameters.get(name) is not None:
            changes |= read(parameters[name])
    if stop is not None:
        changes["stop"] = tuple(stop)
    extra_body = _extra_body(config, parameters)
    # A call's built-in tools are added to the configured ones; its functions replace them.
    template = request_template(config, api, stream=stream)
    builtin = (*template.builtin_tools, *changes.pop("builtin_tools", ()))
    try:
        return ChatRequest(
            **{**dict(template), **changes, "builtin_tools": builtin, "extra_body": extra_body}
        )
    except ValidationError as exc:
        # Without the input: a parameter's value may be part of a prompt.
        first = exc.errors(include_url=False, include_input=False)[0]
        raise TurnValueError(f"`{first['loc'][0]}`: {first['msg']}.") from None


def _extra_body(config: ProviderConfig, parameters: Mapping[str, Any]) -> JsonObject:
    members = {**config.extra_body, **parameters.get("extra_body", {})}
    known = _FIELDS.keys() | _HANDLED_ELSEWHERE | _READERS.keys() | {"extra_body"}
    for name in sorted(parameters.keys() - known):
        if name in _NOT_SENT:
            raise TurnValueError(
                f"`{name}` cannot be given for one call: it belongs to the model's configuration."
            )
        members[name] = parameters[name]
    if members.get("n") not in (None, 1):
        raise TurnValueError(f"`n` is {members['n']!r}; allowed: 1. One call gives one answer.")
    return members


def _tools(tools: Iterable[object]) -> JsonObject:
    functions, builtin = split_tools(tools)
    return {"tools": functions, "builtin_tools": builtin}


def _reasoning(reasoning: Mapping[str, object]) -> JsonObject:
    """Reads `reasoning` as the Responses API has it. It is accepted for either API."""
    unknown = sorted(reasoning.keys() - {"effort", "summary"})
    if unknown:
        raise TurnValueError(
            f"`reasoning` has `{unknown[0]}`; allowed: effort, summary. "
            "Put other members into `extra_body`."
        )
    return {f"reasoning_{name}": value for name, value in reasoning.items() if value is not None}


_READERS: Final[Mapping[str, Callable[[Any], JsonObject]]] = {
    "tools": _tools,
    "tool_choice": lambda value: {"tool_choice": "required" if value in (True, "any") else value},
    "response_format": lambda value: {"response_format": response_format_of(value)},
    "reasoning": _reasoning,
    "stop": lambda value: {"stop": (value,) if isinstance(value, str) else tuple(value)},
}
"""Readers of the parameters that come in several forms. Each returns fields of a request."""


def last_response_id(messages: Sequence[BaseMessage], vendor: str) -> str | None:
    """Returns the id of the last answer, or None if it has none or another vendor made it."""
    last = next((message for message in reversed(messages) if isinstance(message, AIMessage)), None)
    if last is None or last.response_metadata.get("model_provider") != vendor:
        return None
    response_id = last.response_metadata.get("id")
    return response_id if isinstance(response_id, str) else None


def restore_messages(messages: Iterable[BaseMessage]) -> list[BaseMessage]:
    """Returns a conversation whose answers are as the vendor first wrote them.

    Content that was rewritten as standard blocks (`output_version="v1"`) becomes the text again,
    and invalid tool calls get back the arguments that the model wrote. Prompt caches compare bytes.
    """
    return [
        _restore(message) if isinstance(message, AIMessage) else message for message in messages
    ]


def _restore(message: AIMessage) -> AIMessage:
    changes: JsonObject = {}
    is_v1 = message.response_metadata.get("output_version") == "v1"
    if is_v1 and isinstance(message.content, list):
        changes["content"] = message.text
    if message.invalid_tool_calls:
        wire_calls = map(id_name_arguments, message.additional_kwargs.get("tool_calls", ()))
        written = {id_: arguments for id_, _, arguments in wire_calls}
        changes["invalid_tool_calls"] = [
            {**call, "args": written.get(str(call["id"]), call["args"])}
            for call in message.invalid_tool_calls
        ]
    return message.model_copy(update=changes) if changes else message
