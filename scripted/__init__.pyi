from .cassettes import (
    Cassette as Cassette,
)
from .cassettes import (
    RecordedExchange as RecordedExchange,
)
from .loopback import (
    LoopbackServer as LoopbackServer,
)
from .prompt import (
    Answer as Answer,
)
from .prompt import (
    Message as Message,
)
from .prompt import (
    OfferedTool as OfferedTool,
)
from .prompt import (
    Prompt as Prompt,
)
from .prompt import (
    RequestedCall as RequestedCall,
)
from .received import (
    ReceivedRequest as ReceivedRequest,
)
from .script import (
    Call as Call,
)
from .script import (
    Cut as Cut,
)
from .script import (
    Fail as Fail,
)
from .script import (
    Hang as Hang,
)
from .script import (
    Raw as Raw,
)
from .script import (
    Refuse as Refuse,
)
from .script import (
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
