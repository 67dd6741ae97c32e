"""Finds the checkpoints of one turn in a stored thread."""

from collections.abc import Iterator, Sequence
from typing import Final

from langgraph.checkpoint.base import CheckpointTuple

from turngraph.interfaces.stepper.engine.stored_thread import StoredThread
from turngraph.state.errors import TurnInvocationError

__all__ = ["checkpoints_of_turn"]

_NAMED: Final = 8
"""How many ids an error names."""


def checkpoints_of_turn(thread: StoredThread, turn: str | int) -> list[CheckpointTuple]:
    """Returns the checkpoints of a turn, the oldest first.

    Args:
        thread: the stored thread.
        turn: the turn's id, or its number: from 0 for the first turn, from -1 for the last.

    Raises TurnInvocationError if there is no such thread, or if it has no such turn.
    """
    if thread.latest() is None:
        raise TurnInvocationError(_no_thread(thread))
    if isinstance(turn, str):
        return _find_by_id(thread, turn)
    turns = _turns_newest_first(thread)
    if turn < 0:  # count from the end, so that only the newer turns are read
        numbered = enumerate(turns, 1)
        found = next((checkpoints for number, checkpoints in numbered if number == -turn), None)
    else:
        found = dict(enumerate(reversed(list(turns)))).get(turn)
    if found is None:
        raise TurnInvocationError(
            f"There is no turn {turn} in this thread. "
            f"Turns are counted from 0, or back from the last one, -1.{_other_runs(thread)}"
        )
    return found


def _no_thread(thread: StoredThread) -> str:
    others = thread.other_threads()
    if thread.thread_id in others:
        return (
            f"The thread `{thread.thread_id}` has no such checkpoint. Its runs end with: "
            f"{_listed(thread.ends())}."
        )
    return (
        f"There is no thread `{thread.thread_id}` in this database. There are: "
        f"{_listed(others) or 'none'}."
    )


def _other_runs(thread: StoredThread) -> str:
    """Says how to reach the runs that time travel has left."""
    ends = thread.ends()
    if len(ends) < 2:
        return ""
    return (
        f" After time travel the thread has {len(ends)} runs; give the `checkpoint_id` of an end "
        f"in the configuration to open another one: {_listed(ends)}."
    )


def _listed(ids: Sequence[str]) -> str:
    more = ", …" if len(ids) > _NAMED else ""
    return ", ".join(f"`{each}`" for each in ids[:_NAMED]) + more


def _find_by_id(thread: StoredThread, turn: str) -> list[CheckpointTuple]:
    seen: list[str] = []
    for checkpoints in _turns_newest_first(thread):
        ids = _turn_ids(checkpoints[-1])
        if turn in ids:
            return checkpoints
        seen += ids
    known = ", ".join(f"`{turn_id}`" for turn_id in seen) or "none with an id"
    raise TurnInvocationError(
        f"There is no turn `{turn}` in this thread. There are: {known}.{_other_runs(thread)}"
    )


def _turn_ids(last: CheckpointTuple) -> list[str]:
    """The ids a turn is known by: its own state's, that of the result it left in a parent graph, or
    LangGraph's run id.
    """
    values = last.checkpoint["channel_values"]
    ids = (
        values.get("turn_id"),
        getattr(values.get("result"), "turn_id", None),
        last.metadata.get("run_id"),
    )
    return list(dict.fromkeys(str(turn_id) for turn_id in ids if turn_id))


def _turns_newest_first(thread: StoredThread) -> Iterator[list[CheckpointTuple]]:
    """Groups the thread's checkpoints by turn.

    An `input` checkpoint separates two turns. A turn that is stored at its end alone has none; it
    is told from the next one by its id.
    """
    checkpoints: list[CheckpointTuple] = []
    for checkpoint in thread.newest_first():
        is_input = checkpoint.metadata.get("source") == "input"
        if checkpoints and (is_input or _turn_differs(checkpoint, checkpoints[0])):
            yield checkpoints
            checkpoints = []
        if not is_input:
            checkpoints.insert(0, checkpoint)
    if checkpoints:
        yield checkpoints


def _turn_differs(one: CheckpointTuple, other: CheckpointTuple) -> bool:
    ids = [each.checkpoint["channel_values"].get("turn_id") for each in (one, other)]
    return all(ids) and ids[0] != ids[1]
