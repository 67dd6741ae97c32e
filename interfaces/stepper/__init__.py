"""Walking a turn: the stepper, its views, and what is recorded of a walk."""

from typing import TYPE_CHECKING

from turngraph.state.front_door import front_door

if TYPE_CHECKING:
    from turngraph.interfaces.stepper.breakpoints import Breakpoint
    from turngraph.interfaces.stepper.recording import Recorder
    from turngraph.interfaces.stepper.replaying import Replayed, replay_cassette
    from turngraph.interfaces.stepper.stepper import TurnStepper

__all__ = ["Breakpoint", "Recorder", "Replayed", "TurnStepper", "replay_cassette"]

__getattr__, __dir__ = front_door(
    __name__,
    {
        "Breakpoint": "breakpoints",
        "Recorder": "recording",
        "Replayed": "replaying",
        "TurnStepper": "stepper",
        "replay_cassette": "replaying",
    },
)
