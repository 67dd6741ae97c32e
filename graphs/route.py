"""A conditional edge of the graph: a plain function that returns the name of the next node."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig

from turngraph.nodes.support.stage import check_state

__all__ = ["Route"]


class Route(Runnable[Any, Any]):
    """`function` as a conditional edge, sync and async.

    LangGraph sends a plain function to a thread pool under `ainvoke`, once at every edge: a tenth
    of a turn's time. The wrapped function's annotations stay visible, because LangGraph reads from
    them which keys the edge sees.

        >>> def after(state: dict[str, int]) -> str:
        ...     return "bill" if state["calls"] else "finalize"
        >>> Route(after).invoke({"calls": 1})
        'bill'
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        update_wrapper(self, function)
        self.name, self._function = function.__name__, function

    def __call__(self, state: object) -> Any:
        """What follows `state`. Raises TurnInvocationError if that lacks a key of the turn."""
        try:
            return self._function(state)
        except KeyError as exc:
            check_state(state, exc, "The edge")
            raise

    def invoke(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> Any:
        """What follows the state `input`."""
        return self(input)

    async def ainvoke(
        self, input: object, config: RunnableConfig | None = None, **kwargs: object
    ) -> Any:
        """`invoke`, on the running event loop."""
        return self(input)
