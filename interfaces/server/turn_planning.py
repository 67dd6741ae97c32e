"""Decides what a request runs: a new turn, or one that waits for the answers it brings."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from langchain_core.messages import BaseMessage, SystemMessage
from langgraph.types import Command, Interrupt

from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.served_models import ModelSet, ServedModel
from turngraph.interfaces.server.turn_request import CallPlace, TurnRequest, call_id
from turngraph.interfaces.server.turn_runs import TurnPlan
from turngraph.state.turn import TurnInput, TurnSettings

__all__ = [
    "find_model",
    "may_ask",
    "plan_turn",
    "resumed",
    "settings_for",
    "thread_id",
    "token_for",
    "token_of",
]


_NAMED: Final = 10
"""How many models an error names."""


def thread_id(caller: Caller, model: str, token: str) -> str:
    """The id of a thread. The account is in it, so that no other account can name the thread."""
    return "/".join((quote(caller.account, safe=""), quote(model, safe=""), token))


def token_of(thread: str) -> str:
    """The last part of a thread's id, which the server minted."""
    return thread.rpartition("/")[2]


def token_for(caller: Caller, key: str | None) -> str:
    """A new token; with an `Idempotency-Key` always the same one for the same account and key."""
    if key is None:
        return secrets.token_hex(12)
    return sha256(f"{quote(caller.account, safe='')} {key}".encode()).hexdigest()[:24]


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


async def plan_turn(
    request: TurnRequest, caller: Caller, models: ModelSet, key: str | None
) -> Sequence[TurnPlan]:
    """The ways to answer `request`, to be tried in order.

    Args:
        key: the request's `Idempotency-Key`.

    Raises ServerError for a model or a tool that the caller may not use, and for answers that leave
    out a call of the turn that waits.
    """
    model = find_model(models, request.model, caller)
    if request.settings.caller_tools and "tools" not in caller.scopes:
        raise ServerError(403, "This key may not offer tools of its own.", param="tools")
    waiting = await _waiting_turn(request, caller, model)
    if waiting is not None:
        return [waiting]
    fallbacks, token = model.config.fallbacks, token_for(caller, key)
    # A caller that may ask a model may have it answered by the models behind it.
    chain = [model, *(models.models[each.model] for each in fallbacks)]
    kinds = [*(each.on for each in fallbacks), ()]
    return [
        replace(_new_turn(request, caller, one, token, keeps=key is not None), next_on=next_on)
        for one, next_on in zip(chain, kinds, strict=True)
    ]


def _new_turn(
    request: TurnRequest, caller: Caller, model: ServedModel, token: str, *, keeps: bool
) -> TurnPlan:
    messages = list(request.messages)
    thread = thread_id(caller, model.name, token)
    if not model.is_turn:
        if request.settings.caller_tools:
            raise ServerError(
                400,
                f"`{model.name}` runs its own tools and takes none from clients.",
                param="tools",
                code="unsupported_parameter",
            )
        return TurnPlan(model, {"messages": messages}, thread, token, len(messages))
    given: TurnInput = {
        "messages": [*messages],
        "turn_id": thread,
        "settings": settings_for(request.settings, messages, caller, model),
    }
    may_stop = bool(request.settings.caller_tools) or model.asks_person
    kept = thread if keeps or may_stop else None
    return TurnPlan(model, given, kept, token, len(messages))


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


async def _waiting_turn(
    request: TurnRequest, caller: Caller, model: ServedModel
) -> TurnPlan | None:
    """The turn that goes on with what `request` brings; None if no turn waits for it."""
    given = {**request.answers, **request.decisions}
    tokens = {place.token for place in given}
    if len(tokens) != 1:
        return None
    token = tokens.pop()
    return await resumed(model, thread_id(caller, model.name, token), token, token, given)


async def resumed(
    model: ServedModel, thread: str, asked: str, token: str, given: Mapping[CallPlace, Any]
) -> TurnPlan | None:
    """The turn on `thread`, going on with the answers `given`; None if it does not wait for them.

    Args:
        asked: the token of the ids under which its calls are known.
        token: the token of the ids of the calls that follow.

    Raises ServerError (400) if an answer is missing.
    """
    state = await model.kept.aget_state({"configurable": {"thread_id": thread}})
    waiting = {_place(each, asked): each for each in state.interrupts}
    if not waiting or not given.keys() <= waiting.keys():
        return None
    _check_all_answered(given, waiting)
    return TurnPlan(
        model,
        Command(resume={waiting[place].id: answer for place, answer in given.items()}),
        thread,
        token,
        len(state.values.get("messages", ())),
        frozenset(charge.id for charge in state.values.get("charges") or ()),
    )


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
