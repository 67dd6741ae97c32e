"""Admits a run to its ledger: which turn it is, whose thread it is on, and the lease that keeps a
second worker out while it runs.
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot

from turngraph.billing.errors import LedgerUnavailableError, TurnConflictError
from turngraph.billing.leases.leases import (
    Admission,
    admit,
    finish,
    open_turn,
    release_lease,
)
from turngraph.billing.ledger import Ledger
from turngraph.nodes.support.stage_context import (
    FENCE,
    IDENTITY,
    LEASED_TURN,
    OPENING,
    TurnOpening,
)
from turngraph.state.flow import Flow, Wait
from turngraph.state.turn import TurnSettings, account_of

__all__ = [
    "AdmissionRequest",
    "AdmittedRun",
    "admission_request_for",
    "admit_run",
    "lease_from",
    "release_run",
]

_TURN_NAMESPACE: Final = uuid.UUID("0f0ac1cb-7b0e-5d0b-9d6e-8a53f0a3c6f4")
_OF_ONE_RUN: Final = (FENCE, LEASED_TURN, IDENTITY, OPENING)
_POLL_S: Final = 0.2
"""Seconds between two attempts to get the lease of a thread that another worker has."""
_ADDED_SETTINGS: Final = frozenset(
    {
        "caller_tools",
        "extra_body",
        "logprobs",
        "parallel_tool_calls",
        "reasoning_summary",
        "seed",
        "stop",
        "tool_choice",
        "top_logprobs",
        "top_p",
    }
)
_log: Final = logging.getLogger("turngraph")


@dataclass(frozen=True)
class AdmissionRequest:
    """What a run asks to be admitted as."""

    input: Any
    config: RunnableConfig
    turn_id: str
    thread: str | None
    """The thread that no other turn may run on; None inside a parent graph, whose thread it is."""
    account: str
    identity: str | None = None
    """What the ids of the turn's calls are made of. None in a fork and inside a parent graph: there
    LangGraph's checkpoints tell the calls of one lineage from those of another.
    """
    opening: TurnOpening | None = None
    """Given for a turn of which nobody else can know: it is admitted with its first call."""
    in_parent: bool = False
    """Whether the run is a node of a parent graph."""
    request_sha: str | None = None
    """SHA-256 of what is asked, where the caller named the turn. The same name for another request
    is a conflict.
    """

    @property
    def needs_saved_state(self) -> bool:
        """Whether the thread must be read to learn which turn goes on: a resume does not say."""
        return not self.turn_id

    def completed_from(self, saved: StateSnapshot) -> "AdmissionRequest":
        """This request with the turn and account of the thread's last turn, where it lacks them."""
        if not self.needs_saved_state:
            return self
        metadata: Mapping[str, Any] = saved.metadata or {}
        # A worker may die before the first stage: then the state has no turn, or an earlier one.
        begun = metadata.get("run_id") if metadata.get("source") == "input" else None
        turn_id = begun or saved.values.get("turn_id") or uuid.uuid4().hex
        account = account_of(saved.values.get("settings")) or ""
        goes_on = metadata.get("source") in ("input", "loop") and not _names_checkpoint(self.config)
        identity = metadata.get(IDENTITY) if goes_on else None
        return replace(self, turn_id=turn_id, account=account, identity=identity)


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


def admission_request_for(
    input: object, config: RunnableConfig | None, *, keeps_threads: bool
) -> AdmissionRequest:
    """The request of a run. `keeps_threads` says whether the graph has a checkpointer of its own.

    A turn inside a parent graph gets an id from its place there: the same when the parent is
    resumed, another in every call and every fork.
    """
    config = config or {}
    configurable = config.get("configurable", {})
    namespace, thread = configurable.get("checkpoint_ns", ""), configurable.get("thread_id")
    if namespace:
        own_id = uuid.uuid5(_TURN_NAMESPACE, f"{thread}:{namespace}").hex
        return AdmissionRequest(
            _with_turn_id(input, own_id),
            config,
            _turn_id_in(input) or own_id,
            None,
            _account_in(input),
            in_parent=True,
        )
    if isinstance(input, Mapping):
        turn_id = _turn_id_in(input) or uuid.uuid4().hex
        own_thread = str(thread) if keeps_threads and thread is not None else None
        is_unknown = own_thread is None and not _turn_id_in(input)
        return AdmissionRequest(
            _with_turn_id(input, turn_id),
            config,
            turn_id,
            own_thread,
            _account_in(input),
            opening=TurnOpening() if is_unknown else None,
            identity=None if _names_checkpoint(config) else turn_id,
            request_sha=_sha_of(input) if _turn_id_in(input) else None,
        )
    return AdmissionRequest(input, config, "", None if thread is None else str(thread), "")


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


def _names_checkpoint(config: RunnableConfig) -> bool:
    """Whether the run starts at a checkpoint of its caller's choice, and so is a fork."""
    return "checkpoint_id" in config.get("configurable", {})


def _with_turn_id(input: object, turn_id: str) -> Any:
    if not isinstance(input, Mapping):
        return input
    return {**input, "turn_id": _turn_id_in(input) or turn_id}


def _turn_id_in(input: object) -> str:
    return str(input.get("turn_id") or "") if isinstance(input, Mapping) else ""


def _sha_of(input: Mapping[str, Any]) -> str:
    """One hash of what is asked: the messages after the last answer, without ids, and the settings.

    A client may send the whole conversation again every time; only what it adds is the request.
    """
    messages, settings = input.get("messages", []), input.get("settings")
    answered = max((n for n, message in enumerate(messages, 1) if message.type == "ai"), default=0)
    added = [message.model_dump(exclude={"id"}) for message in messages[answered:]]
    chosen = None if settings is None else _as_hashed(settings)
    return sha256(json.dumps([added, chosen], sort_keys=True, default=str).encode()).hexdigest()


def _as_hashed(settings: TurnSettings) -> dict[str, Any]:
    """`settings` as data. Those that were added later count only where they are given, so that a
    turn has the same hash that an earlier version made. Neither a stream nor the key that a caller
    uses changes what is asked.
    """
    values = settings.model_dump(exclude={"stream", "api_key_id"})
    return {
        name: value
        for name, value in values.items()
        if name not in _ADDED_SETTINGS or value not in (None, ())
    }


def _account_in(input: object) -> str:
    return (account_of(input.get("settings")) or "") if isinstance(input, Mapping) else ""
