"""The scripted model: an OpenAI-compatible server on a loopback socket."""

from typing import TYPE_CHECKING

from turngraph.state.front_door import front_door

if TYPE_CHECKING:
    from turngraph.providers.scripted.loopback import LoopbackServer
    from turngraph.providers.scripted.model import ScriptedModel
    from turngraph.providers.scripted.steps import Call, Cut, Fail, Hang, Raw, Refuse, Say

__all__ = ["Call", "Cut", "Fail", "Hang", "LoopbackServer", "Raw", "Refuse", "Say", "ScriptedModel"]

__getattr__, __dir__ = front_door(
    __name__,
    {
        "Call": "steps",
        "Cut": "steps",
        "Fail": "steps",
        "Hang": "steps",
        "LoopbackServer": "loopback",
        "Raw": "steps",
        "Refuse": "steps",
        "Say": "steps",
        "ScriptedModel": "model",
    },
)
