"""The members of a request about its tools: `tools`, `tool_choice`, `parallel_tool_calls`."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import JsonValue

from turngraph.providers.vendors.profiles import Quirks
from turngraph.providers.writing.notes import Notes
from turngraph.providers.writing.parameters import unless_dropped, will_reason
from turngraph.state.errors import TurnValueError
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.request import Api, ChatRequest

__all__ = ["tool_members"]

WORDS: tuple[Literal["auto"], Literal["none"], Literal["required"]] = ("auto", "none", "required")


class NamedFunction(NamedTuple):
    """The wish that one function is called, which each API writes in its own way."""

    name: str


def tool_members(
    tools: Sequence[JsonMapping], request: ChatRequest, quirks: Quirks, notes: Notes, api: Api
) -> JsonObject:
    """The members of the body for `tools`, which are already in the form of `api`.

    Raises TurnValueError if `tool_choice` names a tool that is not offered.
    """
    members: JsonObject = {"tools": list(tools)} if tools else {}
    choice = _tool_choice(request, quirks, notes)
    if isinstance(choice, NamedFunction):
        function = {"name": choice.name}
        members["tool_choice"] = {
            "type": "function",
            **({"function": function} if api == "chat" else function),
        }
    elif choice is not None:
        members["tool_choice"] = choice
    if request.parallel_tool_calls is not None:
        if tools:
            members |= unless_dropped(
                "parallel_tool_calls", request.parallel_tool_calls, quirks, notes
            )
        else:
            notes.add_dropped("parallel_tool_calls", "there are no tools")
    return members


def _tool_choice(
    request: ChatRequest, quirks: Quirks, notes: Notes
) -> NamedFunction | str | dict[str, JsonValue] | None:
    """One of the vendor's words, a function by name, or an object passed on as it is."""
    asked = request.tool_choice
    if asked is None:
        return None
    if not request.tools and not request.builtin_tools and "tools" not in request.extra_body:
        # OpenAI and vLLM answer 400 to a choice without tools.
        notes.add_dropped("tool_choice", "there is no tool to choose")
        return None
    if "tool_choice" in quirks.drop:
        notes.add_dropped("tool_choice")
        return None
    if isinstance(asked, dict):
        name = _function_name(asked)
        if name is None:
            return asked
        asked = name
    words = quirks.tool_choice
    if will_reason(request, quirks):
        words = words | quirks.tool_choice_with_reasoning
    if asked == "any" and all(tool.name != "any" for tool in request.tools):
        asked = "required"  # LangChain, Anthropic and Mistral call it so
    if asked not in WORDS:
        _check_offered(asked, request)
        if quirks.named_tool_choice and words.get("required") != "auto":
            return NamedFunction(asked)
        notes.add(
            f"`{asked}` cannot be demanded by name at {notes.vendor}: any tool may be called."
        )
        asked = "required"
    sent = words.get(asked, asked)
    # `any` is Mistral's word for `required`; every other change alters what is asked.
    if sent not in (asked, "any"):
        notes.add(f"`tool_choice` is sent as {sent}: {notes.vendor} does not take {asked}.")
    return sent


def _function_name(choice: dict[str, JsonValue]) -> str | None:
    """The name in an object that asks for one function, in the form of either API."""
    function = choice.get("function", choice)
    if choice.get("type") != "function" or not isinstance(function, dict):
        return None
    return str(function["name"]) if "name" in function else None


def _check_offered(name: str, request: ChatRequest) -> None:
    offered = [tool.name for tool in request.tools]
    if name not in offered:
        raise TurnValueError(
            f"`tool_choice` names `{name[:100]}`, which is not offered. "
            f"Offered: {', '.join(offered) or 'none'}; or write auto, none or required."
        )
