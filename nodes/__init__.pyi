from .support.dependencies import TurnDependencies as TurnDependencies
from .support.stage_context import StageContext as StageContext
from .support.telemetry import Telemetry as Telemetry, TurnTrace as TurnTrace

__all__ = [
    "StageContext",
    "Telemetry",
    "TurnDependencies",
    "TurnTrace",
]
