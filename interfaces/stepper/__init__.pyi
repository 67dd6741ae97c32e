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
from .views.charts import (
    cost_chart as cost_chart,
    timeline_chart as timeline_chart,
    tokens_chart as tokens_chart,
)

__all__ = [
    "Breakpoint",
    "Recorder",
    "Replayed",
    "TurnStepper",
    "cost_chart",
    "replay_cassette",
    "timeline_chart",
    "tokens_chart",
]
