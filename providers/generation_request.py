"""Builds the request behind `stream_generate`: for a conversation, or for the continuation of a
response that the vendor stores.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from langchain_core.messages import AnyMessage, BaseMessage, SystemMessage, ToolMessage

from turngraph.providers.config import ProviderConfig
from turngraph.providers.request_template import request_template
from turngraph.providers.tool_specs import split_tools
from turngraph.providers.vendors.builtin_tools import file_search_tool
from turngraph.state.argument_kinds import (
    NAME,
    SEVERAL,
    Kind,
    check_kinds,
    is_text,
    list_of,
    or_none,
)
from turngraph.state.errors import TurnValueError
from turngraph.state.json_types import JsonObject
from turngraph.state.messages import coerce_message
from turngraph.state.request import Api, ChatRequest

__all__ = ["Generation", "generation_request", "tool_outputs_of"]


_TEXTS: Final = Kind(list_of(is_text), "a list of texts")
_KINDS: Final = {
    "messages": SEVERAL,
    "tools": SEVERAL,
    "tool_outputs": SEVERAL,
    "unanswered_predefined_questions": _TEXTS,
    "vector_store_ids": _TEXTS,
    "previous_response_id": Kind(or_none(is_text), "the id of a response"),
}


@dataclass(frozen=True)
class Generation:
    """The arguments of one call of `stream_generate`, except its messages."""

    names: Mapping[str, str | int | None]
    """What the call is called in the vendor's logs, by metadata key. `None` is not sent."""
    previous_response_id: str | None
    tool_outputs: Sequence[Any]
    unanswered_predefined_questions: Sequence[str]
    tools: Sequence[Any]
    vector_store_ids: Sequence[str]
    """The session's own vector stores, which replace the configured ones."""


def generation_request(
    generation: Generation, messages: Iterable[object], config: ProviderConfig, api: Api
) -> tuple[ChatRequest, list[BaseMessage]]:
    """Returns the request and its messages. Raises TurnValueError for what cannot be sent."""
    check_kinds(_KINDS, {"messages": messages, **vars(generation)}, TurnValueError)
    conversation: list[AnyMessage] = [coerce_message(message) for message in messages]
    functions, builtin = split_tools(generation.tools)
    if generation.previous_response_id is not None and config.profile.responses == "stateless":
        raise TurnValueError(
            f"{config.vendor} stores no answers, so `previous_response_id` cannot continue one. "
            "Send the whole conversation instead."
        )
    template = request_template(config, api, tools=functions, stream=True)
    # A session's own stores replace the configured ones: one request has one `file_search`.
    configured, file_search = template.builtin_tools, _file_search(generation, config)
    if file_search:
        configured = tuple(tool for tool in configured if tool.get("type") != "file_search")
    request = template.model_copy(
        update={
            "builtin_tools": (*configured, *builtin, *file_search),
            "system": _system(generation, conversation, config),
            "previous_response_id": generation.previous_response_id,
            "extra_body": _with_metadata(generation.names, config, api),
        }
    )
    return request, [*conversation, *tool_outputs_of(generation.tool_outputs)]


def tool_outputs_of(outputs: Iterable[object]) -> list[ToolMessage]:
    """Returns results of tool calls as messages.

    An output is a `ToolMessage`, or an object in either API's form: `call_id` and `output`, or
    `tool_call_id` and `content`. Raises TurnValueError for anything else.

        >>> tool_outputs_of([{"call_id": "c1", "output": {"sum": 3}}])[0].content
        '{"sum": 3}'
    """
    return [
        output if isinstance(output, ToolMessage) else _tool_message(output) for output in outputs
    ]


def _tool_message(output: object) -> ToolMessage:
    if not isinstance(output, Mapping):
        raise TurnValueError(
            "A tool's output must be a ToolMessage or an object, and is a "
            f"`{type(output).__name__}`."
        )
    call_id = output.get("call_id") or output.get("tool_call_id")
    content = output.get("output", output.get("content"))
    if not call_id or content is None:
        raise TurnValueError(
            "A tool's output needs `call_id` and `output` (or `tool_call_id` and `content`)."
        )
    if not isinstance(content, str | list):
        content = json.dumps(content, ensure_ascii=False, allow_nan=False)
    return ToolMessage(content, tool_call_id=str(call_id))


def _system(
    generation: Generation, conversation: Sequence[BaseMessage], config: ProviderConfig
) -> str | None:
    """Returns the system message: the conversation's or the configured one, plus open questions.

    A response that is continued has its system message already. The open questions alone are then
    the instructions of this request.
    """
    system = None
    if generation.previous_response_id is None:
        first = conversation[0] if conversation else None
        system = first.text if isinstance(first, SystemMessage) else config.default_system_role
    if not generation.unanswered_predefined_questions:
        return system
    questions = "\n".join(f"- {text}" for text in generation.unanswered_predefined_questions)
    wish = f"The user has not answered these questions yet; ask them where they fit:\n{questions}"
    return wish if system is None else f"{system}\n\n{wish}"


def _file_search(generation: Generation, config: ProviderConfig) -> tuple[JsonObject, ...]:
    if not generation.vector_store_ids or not config.tools:
        return ()
    return (file_search_tool(generation.vector_store_ids),)


def _with_metadata(
    names: Mapping[str, str | int | None], config: ProviderConfig, api: Api
) -> JsonObject:
    """Returns the configured extra members, with `names` in the `metadata` if the vendor has it.

    OpenAI refuses metadata on Chat Completions unless the completion is stored.
    """
    given = {name: value for name, value in names.items() if value is not None}
    check_kinds(dict.fromkeys(given, NAME), given, TurnValueError)
    values = {name: str(value) for name, value in given.items()}
    limit = config.profile.metadata_chars
    if not values or limit is None or (api == "chat" and config.store is not True):
        return config.extra_body
    for name, value in values.items():
        if len(value) > limit:
            raise TurnValueError(
                f"`{name}` has {len(value)} characters; {config.vendor} allows {limit} in metadata."
            )
    # Metadata in the configuration is the user's own, so it wins over ours.
    return {**config.extra_body, "metadata": {**values, **config.extra_body.get("metadata", {})}}
