"""Checks a Responses request as strictly as the vendor, and reads it as a `Prompt`.

Reference: https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from turngraph.scripted import checks
from turngraph.scripted.checks import EFFORTS, RequestError
from turngraph.scripted.model_families import check_model_support
from turngraph.scripted.prompt import Message, OfferedTool, Prompt
from turngraph.scripted.responses.items import read_input
from turngraph.scripted.responses.response_store import ResponseStore, StoredResponse
from turngraph.state.json_types import JsonObject

__all__ = ["ResponsesRequest", "read_responses"]

MEMBERS: Final[Mapping[str, checks.Check]] = {
    "model": checks.text,
    "input": checks.any_value,
    "instructions": checks.text,
    "previous_response_id": checks.text,
    "conversation": checks.any_value,
    "temperature": checks.number(0, 2),
    "top_p": checks.number(0, 1),
    "max_output_tokens": checks.integer(16),
    "max_tool_calls": checks.integer(1),
    "top_logprobs": checks.integer(0, 20),
    "stream": checks.boolean,
    "stream_options": checks.mapping,
    "store": checks.boolean,
    "background": checks.boolean,
    "parallel_tool_calls": checks.boolean,
    "tools": checks.array,
    "tool_choice": checks.any_value,
    "text": checks.mapping,
    "reasoning": checks.mapping,
    "include": checks.array,
    "metadata": checks.mapping,
    "prompt": checks.mapping,
    "truncation": checks.one_of("auto", "disabled"),
    "service_tier": checks.one_of(
        "auto", "default", "flex", "scale", "priority", "fast", "ultrafast"
    ),
    "context_management": checks.array,
    "user": checks.text,
    "safety_identifier": checks.text,
    "prompt_cache_key": checks.text,
    "prompt_cache_retention": checks.text,
}
"""Every member that the API knows, with its check."""
REASONING_MEMBERS: Final[Mapping[str, checks.Check]] = {
    "effort": checks.one_of(*EFFORTS),
    "summary": checks.one_of("auto", "concise", "detailed"),
    "generate_summary": checks.one_of("auto", "concise", "detailed"),
    "context": checks.one_of("auto", "current_turn", "all_turns"),
    "mode": checks.text,
}
TEXT_MEMBERS: Final[Mapping[str, checks.Check]] = {
    "format": checks.mapping,
    "verbosity": checks.one_of("low", "medium", "high"),
}
LOGPROBS: Final = "message.output_text.logprobs"
"""The value of `include` that asks for log probabilities."""


@dataclass(frozen=True)
class ResponsesRequest:
    """A request that was read."""

    prompt: Prompt
    """The whole conversation, with the part that was stored by earlier requests."""
    added: tuple[Message, ...]
    """The messages that this request adds to the conversation."""
    previous: StoredResponse | None
    """The response that `previous_response_id` names."""


def read_responses(
    body: Mapping[str, Any], store: ResponseStore, accepts: Collection[str] = ()
) -> ResponsesRequest:
    """Checks and reads a request. Raises RequestError where the vendor answers with 400 or 404.

    >>> read_responses({"model": "m", "input": "Hi"}, ResponseStore()).prompt.question
    'Hi'
    """
    checks.require(body, "", "model")
    checks.check_members(body, MEMBERS, accepts)
    reasoning, text = body.get("reasoning", {}), body.get("text", {})
    checks.check_members(reasoning, REASONING_MEMBERS, within="reasoning.")
    checks.check_members(text, TEXT_MEMBERS, within="text.")
    check_model_support(body, effort=reasoning.get("effort"))
    previous = _find_previous(body.get("previous_response_id"), store)
    history = previous.conversation if previous is not None else ()
    added = read_input(body, history, store)
    tools = _read_tools(body.get("tools", ()))
    # Instructions hold for this request alone: they are in its prompt, but not in what it adds.
    instructions = (Message("developer", body["instructions"]),) if "instructions" in body else ()
    prompt = Prompt(
        messages=(*instructions, *history, *added),
        tools=tools,
        tool_choice=_read_tool_choice(body.get("tool_choice", "auto"), tools),
        parallel=body.get("parallel_tool_calls", True),
        schema=_read_schema(text.get("format", {})),
        max_tokens=body.get("max_output_tokens"),
        effort=reasoning.get("effort"),
        logprobs=body.get("top_logprobs", 0) if LOGPROBS in body.get("include", ()) else None,
    )
    return ResponsesRequest(prompt, added, previous)


def _find_previous(id: str | None, store: ResponseStore) -> StoredResponse | None:
    if id is None:
        return None
    previous = store.find(id)
    if previous is None:
        message = f"Previous response with id '{id}' not found."
        raise RequestError(
            message, param="previous_response_id", code="previous_response_not_found"
        )
    return previous


def _read_tools(tools: Sequence[Any]) -> tuple[OfferedTool, ...]:
    """Reads the functions among the tools. Other tools are accepted, but never called."""
    offered = []
    for place, tool in enumerate(tools):
        at = f"tools[{place}]"
        checks.mapping(at, tool)
        checks.require(tool, at, "type")
        if tool["type"] == "function":
            offered.append(checks.read_function(tool, at))
    return tuple(offered)


def _read_tool_choice(choice: object, tools: Sequence[OfferedTool]) -> str:
    if not isinstance(choice, dict):
        checks.one_of("none", "auto", "required")("tool_choice", choice)
        return str(choice)
    if choice.get("type") == "allowed_tools":
        # Only the mode is followed: every offered tool may still be called.
        return str(choice.get("mode", "auto"))
    if choice.get("type") != "function":
        # The vendor's own tools are never called here, so choosing one leaves the choice open.
        return "auto"
    checks.require(choice, "tool_choice", "name")
    checks.check_known_tool(choice["name"], tools)
    return str(choice["name"])


def _read_schema(text_format: Any) -> JsonObject | None:
    """Returns the schema that the answer must fit: None for text, `{}` for any JSON object."""
    checks.mapping("text.format", text_format)
    kind = text_format.get("type", "text")
    checks.one_of("text", "json_object", "json_schema")("text.format.type", kind)
    if kind != "json_schema":
        return {} if kind == "json_object" else None
    checks.require(text_format, "text.format", "name", "schema")
    return checks.read_answer_schema(text_format, "text.format.schema")
