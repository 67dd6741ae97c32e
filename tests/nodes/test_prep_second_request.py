"""prep_second_request: the request with the tools' answers, or the limit that ends the turn."""

from decimal import Decimal
from typing import Any

import pytest
from langchain_core.messages import ToolMessage

from tests.nodes.stages import (
    NOW,
    QUESTION,
    REQUEST,
    Flag,
    Recorder,
    asks,
    attempt,
    context_for,
    reply,
    run_stage,
)
from turngraph.billing import Ledger
from turngraph.nodes.prep_second_request import next_request, prep_second_request
from turngraph.state.limits import TurnLimits
from turngraph.state.result import Charge, ToolRun

MESSAGES = [QUESTION, asks("weather"), ToolMessage("rain", tool_call_id="weather", id="t")]
RUN = ToolRun(
    call_id="weather",
    name="weather",
    arguments="{}",
    status="ok",
    content="rain",
    seconds=1,
    order=0,
)
CHARGE = Charge(
    id="call1.1",
    kind="completion",
    attempt_id="call1.1",
    vendor="openai",
    model="gpt-4o-mini",
    amount_usd=Decimal("0.02"),
)


def state(**keys: Any) -> dict[str, Any]:
    given = {
        "messages": MESSAGES,
        "turn_id": "turn",
        "settings": None,
        "started_at": NOW,
        "plugins": [],
        "request": REQUEST,
        "attempts": [attempt()],
        "tool_runs": [RUN],
        "charges": [CHARGE],
    }
    return {**given, **keys}


def test_the_request_goes_out_again_unchanged() -> None:
    """The history stands in `messages`, so the request is the same. Nothing is held for it."""
    patch = run_stage(prep_second_request, state(), context_for())
    assert (patch["request"], patch["reservation"], patch["outcome"]) == (REQUEST, None, None)


def test_with_a_ledger_the_request_has_a_new_reservation() -> None:
    """Every call holds money of its own."""
    with Ledger("sqlite://") as ledger:
        patch = run_stage(prep_second_request, state(), context_for(ledger=ledger))
    assert (patch["reservation"], patch["outcome"]) == ("task", None)


@pytest.mark.parametrize(
    ("limits", "kind", "named"),
    [
        (TurnLimits(calls=1), "limit", "`limits.calls` is 1"),
        (TurnLimits(tokens=15), "limit", "`limits.tokens` is 15"),
        (TurnLimits(usd=Decimal("0.02")), "cost_limit", "`limits.usd` is 0.02"),
        (TurnLimits(seconds=30), "time_limit", "`limits.seconds` is 30"),
    ],
)
def test_a_limit_ends_the_turn_and_is_named(limits: TurnLimits, kind: str, named: str) -> None:
    """The caller reads which limit it was, and what was used."""
    seen = Recorder()
    context = context_for(limits=limits, subscribers=(seen,))
    patch = run_stage(prep_second_request, state(started_at=NOW - 31), context)
    assert patch.keys() == {"outcome"}
    assert (patch["outcome"].status, patch["outcome"].error.kind) == ("limit", kind)
    assert named in patch["outcome"].error.message
    assert seen.types == ["charge_declined"]


def test_a_cancelled_turn_asks_no_further() -> None:
    """Even if a limit is reached too: the caller knows why they stopped it."""
    context = context_for(cancel=Flag(), limits=TurnLimits(calls=1))
    assert run_stage(prep_second_request, state(), context)["outcome"].status == "cancelled"


@pytest.mark.parametrize(
    ("choice", "then"),
    [("required", "auto"), ("weather", "auto"), ("auto", "auto"), ("none", "none"), (None, None)],
)
def test_a_tool_is_forced_once(choice: str | None, then: str | None) -> None:
    """Forced again, the model would call it forever."""
    request = REQUEST.model_copy(update={"tool_choice": choice})
    assert next_request(request, [attempt()]).tool_choice == then


def test_a_conversation_that_the_vendor_keeps_goes_on_from_the_last_answer() -> None:
    """The first request named an older response."""
    request = REQUEST.model_copy(update={"previous_response_id": "resp_1"})
    answered = attempt(reply=reply(response_id="resp_2"))
    assert next_request(request, [answered]).previous_response_id == "resp_2"
    assert next_request(request, [attempt()]).previous_response_id == "resp_1"
    assert next_request(REQUEST, [answered]).previous_response_id is None
