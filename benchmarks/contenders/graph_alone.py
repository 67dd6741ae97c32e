"""Not a turn: LangGraph's loop over as many steps, with nothing done in them.

No turn that takes one step a stage goes below this.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, TypedDict

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from benchmarks.contenders.langgraph_parts import saver_in
from benchmarks.setting import ANSWER, Ask, Setting

__all__ = ["contender"]


class _Calls(TypedDict):
    calls: int


class _Nothing(Runnable[Any, Any]):
    """A node or an edge that gives back what it was made with, sync and async alike."""

    def __init__(self, name: str, given: Any) -> None:
        self.name, self._given = name, given

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return self._given(input)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return self._given(input)


@asynccontextmanager
async def contender(setting: Setting) -> AsyncIterator[Ask]:
    """The steps and edges of a turn with one tool call, with one number as state, and nothing done
    in them.
    """
    graph = StateGraph(_Calls)
    for name in ("prep_first_request", "bill", "dispatch_tools", "prep_second_request", "finalize"):
        graph.add_node(name, _Nothing(name, lambda state: {}))
    graph.add_node("call_llm", _Nothing("call_llm", lambda state: {"calls": state["calls"] + 1}))
    on = _Nothing("may_call", lambda state: "call_llm")
    back = _Nothing(
        "after_bill",
        lambda state: [Send("dispatch_tools", {})] if state["calls"] < 2 else "finalize",
    )
    graph.add_edge(START, "prep_first_request")
    graph.add_conditional_edges("prep_first_request", on, ["call_llm", "finalize"])
    graph.add_edge("call_llm", "bill")
    graph.add_conditional_edges("bill", back, ["dispatch_tools", "finalize"])
    graph.add_edge("dispatch_tools", "prep_second_request")
    graph.add_conditional_edges("prep_second_request", on, ["call_llm", "finalize"])
    graph.add_edge("finalize", END)
    async with saver_in(setting, "floor") as saver:
        compiled: Any = graph.compile(saver)
        options = {"durability": "sync"} if saver is not None else {}
        numbers = count()

        async def ask() -> str:
            await compiled.ainvoke(
                {"calls": 0}, {"configurable": {"thread_id": f"t{next(numbers)}"}}, **options
            )
            return ANSWER

        yield ask
