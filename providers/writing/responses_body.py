"""The body of a Responses request.

https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Sequence
from typing import Final

from langchain_core.messages import BaseMessage

from turngraph.providers.vendors.profiles import Quirks
from turngraph.providers.writing.answer_format import answer_format
from turngraph.providers.writing.notes import Notes
from turngraph.providers.writing.parameters import (
    effort_value,
    sampling,
    unless_dropped,
    vendor_parameter,
)
from turngraph.providers.writing.responses_converter import OpenAIResponsesConverter
from turngraph.providers.writing.tool_choice import tool_members
from turngraph.providers.writing.tool_specs import responses_tools
from turngraph.providers.writing.unique_ids import UniqueCallIds, plain_id
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.request import ChatRequest

__all__ = ["responses_body"]

_CHAT_ONLY: Final = ("stop", "seed", "logprobs")
"""Parameters that Responses does not have. It has log probabilities, through `include`."""

_MAX_ID: Final = 64
"""Characters that an id of a call may have on Responses."""


def responses_body(
    request: ChatRequest, messages: Sequence[BaseMessage], quirks: Quirks, notes: Notes
) -> JsonObject:
    """The JSON of `request` over `messages` for Responses.

    A parameter that is not asked for is left out and never sent as null.
    """
    body: JsonObject = {
        "model": request.model,
        "input": _items(request, messages, quirks, notes),
    }
    if request.previous_response_id is not None:
        body["previous_response_id"] = request.previous_response_id
        if request.system is not None:
            # Instructions hold for one response; as an input item they would pile up in the
            # conversation that the vendor keeps.
            body["instructions"] = request.system
    tools = responses_tools(request, quirks, notes)
    body.update(tool_members(tools, request, quirks, notes, "responses"))
    asked = sampling(request, quirks, notes)
    wants_logprobs = bool(asked.get("logprobs") or "top_logprobs" in asked)
    for name in _CHAT_ONLY:
        if asked.pop(name, None) is not None and name != "logprobs":
            notes.add_dropped(name, "the Responses API has no such parameter")
    body.update({vendor_parameter(name, quirks): value for name, value in asked.items()})
    body.update(_output_cap(request, quirks, notes))
    if reasoning := _reasoning(request, quirks, notes):
        body["reasoning"] = reasoning
    if text := _text(request, quirks, notes):
        body["text"] = text
    if include := _include(request, quirks, wants_logprobs):
        body["include"] = include
    if request.store is not None:
        body["store"] = request.store
    if request.stream:
        body["stream"] = True
    return body


def _items(
    request: ChatRequest, messages: Sequence[BaseMessage], quirks: Quirks, notes: Notes
) -> list[JsonObject]:
    converter = OpenAIResponsesConverter(
        vendor=notes.vendor, stored=request.store is not False, reasoning=quirks.reasoning_items
    )
    items = converter.convert_all(messages)
    notes.add_tool_media(converter.noted_media)
    UniqueCallIds().rename_items(items)
    # Results that continue a response belong to calls that the vendor knows by their own ids.
    if quirks.plain_tool_ids and request.previous_response_id is None:
        for item in items:
            if isinstance(call_id := item.get("call_id"), str):
                item["call_id"] = plain_id(call_id, _MAX_ID)
    if left_out := converter.left_out(messages, items):
        notes.add(
            f"Items of earlier answers are left out ({', '.join(left_out)}): {notes.vendor} could "
            "not use them here."
        )
    if quirks.system_role in ("system", "user"):
        items = [
            {**item, "role": quirks.system_role} if _is_instruction(item) else item
            for item in items
        ]
    return items


def _is_instruction(item: JsonMapping) -> bool:
    """Whether `item` is a developer's message. In items of other types that role is content."""
    return item.get("role") == "developer" and item.get("type", "message") == "message"


def _output_cap(request: ChatRequest, quirks: Quirks, notes: Notes) -> JsonObject:
    asked = request.max_tokens
    if asked is None:
        return {}
    if "max_tokens" in quirks.drop:
        notes.add_dropped("max_tokens")
        return {}
    if asked < quirks.min_output_tokens:
        notes.add(
            f"`max_output_tokens` is sent as {quirks.min_output_tokens}: {notes.vendor} takes "
            "nothing below."
        )
    return {"max_output_tokens": max(asked, quirks.min_output_tokens)}


def _reasoning(request: ChatRequest, quirks: Quirks, notes: Notes) -> JsonObject:
    reasoning: JsonObject = {}
    # A budget of tokens, which some vendors take on Chat Completions, is no effort here.
    if isinstance(effort := effort_value(request, quirks, notes), str):
        reasoning["effort"] = effort
    if request.reasoning_summary is not None:
        if quirks.efforts == {}:
            notes.add_dropped("reasoning_summary")
        else:
            reasoning["summary"] = request.reasoning_summary
    return reasoning


def _text(request: ChatRequest, quirks: Quirks, notes: Notes) -> JsonObject:
    text: JsonObject = {}
    if (wanted := request.response_format) is not None:
        # Chat Completions nests the schema under `json_schema`; Responses has it flat.
        wanted = answer_format(wanted, quirks, notes)
        schema = wanted.get("json_schema")
        text["format"] = {"type": wanted["type"], **(schema if isinstance(schema, dict) else {})}
    if request.verbosity is not None:
        text |= unless_dropped("verbosity", request.verbosity, quirks, notes)
    return text


def _include(request: ChatRequest, quirks: Quirks, logprobs: bool) -> list[str]:
    include = []
    if request.store is False and quirks.reasoning_items:
        # The vendor keeps nothing, so the reasoning must travel, encrypted, in the conversation.
        include.append("reasoning.encrypted_content")
    if logprobs:
        include.append("message.output_text.logprobs")
    return include
