"""A tool call that costs, or must not run twice, through the ledger: begun before it runs, its
answer kept when it has.

Other tools run straight away, with or without a ledger: resumed after a crash they run again, and
nobody minds.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from typing import Any

from turngraph.billing.store.calls import (
    AttemptResponse,
    Call,
    CostAttribution,
    StartedAttempt,
    UnknownOutcome,
)
from turngraph.nodes.support.dependencies import TurnDeps
from turngraph.nodes.support.ledger_calls import ask_ledger, keep_in_ledger, replay_call, replays
from turngraph.nodes.support.stage_context import StageContext
from turngraph.state.errors import BudgetExceededError, ToolError
from turngraph.state.flow import Flow, Wait
from turngraph.state.reply import ToolCall
from turngraph.state.turn import ToolTask
from turngraph.tools.output import ToolOutput

__all__ = ["Served", "serve_once"]

Served = tuple[ToolOutput, str | None]
"""What the tool answered, and the ledger's attempt it was entered as."""


def serve_once(
    task: ToolTask,
    call: ToolCall,
    arguments: dict[str, Any],
    run: Callable[[], Wait],
    deps: TurnDeps,
    here: StageContext,
) -> Flow[Served]:
    """The answer of `run()`, or the one it gave before the worker was killed.

    Raises ToolError where the call was interrupted and may not be repeated, or its price is not in
    the budget.
    """
    price, repeat = deps.prices.tool(call.name), deps.toolbox.idempotent(call.name)
    if deps.ledger is None or (price is None and repeat):
        return (yield run()), None
    begun: StartedAttempt = yield from _begin(task, call, arguments, repeat, deps, here)
    if begun.reply is not None:
        return ToolOutput.model_validate_json(begun.reply), begun.attempt_id
    if begun.attempt_id is None:
        raise ToolError(
            f"`{call.name}` was interrupted; whether it ran is unknown, and it must not run twice."
        )
    from turngraph.billing.store.outcomes import answer, mark_unknown

    try:
        output: ToolOutput = yield run()
    except BaseException as exc:
        yield keep_in_ledger(
            deps, mark_unknown, UnknownOutcome(attempt_id=begun.attempt_id, why=type(exc).__name__)
        )
        raise
    yield keep_in_ledger(
        deps,
        answer,
        AttemptResponse(attempt_id=begun.attempt_id, response=output.model_dump_json()),
    )
    return output, begun.attempt_id


def _begin(
    task: ToolTask,
    call: ToolCall,
    arguments: dict[str, Any],
    repeat: bool,
    deps: TurnDeps,
    here: StageContext,
) -> Flow[StartedAttempt]:
    from turngraph.billing.store.attempts import begin

    plugin = next((plugin for plugin in deps.plugins if plugin.name == call.name), None)
    made = Call(
        attribution=CostAttribution(
            account=task["account"] or "",
            api_key_id=task["key"],
            thread=here.thread_id,
            turn=task["turn_id"],
            tags=tuple(task["tags"]),
        ),
        kind="tool" if plugin is None else "plugin",
        seq=task["order"],
        tool=call.name,
        plugin=None if plugin is None else plugin.name,
        connection=getattr(plugin, "connection", None),
    )
    price = deps.prices.tool(call.name)
    asked = sha256(json.dumps([call.id, call.name, arguments], sort_keys=True).encode()).hexdigest()
    if replays(deps, here):
        replayed = yield from replay_call(made, asked, None, deps, here)
        if replayed is not None:
            return replayed
    try:
        begun: StartedAttempt = yield ask_ledger(
            deps,
            begin,
            made,
            call_id=here.task_id,
            request_sha=asked,
            usd=Decimal(0) if price is None else price.cost(rows=0, seconds=0),
            budgets=deps.budgets,
            repeat=repeat,
        )
    except BudgetExceededError as exc:
        raise ToolError(f"`{call.name}` was not run: {exc}") from exc
    return begun
