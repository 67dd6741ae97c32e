"""The turn as a graph: who follows whom, and nothing else."""

from typing import Literal, TypedDict

from langchain_core.messages import AnyMessage
from langgraph.graph import END, START
from langgraph.types import Send

from turngraph.graphs.route import Route
from turngraph.graphs.turn_graph import TurnBuilder
from turngraph.nodes import bill, call_llm, finalize, prep_first_request, prep_second_request
from turngraph.nodes.dispatch_tools import dispatch_tools
from turngraph.nodes.support.dependencies import TurnDependencies
from turngraph.nodes.support.stage import Stage
from turngraph.state.reply import ToolCall
from turngraph.state.request import ChatRequest
from turngraph.state.result import ToolRun
from turngraph.state.turn import ToolTask, Turn, TurnInput, TurnOutcome, TurnOutput, TurnSettings
from turngraph.tools.toolbox import Toolbox

__all__ = ["build_chat_turn"]


class _Prepared(TypedDict):
    outcome: TurnOutcome | None


class _Billed(TypedDict):
    outcome: TurnOutcome | None
    turn_id: str
    settings: TurnSettings | None
    messages: list[AnyMessage]
    pending_tool_calls: list[ToolCall]
    request: ChatRequest
    tool_runs: list[ToolRun]
    started_at: float


def may_call(state: _Prepared) -> Literal["call_llm", "finalize"]:
    """A request that was refused is not sent: `outcome` says why."""
    return "call_llm" if state["outcome"] is None else "finalize"


def after_bill(state: _Billed, toolbox: Toolbox) -> list[Send] | Literal["finalize"]:
    """Every call the model asked for becomes a task of its own; without any the turn is over."""
    if state["outcome"] is not None:
        return "finalize"
    first, settings = len(state["tool_runs"]), state["settings"] or TurnSettings()
    tasks = [
        ToolTask(
            turn_id=state["turn_id"],
            call=call,
            order=first + place,
            started_at=state["started_at"],
            account=settings.account,
            api_key_id=settings.api_key_id,
            tags=list(settings.tags),
        )
        for place, call in enumerate(state["pending_tool_calls"])
    ]
    offered = [spec.name for spec in state["request"].tools]
    for task in tasks:
        if task["call"].name not in offered:
            task["offered"] = offered
        elif toolbox.wants_state(task["call"].name):
            task["messages"] = state["messages"]
    return [Send("dispatch_tools", task) for task in tasks]


def build_chat_turn(deps: TurnDependencies) -> TurnBuilder:
    """prep_first_request, call_llm, bill, (dispatch_tools, prep_second_request, call_llm, bill)*,
    finalize.

    The uncompiled builder: for `langgraph dev`, for engines that take a `StateGraph`, for adding
    nodes of your own.
    """

    def dispatch_or_finalize(state: _Billed) -> list[Send] | Literal["finalize"]:
        return after_bill(state, deps.toolbox)

    graph = TurnBuilder(Turn, input_schema=TurnInput, output_schema=TurnOutput)
    first, second = prep_first_request, prep_second_request
    graph.add_node(
        "prep_first_request", Stage(first.prep_first_request, deps), input_schema=first.Reads
    )
    graph.add_node("call_llm", Stage(call_llm.call_llm, deps), input_schema=call_llm.Reads)
    graph.add_node("bill", Stage(bill.bill, deps), input_schema=bill.Reads)
    graph.add_node(
        "dispatch_tools", Stage(dispatch_tools, deps)
    )  # reads the ToolTask it is sent, no key of the state
    graph.add_node(
        "prep_second_request", Stage(second.prep_second_request, deps), input_schema=second.Reads
    )
    graph.add_node("finalize", Stage(finalize.finalize, deps), input_schema=finalize.Reads)
    graph.add_edge(START, "prep_first_request")
    graph.add_conditional_edges("prep_first_request", Route(may_call), ["call_llm", "finalize"])
    graph.add_edge("call_llm", "bill")
    graph.add_conditional_edges("bill", Route(dispatch_or_finalize), ["dispatch_tools", "finalize"])
    graph.add_edge("dispatch_tools", "prep_second_request")
    graph.add_conditional_edges("prep_second_request", Route(may_call), ["call_llm", "finalize"])
    graph.add_edge("finalize", END)
    return graph
