from .support.dependencies import TurnDependencies as TurnDependencies
from .support.stage_context import StageContext as StageContext

__all__ = [
    "StageContext",
    "TurnDependencies",
]
