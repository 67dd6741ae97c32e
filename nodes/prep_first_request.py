"""prep_first_request: the first request of a turn, from what the graph was built with and what the
caller asked for.

reads   messages, turn_id, settings
writes  turn_id, started_at, plugins, request and its reservation, and empties what belongs to one turn
"""

from collections.abc import Sequence
from typing import Any, Final, TypedDict

from langchain_core.messages import AnyMessage, SystemMessage
from langgraph.types import Overwrite

from turngraph.nodes.support.dependencies import TurnDeps
from turngraph.nodes.support.history_repair import mended
from turngraph.nodes.support.ledger_calls import attribution_of
from turngraph.nodes.support.limits import CANCELLED
from turngraph.nodes.support.plugin_selection import begin, tell
from turngraph.nodes.support.reservation import reserve_call
from turngraph.nodes.support.stage_context import StageContext
from turngraph.state.errors import TurnValueError
from turngraph.state.events import PromptStarted, ToolPresented
from turngraph.state.flow import Flow
from turngraph.state.request import ChatRequest
from turngraph.state.result import TurnError
from turngraph.state.turn import SelectedPlugin, Turn, TurnOutcome, TurnSettings

__all__ = ["first_request", "prep_first_request"]

_REQUEST_SETTINGS: Final = {"model", "temperature", "max_tokens", "system"}


class Reads(TypedDict):
    """The slice of the state this stage sees."""

    messages: list[AnyMessage]
    turn_id: str
    settings: TurnSettings | None


def prep_first_request(state: Reads, deps: TurnDeps, here: StageContext) -> Flow[Turn]:
    """Begin a turn."""
    # LangGraph's task id is the same when a killed turn is resumed, so the minted id is too.
    turn_id = state["turn_id"] or here.task_id
    settings, messages = state["settings"] or TurnSettings(), state["messages"]
    request = first_request(
        deps.template, settings, messages, deps.provider.config.default_system_role
    )
    stop, plugins = CANCELLED if here.cancelled else None, list[SelectedPlugin]()
    try:
        request, plugins, ignored = begin(request, messages, settings, deps)
        tell(plugins, ignored, turn_id, here)
    except TurnValueError as exc:
        stop = TurnOutcome(status="error", error=TurnError(kind="value", message=str(exc)))
    _announce(request, turn_id, deps, here)
    whole = mended(messages)
    if stop is None:
        attribution = attribution_of(turn_id, settings, here)
        request, stop = yield from reserve_call(
            request, messages if whole is None else whole, attribution, 1, deps, here
        )
    patch: Turn = {
        "turn_id": turn_id,
        "started_at": deps.clock(),
        "plugins": plugins,
        "request": request,
        "reservation": here.task_id,
        "pending_tool_calls": [],
        "attempts": Overwrite([]),  # type: ignore[typeddict-item]  # a delta channel is emptied by overwriting
        "tool_runs": Overwrite([]),  # type: ignore[typeddict-item]
        "charges": [],
        "outcome": stop,
        "status": "running",
        "result": None,
    }
    return patch if whole is None else {**patch, "messages": Overwrite(whole)}  # type: ignore[typeddict-item]


def _announce(request: ChatRequest, turn_id: str, deps: TurnDeps, here: StageContext) -> None:
    here.emit(
        PromptStarted(
            turn_id=turn_id,
            vendor=request.vendor,
            model=request.model,
            api=request.api,
            api_reason=deps.provider.api_reason,
        )
    )
    for tool in request.tools:
        here.emit(ToolPresented(turn_id=turn_id, tool=tool.name))


def first_request(
    template: ChatRequest, settings: TurnSettings, messages: Sequence[AnyMessage], default_role: str
) -> ChatRequest:
    """`template` with what the caller asked for in this turn, and its system message.

    That is the caller's, else the graph's, else the one the conversation begins with, else
    `default_role`.
    """
    if settings.body is not None:
        return passed_through(template, settings.body)
    wished = settings.model_dump(include=_REQUEST_SETTINGS, exclude_none=True)
    if "system" not in wished and template.system is None:
        begins = messages[0] if messages else None
        wished["system"] = begins.text if isinstance(begins, SystemMessage) else default_role
    return template.model_copy(update=wished)


def passed_through(template: ChatRequest, body: dict[str, Any]) -> ChatRequest:
    """A caller's own body as a request: only what the turn must know of it is read."""
    model, stream = body.get("model", template.model), body.get("stream") is True
    return ChatRequest(
        vendor=template.vendor, api=template.api, model=str(model), stream=stream, body=body
    )
