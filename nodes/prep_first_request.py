"""prep_first_request: builds the first request of a turn, and holds what it may cost.

reads   messages, turn_id, settings, result
writes  messages, turn_id, started_at, first_message, plugins, request, reservation,
        pending_tool_calls, attempts, tool_runs, charges, outcome, status, result

The request comes from what the graph was built with and what the caller asked for. `messages` is
only written if a tool call in it has no answer. The keys that belong to one turn are emptied.
"""

from collections.abc import Sequence
from typing import Any, Final, NotRequired, TypedDict

from langchain_core.messages import AnyMessage, SystemMessage
from langgraph.types import Overwrite

from turngraph.nodes.support.answer_format import check_format
from turngraph.nodes.support.history_repair import with_missing_answers
from turngraph.nodes.support.ledger_calls import attribution_of
from turngraph.nodes.support.plugin_selection import announce_plugins, select_for_turn
from turngraph.nodes.support.reservation import reserve_call
from turngraph.nodes.support.stage_context import StageContext
from turngraph.nodes.support.stop_reason import CANCELLED, unsendable
from turngraph.providers.config_input import own_model_name
from turngraph.providers.vendors.profiles import VENDORS
from turngraph.state.errors import TurnValueError
from turngraph.state.events import PromptStarted, ToolPresented
from turngraph.state.flow import Flow
from turngraph.state.json_types import JsonObject
from turngraph.state.request import ChatRequest
from turngraph.state.result import TurnResult
from turngraph.state.turn import NO_SETTINGS, SelectedPlugin, Turn, TurnSettings

__all__ = ["first_request", "prep_first_request"]

_REQUEST_SETTINGS: Final = (
    "model",
    "temperature",
    "max_tokens",
    "system",
    "top_p",
    "stop",
    "seed",
    "logprobs",
    "top_logprobs",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning_effort",
    "reasoning_summary",
    "verbosity",
    "response_format",
    "previous_response_id",
    "stream",
)


class Reads(TypedDict):
    """The slice of the state that this stage sees."""

    messages: list[AnyMessage]
    turn_id: str
    settings: TurnSettings | None
    result: NotRequired[TurnResult | None]


def prep_first_request(state: Reads, context: StageContext) -> Flow[Turn]:
    """Begins a turn."""
    deps = context.deps
    # LangGraph's task id is the same when a killed turn is resumed, so the minted id is too.
    turn_id = state["turn_id"] or context.task_id
    settings, messages = state["settings"] or NO_SETTINGS, state["messages"]
    default_role = deps.provider.config.default_system_role
    request = first_request(deps.template, settings, messages, default_role)
    plugins: list[SelectedPlugin] = []
    outcome = CANCELLED if context.cancelled else None
    try:
        check_format(request, deps)
        selection = select_for_turn(request, messages, settings, deps)
    except TurnValueError as exc:
        outcome = unsendable(exc)
    else:
        request, plugins = selection.request, selection.plugins
        announce_plugins(selection, turn_id, context)
    _announce(request, turn_id, context)
    repaired = with_missing_answers(messages)
    history = messages if repaired is None else repaired
    if outcome is None:
        attribution = attribution_of(turn_id, settings, context)
        request, outcome = yield from reserve_call(request, history, attribution, 1, context)
    patch: Turn = {
        "turn_id": turn_id,
        "started_at": deps.clock(),
        "first_message": _first_own(history, state.get("result")),
        "plugins": plugins,
        "request": request,
        "reservation": None if deps.ledger is None else context.call_id("reservation", 1),
        "pending_tool_calls": [],
        # What is written to a delta channel is added to it; only an Overwrite empties it.
        "attempts": Overwrite([]),  # type: ignore[typeddict-item]
        "tool_runs": Overwrite([]),  # type: ignore[typeddict-item]
        "charges": [],
        "outcome": outcome,
        "status": "running",
        "result": None,
    }
    if repaired is None:
        return patch
    return {**patch, "messages": Overwrite(repaired)}  # type: ignore[typeddict-item]


def _first_own(messages: Sequence[AnyMessage], last: TurnResult | None) -> int:
    """Returns the place of this turn's first message: the user's after the last answer, without
    those that the thread's last turn has left unanswered.
    """
    of_last = () if last is None else last.message_ids
    first = len(messages)
    while first and messages[first - 1].type == "human" and messages[first - 1].id not in of_last:
        first -= 1
    return first


def _announce(request: ChatRequest, turn_id: str, context: StageContext) -> None:
    context.emit(
        PromptStarted(
            turn_id=turn_id,
            vendor=request.vendor,
            model=request.model,
            api=request.api,
            api_reason=context.deps.provider.api_reason,
        )
    )
    for tool in request.tools:
        context.emit(ToolPresented(turn_id=turn_id, tool=tool.name))


def first_request(
    template: ChatRequest, settings: TurnSettings, messages: Sequence[AnyMessage], default_role: str
) -> ChatRequest:
    """Returns `template` with what the caller asked for in this turn, and its system message.

    The system message is the caller's, else the graph's, else the one that the conversation begins
    with, else `default_role`.
    """
    if settings.body is not None:
        return _passthrough(template, settings.body)
    changes: dict[str, Any] = {
        name: value for name in _REQUEST_SETTINGS if (value := getattr(settings, name)) is not None
    }
    if "model" in changes:
        changes["model"] = own_model_name(changes["model"], VENDORS[template.vendor])
    if settings.extra_body:
        changes["extra_body"] = {**template.extra_body, **settings.extra_body}
    changes["tools"] = (*template.tools, *settings.caller_tools)
    if "system" not in changes and template.system is None:
        first = messages[0] if messages else None
        # An empty default means that nothing is said in the caller's name.
        changes["system"] = first.text if isinstance(first, SystemMessage) else default_role or None
    return template.model_copy(update=changes)


def _passthrough(template: ChatRequest, body: JsonObject) -> ChatRequest:
    """Returns a caller's own body as a request. Only what the turn must know is read from it."""
    model, stream = body.get("model", template.model), body.get("stream") is True
    return ChatRequest(
        vendor=template.vendor, api=template.api, model=str(model), stream=stream, body=body
    )
