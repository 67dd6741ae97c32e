"""A turn's leave to run: who it is, whose thread it is, and the lease that keeps a second worker
out meanwhile.
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final, NamedTuple

from langchain_core.runnables import RunnableConfig

from turngraph.billing.errors import LedgerUnavailableError, TurnConflictError
from turngraph.billing.leases.leases import Admission, admit, release_lease
from turngraph.billing.ledger import Ledger
from turngraph.nodes.support.stage_context import FENCE, LEASED_TURN
from turngraph.state.turn import account_of

__all__ = [
    "AdmissionRequest",
    "AdmittedRun",
    "admission_request_for",
    "admitted",
    "admitted_async",
    "lease_from",
]

_TURNS: Final = uuid.UUID("0f0ac1cb-7b0e-5d0b-9d6e-8a53f0a3c6f4")
_LOOK_AGAIN_S: Final = 0.2
_log: Final = logging.getLogger("turngraph")


@dataclass(frozen=True)
class AdmissionRequest:
    """What a run is admitted as. `thread` is only what no other turn may run on: a parent's thread
    is the parent's.
    """

    input: Any
    config: RunnableConfig
    turn_id: str
    thread: str | None
    account: str
    inside: bool = False
    """Whether it runs inside a parent graph."""
    request_sha: str | None = None
    """What is asked, where the caller named the turn: the same name for another request is a
    conflict.
    """

    @property
    def asks_the_thread(self) -> bool:
        """Whether the thread must be asked which turn goes on: a resume does not say."""
        return not self.turn_id

    def known(self, saved: Mapping[str, Any]) -> "AdmissionRequest":
        """The request, completed with what the thread says of its last turn."""
        if not self.asks_the_thread:
            return self
        return replace(
            self,
            turn_id=saved.get("turn_id") or uuid.uuid4().hex,
            account=_account(saved.get("settings")),
        )


class AdmittedRun(NamedTuple):
    """AdmittedRun to run. `over` is the turn's id where it was finished before, and is given again
    as new.
    """

    input: Any
    config: RunnableConfig
    over: str | None


def admission_request_for(
    input: Any, config: RunnableConfig | None, *, keeps: bool
) -> AdmissionRequest:
    """The request of a run; `keeps` says whether the graph has a checkpointer of its own.

    A turn inside a parent graph is told apart by its place there: the same when the parent is
    resumed, another in every call and every fork.
    """
    config = config or {}
    configurable = config.get("configurable", {})
    place, thread = configurable.get("checkpoint_ns", ""), configurable.get("thread_id")
    if place:
        inside = uuid.uuid5(_TURNS, f"{thread}:{place}").hex
        return AdmissionRequest(
            _named(input, inside),
            config,
            _given_id(input) or inside,
            None,
            _account_in(input),
            inside=True,
        )
    if isinstance(input, Mapping):
        turn_id = _given_id(input) or uuid.uuid4().hex
        alone = str(thread) if keeps and thread is not None else None
        sha = _sha_of(input) if _given_id(input) else None
        return AdmissionRequest(
            _named(input, turn_id), config, turn_id, alone, _account_in(input), request_sha=sha
        )
    return AdmissionRequest(input, config, "", None if thread is None else str(thread), "")


@contextmanager
def admitted(ledger: Ledger, request: AdmissionRequest, wait_s: float) -> Iterator[AdmittedRun]:
    """The input and configuration to run with, under a lease that is kept meanwhile. Raises
    TurnConflictError.

    A run that stops before the turn's end, because its stream was left, a person is asked, or
    something was raised, gives the lease up: the thread need not wait for it to run out.
    """
    ends = time.monotonic() + wait_s
    while True:
        try:
            asked, admission = (
                ledger.store.now(),
                ledger.store.run(admit, request.turn_id, **_asked(request)),
            )
            break
        except TurnConflictError as exc:
            time.sleep(_pause(exc, ends))
    lease = admission.turn_id, admission.fence
    ledger.leases.start_renewing(*lease, asked)
    try:
        yield _leave(request, admission)
    finally:
        if ledger.leases.stop_renewing(*lease):
            try:
                ledger.store.run(release_lease, admission.turn_id, fence=admission.fence)
            except LedgerUnavailableError as exc:
                _log.warning("The lease of turn %s was not given up: %s", admission.turn_id, exc)


@asynccontextmanager
async def admitted_async(
    ledger: Ledger, request: AdmissionRequest, wait_s: float
) -> AsyncIterator[AdmittedRun]:
    """`admitted`, on the running event loop."""
    ends = time.monotonic() + wait_s
    while True:
        try:
            asked, admission = (
                ledger.store.now(),
                await ledger.store.arun(admit, request.turn_id, **_asked(request)),
            )
            break
        except TurnConflictError as exc:
            await asyncio.sleep(_pause(exc, ends))
    lease = admission.turn_id, admission.fence
    ledger.leases.start_renewing(*lease, asked)
    try:
        yield _leave(request, admission)
    finally:
        if ledger.leases.stop_renewing(*lease):
            try:
                await ledger.store.arun(release_lease, admission.turn_id, fence=admission.fence)
            except LedgerUnavailableError as exc:
                _log.warning("The lease of turn %s was not given up: %s", admission.turn_id, exc)


def _asked(request: AdmissionRequest) -> dict[str, Any]:
    return {
        "thread": request.thread,
        "account": request.account,
        "request_sha": request.request_sha,
        "own": False,
    }


def _pause(conflict: TurnConflictError, ends: float) -> float:
    """How long to wait before asking again; raises the conflict where waiting is no help, or is
    over.
    """
    if conflict.retry_after_s is None or time.monotonic() >= ends:
        raise conflict
    return min(_LOOK_AGAIN_S, max(0.0, ends - time.monotonic()))


def _leave(request: AdmissionRequest, admission: Admission) -> AdmittedRun:
    over = (
        admission.status in ("done", "failed")
        and isinstance(request.input, Mapping)
        and not request.inside
    )
    config = request.config if request.inside else _marked(request.config, admission.turn_id)
    return AdmittedRun(request.input, _leased(config, admission), request.turn_id if over else None)


def _marked(config: RunnableConfig, turn_id: str) -> RunnableConfig:
    """With the turn's id on every checkpoint of the run, by which they are found again."""
    return {**config, "metadata": {**config.get("metadata", {}), "run_id": turn_id}}


