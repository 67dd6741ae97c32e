"""The body of a Chat Completions request.

https://platform.openai.com/docs/api-reference/chat/create
"""

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from turngraph.providers.vendors.profiles import Quirks
from turngraph.providers.writing.answer_format import answer_format
from turngraph.providers.writing.chat_converter import OpenAIChatConverter
from turngraph.providers.writing.chat_messages import adapt_messages
from turngraph.providers.writing.notes import Notes
from turngraph.providers.writing.parameters import (
    effort_value,
    fill_template,
    sampling,
    unless_dropped,
    vendor_parameter,
    will_reason,
)
from turngraph.providers.writing.tool_choice import tool_members
from turngraph.providers.writing.tool_specs import chat_tools
from turngraph.providers.writing.unique_ids import UniqueCallIds
from turngraph.state.json_types import JsonObject
from turngraph.state.request import ChatRequest

__all__ = ["chat_body"]


def chat_body(
    request: ChatRequest,
    messages: Sequence[BaseMessage],
    quirks: Quirks,
    notes: Notes,
    *,
    remove_empty: bool,
) -> JsonObject:
    """The JSON of `request` over `messages` for Chat Completions.

    A parameter that is not asked for is left out and never sent as null: Gemini and Mistral refuse
    nulls.

    remove_empty: whether an answer with tool calls and no text has no `content` at all.
    """
    body: JsonObject = {
        "model": request.model,
        "messages": _messages(messages, quirks, notes, remove_empty),
    }
    body.update(_tools(request, quirks, notes))
    body.update(
        {
            vendor_parameter(name, quirks): value
            for name, value in sampling(request, quirks, notes).items()
        }
    )
    cap = request.max_tokens
    if cap is not None and unless_dropped("max_tokens", cap, quirks, notes):
        body[quirks.token_cap] = cap
    body.update(_reasoning(request, quirks, notes))
    body.update(_answer_format(request, quirks, notes))
    if request.reasoning_summary is not None:
        notes.add_dropped("reasoning_summary", "Chat Completions has no such member")
    if request.store is not None:
        body.update(unless_dropped("store", request.store, quirks, notes))
    if request.stream:
        body["stream"] = True
        if quirks.stream_usage:
            body["stream_options"] = {"include_usage": True}
    return body | quirks.body


def _messages(
    messages: Sequence[BaseMessage], quirks: Quirks, notes: Notes, remove_empty: bool
) -> list[JsonObject]:
    # What one vendor adds to a message is noise to another, or refused by it (Mistral answers 422).
    own = OpenAIChatConverter(remove_empty, vendor_fields=True)
    foreign = OpenAIChatConverter(remove_empty)
    wire = []
    for n, message in enumerate(messages, 1):
        made_by = message.response_metadata.get("model_provider")
        converter = own if made_by in (None, notes.vendor) else foreign
        wire.append(converter.convert(message, n))
    notes.add_tool_media(own.noted_media | foreign.noted_media)
    UniqueCallIds().rename_messages(wire)
    return adapt_messages(wire, quirks, notes)


def _tools(request: ChatRequest, quirks: Quirks, notes: Notes) -> JsonObject:
    tools = chat_tools(request, quirks, notes)
    members = tool_members(tools, request, quirks, notes, "chat")
    if tools and not quirks.tools_with_reasoning and will_reason(request, quirks):
        notes.add(
            f"{notes.vendor} is known to refuse tools on Chat Completions while {notes.model} "
            "reasons: ask through the Responses API, or with `reasoning_effort` none."
        )
    return members


def _reasoning(request: ChatRequest, quirks: Quirks, notes: Notes) -> JsonObject:
    value = effort_value(request, quirks, notes)
    if value is None:
        return {}
    template = quirks.reasoning_off if request.reasoning_effort == "none" else quirks.reasoning_on
    if template is quirks.reasoning_on and "$effort" not in str(template):
        notes.add(
            f"`reasoning_effort` only turns reasoning on: {notes.vendor} knows no levels of it."
        )
    return fill_template(template, value)


def _answer_format(request: ChatRequest, quirks: Quirks, notes: Notes) -> JsonObject:
    members: JsonObject = {}
    if request.verbosity is not None:
        members |= unless_dropped("verbosity", request.verbosity, quirks, notes)
    if (wanted := request.response_format) is None:
        return members
    kind = str(wanted.get("type"))
    is_used = {"tools": bool(request.tools), "stream": request.stream}
    clash = next((name for name in sorted(quirks.format_excludes) if is_used[name]), None)
    if clash is not None:
        why = f"{notes.vendor} does not take it together with `{clash}`"
        notes.add_dropped("response_format", why)
    elif kind != "text" and kind not in quirks.response_formats:
        why = f"{notes.vendor} does not know {kind} for {notes.model}"
        notes.add_dropped("response_format", why)
    else:
        members["response_format"] = answer_format(wanted, quirks, notes)
    return members
