"""The body of a Responses request.

https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from turngraph.providers.vendors.profiles import Quirks
from turngraph.providers.writing.notes import Notes
from turngraph.providers.writing.parameters import effort, sampling, tool_choice, written
from turngraph.providers.writing.responses_converter import OpenAIResponsesConverter
from turngraph.providers.writing.tool_specs import responses_tools
from turngraph.state.request import ChatRequest

__all__ = ["responses_body"]

_CHAT_ONLY = ("stop", "seed", "logprobs")


def responses_body(
    request: ChatRequest, messages: Sequence[BaseMessage], quirks: Quirks, notes: Notes
) -> dict[str, Any]:
    """The JSON of `request` over `messages` for Responses. What is not asked is not in it: no
    nulls.
    """
    body: dict[str, Any] = {
        "model": request.model,
        "input": _items(request, messages, quirks, notes),
    }
    if request.previous_response_id is not None:
        body["previous_response_id"] = request.previous_response_id
        if request.system is not None:
            # Instructions hold for one response; as an input item they would pile up in the
            # vendor's conversation.
            body["instructions"] = request.system
    body.update(_tools(request, quirks, notes))
    asked = sampling(request, quirks, notes)
    for name in _CHAT_ONLY:
        if asked.pop(name, None) is not None and name != "logprobs":
            notes.dropped(name, "the Responses API has no such parameter")
    body.update({written(name, quirks): value for name, value in asked.items()})
    body.update(_cap(request, quirks, notes))
    if reasoning := _reasoning(request, quirks, notes):
        body["reasoning"] = reasoning
    if text := _text(request, quirks, notes):
        body["text"] = text
    if include := _include(request, quirks, "top_logprobs" in asked or bool(request.logprobs)):
        body["include"] = include
    if request.store is not None:
        body["store"] = request.store
    if request.stream:
        body["stream"] = True
    return body


def _items(
    request: ChatRequest, messages: Sequence[BaseMessage], quirks: Quirks, notes: Notes
) -> list[dict[str, Any]]:
    converter = OpenAIResponsesConverter(
        vendor=notes.vendor, stored=request.store is not False, reasoning=quirks.reasoning_items
    )
    items = converter.convert_all(messages)
    if left := converter.left_out(messages, items):
        notes.add(
            f"Items of earlier answers are left out ({', '.join(left)}): {notes.vendor} could not use them here."
        )
    if quirks.system_role in ("system", "user"):
        items = [
            {**item, "role": quirks.system_role} if _instructs(item) else item for item in items
        ]
    return items


def _instructs(item: dict[str, Any]) -> bool:
    """Whether `item` is a developer's message; other items may name that role too, and mean it."""
    return item.get("role") == "developer" and item.get("type", "message") == "message"


def _tools(request: ChatRequest, quirks: Quirks, notes: Notes) -> dict[str, Any]:
    tools = responses_tools(request, quirks, notes)
    members: dict[str, Any] = {"tools": tools} if tools else {}
    choice = tool_choice(request, quirks, notes)
    if choice is not None:
        named = isinstance(choice, dict) and choice.keys() == {"name"}
        members["tool_choice"] = {"type": "function", **choice} if named else choice  # type: ignore[dict-item]
    if request.parallel_tool_calls is not None:
        if not tools:
            notes.dropped("parallel_tool_calls", "there are no tools")
        elif "parallel_tool_calls" in quirks.drop:
            notes.dropped("parallel_tool_calls")
        else:
            members["parallel_tool_calls"] = request.parallel_tool_calls
    return members


def _cap(request: ChatRequest, quirks: Quirks, notes: Notes) -> dict[str, Any]:
    asked = request.max_tokens
    if asked is not None and "max_tokens" in quirks.drop:
        notes.dropped("max_tokens")
        return {}
    if asked is None or asked >= quirks.min_output_tokens:
        return {} if asked is None else {"max_output_tokens": asked}
    notes.add(
        f"`max_output_tokens` is sent as {quirks.min_output_tokens}: {notes.vendor} takes nothing below."
    )
    return {"max_output_tokens": quirks.min_output_tokens}


def _reasoning(request: ChatRequest, quirks: Quirks, notes: Notes) -> dict[str, Any]:
    reasoning: dict[str, Any] = {}
    if isinstance(level := effort(request, quirks, notes), str):
        reasoning["effort"] = level
    if request.reasoning_summary is not None:
        if quirks.efforts == {}:
            notes.dropped("reasoning_summary")
        else:
            reasoning["summary"] = request.reasoning_summary
    return reasoning


def _text(request: ChatRequest, quirks: Quirks, notes: Notes) -> dict[str, Any]:
    text: dict[str, Any] = {}
    if (form := request.response_format) is not None:
        schema = form.get("json_schema")
        text["format"] = {"type": form["type"], **(schema if isinstance(schema, dict) else {})}
    if request.verbosity is not None:
        if "verbosity" in quirks.drop:
            notes.dropped("verbosity")
        else:
            text["verbosity"] = request.verbosity
    return text


def _include(request: ChatRequest, quirks: Quirks, logprobs: bool) -> list[str]:
    include = []
    if request.store is False and quirks.reasoning_items:
        # Nobody keeps the reasoning, so it must travel, encrypted, in the conversation.
        include.append("reasoning.encrypted_content")
    if logprobs and "logprobs" not in quirks.drop:
        include.append("message.output_text.logprobs")
    return include
