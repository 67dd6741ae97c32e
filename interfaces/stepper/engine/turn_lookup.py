"""Finds the checkpoints of one turn in a stored thread."""

from collections.abc import Iterator

from langgraph.checkpoint.base import CheckpointTuple

from turngraph.interfaces.stepper.engine.stored_thread import StoredThread
from turngraph.state.errors import TurnInvocationError

__all__ = ["checkpoints_of_turn"]


def checkpoints_of_turn(thread: StoredThread, turn: str | int) -> list[CheckpointTuple]:
    """Returns the checkpoints of a turn, the oldest first.

    Args:
        thread: the stored thread.
        turn: the turn's id, or its number: from 0 for the first turn, from -1 for the last.

    Raises TurnInvocationError if the thread has no such turn.
    """
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
            "Turns are counted from 0, or back from the last one, -1."
        )
    return found


def _find_by_id(thread: StoredThread, turn: str) -> list[CheckpointTuple]:
    seen: list[str] = []
    for checkpoints in _turns_newest_first(thread):
        ids = _turn_ids(checkpoints[-1])
        if turn in ids:
            return checkpoints
        seen += ids
    known = ", ".join(f"`{turn_id}`" for turn_id in seen) or "none with an id"
    raise TurnInvocationError(f"There is no turn `{turn}` in this thread. There are: {known}.")


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
