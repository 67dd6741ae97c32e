"""What the stages borrow: bound once, when the graph is built, and never looked up anywhere else."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from turngraph.billing.pricing.prices import Prices
from turngraph.nodes.support.stage_context import Replay, Subscriber
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.state.limits import TurnLimits
from turngraph.state.reply import ToolCall
from turngraph.state.request import ChatRequest
from turngraph.state.result import TurnResult
from turngraph.tools.plugin import Plugin
from turngraph.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from turngraph.billing.budget import Budget
    from turngraph.billing.ledger import Ledger

__all__ = ["Approve", "OnFinish", "TurnDeps"]

Approve = Callable[[ToolCall], bool]
"""Whether a person must agree before this call runs."""

OnFinish = Callable[[TurnResult], TurnResult]
"""Sees every result last, and may replace it: the place to turn an error into a house's own reply.
"""


@dataclass(frozen=True)
class TurnDeps:
    """All a stage borrows. `template` is the request every turn starts from; it names model,
    sampling and so on.
    """

    provider: OpenAIProvider
    toolbox: Toolbox
    template: ChatRequest
    plugins: tuple[Plugin, ...] = ()
    """In order: of two that set the same thing, the first wins. Their tools stand in the toolbox.
    """
    limits: TurnLimits = field(default_factory=TurnLimits)
    prices: Prices = field(default_factory=Prices)
    ledger: "Ledger | None" = None
    budgets: "tuple[Budget, ...]" = ()
    """Of this turn, beside the ledger's own."""
    replay: Replay = "call"
    """What becomes of a call that was answered before, where a run does not say
    (`configurable["turn_replay"]`).
    """
    approve: Approve = field(default=lambda call: False)
    on_finish: OnFinish = field(default=lambda result: result)
    subscribers: tuple[Subscriber, ...] = ()
    clock: Callable[[], float] = time.time
    """Seconds since the epoch."""
    chance: Callable[[], float] = random.random
    """Between 0 and 1: spreads retries, so that many turns do not come back at the same moment."""
