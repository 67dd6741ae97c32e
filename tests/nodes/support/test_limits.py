"""When a turn has used enough."""

from decimal import Decimal
from typing import Any

import pytest

from tests.nodes.stages import attempt, reply
from turngraph.nodes.support.limits import over_limit, over_time
from turngraph.state.limits import TurnLimits
from turngraph.state.result import Charge, ToolRun

RUN = ToolRun(call_id="c", name="t", arguments="", status="ok", content="", seconds=0, order=0)


def charge(usd: str | None) -> Charge:
    amount = None if usd is None else Decimal(usd)
    fields: Any = {"id": "c", "kind": "completion", "attempt_id": "c", "vendor": "v", "model": "m"}
    return Charge(**fields, amount_usd=amount)


@pytest.mark.parametrize(
    ("limits", "used", "kind"),
    [
        (TurnLimits(), {}, None),
        (TurnLimits(calls=2), {"attempts": [attempt()]}, None),
        (TurnLimits(calls=2), {"attempts": [attempt(), attempt()]}, "limit"),
        (TurnLimits(tool_calls=1), {"tool_runs": [RUN]}, None),
        (TurnLimits(tool_calls=1), {"tool_runs": [RUN], "more_tool_calls": 1}, "limit"),
        (TurnLimits(tool_calls=0), {"more_tool_calls": 1}, "limit"),
        (TurnLimits(tokens=16), {"attempts": [attempt()]}, None),
        (TurnLimits(tokens=15), {"attempts": [attempt()]}, "limit"),
        (TurnLimits(tokens=1), {"attempts": [attempt(reply=reply(usage=None))]}, None),
        (TurnLimits(tokens=1), {"attempts": [attempt(reply=None)]}, None),
        (TurnLimits(usd=Decimal("0.03")), {"charges": [charge("0.02"), charge(None)]}, None),
        (TurnLimits(usd=Decimal("0.03")), {"charges": [charge("0.02")] * 2}, "cost_limit"),
        (TurnLimits(seconds=10), {"seconds": 9.9}, None),
        (TurnLimits(seconds=10), {"seconds": 10.0}, "time_limit"),
    ],
)
def test_a_limit_is_reached_when_it_is_used_up(
    limits: TurnLimits, used: dict[str, Any], kind: str | None
) -> None:
    """Not a call earlier; what nobody knows counts as nothing."""
    outcome = over_limit(limits, **used)
    if kind is None:
        assert outcome is None
        return
    assert outcome is not None
    assert outcome.error is not None
    assert (outcome.status, outcome.error.kind) == ("limit", kind)


def test_tool_calls_may_run_after_the_last_call_to_the_model() -> None:
    """Their answers are in the thread for the next turn; the next request is refused."""
    limits, attempts = TurnLimits(calls=1), [attempt()]
    assert over_limit(limits, attempts=attempts, more_tool_calls=1) is None
    assert over_limit(limits, attempts=attempts) is not None


def test_the_message_says_what_was_used_and_what_is_allowed() -> None:
    """A caller can raise the limit that is named."""
    outcome = over_time(TurnLimits(seconds=2), 2.25)
    assert outcome is not None
    assert outcome.error is not None
    assert outcome.error.message == "The turn has run for 2.2 seconds; `limits.seconds` is 2."
