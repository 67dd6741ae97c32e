"""A stage as a node of the graph: the function with its dependencies, run sync or async."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from langchain_core.runnables import Runnable, RunnableConfig

from turngraph.nodes.support.dependencies import TurnDependencies
from turngraph.nodes.support.stage_context import StageContext
from turngraph.state.checks import check_patch
from turngraph.state.errors import TurnInvocationError
from turngraph.state.flow import Flow, drive, drive_async
from turngraph.state.turn import ToolTask, Turn

__all__ = ["Stage", "StageFunction", "check_state", "flow_of"]

_KEYS: Final = Turn.__annotations__.keys() | ToolTask.__annotations__.keys()

StageFunction = Callable[[Any, StageContext], Turn | Flow[Turn]]
"""A stage: takes the slice of the state that it reads and its context. It returns its patch, or a
flow that does.
"""


def flow_of(function: StageFunction, state: object, context: StageContext) -> Flow[Turn]:
    """Calls a stage and returns its flow, also if the stage itself does not wait for anything."""
    try:
        result = function(state, context)
        # Not whether it is a generator: `isinstance` takes long with an abstract class.
        return result if isinstance(result, dict) else (yield from result)
    except KeyError as exc:
        check_state(state, exc, f"The stage `{function.__name__}`")
        raise


def check_state(state: object, error: KeyError, name: str) -> None:
    """Raises TurnInvocationError if `error` is about a key that `state` lacks.

    LangGraph runs any stage on any state: `Command(goto="call_llm")`, or an `update_state` with
    `as_node`, on a thread without a turn.
    """
    key = error.args[0] if error.args else None
    if key in _KEYS and isinstance(state, Mapping) and key not in state:
        raise TurnInvocationError(
            f"{name} needs `{key}`, which this thread does not have: no turn has begun here, or "
            "its first stages were skipped. Give messages, and go to a stage only in a thread that "
            "has a turn."
        ) from error


class Stage(Runnable[Any, dict[str, Any]]):
    """One stage as LangGraph runs it.

    Its work has three parts, each of which can be called alone, for drivers that run several stages
    in one step: build a context (`StageContext.of_node`), run the flow (`flow`), check the patch
    (`checked`).

    A `Runnable` and not a function, because only a Runnable may have a sync and an async form:
    LangGraph would run a plain function in another thread under `ainvoke`.
    """

    def __init__(self, function: StageFunction, deps: TurnDependencies) -> None:
        self.name: str = function.__name__
        self._function, self._deps = function, deps

    @property
    def function(self) -> StageFunction:
        """The stage itself."""
        return self._function

    @property
    def deps(self) -> TurnDependencies:
        """The dependencies of the stage, for tools that look at a graph, such as the stepper."""
        return self._deps

    def flow(self, state: object, context: StageContext) -> Flow[Turn]:
        """Returns the stage's flow. Its value is the patch, not checked yet."""
        return flow_of(self._function, state, context)

    def checked(self, patch: Turn) -> dict[str, Any]:
        """Returns `patch` as the state can hold it. LangGraph itself would store anything.

        Raises TurnValueError, which names the stage and the key.
        """
        return check_patch(patch, by=self.name)

    def invoke(
        self, input: object, config: RunnableConfig | None = None, **kwargs: object
    ) -> dict[str, Any]:
        """Runs the stage in this thread and returns its patch."""
        context = StageContext.of_node(config or {}, self._deps)
        with context.active():
            return self.checked(drive(self.flow(input, context)))

    async def ainvoke(
        self, input: object, config: RunnableConfig | None = None, **kwargs: object
    ) -> dict[str, Any]:
        """Async version of `invoke`, on the running event loop."""
        context = StageContext.of_node(config or {}, self._deps)
        with context.active():
            return self.checked(await drive_async(self.flow(input, context)))
