"""When the checkpoints of a run are stored: as it goes, or at its end."""

from collections.abc import Mapping
from typing import Any, Protocol

from langchain_core.runnables import RunnableConfig

from turngraph.graphs.run_writes import with_run_writes
from turngraph.graphs.steps import is_invoked

__all__ = ["with_durability"]


class _Graph(Protocol):
    ledger: Any
    stages_alone: bool


def with_durability(
    graph: _Graph,
    config: RunnableConfig | None,
    arguments: Mapping[str, object],
    given: object,
    *,
    one_step: bool,
) -> tuple[RunnableConfig | None, dict[str, Any]]:
    """Returns the configuration and the arguments of a run that stores checkpoints.

    Unless its caller asked for another durability, each step is stored before the next one runs.
    A run in one step is stored at its end, because there is nothing to store between its input and
    that. With a ledger, a turn that is submitted again after a crash finds its paid answers by its
    id. A turn to which its caller gave none cannot be submitted again; it is resumed, and for that
    its input is stored.
    """
    again = graph.ledger is None or (isinstance(given, Mapping) and bool(given.get("turn_id")))
    default = "exit" if one_step and again else "sync"
    durability = arguments.get("durability") or default
    # Whoever reads a stream may stop between two steps for as long as they like.
    at_steps = durability == "sync" and graph.stages_alone and is_invoked(config)
    config = with_run_writes(config, at_exit=durability == "exit", at_steps=at_steps)
    return config, {**arguments, "durability": durability}
