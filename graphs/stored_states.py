"""Reading a turn's stored states: each result knows the conversation that it stands in."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StateSnapshot

from turngraph.graphs.run_config import check_config
from turngraph.providers.writing.openai_messages import openai_messages
from turngraph.state.result import TurnResult
from turngraph.state.turn import Turn, TurnInput, TurnOutput

__all__ = ["StoredStates"]


class StoredStates(CompiledStateGraph[Turn, None, TurnInput, TurnOutput]):
    """LangGraph's methods that read states. A stored result holds no copy of the conversation, so
    `TurnResult.openai_messages` is given the messages of the state that it is read in.
    """

    def _check_config(self, config: RunnableConfig | None) -> None:
        """Raises TurnInvocationError for a configuration of wrong kinds or without a thread."""
        check_config(config, checkpointer=self.checkpointer, bound=self.config)

    def get_state(self, config: RunnableConfig, *, subgraphs: bool = False) -> StateSnapshot:
        """LangGraph's `get_state`."""
        self._check_config(config)
        return _with_conversation(super().get_state(config, subgraphs=subgraphs))

    async def aget_state(self, config: RunnableConfig, *, subgraphs: bool = False) -> StateSnapshot:
        """Async version of `get_state`."""
        self._check_config(config)
        return _with_conversation(await super().aget_state(config, subgraphs=subgraphs))

    def get_state_history(
        self,
        config: RunnableConfig,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[StateSnapshot]:
        """LangGraph's `get_state_history`."""
        self._check_config(config)
        for snapshot in super().get_state_history(
            config, filter=filter, before=before, limit=limit
        ):
            yield _with_conversation(snapshot)

    async def aget_state_history(
        self,
        config: RunnableConfig,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[StateSnapshot]:
        """Async version of `get_state_history`."""
        self._check_config(config)
        async for snapshot in super().aget_state_history(
            config, filter=filter, before=before, limit=limit
        ):
            yield _with_conversation(snapshot)


def _with_conversation(snapshot: StateSnapshot) -> StateSnapshot:
    values = snapshot.values
    result = values.get("result") if isinstance(values, dict) else None
    if not isinstance(result, TurnResult):
        return snapshot
    read = partial(openai_messages, values.get("messages", ()))
    return snapshot._replace(values={**values, "result": result.with_conversation(read)})
