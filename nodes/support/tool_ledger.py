"""Tool calls that cost money or must not run twice: recorded in the ledger before they run.

Other tools run at once, with or without a ledger; after a crash they simply run again.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import NamedTuple

from turngraph.billing.store.calls import (
    AttemptResponse,
    Call,
    CostAttribution,
    StartedAttempt,
    UnknownOutcome,
)
from turngraph.nodes.support.ledger_calls import ask_ledger, keep_in_ledger, recorded_answer
from turngraph.nodes.support.stage_context import StageContext
from turngraph.state.errors import BudgetExceededError, ToolError
from turngraph.state.flow import Flow, Wait
from turngraph.state.json_types import JsonObject
from turngraph.state.reply import ToolCall
from turngraph.state.turn import ToolTask
from turngraph.tools.output import ToolOutput

__all__ = ["ToolAnswer", "run_once"]


class ToolAnswer(NamedTuple):
    """What a tool answered."""

    output: ToolOutput
    attempt_id: str | None
    """The id of the call in the ledger; None if the ledger does not record it."""


def run_once(
    task: ToolTask,
    call: ToolCall,
    arguments: JsonObject,
    run: Callable[[], Wait],
    context: StageContext,
) -> Flow[ToolAnswer]:
    """Returns the answer of `run()`, or the one it gave before a worker was killed.

    Raises ToolError if the call was interrupted and may not be repeated, or if the budgets do not
    allow its price.
    """
    deps = context.deps
    may_repeat = deps.toolbox.idempotent(call.name)
    if deps.ledger is None or (deps.prices.tool(call.name) is None and may_repeat):
        return ToolAnswer((yield run()), None)
    started = yield from _Recorded(task, call, arguments, context).start(may_repeat)
    if started.reply is not None:
        return ToolAnswer(ToolOutput.model_validate_json(started.reply), started.attempt_id)
    if started.attempt_id is None:
        raise ToolError(
            f"`{call.name}` was interrupted; whether it ran is unknown, and it must not run twice."
        )
    from turngraph.billing.store.outcomes import answer, mark_unknown

    try:
        output: ToolOutput = yield run()
    except BaseException as exc:
        # Also when the task is cancelled: the tool may have done its work.
        unknown = UnknownOutcome(attempt_id=started.attempt_id, why=type(exc).__name__)
        yield keep_in_ledger(deps, (mark_unknown, unknown))
        raise
    response = AttemptResponse(attempt_id=started.attempt_id, response=output.model_dump_json())
    yield keep_in_ledger(deps, (answer, response))
    return ToolAnswer(output, started.attempt_id)


@dataclass(frozen=True)
class _Recorded:
    """A tool call that the ledger records."""

    task: ToolTask
    call: ToolCall
    arguments: JsonObject
    context: StageContext

    def start(self, may_repeat: bool) -> Flow[StartedAttempt]:
        """Records that the call is about to run, or returns the answer that is recorded.

        Raises ToolError if the budgets do not allow the price of the call.
        """
        from turngraph.billing.store.attempts import begin

        context, deps = self.context, self.context.deps
        ledger_call, request_sha = self._ledger_call(), self._sha()
        call_id = context.call_id("tool", self.task["order"])
        if context.replays_recorded:
            recorded = yield from recorded_answer(ledger_call, call_id, request_sha, None, context)
            if recorded is not None:
                return recorded
        price = deps.prices.tool(self.call.name)
        try:
            started: StartedAttempt = yield ask_ledger(
                deps,
                begin,
                ledger_call,
                call_id=call_id,
                request_sha=request_sha,
                # Rows and seconds are only known afterwards; the price per call is held.
                usd=Decimal(0) if price is None else price.cost(rows=0, seconds=0),
                budgets=deps.budgets,
                repeat=may_repeat,
            )
        except BudgetExceededError as exc:
            raise ToolError(f"`{self.call.name}` was not run: {exc}") from exc
        return started

    def _ledger_call(self) -> Call:
        task, name = self.task, self.call.name
        plugin = next((plugin for plugin in self.context.deps.plugins if plugin.name == name), None)
        return Call(
            attribution=CostAttribution(
                account=task["account"] or "",
                api_key_id=task["api_key_id"],
                thread=self.context.thread_id,
                turn=task["turn_id"],
                tags=tuple(task["tags"]),
            ),
            kind="tool" if plugin is None else "plugin",
            seq=task["order"],
            tool=name,
            plugin=None if plugin is None else plugin.name,
            connection=getattr(plugin, "connection", None),
        )

    def _sha(self) -> str:
        """Identifies what is asked, so that a replay with other arguments runs again."""
        request = [self.call.id, self.call.name, self.arguments]
        return sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
