"""Reads a request to `POST /v1/chat/completions`.

As at OpenAI's API, `null` means "not set". Members that the server does not know are passed over,
so that clients which send more than OpenAI's API documents work unchanged; a known member with a
wrong value, or one that cannot be served, is refused with a 400 that names it.

Reference: https://platform.openai.com/docs/api-reference/chat/create
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import BaseMessage

from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.turn_request import (
    CallPlace,
    TurnRequest,
    call_place,
    checked_settings,
    function_spec,
    is_typed,
    member,
)
from turngraph.providers.writing.from_chat import from_chat
from turngraph.state.errors import TurnValueError
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.request import ToolSpec

__all__ = ["read_chat_request", "read_decisions"]

_PLAIN: Final = (
    "temperature",
    "top_p",
    "seed",
    "logprobs",
    "top_logprobs",
    "parallel_tool_calls",
    "reasoning_effort",
    "verbosity",
    "response_format",
)
"""Members that are a turn's settings under the same name."""
_PASSED_ON: Final = ("frequency_penalty", "logit_bias", "presence_penalty", "prompt_cache_key")
"""Members that only the vendor reads."""
_REFUSED: Final = {
    "functions": "write `tools`",
    "function_call": "write `tool_choice`",
    "audio": "leave it out: no sound is made here",
    "web_search_options": "leave it out: the server chooses its own tools",
}


def read_chat_request(body: JsonMapping) -> TurnRequest:
    """Returns what `body` asks for. Raises ServerError (400) naming the member that is wrong."""
    model = member(body, "model", str)
    if not model:
        raise ServerError(400, "`model` is missing; name a model that `GET /v1/models` lists.")
    _check_refused(body)
    wire = _messages(body)
    try:
        messages = from_chat(wire)
    except TurnValueError as exc:
        raise ServerError(400, str(exc), param="messages", code="invalid_value") from exc
    own = member(body, "turngraph", dict) or {}
    stream = bool(member(body, "stream", bool))
    return TurnRequest(
        model=model,
        messages=messages,
        settings=checked_settings(
            {
                **{name: body.get(name) for name in _PLAIN},
                "max_tokens": _max_tokens(body),
                "stop": _stop(body.get("stop")),
                "tool_choice": _tool_choice(body.get("tool_choice")),
                "caller_tools": _tools(body),
                "extra_body": _extra_body(body),
                "stream": stream,
            },
            {"caller_tools": "tools"},
        ),
        answers=_answers(wire, messages),
        decisions=read_decisions(own),
        wants_events=bool(member(own, "events", bool, at="turngraph.")),
    )


def read_decisions(own: JsonMapping) -> dict[CallPlace, Any]:
    """What a person decided, from `turngraph.decisions`: call id to decision."""
    given = member(own, "decisions", dict, at="turngraph.") or {}
    decisions: dict[CallPlace, Any] = {}
    for name, decision in given.items():
        place = call_place(name)
        if place is None:
            raise ServerError(
                400,
                f"`turngraph.decisions` names `{name[:100]}`, which is no call of this server.",
                param="turngraph.decisions",
            )
        decisions[place] = decision
    return decisions


def _check_refused(body: JsonMapping) -> None:
    for name, cure in _REFUSED.items():
        if body.get(name) is not None:
            raise ServerError(
                400, f"`{name}` cannot be served; {cure}.", param=name, code="unsupported_parameter"
            )
    if member(body, "n", int) not in (None, 1):
        raise ServerError(
            400, "`n` must be 1: a turn has one answer.", param="n", code="unsupported_value"
        )
    options = member(body, "stream_options", dict) or {}
    member(options, "include_usage", bool, at="stream_options.")
    if member(body, "modalities", list) not in (None, ["text"]):
        raise ServerError(
            400, '`modalities` must be `["text"]`.', param="modalities", code="unsupported_value"
        )


def _messages(body: JsonMapping) -> Sequence[JsonMapping]:
    messages = member(body, "messages", list)
    if not messages:
        raise ServerError(
            400, "`messages` must be a list of at least one message.", param="messages"
        )
    # Clients send null for a tool that returned nothing.
    return [
        {**message, "content": ""}
        if isinstance(message, Mapping)
        and message.get("role") == "tool"
        and message.get("content") is None
        else message
        for message in messages
    ]


def _max_tokens(body: JsonMapping) -> int | None:
    current: int | None = member(body, "max_completion_tokens", int)
    return current if current is not None else member(body, "max_tokens", int)


def _stop(stop: Any) -> Any:
    if stop is None or isinstance(stop, list):
        return stop or None  # clients send an empty list for no stop
    if isinstance(stop, str):
        return (stop,)
    raise ServerError(
        400, "`stop` must be text or a list of texts.", param="stop", code="invalid_type"
    )


def _tool_choice(choice: Any) -> Any:
    """`auto`, `none`, `required`, a function's name, or an object as the API has it."""
    if isinstance(choice, Mapping) and choice.get("type") == "function":
        function = choice.get("function")
        name = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(name, str):
            raise ServerError(400, "`tool_choice.function.name` must be text.", param="tool_choice")
        return name
    if choice is None or choice in ("auto", "none", "required") or is_typed(choice):
        return choice
    raise ServerError(
        400,
        "`tool_choice` must be `auto`, `none`, `required` or "
        '`{"type": "function", "function": {"name": …}}`.',
        param="tool_choice",
        code="invalid_value",
    )


def _tools(body: JsonMapping) -> tuple[ToolSpec, ...]:
    return tuple(_tool(tool, n) for n, tool in enumerate(member(body, "tools", list) or ()))


def _tool(tool: Any, n: int) -> ToolSpec:
    function = tool.get("function") if isinstance(tool, Mapping) else None
    if not isinstance(function, Mapping) or tool.get("type", "function") != "function":
        raise ServerError(
            400,
            f"`tools[{n}]` must be a function: "
            '`{"type": "function", "function": {"name": …, "parameters": …}}`.',
            param=f"tools[{n}]",
            code="invalid_value",
        )
    return function_spec(function, f"tools[{n}].function")


def _extra_body(body: JsonMapping) -> JsonObject | None:
    return {name: body[name] for name in _PASSED_ON if body.get(name) is not None} or None


def _answers(wire: Sequence[JsonMapping], messages: Sequence[BaseMessage]) -> dict[CallPlace, Any]:
    """The results of tools at the end of the conversation, which a turn may be waiting for."""
    answers: dict[CallPlace, Any] = {}
    for sent, message in zip(reversed(wire), reversed(messages), strict=True):
        place = call_place(sent.get("tool_call_id"))
        if message.type != "tool" or place is None:
            break
        answers[place] = message.content
    return answers
