from .support.dependencies import (
    TurnDeps as TurnDeps,
)

__all__ = [
    "TurnDeps",
]
