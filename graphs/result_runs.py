"""Runs a turn of which only the end is wanted, in a LangGraph graph of one node.

The graph of a turn has a channel for each key of the state and for each stage, and its first step
copies the input into them. LangGraph makes, reads and writes all of them in every run. Where nobody
can look at them, all stages run in a graph that has only the channels of what a turn hands out.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from operator import itemgetter
from typing import Any, Final, cast

from langchain_core.runnables import RunnableConfig
from langgraph.channels import EphemeralValue, LastValue
from langgraph.constants import START
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel import NodeBuilder, Pregel

from turngraph.graphs.fused import HANDED_OVER, STEPS, HandOver, UnstoredTurn
from turngraph.state.turn import Turn, TurnInput, TurnOutput

__all__ = ["ResultRuns"]

_SHARED: Final = (
    *("name", "config", "store", "cache", "step_timeout", "retry_policy", "cache_policy"),
    *("context_schema", "stream_mode", "stream_eager"),
)
"""What the graph of one node has of the turn's own graph."""


class ResultRuns(CompiledStateGraph[Turn, None, TurnInput, TurnOutput]):
    """LangGraph's `stream`, in a graph of one node where a run asks for the result alone."""

    whole: UnstoredTurn | None = None
    """All stages of the turn as one node."""
    _one_node: tuple[dict[str, Any], Pregel[Any, Any, Any, Any]] | None = None

    def stream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        """LangGraph's `stream`, of the graph that the run needs."""
        if config is None or not _wants_result(config):
            return super().stream(input, config, **kwargs)
        return self._stream_result(input, config, kwargs)

    def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """Async version of `stream`."""
        if config is None or not _wants_result(config):
            return super().astream(input, config, **kwargs)
        return self._astream_result(input, config, kwargs)

    def _stream_result(
        self, given: Any, config: RunnableConfig, arguments: dict[str, Any]
    ) -> Iterator[Any]:
        config, left = _with_hand_over(config)
        yield from self._graph_of_one_node().stream(given, config, **arguments)
        if left.command is not None:
            yield from super().stream(given, config, **arguments)

    async def _astream_result(
        self, given: Any, config: RunnableConfig, arguments: dict[str, Any]
    ) -> AsyncIterator[Any]:
        config, left = _with_hand_over(config)
        async with _closing(self._graph_of_one_node().astream(given, config, **arguments)) as parts:
            async for part in parts:
                yield part
        if left.command is not None:
            async with _closing(super().astream(given, config, **arguments)) as parts:
                async for part in parts:
                    yield part

    def _graph_of_one_node(self) -> Pregel[Any, Any, Any, Any]:
        shared = {name: getattr(self, name) for name in _SHARED}
        # LangGraph's servers set the store of a compiled graph.
        if self._one_node is None or self._one_node[0] != shared:
            self._one_node = shared, self._built(shared)
        return self._one_node[1]

    def _built(self, shared: dict[str, Any]) -> Pregel[Any, Any, Any, Any]:
        assert self.whole is not None, "only a graph with the stages of a turn runs in one step"
        keys = list(cast(list[str], self.output_channels))
        node = NodeBuilder().subscribe_only(START).do(self.whole)
        node.write_to(**{key: itemgetter(key) for key in keys})
        return Pregel(
            nodes={self.whole.name: node},
            channels={START: EphemeralValue(dict), **{key: LastValue(object) for key in keys}},
            input_channels=START,
            output_channels=keys,
            **shared,
        )


def _closing(run: AsyncIterator[Any]) -> aclosing[AsyncGenerator[Any, None]]:
    """Closes `run` where the caller reads no further, before the garbage collector does."""
    return aclosing(cast(AsyncGenerator[Any, None], run))  # declared as an iterator by LangGraph


def _wants_result(config: RunnableConfig) -> bool:
    return config.get("configurable", {}).get(STEPS) == "result"


def _with_hand_over(config: RunnableConfig) -> tuple[RunnableConfig, HandOver]:
    left = HandOver()
    return {**config, "configurable": {**config["configurable"], HANDED_OVER: left}}, left
