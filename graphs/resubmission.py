"""A turn submitted again after its end: what it came to is told once more, and nothing is run."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot

from turngraph.billing.errors import TurnConflictError

__all__ = ["is_end", "not_found", "parts_of", "thread_of"]


def is_end(snapshot: StateSnapshot) -> bool:
    """Whether a turn stands at its end there. With a task left, its worker died before it stored
    the last stage.
    """
    return snapshot.values.get("status") == "done" and not snapshot.tasks


def thread_of(config: RunnableConfig) -> RunnableConfig:
    """The thread a run was for, whatever place in it was named."""
    return {"configurable": {"thread_id": config["configurable"]["thread_id"]}}


def not_found(turn_id: str) -> TurnConflictError:
    """The error for a turn that was finished, and whose result is not where it was looked for; to
    be raised.
    """
    return TurnConflictError(
        f"Turn `{turn_id}` was finished before, and its result is not in this thread's history: it was another thread, "
        "the history was pruned, or none is kept. It is not run again; give a new turn another id.",
        turn_id=turn_id,
    )


def parts_of(
    values: Mapping[str, Any], keys: Iterable[str], asked: Mapping[str, Any], usual: Any
) -> Iterator[Any]:
    """What a stream of the finished turn has to tell: its output, in the form that was `asked` for.

    `asked` are the arguments of `stream`, `usual` is the graph's own `stream_mode`. Nothing is left
    to happen, so the other modes have nothing.

        >>> list(parts_of({"result": 4, "outcome": None}, ["result"], {"stream_mode": ["updates", "values"]}, "updates"))
        [('values', {'result': 4})]
    """
    modes = asked.get("stream_mode") or usual
    if "values" not in ([modes] if isinstance(modes, str) else modes):
        return
    told = {key: values[key] for key in asked.get("output_keys") or keys if key in values}
    if asked.get("version") == "v2":
        yield {"type": "values", "ns": (), "data": told, "interrupts": ()}
    elif isinstance(modes, str):
        yield ((), told) if asked.get("subgraphs") else told
    else:
        yield ((), "values", told) if asked.get("subgraphs") else ("values", told)
