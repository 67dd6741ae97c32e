"""The last turn of a stored thread as steps, read from its checkpoints. Nobody is called."""

from collections.abc import Iterator, Mapping
from typing import Any

from langgraph.pregel import Pregel
from langgraph.types import PregelTask, StateSnapshot

from turngraph.interfaces.stepper.gate import Done, Task
from turngraph.interfaces.stepper.steps import Step
from turngraph.state.errors import TurnInvocationError

__all__ = ["past_steps"]


def past_steps(graph: Pregel[Any, Any, Any, Any], config: Mapping[str, Any]) -> list[Step]:
    """The steps of the last turn of the thread that `config` names, the oldest first.

    Raises TurnInvocationError for a graph without checkpointer and a thread without checkpoints.
    """
    if not graph.checkpointer:
        raise TurnInvocationError("The graph has no checkpointer, so no thread of it is stored.")
    shots = list(reversed(list(_last_turn(graph, config))))
    if not shots:
        raise TurnInvocationError("The thread has no checkpoints.")
    steps: list[Step] = []
    ran: tuple[Done, ...] = ()
    for number, shot in enumerate(shots):
        tasks = tuple(_task(graph, task, shot) for task in shot.tasks)
        steps.append(
            Step(number=number, kind="past", pending=tasks, done=ran, config=dict(shot.config), error=_error(shot))
        )
        ran = tuple(
            Done(task, told.result, None, 0.0, 0.0)
            for task, told in zip(tasks, shot.tasks, strict=True)
            if told.error is None
        )
    return steps


def _last_turn(graph: Pregel[Any, Any, Any, Any], config: Any) -> Iterator[StateSnapshot]:
    for shot in graph.get_state_history(config):
        if (shot.metadata or {}).get("source") == "input":
            return
        yield shot


def _task(graph: Pregel[Any, Any, Any, Any], task: PregelTask, shot: StateSnapshot) -> Task:
    from turngraph.nodes.stage import Stage

    bound = graph.nodes[task.name].bound
    return Task(
        id=task.id,
        node=task.name,
        space="",
        own_space=f"{task.name}:{task.id}",
        place=tuple(task.path),
        number=int((shot.metadata or {}).get("step", 0)) + 1,
        input=shot.values,
        stage=bound if isinstance(bound, Stage) else None,
        is_graph=isinstance(bound, Pregel),
    )


def _error(shot: StateSnapshot) -> Exception | None:
    return next((task.error for task in shot.tasks if task.error is not None), None)
