"""prep_second_request: every follow-up request, the second or the twentieth, with the tools still
on offer.

reads   messages, turn_id, settings, started_at, plugins, request, attempts, tool_runs, charges
writes  request, its reservation, plugins (one the model called joins with its prompt); or stop, at a limit
"""

from typing import TypedDict

from langchain_core.messages import AnyMessage

from turngraph.nodes.support.dependencies import TurnDeps
from turngraph.nodes.support.ledger_calls import attribution_of, seq_of
from turngraph.nodes.support.limits import CANCELLED, over_limit
from turngraph.nodes.support.plugin_selection import join_called
from turngraph.nodes.support.reservation import reserve_call
from turngraph.nodes.support.stage_context import StageContext
from turngraph.state.events import ChargeDeclined
from turngraph.state.flow import Flow
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt, Charge, ToolRun
from turngraph.state.turn import SelectedPlugin, Turn, TurnSettings

__all__ = ["prep_second_request"]


class Reads(TypedDict):
    """The slice of the state this stage sees."""

    messages: list[AnyMessage]
    turn_id: str
    settings: TurnSettings | None
    started_at: float
    plugins: list[SelectedPlugin]
    request: ChatRequest
    attempts: list[Attempt]
    tool_runs: list[ToolRun]
    charges: list[Charge]


def prep_second_request(state: Reads, deps: TurnDeps, here: StageContext) -> Flow[Turn]:
    """Ask again, with the tools' answers in the conversation, unless a limit says no."""
    stop = over_limit(
        deps.limits,
        attempts=state["attempts"],
        tool_runs=state["tool_runs"],
        charges=state["charges"],
        seconds=deps.clock() - state["started_at"],
    )
    if here.cancelled:
        stop = CANCELLED
    if stop is not None:
        assert stop.error is not None, "a limit comes with its sentence"
        here.emit(ChargeDeclined(turn_id=state["turn_id"], reason=stop.error.message))
        return {"outcome": stop}
    called = {run.name for run in state["tool_runs"]}
    request, plugins = join_called(state["request"], state["plugins"], called, deps)
    attribution = attribution_of(state["turn_id"], state["settings"], here)
    asked = next_request(request, state["attempts"])
    seq = seq_of(state["attempts"])
    request, stop = yield from reserve_call(asked, state["messages"], attribution, seq, deps, here)
    return {"request": request, "reservation": here.task_id, "plugins": plugins, "outcome": stop}


def next_request(request: ChatRequest, attempts: list[Attempt]) -> ChatRequest:
    """`request` as it is asked again.

    A tool that had to be called has been: asked for again it would be called for ever. A
    conversation continued by the vendor's response id goes on from the last answer.
    """
    changes: dict[str, object] = {}
    if request.tool_choice not in (None, "auto", "none"):
        changes["tool_choice"] = "auto"
    last = attempts[-1].reply if attempts else None
    if (
        request.previous_response_id is not None
        and last is not None
        and last.response_id is not None
    ):
        changes["previous_response_id"] = last.response_id
    return request.model_copy(update=changes) if changes else request
