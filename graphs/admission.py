"""Admits a run to its ledger: gets the lease that keeps a second worker out, and gives it up when
the run is over.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from langchain_core.runnables import RunnableConfig

from turngraph.billing.errors import LedgerUnavailableError, TurnConflictError
from turngraph.billing.leases.leases import (
    Admission,
    admit,
    finish,
    open_turn,
    release_lease,
)
from turngraph.billing.ledger import Ledger
from turngraph.graphs.admission_request import AdmissionRequest
from turngraph.nodes.support.stage_context import (
    FENCE,
    IDENTITY,
    LEASED_TURN,
    OPENING,
    TurnOpening,
)
from turngraph.state.flow import Flow, Wait

__all__ = [
    "AdmittedRun",
    "admit_run",
    "lease_from",
    "release_run",
]

_OF_ONE_RUN: Final = (FENCE, LEASED_TURN, IDENTITY, OPENING)
_POLL_S: Final = 0.2
"""Seconds between two attempts to get the lease of a thread that another worker has."""
_log: Final = logging.getLogger("turngraph")


@dataclass(frozen=True)
class AdmittedRun:
    """A run that may start: its input, and its configuration with the lease in it."""

    input: Any
    config: RunnableConfig
    thread: str | None
    admission: Admission
    finished_turn: str | None
    """The id of a turn that is over already and was submitted again."""
    account: str
    opening: TurnOpening | None = None


def admit_run(ledger: Ledger, request: AdmissionRequest, wait_s: float) -> Flow[AdmittedRun]:
    """Get the lease of the turn and keep it renewed, until `release_run` gives it up.

    Waits up to `wait_s` seconds for another worker that has the turn or its thread, then raises
    TurnConflictError.
    """
    if request.opening is not None:
        return _admitted(request, Admission(request.turn_id, 1, "new"))
    deadline = time.monotonic() + wait_s
    while True:
        asked_at = ledger.store.now()
        try:
            admission: Admission = yield _admission(ledger, request)
            break
        except TurnConflictError as exc:
            pause_s = _pause_before_retry(exc, deadline)
        yield Wait(partial(time.sleep, pause_s), partial(asyncio.sleep, pause_s))
    ledger.leases.start_renewing(admission.turn_id, admission.fence, asked_at)
    return _admitted(request, admission)


def _admission(ledger: Ledger, request: AdmissionRequest) -> Wait:
    terms: dict[str, Any] = {
        "thread": request.thread,
        "account": request.account,
        "request_sha": request.request_sha,
        "own": False,
    }
    return Wait(
        partial(ledger.store.run, admit, request.turn_id, **terms),
        partial(ledger.store.arun, admit, request.turn_id, **terms),
    )


def release_run(ledger: Ledger, run: AdmittedRun, *, failed: bool) -> Flow[None]:
    """Give up the lease of a run, and mark its turn as finished if it has come to its end.

    This is done when the run's last checkpoint is stored. Earlier, another worker could be admitted
    to the thread and read it without this turn. A run stops before its turn's end when its stream
    is closed, a person is asked, or an error is raised (`failed`).
    Raises FencedError if another worker has taken the finished turn over.
    """
    turn_id, fence = run.admission.turn_id, run.admission.fence
    is_over = ledger.leases.is_over(turn_id, fence) and not failed
    is_held = ledger.leases.stop_renewing(turn_id, fence)
    if not (is_held or is_over):
        return
    operation: Callable[..., None] = finish if is_over else release_lease
    given: dict[str, Any] = {"fence": fence}
    if run.opening is not None and run.opening.is_pending:  # it ended without a call
        operation, given = open_turn, {"account": run.account, "status": "done"}
    try:
        yield Wait(
            partial(ledger.store.run, operation, turn_id, **given),
            partial(ledger.store.arun, operation, turn_id, **given),
        )
    except LedgerUnavailableError as exc:
        _log.warning("The lease of turn %s was not given up: %s", turn_id, exc)


def _pause_before_retry(conflict: TurnConflictError, deadline: float) -> float:
    """Seconds until the next attempt; raises `conflict` where waiting is no help, or is over."""
    if conflict.retry_after_s is None or time.monotonic() >= deadline:
        raise conflict
    return min(_POLL_S, max(0.0, deadline - time.monotonic()))


def _admitted(request: AdmissionRequest, admission: Admission) -> AdmittedRun:
    is_over = admission.status in ("done", "failed")
    submitted_again = is_over and isinstance(request.input, Mapping) and not request.in_parent
    config = request.config
    if not request.in_parent:
        # Every checkpoint of the run carries the turn's id, by which its end is found again.
        metadata = {**config.get("metadata", {}), "run_id": admission.turn_id}
        if request.identity is not None:
            metadata[IDENTITY] = request.identity
        config = {**config, "metadata": metadata}
    finished_turn = request.turn_id if submitted_again else None
    return AdmittedRun(
        request.input,
        _with_lease(config, admission, request),
        request.thread,
        admission,
        finished_turn,
        request.account,
        request.opening,
    )


def _with_lease(
    config: RunnableConfig, admission: Admission, request: AdmissionRequest
) -> RunnableConfig:
    lease: dict[str, object] = {FENCE: admission.fence}
    if request.opening is not None:
        lease[OPENING] = request.opening
    if admission.status in ("new", "running"):
        # A finished turn is replayed and forked without a lease: nobody else writes to it.
        lease[LEASED_TURN] = admission.turn_id
    if request.identity is not None:
        lease[IDENTITY] = request.identity
    # A turn within a tool of another turn may be given the other one's configuration.
    others = {
        key: value
        for key, value in config.get("configurable", {}).items()
        if key not in _OF_ONE_RUN
    }
    return {**config, "configurable": {**others, **lease}}


def lease_from(config: RunnableConfig) -> tuple[str, int] | None:
    """The turn and fence that the run with `config` was admitted with; None without a ledger."""
    configurable = config.get("configurable", {})
    if LEASED_TURN not in configurable:
        return None
    return configurable[LEASED_TURN], configurable[FENCE]
