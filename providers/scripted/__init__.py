"""The scripted model: an OpenAI-compatible server on a loopback socket, with a mind of its own or a script."""

from typing import TYPE_CHECKING

from turngraph.state.front_door import front_door

if TYPE_CHECKING:
    from turngraph.providers.scripted.answers import Answer, AskedCall, Message, OfferedTool, Prompt
    from turngraph.providers.scripted.cassettes import Cassette, RecordedExchange
    from turngraph.providers.scripted.loopback import LoopbackServer
    from turngraph.providers.scripted.requests import ReceivedRequest
    from turngraph.providers.scripted.server import ScriptedModel
    from turngraph.providers.scripted.steps import Call, Cut, Fail, Hang, Raw, Refuse, Say

__all__ = [
    "Answer",
    "AskedCall",
    "Call",
    "Cassette",
    "Cut",
    "Fail",
    "Hang",
    "LoopbackServer",
    "Message",
    "OfferedTool",
    "Prompt",
    "Raw",
    "ReceivedRequest",
    "RecordedExchange",
    "Refuse",
    "Say",
    "ScriptedModel",
]

__getattr__, __dir__ = front_door(
    __name__,
    {
        "Answer": "answers",
        "AskedCall": "answers",
        "Call": "steps",
        "Cassette": "cassettes",
        "Cut": "steps",
        "Fail": "steps",
        "Hang": "steps",
        "LoopbackServer": "loopback",
        "Message": "answers",
        "OfferedTool": "answers",
        "Prompt": "answers",
        "Raw": "steps",
        "ReceivedRequest": "requests",
        "RecordedExchange": "cassettes",
        "Refuse": "steps",
        "Say": "steps",
        "ScriptedModel": "server",
    },
)
