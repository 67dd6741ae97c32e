"""Goes on with another version of the graph, after its file was changed. Nothing runs for it."""

from collections.abc import Collection, Iterable
from contextlib import AsyncExitStack

from turngraph.interfaces.stepper.engine.session import Session
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.task_controller import Graph, graphs_in
from turngraph.interfaces.stepper.engine.timeline import Timeline
from turngraph.state.errors import TurnInvocationError

__all__ = ["missing_nodes", "reload_timelines"]


async def reload_timelines(timelines: Collection[Timeline], graph: Graph) -> None:
    """Lets each line run `graph` from where it ends. What has run stays as it is.

    Raises TurnInvocationError, and changes nothing, if `graph` lacks a node that a line knows.
    """
    async with AsyncExitStack() as stack:
        for timeline in timelines:
            await stack.enter_async_context(timeline.lock())
        _check_nodes(timelines, graph)
        sessions = [
            Session(graph, timeline.session.config, timeline.session.context)
            for timeline in timelines
        ]
        # All lines are tried before the first one is changed.
        steps = [
            None if (last := timeline.steps[-1]).finished else await session.replan(last)
            for timeline, session in zip(timelines, sessions, strict=True)
        ]
        for timeline, session, step in zip(timelines, sessions, steps, strict=True):
            timeline.change_session(session, step)


def missing_nodes(steps: Iterable[Step], graph: Graph) -> list[str]:
    """Returns the nodes that `steps` ran or stand before, and that `graph` does not have.

    LangGraph would take a checkpoint that leads to a missing node for the end of the run.
    """
    names = {f"{path}/{node}".lstrip("/") for path, each in graphs_in(graph) for node in each.nodes}
    known = [name for step in steps for name in (*step.ran, *_open_names(step))]
    return list(dict.fromkeys(name for name in known if name not in names))


def _check_nodes(timelines: Collection[Timeline], graph: Graph) -> None:
    missing = missing_nodes((step for timeline in timelines for step in timeline.steps), graph)
    if missing:
        gone = ", ".join(f"`{name}`" for name in missing)
        raise TurnInvocationError(
            f"The new graph has no node {gone}, so this run goes on with the graph from before. "
            "Start another run to use the new one."
        )


def _open_names(step: Step) -> list[str]:
    return [task.name for task in step.open_tasks]
