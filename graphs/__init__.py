"""Turns, compiled: `chat_turn` and what is built around it."""

from typing import TYPE_CHECKING

from turngraph.state.front_door import front_door

if TYPE_CHECKING:
    from turngraph.graphs.builder import build_chat_turn
    from turngraph.graphs.chat import chat_turn
    from turngraph.graphs.gateway import ahandler, handler
    from turngraph.graphs.reconciling import vendor_lookup
    from turngraph.graphs.turn_graph import TurnBuilder, TurnGraph

__all__ = ["TurnBuilder", "TurnGraph", "ahandler", "build_chat_turn", "chat_turn", "handler", "vendor_lookup"]

__getattr__, __dir__ = front_door(
    __name__,
    {
        "TurnBuilder": "turn_graph",
        "TurnGraph": "turn_graph",
        "ahandler": "gateway",
        "build_chat_turn": "builder",
        "chat_turn": "chat",
        "handler": "gateway",
        "vendor_lookup": "reconciling",
    },
)
