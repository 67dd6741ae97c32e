"""`TurnStepper`: steps through a turn, or any LangGraph graph that contains turns, one stage at a
time, and shows it in a notebook.
"""

from typing import Any

from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.views.page import page
from turngraph.interfaces.stepper.views.widget import widget_for

__all__ = ["TurnStepper"]


class TurnStepper(Stepper):
    """Steps through `graph` on `input`. It stands before the first node and moves when told to.

    The stepper has checkpoints of its own; a stored thread is only read. Every method that moves
    has an async version, with `a` before its name. All methods may be called from any thread,
    inside or outside of an event loop.

    Args:
        graph: a turn, or any compiled LangGraph graph that contains turns.
        input: the graph's input; None goes on with an unfinished `thread`.
        thread: a thread's id or a LangGraph configuration; the turn begins with its conversation.
        breakpoints: where `run` stops by itself.
        context: what the nodes read from `runtime.context`; a mapping becomes what the graph's
            context schema says.

        >>> from turngraph.graphs import chat_turn
        >>> from turngraph.providers import ProviderConfig
        >>> from turngraph.scripted import ScriptedModel
        >>> with ScriptedModel() as model:
        ...     config = ProviderConfig(model="m", base_url=model.base_url)
        ...     turn = chat_turn(config, functions=["calculator"])
        ...     stepper = TurnStepper(turn, {"messages": [("user", "What is 6 * 7?")]})
        ...     stepper.run_until("call_llm").nodes
        ...     stepper.request["model"], len(model.requests)
        ...     stepper.run().finished, stepper.state["result"].tool_runs[0].content
        ('call_llm',)
        ('m', 0)
        (True, '42')
    """

    def show(self) -> Any:
        """Returns the notebook widget.

        Without the extra `notebook` it returns the stepper itself, which a notebook shows as a page
        without buttons.
        """
        return widget_for(self)

    def _repr_html_(self) -> str:
        return page(self)
