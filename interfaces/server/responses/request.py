"""Reads a request to `POST /v1/responses`.

As for Chat Completions, `null` means "not set" and unknown members are passed over.

Reference: https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.responses.items import is_given_item, response_of_item
from turngraph.interfaces.server.turn_request import (
    CallPlace,
    TurnRequest,
    call_place,
    checked_settings,
    function_spec,
    is_typed,
    member,
)
from turngraph.providers.writing.from_responses import from_responses
from turngraph.state.errors import TurnValueError
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.request import ToolSpec

__all__ = [
    "APPROVAL_PREFIX",
    "ResponseRequest",
    "conversation_id",
    "read_metadata",
    "read_response_request",
]

APPROVAL_PREFIX: Final = "mcpr_"
"""What stands before a call's id where a person is asked about it."""

_REPEATED: Final[Mapping[str, type]] = {
    "metadata": dict,
    "prompt_cache_key": str,
    "safety_identifier": str,
    "truncation": str,
    "user": str,
}
"""Members that a turn does not use, but that stand in the response again."""
_PASSED_ON: Final = ("prompt_cache_key",)


@dataclass(frozen=True)
class ResponseRequest:
    """A request to the Responses API, read."""

    turn: TurnRequest
    previous: str | None = None
    """The response that this one continues."""
    conversation: str | None = None
    """The conversation that this response is added to."""
    stored: bool = True
    background: bool = False


def read_response_request(body: JsonMapping) -> ResponseRequest:
    """Returns what `body` asks for. Raises ServerError (400) naming the member that is wrong."""
    model = member(body, "model", str)
    if not model:
        raise ServerError(400, "`model` is missing; name a model that `GET /v1/models` lists.")
    for name in ("prompt", "max_tool_calls"):
        if body.get(name) is not None:
            raise ServerError(
                400,
                f"`{name}` cannot be served; leave it out.",
                param=name,
                code="unsupported_parameter",
            )
    items = _items(body)
    previous, conversation = member(body, "previous_response_id", str), conversation_id(body)
    if previous == "":
        raise ServerError(
            400,
            "`previous_response_id` is empty. Give the id of a response, `resp_…`, or leave it "
            "out.",
            param="previous_response_id",
            code="invalid_value",
        )
    if previous and conversation:
        raise ServerError(
            400,
            "Give `previous_response_id` or `conversation`, not both.",
            param="previous_response_id",
        )
    _check_repeated(body)
    stored = member(body, "store", bool)
    background = bool(member(body, "background", bool))
    if background and stored is False:
        raise ServerError(
            400, "`background` needs `store`: nobody could fetch the answer.", param="background"
        )
    own = member(body, "turngraph", dict) or {}
    return ResponseRequest(
        TurnRequest(
            model=model,
            messages=_messages(items),
            settings=_settings(body),
            answers=_answers(items),
            decisions=_decisions(items),
            wants_events=bool(member(own, "events", bool, at="turngraph.")),
        ),
        previous=previous,
        conversation=conversation,
        stored=stored is not False,
        background=background,
    )


def _check_repeated(body: JsonMapping) -> None:
    """Refuses what the response would repeat to its client with a wrong type."""
    for name, kind in _REPEATED.items():
        member(body, name, kind)
    read_metadata(body)


def read_metadata(body: JsonMapping) -> JsonObject:
    """The `metadata` of a request. Raises ServerError (400) if it holds more than texts."""
    metadata = member(body, "metadata", dict) or {}
    for name, value in metadata.items():
        if not isinstance(value, str):
            raise ServerError(
                400, "The values of `metadata` must be text.", param=f"metadata.{name[:100]}"
            )
    return dict(metadata)


def _settings(body: JsonMapping) -> Any:
    reasoning = member(body, "reasoning", dict) or {}
    text = member(body, "text", dict) or {}
    return checked_settings(
        {
            "system": member(body, "instructions", str),
            "temperature": body.get("temperature"),
            "top_p": body.get("top_p"),
            "max_tokens": member(body, "max_output_tokens", int),
            "parallel_tool_calls": member(body, "parallel_tool_calls", bool),
            "reasoning_effort": reasoning.get("effort"),
            "reasoning_summary": reasoning.get("summary"),
            "verbosity": text.get("verbosity"),
            "response_format": _format(text.get("format")),
            "tool_choice": _tool_choice(body.get("tool_choice")),
            "caller_tools": tuple(
                _tool(tool, n) for n, tool in enumerate(member(body, "tools", list) or ())
            ),
            "extra_body": {n: body[n] for n in _PASSED_ON if body.get(n) is not None} or None,
            "stream": bool(member(body, "stream", bool)),
        },
        {
            "caller_tools": "tools",
            "max_tokens": "max_output_tokens",
            "system": "instructions",
            "response_format": "text.format",
            "verbosity": "text.verbosity",
            "reasoning_effort": "reasoning.effort",
            "reasoning_summary": "reasoning.summary",
        },
    )


