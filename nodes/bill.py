"""bill: turn the attempts and tool calls not yet billed into charges, each exactly once.

reads   turn_id, settings, attempts, tool_runs, charges
writes  charges

A charge's id is its attempt's, so billing the same attempts again, after a crash or in a replay,
adds nothing.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import TypedDict

from turngraph.billing.pricing.charges import charge_for, tool_charge_for
from turngraph.billing.pricing.price_key import PriceKey
from turngraph.nodes.support.dependencies import TurnDeps
from turngraph.nodes.support.ledger_calls import settle_charge
from turngraph.nodes.support.stage_context import StageContext
from turngraph.state.events import ChargeCreated
from turngraph.state.flow import Flow
from turngraph.state.result import Attempt, Charge, ToolRun
from turngraph.state.turn import Turn, TurnSettings, account_of

__all__ = ["bill"]


class Reads(TypedDict):
    """The slice of the state this stage sees."""

    turn_id: str
    settings: TurnSettings | None
    attempts: list[Attempt]
    tool_runs: list[ToolRun]
    charges: list[Charge]


def bill(state: Reads, deps: TurnDeps, here: StageContext) -> Flow[Turn]:
    """Charge what has not been charged."""
    billed = {charge.id for charge in state["charges"]}
    account = account_of(state["settings"])
    found = [
        *(_of_attempt(made, deps, account) for made in state["attempts"] if made.id not in billed),
        *(
            _of_tool(run, deps, account)
            for run in state["tool_runs"]
            if _charge_id(run) not in billed
        ),
    ]
    charges = list(state["charges"])
    for charge in found:
        if charge is not None:
            settled = yield from settle_charge(charge, state["turn_id"], deps, here)
            here.emit(ChargeCreated(turn_id=state["turn_id"], charge=settled))
            charges.append(settled)
    return {"charges": charges}


def _of_attempt(made: Attempt, deps: TurnDeps, account: str | None) -> Charge | None:
    reply = made.reply
    key = PriceKey(
        made.request.vendor,
        (reply.model if reply is not None else None) or made.request.model,
        at=datetime.fromtimestamp(made.started_at, UTC),
        base_url=deps.provider.config.base_url,
        service_tier=None if reply is None else reply.service_tier,
    )
    return charge_for(
        deps.prices,
        key,
        attempt_id=made.id,
        asked_model=made.request.model,
        usage=None if reply is None else reply.usage,
        billed=made.billed,
        estimate=made.estimate,
        held_usd=made.held_usd,
        account=account,
    )


def _charge_id(run: ToolRun) -> str:
    """The ledger's attempt, or the call's place in the turn: some vendors name the first call of
    every answer alike.
    """
    return run.attempt_id or f"{run.order}:{run.call_id}"


def _of_tool(run: ToolRun, deps: TurnDeps, account: str | None) -> Charge | None:
    if run.status not in ("ok", "error", "timeout"):
        return None  # it never ran
    if deps.ledger is not None and run.attempt_id is None:
        return None  # not begun, or not known to have ended: what the ledger has open is charged when it is swept
    charge_id = _charge_id(run)
    charge = tool_charge_for(
        deps.prices,
        call_id=charge_id,
        tool=run.name,
        kind=run.kind,
        rows=run.rows,
        seconds=run.seconds,
        account=account,
    )
    if charge is not None or run.attempt_id is None:
        return charge
    # Entered in the ledger because it must not run twice; it costs nothing.
    return Charge(
        id=charge_id,
        kind=run.kind,
        attempt_id=charge_id,
        vendor="",
        model="",
        amount_usd=Decimal(0),
        account=account,
        tool=run.name,
    )
