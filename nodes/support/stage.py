"""A node of the graph: a stage's function bound to what it borrows, driven sync or async, its patch
checked.
"""

from collections.abc import Callable, Generator
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig

from turngraph.nodes.support.dependencies import TurnDeps
from turngraph.nodes.support.stage_context import StageContext, stage_context
from turngraph.state.checks import check_patch
from turngraph.state.flow import Flow, drive, drive_async
from turngraph.state.turn import Turn

__all__ = ["Stage", "StageFunction"]

StageFunction = Callable[[Any, TurnDeps, StageContext], Turn | Flow[Turn]]
"""A stage: from the slice it reads, what it borrows and where it stands, the patch, or a flow that
returns it.
"""


class Stage(Runnable[Any, dict[str, Any]]):
    """One stage as LangGraph runs it.

    A `Runnable` and not a function, because only a Runnable may have a sync and an async form
    without a hop to another thread. What the stage returns is checked here: LangGraph would store
    anything.
    """

    def __init__(self, function: StageFunction, deps: TurnDeps) -> None:
        self.name = function.__name__
        self._function, self._deps = function, deps

    @property
    def deps(self) -> TurnDeps:
        """What the stage borrows: for looking at, as the stepper does."""
        return self._deps

    def invoke(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Run the stage in this thread."""
        begun = self._begin(input, config)
        return self._end(drive(begun) if isinstance(begun, Generator) else begun)

    async def ainvoke(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Run the stage on the running event loop."""
        begun = self._begin(input, config)
        return self._end(await drive_async(begun) if isinstance(begun, Generator) else begun)

    def _begin(self, state: Any, config: RunnableConfig | None) -> Turn | Flow[Turn]:
        return self._function(
            state, self._deps, stage_context(config or {}, self._deps.subscribers)
        )

    def _end(self, patch: Turn) -> dict[str, Any]:
        return check_patch(patch, by=self.name or "a stage")
