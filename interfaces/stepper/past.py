"""The last turn of a stored thread as steps, read from its checkpoints. Nobody is called.

The conversation is decoded only where it is looked at: in a long thread that is what reading costs.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.pregel import Pregel
from langgraph.types import PregelTask, Send, StateSnapshot

from turngraph.interfaces.stepper.gate import Done, Task
from turngraph.interfaces.stepper.memory import WalkSaver
from turngraph.interfaces.stepper.steps import Step
from turngraph.nodes.stage import Stage
from turngraph.state.errors import TurnInvocationError

__all__ = ["past_steps"]

Graph = Pregel[Any, Any, Any, Any]


class _Stored:
    """The state at a checkpoint, read when a key of it is wanted."""

    def __init__(self, graph: Graph, config: Any) -> None:
        self._graph, self._config = graph, config

    def __getitem__(self, key: str) -> Any:
        return self._graph.get_state(self._config).values[key]


def past_steps(graph: Graph, config: Mapping[str, Any]) -> list[Step]:
    """The steps of the last turn of the thread that `config` names, the oldest first.

    Raises TurnInvocationError for a graph without checkpointer and a thread without checkpoints.
    """
    if not isinstance(graph.checkpointer, BaseCheckpointSaver):
        raise TurnInvocationError("The graph has no checkpointer, so no thread of it is stored.")
    points = list(reversed(list(_last_turn(graph.checkpointer, config))))
    if not points:
        raise TurnInvocationError("The thread has no checkpoints.")
    steps: list[Step] = []
    ran: tuple[Done, ...] = ()
    for number, point in enumerate(points):
        shot = _without_history(graph, point)
        tasks = tuple(_task(graph, task, point) for task in shot.tasks)
        error = next((task.error for task in shot.tasks if task.error is not None), None)
        steps.append(Step(number, "past", tasks, ran, config=dict(point.config), error=error))
        told = zip(tasks, shot.tasks, strict=True)
        ran = tuple(Done(task, kept.result, None, 0.0, 0.0) for task, kept in told if kept.error is None)
    return steps


def _last_turn(saver: BaseCheckpointSaver[Any], config: Mapping[str, Any]) -> Iterator[CheckpointTuple]:
    thread: Any = {"configurable": {"checkpoint_ns": "", **config.get("configurable", {})}}
    for point in saver.list(thread):
        if point.metadata.get("source") == "input":
            return
        yield point


def _without_history(graph: Graph, point: CheckpointTuple) -> StateSnapshot:
    """The checkpoint as LangGraph reads it, but for the channels that are kept as their changes."""
    thread = str(point.config["configurable"]["thread_id"])
    light = WalkSaver(thread)
    place = light.hold(point)
    by_task: defaultdict[str, list[tuple[str, Any]]] = defaultdict(list)
    for task_id, channel, value in point.pending_writes or ():
        by_task[task_id].append((channel, value))
    for task_id, writes in by_task.items():
        light.put_writes(place, writes, task_id)
    return graph.copy({"checkpointer": light}).get_state(place)


def _task(graph: Graph, task: PregelTask, point: CheckpointTuple) -> Task:
    bound = graph.nodes[task.name].bound
    config: Any = point.config
    return Task(
        id=task.id,
        node=task.name,
        space="",
        own_space=f"{task.name}:{task.id}",
        place=tuple(task.path),
        number=int(point.metadata.get("step", 0)) + 1,
        input=_sent(task, point) or _Stored(graph, config),
        stage=bound if isinstance(bound, Stage) else None,
        is_graph=isinstance(bound, Pregel),
    )


def _sent(task: PregelTask, point: CheckpointTuple) -> Any:
    """What a task of its own was sent; `None` for one that reads the state."""
    sends = point.checkpoint["channel_values"].get("__pregel_tasks") or ()
    places = [part for part in task.path if isinstance(part, int) and not isinstance(part, bool)]
    found = sends[places[0]] if places and places[0] < len(sends) else None
    return found.arg if isinstance(found, Send) and found.node == task.name else None
