"""bill: turns the attempts and tool calls that are not billed yet into charges, each exactly once.

reads   turn_id, settings, attempts, tool_runs, charges
writes  charges

A charge has the id of its attempt, so billing the same attempts again, after a crash or in a
replay, adds nothing.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import TypedDict

from turngraph.billing.pricing.charges import tool_charge_for
from turngraph.nodes.support.charging import as_settled, charge_for_attempt, settle_charges
from turngraph.nodes.support.dependencies import TurnDependencies
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
    new = list(_new_charges(state, context.deps))
    paid = {one.id: one for one in state["attempts"] if one.settled_usd is not None}
    unpaid = [charge for charge in new if charge.id not in paid]
    settled = yield from settle_charges(unpaid, state["turn_id"], context)
    by_id = {charge.id: charge for charge in settled}
    charges = [by_id.get(one.id) or _as_paid(one, paid[one.id]) for one in new]
    for charge in charges:
        context.emit(ChargeCreated(turn_id=state["turn_id"], charge=charge))
    return {"charges": [*state["charges"], *charges]}


def _as_paid(charge: Charge, attempt: Attempt) -> Charge:
    """Returns the charge that the ledger made when it stored the answer of `attempt`."""
    paid, held = attempt.settled_usd, attempt.held_usd
    assert paid is not None, "the answer was charged when it was stored"
    assert held is not None, "money was held for what is charged, if only zero"
    return as_settled(charge, paid, overrun=paid > held)


def _new_charges(state: Reads, deps: TurnDependencies) -> Iterator[Charge]:
    billed = {charge.id for charge in state["charges"]}
    account = account_of(state["settings"])
    for attempt in state["attempts"]:
        if attempt.id not in billed:
            charge = charge_for_attempt(attempt, deps, account)
            if charge is not None:
                yield charge
    for run in state["tool_runs"]:
        if _charge_id(run) not in billed:
            charge = _charge_for_tool(run, deps, account)
            if charge is not None:
                yield charge


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
