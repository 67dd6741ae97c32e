"""What a run asks to be admitted as: which turn it is, of which thread and account."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot

from turngraph.nodes.support.stage_context import IDENTITY, NEW_TURN, TurnOpening
from turngraph.state.turn import TurnSettings, account_of

__all__ = ["AdmissionRequest", "admission_request_for"]

_TURN_NAMESPACE: Final = uuid.UUID("0f0ac1cb-7b0e-5d0b-9d6e-8a53f0a3c6f4")
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
        given_id = _turn_id_in(input)
        turn_id = given_id or uuid.uuid4().hex
        own_thread = str(thread) if keeps_threads and thread is not None else None
        is_new = not given_id or given_id == configurable.get(NEW_TURN)
        is_unknown = own_thread is None and is_new
        return AdmissionRequest(
            _with_turn_id(input, turn_id),
            config,
            turn_id,
            own_thread,
            _account_in(input),
            opening=TurnOpening() if is_unknown else None,
            identity=None if _names_checkpoint(config) else turn_id,
            request_sha=None if is_new else _sha_of(input),
        )
    return AdmissionRequest(input, config, "", None if thread is None else str(thread), "")


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
