"""Which graph has written a thread, where several graphs share one database."""

from collections.abc import Mapping
from typing import Any, Final

from turngraph.interfaces.user_graphs.loading import Graph

__all__ = ["owned_by", "owner_in", "owner_of"]

_OWNER: Final = "turngraph_graph"
"""The metadata of LangGraph's checkpoints in which the name stands."""


def owned_by(graph: Graph, owner: str) -> Graph:
    """Returns `graph`, which notes `owner` in every checkpoint that it writes."""
    return graph.with_config(metadata={_OWNER: owner})


def owner_of(graph: Graph) -> str:
    """Returns the owner that `graph` notes; "" if it notes none."""
    return owner_in((graph.config or {}).get("metadata", {}))


def owner_in(metadata: Mapping[str, Any]) -> str:
    """Returns the owner in the metadata of a checkpoint; "" if nobody noted it."""
    return str(metadata.get(_OWNER, ""))
