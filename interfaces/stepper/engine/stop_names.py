"""The names that a run can stop at: those of nodes and of events."""

from difflib import get_close_matches
from typing import Final, cast, get_args

from turngraph.interfaces.stepper.engine.task_controller import Graph
from turngraph.state.argument_kinds import shown
from turngraph.state.errors import TurnInvocationError
from turngraph.state.events import AnyEvent

__all__ = ["EVENT_TYPES", "check_name"]

# `AnyEvent` is Annotated[Union[…], …]: its first argument is the union of all events.
EVENT_TYPES: Final = tuple(
    str(event.model_fields["type"].default) for event in get_args(get_args(AnyEvent)[0])
)
"""The types of all events, in the order in which they happen in a turn."""


def check_name(name: object, graph: Graph) -> None:
    """Raises TurnInvocationError for a name that no node of `graph` and no event has, and for what
    is no name.

    A run to such a name would not stop before the end, and would call the model on its way.
    """
    if not isinstance(name, str):
        raise TurnInvocationError(
            f"A run stops at a name or where a function of the step says so, not at {shown(name)}."
        )
    nodes = {node for node in graph.nodes if not node.startswith("__")}
    paths = set[str]()
    for namespace, inner in graph.get_subgraphs(recurse=True):
        inside = {node for node in cast(Graph, inner).nodes if not node.startswith("__")}
        nodes |= inside
        paths |= {f"{namespace.replace('|', '/')}/{node}" for node in inside}
    if name in nodes | paths | set(EVENT_TYPES):
        return
    close = get_close_matches(name, sorted(nodes | paths | set(EVENT_TYPES)), n=1)
    meant = f" Did you mean `{close[0]}`?" if close else ""
    raise TurnInvocationError(
        f"No node and no event is named `{name[:100]}`.{meant} Nodes: "
        f"{', '.join(f'`{node}`' for node in sorted(nodes))}."
    )