def _leased(config: RunnableConfig, admission: Admission) -> RunnableConfig:
    lease: dict[str, str | int] = {FENCE: admission.fence}
    if admission.status in (
        "new",
        "running",
    ):  # a finished turn is walked again and forked without a lease
        lease[LEASED_TURN] = admission.turn_id
    return {**config, "configurable": {**config.get("configurable", {}), **lease}}


def lease_from(config: RunnableConfig) -> tuple[str, int] | None:
    """The turn and fence that a run was admitted with; `None` without a ledger."""
    configurable = config.get("configurable", {})
    return (configurable[LEASED_TURN], configurable[FENCE]) if LEASED_TURN in configurable else None


def _named(input: Any, turn_id: str) -> Any:
    return (
        {**input, "turn_id": _given_id(input) or turn_id} if isinstance(input, Mapping) else input
    )


def _given_id(input: Any) -> str:
    return str(input.get("turn_id") or "") if isinstance(input, Mapping) else ""


def _sha_of(input: Mapping[str, Any]) -> str:
    """What is asked, as one hash: the messages since the last answer in it, without their ids, and
    the settings.

    A client may send the whole conversation again every time; what it adds to it is what it asks.
    """
    messages, settings = input.get("messages", []), input.get("settings")
    answered = max((n for n, message in enumerate(messages, 1) if message.type == "ai"), default=0)
    asked = [message.model_dump(exclude={"id"}) for message in messages[answered:]]
    wished = None if settings is None else settings.model_dump()
    return sha256(json.dumps([asked, wished], sort_keys=True, default=str).encode()).hexdigest()


def _account_in(input: Any) -> str:
    return _account(input.get("settings")) if isinstance(input, Mapping) else ""


def _account(settings: Any) -> str:
    return account_of(settings) or ""
