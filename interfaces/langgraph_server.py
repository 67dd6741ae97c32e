"""The turn that `langgraph dev` serves (`langgraph.json` names it): a server of threads and runs,
and Studio.

Without a key it runs on the scripted model. `TURNGRAPH_MODEL=groq:llama-3.3-70b-versatile` and the
like choose another. The server brings its own checkpointer.
"""

import atexit
import os
from contextlib import ExitStack
from typing import Final

from turngraph.graphs.chat import chat_turn
from turngraph.graphs.turn_graph import TurnGraph
from turngraph.interfaces.cli.model_options import ModelOptions, chosen_model

__all__ = ["turn"]

_FUNCTIONS: Final = ("calculator", "date_calculator")


def _turn() -> TurnGraph:
    """The turn, on a model that is there for as long as this process is."""
    until_exit = ExitStack()
    atexit.register(until_exit.close)
    model = until_exit.enter_context(chosen_model(ModelOptions(function=_FUNCTIONS), os.environ))
    return chat_turn(model.config, functions=model.functions, stream=True, prices=model.prices)


turn: Final = _turn()
