"""What both APIs need to decide what a request runs: a new turn, or one that waits for it."""

import json
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from langchain_core.messages import BaseMessage, SystemMessage
from langgraph.types import Command, Interrupt

from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.rate_limits.limiter import estimated_tokens
from turngraph.interfaces.server.request_rows import ResponseRow
from turngraph.interfaces.server.served_models import ModelSet, ServedModel
from turngraph.interfaces.server.turn_request import CallPlace, TurnRequest, call_id
from turngraph.interfaces.server.turn_runs import TurnPlan
from turngraph.nodes.support.approval import DECISIONS, read_decision
from turngraph.state.errors import ErrorKind
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.turn import TurnSettings

__all__ = [
    "digest_of",
    "find_model",
    "gone_on",
    "holder_of",
    "idempotency_key",
    "in_order",
    "may_ask",
    "resumed",
    "resumes_of",
    "settings_for",
    "token_for",
    "token_of",
    "tokens_needed",
    "unless_begun",
]


_HOW_ANSWERED: Final = ("stream", "stream_options")
"""Members of a request that say how its answer is sent."""
_NAMED: Final = 10
"""How many models an error names."""


def token_of(thread: str) -> str:
    """The last part of a thread's id, which the server minted."""
    return thread.rpartition("/")[2]


def token_for(caller: Caller, api: str, key: str | None) -> str:
    """A new token; with an `Idempotency-Key` always the same one for one account, API and key."""
    if key is None:
        return secrets.token_hex(12)
    return sha256(f"{quote(caller.account, safe='')} {api} {key}".encode()).hexdigest()[:24]


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """The `Idempotency-Key` of a request, if it has one.

    Raises ServerError (400) if it is empty.
    """
    key = headers.get("idempotency-key")
    if key is None or key.strip():
        return key
    raise ServerError(
        400,
        "The `Idempotency-Key` is empty. Send one that is new for each request, or none.",
        code="invalid_idempotency_key",
    )


def digest_of(body: JsonMapping) -> str:
    """SHA-256 of what a request asks. Whether it is streamed changes nothing of that."""
    asked = {name: value for name, value in body.items() if name not in _HOW_ANSWERED}
    return sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def find_model(models: ModelSet, name: str, caller: Caller) -> ServedModel:
    """The model `name`. Raises ServerError (404) if there is none that `caller` may ask."""
    found = models.models.get(name)
    if found is None or not may_ask(caller, name):
        raise ServerError(
            404,
            f"There is no model `{name[:100]}` that this key may ask. It may ask: "
            f"{_models_like(name[:100], models, caller)}.",
            type="invalid_request_error",
            code="model_not_found",
            param="model",
        )
    return found


def _models_like(name: str, models: ModelSet, caller: Caller) -> str:
    """Some of the models that `caller` may ask, those with the most similar names first."""
    known = [each for each in models.models if may_ask(caller, each)]
    similar = get_close_matches(name, known, n=_NAMED, cutoff=0.5)
    named = [*similar, *(each for each in known if each not in similar)][:_NAMED]
    more = len(known) - len(named)
    rest = f" and {more} more, which `GET /v1/models` lists" if more else ""
    return ", ".join(f"`{each}`" for each in named) + rest or "none"


def may_ask(caller: Caller, name: str) -> bool:
    """Whether `caller` may ask the model `name`."""
    return "models" in caller.scopes and (caller.models is None or name in caller.models)


def in_order(
    model: ServedModel, models: ModelSet, plan_of: Callable[[ServedModel, int], TurnPlan]
) -> list[TurnPlan]:
    """The plans of a model and of those behind it, in the order in which they are tried.

    `plan_of` makes the plan of one, whose place in the order is counted from 1. A caller that may
    ask a model may have it answered by the models behind it.
    """
    fallbacks = model.config.fallbacks
    chain = [model, *(models.models[each.model] for each in fallbacks)]
    kinds: list[Collection[ErrorKind]] = [*(each.on for each in fallbacks), ()]
    return [
        replace(plan_of(one, n), next_on=next_on) if next_on else plan_of(one, n)
        for n, (one, next_on) in enumerate(zip(chain, kinds, strict=True), 1)
    ]


def settings_for(
    asked: TurnSettings, messages: Sequence[BaseMessage], caller: Caller, model: ServedModel
) -> TurnSettings:
    """What the client asks for, with who pays, and its system message behind the server's own."""
    changes: dict[str, Any] = {"account": caller.account, "api_key_id": caller.key_id}
    own, first = model.config.system, messages[0] if messages else None
    if own is not None and asked.system is not None:
        changes["system"] = f"{own}\n\n{asked.system}"
    elif own is not None and isinstance(first, SystemMessage):
        changes["system"] = f"{own}\n\n{first.text}"
    return asked.model_copy(update=changes)