def _items(body: JsonMapping) -> list[Any]:
    given = body.get("input")
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if isinstance(given, list):
        for n, item in enumerate(given):
            if not isinstance(item, Mapping):
                raise ServerError(
                    400,
                    f"`input[{n}]` must be an object, an item as the API describes it.",
                    param=f"input[{n}]",
                    code="invalid_type",
                )
        return given
    raise ServerError(400, "`input` must be text or a list of items.", param="input")


def _messages(items: Sequence[Any]) -> Any:
    kept = [each for each in map(_own_item_as_new, items) if each is not None]
    try:
        return from_responses(kept)
    except TurnValueError as exc:
        raise ServerError(400, str(exc), param="input", code="invalid_value") from exc
    except (KeyError, TypeError, AttributeError) as exc:
        raise ServerError(
            400, "`input` has an item that is not as the API describes it.", param="input"
        ) from exc


def _own_item_as_new(item: JsonMapping) -> JsonMapping | None:
    """An item that the server has named and the client sends back, without the id that no vendor
    knows. None for one that only this server understands.
    """
    if item.get("type") in ("mcp_approval_request", "mcp_approval_response"):
        return None
    name = str(item.get("id"))
    if response_of_item(name) is None:
        return item
    if item.get("type") == "reasoning" and not is_given_item(name):
        return None
    return {name: value for name, value in item.items() if name not in ("id", "status")}


def _answers(items: Sequence[Any]) -> dict[CallPlace, Any]:
    """The results of tools at the end of the input, which a turn may be waiting for."""
    answers: dict[CallPlace, Any] = {}
    for item in reversed(items):
        kind = item.get("type") if isinstance(item, Mapping) else None
        if kind == "mcp_approval_response":
            continue
        place = call_place(item.get("call_id")) if kind == "function_call_output" else None
        if place is None:
            break
        [message] = _messages([item])
        answers[place] = message.content
    return answers


def _decisions(items: Sequence[Any]) -> dict[CallPlace, Any]:
    decisions: dict[CallPlace, Any] = {}
    for item in items:
        if not isinstance(item, Mapping) or item.get("type") != "mcp_approval_response":
            continue
        asked = str(item.get("approval_request_id"))
        place = call_place(asked.removeprefix(APPROVAL_PREFIX))
        if place is not None and asked.startswith(APPROVAL_PREFIX):
            reason = item.get("reason")
            decisions[place] = (
                {"decision": "approve"}
                if item.get("approve") is True
                else {"decision": "reject", "reason": reason if isinstance(reason, str) else ""}
            )
    return decisions


def conversation_id(body: JsonMapping) -> str | None:
    """The conversation that a request names. Raises ServerError (400) if that is no id."""
    given = body.get("conversation")
    if given is None:
        return None
    named = given.get("id") if isinstance(given, Mapping) else given
    if isinstance(named, str) and named:
        return named
    raise ServerError(
        400,
        "`conversation` must be the id of a conversation, `conv_…`, or an object with that `id`.",
        param="conversation",
        code="invalid_value",
    )


def _format(form: Any) -> Any:
    """`text.format` as Chat Completions has it."""
    if not isinstance(form, Mapping) or form.get("type") != "json_schema":
        return form
    members = {
        name: form[name] for name in ("name", "schema", "strict", "description") if name in form
    }
    return {"type": "json_schema", "json_schema": members}


def _tool_choice(choice: Any) -> Any:
    if choice is None or choice in ("auto", "none", "required"):
        return choice
    if is_typed(choice):
        is_function = choice.get("type") == "function" and isinstance(choice.get("name"), str)
        return choice["name"] if is_function else dict(choice)
    raise ServerError(
        400,
        "`tool_choice` must be `auto`, `none`, `required` or an object with a `type`, as in "
        '`{"type": "function", "name": …}`.',
        param="tool_choice",
        code="invalid_value",
    )


def _tool(tool: Any, n: int) -> ToolSpec:
    if not isinstance(tool, Mapping) or tool.get("type") != "function":
        raise ServerError(
            400,
            f'`tools[{n}]` must be a function: `{{"type": "function", "name": …}}`. Other '
            "tools are chosen by the server.",
            param=f"tools[{n}]",
            code="unsupported_value",
        )
    return function_spec(tool, f"tools[{n}]")
