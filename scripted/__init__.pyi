from .cassettes import (
    Cassette as Cassette,
    RecordedExchange as RecordedExchange,
)
from .loopback import (
    LoopbackServer as LoopbackServer,
)
from .prompt import (
    Answer as Answer,
    Message as Message,
    OfferedTool as OfferedTool,
    Prompt as Prompt,
    RequestedCall as RequestedCall,
)
from .received import (
    ReceivedRequest as ReceivedRequest,
)
from .script import (
    Call as Call,
    Cut as Cut,
    Fail as Fail,
    Hang as Hang,
    Raw as Raw,
    Refuse as Refuse,
    Say as Say,
)
from .server import (
    ScriptedModel as ScriptedModel,
)

__all__ = [
    "Answer",
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
    "RequestedCall",
    "Say",
    "ScriptedModel",
]
