"""What the stages borrow: bound once, when the graph is built, and never looked up elsewhere."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from turngraph.billing.pricing.prices import Prices
from turngraph.nodes.support.telemetry import Telemetry
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.state.events import AnyEvent
from turngraph.state.limits import TurnLimits
from turngraph.state.reply import ToolCall
from turngraph.state.request import ChatRequest
from turngraph.state.result import TurnResult
from turngraph.tools.plugin import Plugin
from turngraph.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from turngraph.billing.budget import Budget
    from turngraph.billing.ledger import Ledger

__all__ = ["Approve", "OnFinish", "Replay", "Subscriber", "TurnDependencies"]

Subscriber = Callable[[AnyEvent], None]
"""Called with every event of a turn, in the thread or on the event loop that runs the turn. An
exception it raises is logged and has no other effect.
"""

Replay = Literal["call", "recorded"]
"""What happens when a turn runs again from an earlier checkpoint and reaches a call that the ledger
has an answer to: the call is made again and charged (`call`), or it gets the recorded answer at no
cost (`recorded`).
"""

Approve = Callable[[ToolCall], bool]
"""Returns whether a person must agree before this call runs."""

OnFinish = Callable[[TurnResult], TurnResult]
"""Called last with every result. It returns the result to use, so it can turn an error into a reply
of its own.
"""


@dataclass(frozen=True)
class TurnDependencies:
    """Everything the stages borrow. `chat_turn` builds it from its arguments.

    >>> from turngraph.providers.config import ProviderConfig
    >>> deps = TurnDependencies(
    ...     provider=OpenAIProvider(ProviderConfig(vendor="ollama", model="llama3.2")),
    ...     toolbox=Toolbox.of([]),
    ...     template=ChatRequest(vendor="ollama", api="chat", model="llama3.2"),
    ... )
    >>> deps.limits.calls
    16
    """

    provider: OpenAIProvider
    toolbox: Toolbox
    """The tools the model may call, those of the plugins included."""
    template: ChatRequest
    """The request that every turn starts from: model, sampling, tools and so on."""
    answer_class: type[Any] | None = None
    """The class that `template.response_format` was made from."""
    repair_answer: bool = False
    """Whether the model is asked once more for an answer that does not fit its format."""
    plugins: tuple[Plugin, ...] = ()
    """The order matters: of two plugins that set the same model setting, the first one wins."""
    limits: TurnLimits = field(default_factory=TurnLimits)
    prices: Prices = field(default_factory=Prices)
    ledger: "Ledger | None" = None
    budgets: "tuple[Budget, ...]" = ()
    """Budgets of each turn of this graph. The ledger's own budgets apply as well."""
    replay: Replay = "call"
    """Used if a run does not set `configurable["turn_replay"]`."""
    approve: Approve = field(default=lambda call: False)
    on_finish: OnFinish = field(default=lambda result: result)
    subscribers: tuple[Subscriber, ...] = ()
    telemetry: Telemetry | None = None
    clock: Callable[[], float] = time.time
    """Returns seconds since the epoch."""
    chance: Callable[[], float] = random.random
    """Returns a number from 0 to 1. It spreads retries, so that many turns that failed together do
    not come back together.
    """
