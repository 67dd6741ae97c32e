"""The marks that a picture of a graph gives to nodes: what has happened there."""

from collections.abc import Mapping
from typing import Final, Literal

__all__ = ["SIGNS", "Mark"]

Mark = Literal["done", "next", "running", "retrying", "waiting", "failed"]
SIGNS: Final[Mapping[Mark, str]] = {
    "done": "✓",
    "next": "▶",
    "running": "●",
    "retrying": "◷",
    "waiting": "?",
    "failed": "✗",
}
"""The sign of each mark, for readers who do not see its color."""
