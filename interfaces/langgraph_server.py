"""The turn that `langgraph dev` serves: `langgraph.json` names it.

Without a key it asks the scripted model. The variable TURNGRAPH_MODEL chooses another, as in
`TURNGRAPH_MODEL=groq:llama-3.3-70b-versatile`. The server brings its own checkpointer.
"""

import atexit
import os
from contextlib import ExitStack
from typing import Final

from turngraph.graphs.chat import chat_turn
from turngraph.graphs.turn_graph import TurnGraph
from turngraph.interfaces.cli.model_options import ModelOptions, open_model

__all__ = ["turn"]

_FUNCTIONS: Final = ("calculator", "date_calculator")


def _build_turn() -> TurnGraph:
    # The server imports this module once and uses the turn until it ends, so the scripted model has
    # to live as long as the process.
    until_exit = ExitStack()
    atexit.register(until_exit.close)
    model = until_exit.enter_context(open_model(ModelOptions(function=_FUNCTIONS), os.environ))
    return chat_turn(model.config, functions=model.functions, stream=True, prices=model.prices)


turn: Final = _build_turn()
