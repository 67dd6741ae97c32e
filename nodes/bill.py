"""bill: turns the attempts and tool calls that are not billed yet into charges, each exactly once.

reads   turn_id, settings, attempts, tool_runs, charges
writes  charges

A charge has the id of its attempt, so billing the same attempts again, after a crash or in a
replay, adds nothing.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypedDict

from turngraph.billing.pricing.charges import charge_for, tool_charge_for
from turngraph.billing.pricing.price_key import PriceKey
from turngraph.nodes.support.dependencies import TurnDependencies
from turngraph.nodes.support.ledger_calls import settle_charge
from turngraph.nodes.support.stage_context import StageContext
from turngraph.state.events import ChargeCreated
from turngraph.state.flow import Flow
from turngraph.state.result import Attempt, Charge, ToolRun
from turngraph.state.turn import Turn, TurnSettings, account_of

__all__ = ["bill"]


class Reads(TypedDict):
    """The slice of the state that this stage sees."""

    turn_id: str
    settings: TurnSettings | None
    attempts: list[Attempt]
    tool_runs: list[ToolRun]
    charges: list[Charge]


def bill(state: Reads, context: StageContext) -> Flow[Turn]:
    """Adds a charge for everything that has none and costs something."""
    charges = list(state["charges"])
    for charge in _new_charges(state, context.deps):
        settled = yield from settle_charge(charge, state["turn_id"], context)
        context.emit(ChargeCreated(turn_id=state["turn_id"], charge=settled))
        charges.append(settled)
    return {"charges": charges}


def _new_charges(state: Reads, deps: TurnDependencies) -> Iterator[Charge]:
    billed = {charge.id for charge in state["charges"]}
    account = account_of(state["settings"])
    for attempt in state["attempts"]:
        if attempt.id not in billed:
            charge = _charge_for_attempt(attempt, deps, account)
            if charge is not None:
                yield charge
    for run in state["tool_runs"]:
        if _charge_id(run) not in billed:
            charge = _charge_for_tool(run, deps, account)
            if charge is not None:
                yield charge


def _charge_for_attempt(
    attempt: Attempt, deps: TurnDependencies, account: str | None
) -> Charge | None:
    request, reply = attempt.request, attempt.reply
    key = PriceKey(
        request.vendor,
        (reply.model if reply is not None else None) or request.model,
        at=datetime.fromtimestamp(attempt.started_at, UTC),
        base_url=deps.provider.config.base_url,
        service_tier=None if reply is None else reply.service_tier,
    )
    return charge_for(
        deps.prices,
        key,
        attempt_id=attempt.id,
        asked_model=request.model,
        usage=None if reply is None else reply.usage,
        billed=attempt.billed,
        estimate=attempt.estimate,
        held_usd=attempt.held_usd,
        account=account,
    )


def _charge_id(run: ToolRun) -> str:
    """Returns the ledger's id of the call, or one made from its place in the turn.

    The model's id of the call is not enough: some vendors use the same one in every answer.
    """
    return run.attempt_id or f"{run.order}:{run.call_id}"


def _charge_for_tool(run: ToolRun, deps: TurnDependencies, account: str | None) -> Charge | None:
    if run.status not in ("ok", "error", "timeout"):
        return None  # the tool did not run
    if deps.ledger is not None and run.attempt_id is None:
        # The ledger does not know the call, or does not know that it ended. What it has open is
        # charged by the sweeper.
        return None
    charge_id = _charge_id(run)
    charge = tool_charge_for(
        deps.prices,
        call_id=charge_id,
        tool=run.name,
        kind=run.kind,
        rows=run.rows,
        seconds=run.seconds,
        connection=_connection(run, deps),
        account=account,
    )
    if charge is not None or run.attempt_id is None:
        return charge
    # The ledger knows it because it must not run twice; a charge of zero closes it there.
    return Charge(
        id=charge_id,
        kind=run.kind,
        attempt_id=charge_id,
        vendor="",
        model="",
        amount_usd=Decimal(0),
        account=account,
        plugin=run.name if run.kind == "plugin" else None,
        connection=_connection(run, deps),
        tool=run.name,
    )


def _connection(run: ToolRun, deps: TurnDependencies) -> str | None:
    """Returns the name of the connection that a plugin from a manifest uses."""
    plugin = next((plugin for plugin in deps.plugins if plugin.name == run.name), None)
    return getattr(plugin, "connection", None)