def tokens_needed(asked: TurnSettings, plans: Sequence[TurnPlan], body_bytes: int) -> int:
    """About how many tokens a request of `body_bytes` needs, for the rate limits."""
    return estimated_tokens(body_bytes, asked.max_tokens or plans[0].model.max_tokens)


async def resumed(
    model: ServedModel, thread: str, asked: str, token: str, given: Mapping[CallPlace, Any]
) -> TurnPlan | None:
    """The turn on `thread`, going on with the answers `given`; None if it does not wait for them.

    Args:
        asked: the token of the ids under which its calls are known.
        token: the token of the ids of the calls that follow.

    Raises ServerError (400) if an answer is missing, or is no decision where one is asked for.
    """
    state = await model.kept.aget_state({"configurable": {"thread_id": thread}})
    waiting = {_place(each, asked): each for each in state.interrupts}
    if not waiting or not given.keys() <= waiting.keys():
        return None
    _check_all_answered(given, waiting)
    _check_decisions(given, waiting)
    return TurnPlan(
        model,
        Command(resume={waiting[place].id: answer for place, answer in given.items()}),
        thread,
        token,
        len(state.values.get("messages", ())),
        frozenset(charge.id for charge in state.values.get("charges") or ()),
    )


def resumes_of(plan: TurnPlan, request: TurnRequest) -> JsonObject | None:
    """What is stored of a plan that `resumed` has made, for `gone_on`; None for other plans."""
    if not isinstance(plan.given, Command):
        return None
    [asked] = {place.token for place in {**request.answers, **request.decisions}}
    return {"token": asked, "charges": sorted(plan.charges_before)}


def holder_of(row: ResponseRow, models: ModelSet) -> ServedModel:
    """The model on whose graph a stored thread is: the one that was asked, or one behind it.

    Raises ServerError (404) if it is not served any more.
    """
    if row.holder in models.models:
        return models.models[row.holder]
    raise ServerError(
        404,
        f"The model `{row.holder}`, which has answered so far, is not served any more. Begin anew.",
        type="invalid_request_error",
        code="model_not_found",
    )


def gone_on(model: ServedModel, row: ResponseRow, token: str) -> TurnPlan:
    """The turn of a request whose process has died after the turn had got what it waited for.

    It goes on from where its thread is, which may be its end. `token` is as for `resumed`.
    """
    assert row.resumes is not None, "the request has resumed a turn"
    charges = frozenset(row.resumes["charges"])
    return TurnPlan(model, None, row.thread, token, row.first, charges)


async def unless_begun(plan: TurnPlan, new: int) -> TurnPlan:
    """The plan of a request whose process has died: without its input, if that is stored already.

    `new` is how many messages the request adds. A turn sees by its id whether it was begun; a graph
    of the user's own would be given its input a second time.
    """
    if plan.model.is_turn or plan.thread is None:
        return plan
    state = await plan.model.kept.aget_state({"configurable": {"thread_id": plan.thread}})
    has_input = len(state.values.get("messages", ())) > plan.messages_before - new
    return replace(plan, given=None) if state.next or has_input else plan


def _place(question: Interrupt, token: str) -> CallPlace:
    value = question.value if isinstance(question.value, dict) else {}
    return CallPlace(token, int(value.get("order", 0)))


def _check_all_answered(
    given: Mapping[CallPlace, Any], waiting: Mapping[CallPlace, Interrupt]
) -> None:
    missing = [call_id(*place) for place in waiting if place not in given]
    if missing:
        raise ServerError(
            400,
            f"The turn waits for `{missing[0]}` too: send the results of all tool calls, and the "
            "decisions about all approvals, in one request.",
            param="messages",
            code="missing_tool_result",
        )


def _check_decisions(
    given: Mapping[CallPlace, Any], waiting: Mapping[CallPlace, Interrupt]
) -> None:
    for place, answer in given.items():
        asked = waiting[place].value
        is_approval = isinstance(asked, dict) and asked.get("type") == "tool_approval"
        if is_approval and read_decision(answer) is None:
            name = call_id(*place)
            raise ServerError(
                400,
                f"The answer to `{name}` is no decision, and nothing was run. Allowed: "
                f"{DECISIONS}.",
                param=f"turngraph.decisions.{name}",
                code="invalid_decision",
            )
