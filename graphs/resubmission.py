"""A turn that was finished and is submitted again: its result is returned, and nothing runs."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol

from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot

from turngraph.billing.errors import TurnConflictError
from turngraph.state.flow import Flow, Wait

__all__ = ["finished_state", "is_end", "stored_turn", "stream_parts"]


class _Threads(Protocol):
    """The methods of a compiled graph that read its threads."""

    def get_state(self, config: RunnableConfig) -> StateSnapshot: ...

    async def aget_state(self, config: RunnableConfig) -> StateSnapshot: ...

    def get_state_history(
        self, config: RunnableConfig, *, filter: dict[str, Any] | None = None
    ) -> Iterator[StateSnapshot]: ...

    def aget_state_history(
        self, config: RunnableConfig, *, filter: dict[str, Any] | None = None
    ) -> AsyncIterator[StateSnapshot]: ...


def is_end(snapshot: StateSnapshot) -> bool:
    """Whether `snapshot` is the end of a turn.

    With a task left it is not: the worker died before it stored the last stage.
    """
    return snapshot.values.get("status") == "done" and not snapshot.tasks


def finished_state(
    graph: _Threads, turn_id: str, thread: str | None, config: RunnableConfig
) -> Flow[StateSnapshot]:
    """The state that the thread keeps of a turn that was finished.

    It may be a state short of the end: a worker may die between its ledger and its checkpoint.
    Raises TurnConflictError where the thread does not have the turn.
    """
    found = None if thread is None else (yield from stored_turn(graph, turn_id, config))
    if found is not None:
        return found
    if thread is None:
        why = (
            "no thread keeps its result. With a `checkpointer=` and the same `thread_id` it would "
            "be returned"
        )
    else:
        why = (
            "its result is not in the history of this thread: it ran on another thread, the "
            "history was pruned, or none is kept"
        )
    raise TurnConflictError(
        f"Turn `{turn_id}` was finished before, and {why}. It does not run again; give a new turn "
        "another id.",
        turn_id=turn_id,
    )


def stored_turn(
    graph: _Threads, turn_id: str, config: RunnableConfig
) -> Flow[StateSnapshot | None]:
    """The state that the thread keeps of a turn: its newest one if it is the thread's last turn,
    else its end, or None.
    """
    # Whichever checkpoint the run named, the whole thread is searched.
    whole: RunnableConfig = {"configurable": {"thread_id": config["configurable"]["thread_id"]}}
    last: StateSnapshot = yield Wait(
        partial(graph.get_state, whole), partial(graph.aget_state, whole)
    )
    if last.values.get("turn_id") == turn_id:
        return last
    found: StateSnapshot | None = yield Wait(
        partial(_end_in, graph, whole, turn_id), partial(_aend_in, graph, whole, turn_id)
    )
    return found


def _end_in(graph: _Threads, thread: RunnableConfig, turn_id: str) -> StateSnapshot | None:
    history = graph.get_state_history(thread, filter={"run_id": turn_id})
    return next((snapshot for snapshot in history if _is_end_of(snapshot, turn_id)), None)


async def _aend_in(graph: _Threads, thread: RunnableConfig, turn_id: str) -> StateSnapshot | None:
    async for snapshot in graph.aget_state_history(thread, filter={"run_id": turn_id}):
        if _is_end_of(snapshot, turn_id):
            return snapshot
    return None


def _is_end_of(snapshot: StateSnapshot, turn_id: str) -> bool:
    return snapshot.values.get("turn_id") == turn_id and is_end(snapshot)


def stream_parts(
    values: Mapping[str, Any],
    output_keys: Iterable[str],
    arguments: Mapping[str, Any],
    default_mode: str | list[str],
) -> Iterator[Any]:
    """What LangGraph's `stream` would yield at the end of a turn with these `values`.

    `arguments` are those that `stream` was called with, `default_mode` is the graph's own
    `stream_mode`. Nothing happens any more, so every mode but `values` yields nothing.

        >>> values = {"result": 4, "outcome": None}
        >>> list(stream_parts(values, ["result"], {"stream_mode": ["values"]}, "updates"))
        [('values', {'result': 4})]
    """
    modes = arguments.get("stream_mode") or default_mode
    if "values" not in ([modes] if isinstance(modes, str) else modes):
        return
    keys = arguments.get("output_keys") or output_keys
    output = {key: values[key] for key in keys if key in values}
    if arguments.get("version") == "v2":
        yield {"type": "values", "ns": (), "data": output, "interrupts": ()}
    elif isinstance(modes, str):
        yield ((), output) if arguments.get("subgraphs") else output
    else:
        yield ((), "values", output) if arguments.get("subgraphs") else ("values", output)
