"""prep_second_request: every follow-up request, the second or the twentieth, still with the tools.

reads   messages, turn_id, settings, started_at, plugins, request, attempts, tool_runs, charges
writes  plugins, request, reservation, outcome

A plugin that the model has called joins the request with its system role. At a limit only `outcome`
is written.
"""

from collections.abc import Sequence
from typing import TypedDict

from langchain_core.messages import AnyMessage

from turngraph.nodes.support.ledger_calls import attribution_of, next_seq
from turngraph.nodes.support.limits import over_limit
from turngraph.nodes.support.plugin_selection import join_called_plugins
from turngraph.nodes.support.reservation import reserve_call
from turngraph.nodes.support.stage_context import StageContext
from turngraph.nodes.support.stop_reason import CANCELLED
from turngraph.state.events import ChargeDeclined
from turngraph.state.flow import Flow
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt, Charge, ToolRun
from turngraph.state.turn import SelectedPlugin, Turn, TurnSettings

__all__ = ["next_request", "prep_second_request"]


class Reads(TypedDict):
    """The slice of the state that this stage sees."""

    messages: list[AnyMessage]
    turn_id: str
    settings: TurnSettings | None
    started_at: float
    plugins: list[SelectedPlugin]
    request: ChatRequest
    attempts: list[Attempt]
    tool_runs: list[ToolRun]
    charges: list[Charge]


def prep_second_request(state: Reads, context: StageContext) -> Flow[Turn]:
    """Asks again, with the tools' answers in the conversation, unless a limit is reached."""
    turn_id, attempts = state["turn_id"], state["attempts"]
    outcome = over_limit(
        context.deps.limits,
        attempts=attempts,
        tool_runs=state["tool_runs"],
        charges=state["charges"],
        seconds=context.seconds_since(state["started_at"]),
    )
    if context.cancelled:
        outcome = CANCELLED
    if outcome is not None:
        assert outcome.error is not None, "a limit has an error that names it"
        context.emit(ChargeDeclined(turn_id=turn_id, reason=outcome.error.message))
        return {"outcome": outcome}
    seq = next_seq(attempts)
    called = {run.name for run in state["tool_runs"]}
    joined, plugins = join_called_plugins(state["request"], state["plugins"], called, context.deps)
    request, outcome = yield from reserve_call(
        next_request(joined, attempts),
        state["messages"],
        attribution_of(turn_id, state["settings"], context),
        seq,
        context,
    )
    has_ledger = context.deps.ledger is not None
    return {
        "request": request,
        "reservation": context.call_id("reservation", seq) if has_ledger else None,
        "plugins": plugins,
        "outcome": outcome,
    }


def next_request(request: ChatRequest, attempts: Sequence[Attempt]) -> ChatRequest:
    """Returns `request` as it is sent again after `attempts`."""
    changes: dict[str, object] = {}
    # A tool that had to be called has been called. Forced again, the model would call it forever.
    if request.tool_choice not in (None, "auto", "none"):
        changes["tool_choice"] = "auto"
    # A conversation that the vendor continues by a response id goes on from the last answer.
    reply = attempts[-1].reply if attempts else None
    response_id = None if reply is None else reply.response_id
    if request.previous_response_id is not None and response_id is not None:
        changes["previous_response_id"] = response_id
    return request.model_copy(update=changes) if changes else request
