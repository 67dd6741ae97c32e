"""What a run has cost, where that is known: what calls a model without a turn tells nobody."""

from turngraph.interfaces.plain_text import money
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.engine.task_controller import Graph, calls_graph, graphs_in
from turngraph.nodes.support.stage import Stage

__all__ = ["cost_text", "has_turn"]


def cost_text(stepper: Stepper) -> str:
    """Returns the cost up to here; empty where no turn can have charged anything."""
    return money(stepper.cost) if stepper.cost or has_turn(stepper.graph) else ""


def has_turn(graph: Graph) -> bool:
    """Whether a turn runs in `graph`, or may run: what a function calls is not known."""
    nodes = [node for _, each in graphs_in(graph) for node in each.nodes.values()]
    return any(isinstance(node.bound, Stage) or calls_graph(node) for node in nodes)
