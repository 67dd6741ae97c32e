"""An answer given before, given again at no cost: found by turn, place and request, and by nothing
less.
"""

from typing import Any

import pytest

from turngraph.billing.store.calls import Call, CostAttribution
from turngraph.billing.store.replay import is_recorded, replay

FIRST = Call(
    attribution=CostAttribution(thread="t", turn="u"), vendor="openai", model="gpt-5", seq=1
)


@pytest.fixture
def answered(book: Any) -> Any:
    """A ledger in which the call was answered and charged."""
    begun = book.begin(call=FIRST)
    book.answer(begun.attempt_id)
    book.settle(begun.attempt_id)
    return book


@pytest.mark.parametrize(
    ("call", "sha", "found"),
    [
        (FIRST, "sha", True),
        (FIRST, "other", False),
        (FIRST.model_copy(update={"seq": 2}), "sha", False),
        (FIRST.model_copy(update={"seq": None}), "sha", False),
        (FIRST.model_copy(update={"kind": "tool"}), "sha", False),
        (
            FIRST.model_copy(update={"attribution": CostAttribution(thread="t", turn="inner")}),
            "sha",
            True,
        ),
        (
            FIRST.model_copy(update={"attribution": CostAttribution(thread="other", turn="u")}),
            "sha",
            True,
        ),
        (
            FIRST.model_copy(update={"attribution": CostAttribution(thread="other", turn="v")}),
            "sha",
            False,
        ),
        (FIRST.model_copy(update={"attribution": CostAttribution()}), "sha", False),
    ],
    ids=["same", "sha", "place", "no place", "kind", "thread", "turn", "neither", "nobody"],
)
def test_an_answer_is_found_by_its_turn_its_place_and_its_request(
    answered: Any, call: Call, sha: str, found: bool
) -> None:
    """Anything else is another question, and another's answer would be a lie."""
    assert answered.ledger.store.read(is_recorded, call, request_sha=sha) == found
    begun = answered.ledger.store.run(replay, call, call_id="again", request_sha=sha)
    assert (begun is not None) == found
    assert answered.verified()


def test_a_replayed_call_is_a_row_that_costs_nothing(answered: Any) -> None:
    """Reports see that it was made, and how; no tokens are counted twice, and money held for it is
    let go.
    """
    answered.reserve("r", call=FIRST)
    begun = answered.ledger.store.run(
        replay, FIRST, call_id="again", request_sha="sha", reservation="r"
    )
    row = answered.row("again.1")
    assert begun.reply == '{"text": "4"}'
    assert (row["state"], row["basis"], row["charge_nano"], row["usage"]) == (
        "settled",
        "replayed",
        0,
        None,
    )
    assert row["note"] == "replayed from c.1"
    assert answered.row("r.0")["state"] == "released"
    assert answered.settle("again.1", "0.004").amount_usd == 0
    assert answered.verified()


def test_a_replayed_call_is_resumed_as_any_other(answered: Any) -> None:
    """A second try finds what the first entered; a call that was begun in earnest stays one."""
    assert (
        answered.ledger.store.run(replay, FIRST, call_id="again", request_sha="sha").attempt_id
        == "again.1"
    )
    assert answered.ledger.store.run(replay, FIRST, call_id="again", request_sha="sha") is None
    assert answered.begin("again", call=FIRST).reply == '{"text": "4"}'
    answered.begin("earnest", call=FIRST)
    assert answered.ledger.store.run(replay, FIRST, call_id="earnest", request_sha="sha") is None
