"""The body of a Chat Completions request.

https://platform.openai.com/docs/api-reference/chat/create
"""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from turngraph.providers.vendors.profiles import Quirks
from turngraph.providers.writing.chat_converter import OpenAIChatConverter
from turngraph.providers.writing.chat_messages import adapted
from turngraph.providers.writing.notes import Notes
from turngraph.providers.writing.parameters import (
    effort,
    filled,
    reasons,
    sampling,
    tool_choice,
    written,
)
from turngraph.providers.writing.tool_specs import chat_tools
from turngraph.state.request import ChatRequest

__all__ = ["chat_body"]


def chat_body(
    request: ChatRequest,
    messages: Sequence[BaseMessage],
    quirks: Quirks,
    notes: Notes,
    *,
    remove_empty: bool,
) -> dict[str, Any]:
    """The JSON of `request` over `messages` for Chat Completions. What is not asked is not in it:
    no nulls.
    """
    body: dict[str, Any] = {
        "model": request.model,
        "messages": _messages(messages, quirks, notes, remove_empty),
    }
    body.update(_tools(request, quirks, notes))
    body.update(
        {written(name, quirks): value for name, value in sampling(request, quirks, notes).items()}
    )
    if request.max_tokens is not None and _taken("max_tokens", request.max_tokens, quirks, notes):
        body[quirks.token_cap] = request.max_tokens
    body.update(_reasoning(request, quirks, notes))
    body.update(_answer_form(request, quirks, notes))
    if request.reasoning_summary is not None:
        notes.dropped("reasoning_summary", "Chat Completions has no such member")
    if request.store is not None:
        body.update(_taken("store", request.store, quirks, notes))
    if request.stream:
        body["stream"] = True
        if quirks.stream_usage:
            body["stream_options"] = {"include_usage": True}
    return body | quirks.body


def _messages(
    messages: Sequence[BaseMessage], quirks: Quirks, notes: Notes, remove_empty: bool
) -> list[dict[str, Any]]:
    own = OpenAIChatConverter(remove_empty, vendor_fields=True)
    other = OpenAIChatConverter(remove_empty)
    wire = []
    for n, message in enumerate(messages, 1):
        foreign = message.response_metadata.get("model_provider") not in (None, notes.vendor)
        wire.append((other if foreign else own).convert(message, n))
    return adapted(wire, quirks, notes)


def _tools(request: ChatRequest, quirks: Quirks, notes: Notes) -> dict[str, Any]:
    tools = chat_tools(request, quirks, notes)
    members: dict[str, Any] = {"tools": tools} if tools else {}
    choice = tool_choice(request, quirks, notes)
    if choice is not None:
        named = isinstance(choice, dict) and choice.keys() == {"name"}
        members["tool_choice"] = {"type": "function", "function": choice} if named else choice
    if request.parallel_tool_calls is not None:
        if not tools:
            notes.dropped("parallel_tool_calls", "there are no tools")
        else:
            members |= _taken("parallel_tool_calls", request.parallel_tool_calls, quirks, notes)
    if tools and not quirks.tools_with_reasoning and reasons(request, quirks):
        notes.add(
            f"{notes.vendor} is known to refuse tools on Chat Completions while {notes.model} reasons: "
            "ask through the Responses API, or with `reasoning_effort` none."
        )
    return members


def _reasoning(request: ChatRequest, quirks: Quirks, notes: Notes) -> dict[str, Any]:
    sent = effort(request, quirks, notes)
    if sent is None:
        return {}
    template = quirks.reasoning_off if request.reasoning_effort == "none" else quirks.reasoning_on
    if template is quirks.reasoning_on and "$effort" not in str(template):
        notes.add(
            f"`reasoning_effort` only turns reasoning on: {notes.vendor} knows no levels of it."
        )
    return filled(template, sent)


def _answer_form(request: ChatRequest, quirks: Quirks, notes: Notes) -> dict[str, Any]:
    members: dict[str, Any] = {}
    if request.verbosity is not None:
        members |= _taken("verbosity", request.verbosity, quirks, notes)
    if (form := request.response_format) is not None:
        kind = str(form.get("type"))
        asked = {"tools": bool(request.tools), "stream": request.stream}
        clash = next((name for name in sorted(quirks.format_excludes) if asked[name]), None)
        if clash is not None:
            notes.dropped(
                "response_format", f"{notes.vendor} does not take it together with `{clash}`"
            )
        elif kind != "text" and kind not in quirks.response_formats:
            notes.dropped(
                "response_format", f"{notes.vendor} does not know {kind} for {notes.model}"
            )
        else:
            members["response_format"] = form
    return members


def _taken(name: str, value: object, quirks: Quirks, notes: Notes) -> dict[str, Any]:
    if name in quirks.drop:
        notes.dropped(name)
        return {}
    return {written(name, quirks): value}
