from .engine.breakpoints import (
    Breakpoint as Breakpoint,
)
from .engine.recording import (
    Recorder as Recorder,
)
from .engine.replay import (
    Replayed as Replayed,
    replay_cassette as replay_cassette,
)
from .stepper import (
    TurnStepper as TurnStepper,
)

__all__ = [
    "Breakpoint",
    "Recorder",
    "Replayed",
    "TurnStepper",
    "replay_cassette",
]
