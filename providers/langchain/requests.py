"""A LangChain call as a request: the model's configuration, and what this call says otherwise."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage
from pydantic import ValidationError

from turngraph.providers.config import ProviderConfig
from turngraph.providers.request_template import request_template
from turngraph.providers.response_format import response_format_of
from turngraph.providers.tool_specs import offered
from turngraph.providers.writing.wire_calls import id_name_arguments
from turngraph.state.errors import TurnValueError
from turngraph.state.request import Api, ChatRequest

__all__ = ["last_response_id", "request_of", "restored"]

_FIELDS: Final = {
    **{
        name: name
        for name in (
            *(
                "temperature",
                "top_p",
                "seed",
                "logprobs",
                "top_logprobs",
                "store",
                "parallel_tool_calls",
            ),
            *("previous_response_id", "reasoning_effort", "verbosity", "max_tokens"),
        )
    },
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
}
"""Parameters of a call, and the fields of a request they are."""
_OURS: Final = frozenset(("model", "stream", "stream_usage", "strict"))
"""Parameters that are dealt with elsewhere."""
_NOT_SENT: Final = ("extra_headers", "extra_query", "timeout")
"""Options of the OpenAI SDK that are no members of a request."""


def request_of(
    config: ProviderConfig,
    api: Api,
    said: Mapping[str, Any],
    *,
    stop: Sequence[str] | None,
    stream: bool,
) -> ChatRequest:
    """The request that `config` makes with what one call `said` besides; unknown members are sent
    as they are.

    Raises TurnValueError for what cannot be sent.

        >>> config = ProviderConfig(vendor="ollama", model="llama3.2")
        >>> request_of(config, "chat", {"temperature": 0, "top_k": 5}, stop=None, stream=False).extra_body
        {'top_k': 5}
    """
    changes: dict[str, Any] = {_FIELDS[name]: said[name] for name in said if name in _FIELDS}
    extra = {**config.extra_body, **said.get("extra_body", {})}
    for name in sorted(said.keys() - _FIELDS.keys() - _OURS - _READERS.keys() - {"extra_body"}):
        if name in _NOT_SENT:
            raise TurnValueError(
                f"`{name}` cannot be given for one call: it belongs to the model's configuration."
            )
        extra[name] = said[name]
    for name, read in _READERS.items():
        if said.get(name) is not None:
            changes |= read(said[name])
    if stop is not None:
        changes["stop"] = tuple(stop)
    if extra.get("n") not in (None, 1):
        raise TurnValueError(f"`n` is {extra['n']!r}; allowed: 1. One call gives one answer.")
    template = request_template(config, api, stream=stream)
    builtin = (*template.builtin_tools, *changes.pop("builtin_tools", ()))
    try:
        return ChatRequest(
            **{**dict(template), **changes, "builtin_tools": builtin, "extra_body": extra}
        )
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        raise TurnValueError(f"`{first['loc'][0]}`: {first['msg']}.") from None


def _tools(tools: Iterable[Any]) -> dict[str, Any]:
    functions, builtin = offered(tools)
    return {"tools": functions, "builtin_tools": builtin}


def _reasoning(said: Mapping[str, Any]) -> dict[str, Any]:
    """The `reasoning` of the Responses API, on either API."""
    unknown = sorted(said.keys() - {"effort", "summary"})
    if unknown:
        raise TurnValueError(
            f"`reasoning` has `{unknown[0]}`; allowed: effort, summary. Others go into `extra_body`."
        )
    return {f"reasoning_{name}": value for name, value in said.items() if value is not None}


_READERS: Final[Mapping[str, Callable[[Any], dict[str, Any]]]] = {
    "tools": _tools,
    "tool_choice": lambda said: {"tool_choice": "required" if said in (True, "any") else said},
    "response_format": lambda said: {"response_format": response_format_of(said)},
    "reasoning": _reasoning,
    "stop": lambda said: {"stop": (said,) if isinstance(said, str) else tuple(said)},
}
"""Parameters that come in several forms."""


def last_response_id(messages: Sequence[BaseMessage], vendor: str) -> str | None:
    """The id of the last answer, where `vendor` made it and keeps it."""
    last = next((message for message in reversed(messages) if isinstance(message, AIMessage)), None)
    if last is None or last.response_metadata.get("model_provider") != vendor:
        return None
    found = last.response_metadata.get("id")
    return found if isinstance(found, str) else None


def restored(messages: Iterable[BaseMessage]) -> list[BaseMessage]:
    """The conversation with the answers of the chat model as it first made them.

    Content that LangChain rewrote as standard blocks (`output_version="v1"`) is the message's text
    again, and invalid calls have the arguments that the model wrote.
    """
    return [
        _restored(message) if isinstance(message, AIMessage) else message for message in messages
    ]


def _restored(message: AIMessage) -> AIMessage:
    changes: dict[str, Any] = {}
    if message.response_metadata.get("output_version") == "v1" and isinstance(
        message.content, list
    ):
        changes["content"] = message.text
    if message.invalid_tool_calls:
        sent = {
            id_: arguments
            for id_, _, arguments in map(
                id_name_arguments, message.additional_kwargs.get("tool_calls", ())
            )
        }
        changes["invalid_tool_calls"] = [
            {**call, "args": sent.get(str(call["id"]), call["args"])}
            for call in message.invalid_tool_calls
        ]
    return message.model_copy(update=changes) if changes else message
