"""The request behind `stream_generate`: a conversation, or the continuation of one that the vendor
keeps.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from langchain_core.messages import AnyMessage, BaseMessage, SystemMessage, ToolMessage

from turngraph.providers.config import ProviderConfig
from turngraph.providers.request_template import request_template
from turngraph.providers.tool_specs import offered
from turngraph.providers.vendors.builtin_tools import file_search
from turngraph.state.errors import TurnValueError
from turngraph.state.messages import coerce_message
from turngraph.state.request import Api, ChatRequest

__all__ = ["Generation", "generation_request", "tool_outputs_of"]

_METADATA: Final = {
    # Responses takes metadata always, Chat Completions where answers are stored:
    # https://platform.openai.com/docs/api-reference/responses/create#responses-create-metadata
    "openai": 512,
    "azure": 512,
}
"""Vendors whose API has a place for names, and how long one may be."""


@dataclass(frozen=True)
class Generation:
    """What one call of `stream_generate` asks for, beside its messages."""

    names: Mapping[str, str | int | None]
    """What the call is known by to whoever reads the vendor's logs."""
    previous_response_id: str | None
    tool_outputs: Sequence[Any]
    unanswered_predefined_questions: Sequence[str]
    tools: Sequence[Any]
    vector_store_ids: Sequence[str]


def generation_request(
    asked: Generation, messages: Iterable[Any], config: ProviderConfig, api: Api
) -> tuple[ChatRequest, list[BaseMessage]]:
    """The request and its messages. Raises TurnValueError for what cannot be sent."""
    conversation: list[AnyMessage] = [coerce_message(message) for message in messages]
    functions, builtin = offered(asked.tools)
    template = request_template(config, api, tools=functions, stream=True)
    stores = (
        (file_search(asked.vector_store_ids),) if asked.vector_store_ids and config.tools else ()
    )
    if asked.previous_response_id is not None and config.profile.responses == "stateless":
        raise TurnValueError(
            f"{config.vendor} keeps no answers, so `previous_response_id` finds none there."
        )
    request = template.model_copy(
        update={
            "builtin_tools": (*_without_stores(template.builtin_tools, stores), *builtin, *stores),
            "system": _system(asked, conversation, config),
            "previous_response_id": asked.previous_response_id,
            "extra_body": _with_names(asked.names, config, api),
        }
    )
    return request, [*conversation, *tool_outputs_of(asked.tool_outputs)]


def tool_outputs_of(outputs: Iterable[Any]) -> list[ToolMessage]:
    """Results of tool calls as messages: LangChain's own, or objects in either API's form.

    Raises TurnValueError for a result without the id of its call.

        >>> tool_outputs_of([{"call_id": "c1", "output": {"sum": 3}}])[0].content
        '{"sum": 3}'
    """
    return [
        output if isinstance(output, ToolMessage) else _tool_message(output) for output in outputs
    ]


def _tool_message(output: Any) -> ToolMessage:
    if not isinstance(output, Mapping):
        raise TurnValueError(
            f"A tool's output is a ToolMessage or an object, not a `{type(output).__name__}`."
        )
    call_id = output.get("call_id") or output.get("tool_call_id")
    said = output.get("output", output.get("content"))
    if not call_id or said is None:
        raise TurnValueError(
            "A tool's output needs `call_id` and `output` (or `tool_call_id` and `content`)."
        )
    text = (
        said
        if isinstance(said, str | list)
        else json.dumps(said, ensure_ascii=False, allow_nan=False)
    )
    return ToolMessage(text, tool_call_id=str(call_id))


def _system(
    asked: Generation, conversation: Sequence[BaseMessage], config: ProviderConfig
) -> str | None:
    """The system message: the conversation's own, else the configuration's, and the questions still
    to be asked.

    A conversation the vendor keeps has its own already; the questions alone are then this request's
    instructions.
    """
    said = None
    if asked.previous_response_id is None:
        begins = conversation[0] if conversation else None
        said = begins.text if isinstance(begins, SystemMessage) else config.default_system_role
    if not asked.unanswered_predefined_questions:
        return said
    questions = "\n".join(f"- {question}" for question in asked.unanswered_predefined_questions)
    wish = f"The user has not answered these questions yet; ask them where they fit:\n{questions}"
    return wish if said is None else f"{said}\n\n{wish}"


def _without_stores(
    tools: Sequence[Mapping[str, Any]], stores: Sequence[Any]
) -> list[Mapping[str, Any]]:
    """`tools` without the configuration's file search, where the session has its own."""
    return [tool for tool in tools if not (stores and tool.get("type") == "file_search")]


def _with_names(
    names: Mapping[str, str | int | None], config: ProviderConfig, api: Api
) -> dict[str, Any]:
    given = {name: str(value) for name, value in names.items() if value is not None}
    longest = _METADATA.get(config.vendor)
    if not given or longest is None or (api == "chat" and config.store is not True):
        return config.extra_body
    for name, value in given.items():
        if len(value) > longest:
            raise TurnValueError(
                f"`{name}` has {len(value)} characters; {config.vendor} takes {longest} in metadata."
            )
    return {**config.extra_body, "metadata": {**given, **config.extra_body.get("metadata", {})}}
