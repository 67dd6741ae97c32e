"""finalize: the result of a turn, and a thread that the next turn can use."""

from decimal import Decimal
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, ToolMessage

from tests.nodes.stages import (
    NOW,
    QUESTION,
    REQUEST,
    Recorder,
    asks,
    attempt,
    context_for,
    ids,
    reply,
    run_stage,
)
from turngraph.nodes.finalize import finalize
from turngraph.nodes.support.stop_reason import CANCELLED, unsendable
from turngraph.state.limits import TurnLimits
from turngraph.state.result import Charge, ToolRun, TurnResult
from turngraph.state.turn import SelectedPlugin, TurnOutcome

ANSWER = AIMessage("42.", id="a")
DONE = TurnOutcome(status="completed")


def state(**keys: Any) -> dict[str, Any]:
    given = {
        "messages": [QUESTION, ANSWER],
        "turn_id": "turn",
        "started_at": NOW - 3,
        "first_message": 0,
        "request": REQUEST,
        "plugins": [],
        "attempts": [attempt()],
        "tool_runs": [],
        "charges": [],
        "outcome": DONE,
    }
    return {**given, **keys}


def result_of(context: Any = None, **keys: Any) -> TurnResult:
    patch = run_stage(finalize, state(**keys), context or context_for())
    assert patch["status"] == "done"
    result = patch["result"]
    assert isinstance(result, TurnResult)
    return result


def charge(amount: str | None, **fields: Any) -> Charge:
    given: dict[str, Any] = {"id": f"c{amount}", "kind": "completion", "attempt_id": "x"}
    usd = None if amount is None else Decimal(amount)
    return Charge(**given, vendor="openai", model="m", amount_usd=usd, **fields)


def test_the_result_has_the_last_answer_and_the_sums() -> None:
    """What most callers read: the text, the usage of all calls, the cost."""
    attempts = [attempt(1, reply=reply("thinking")), attempt(2, reply=reply("42."))]
    result = result_of(attempts=attempts, charges=[charge("0.01"), charge("0.02")])
    assert (result.status, result.answer, result.seconds) == ("completed", "42.", 3.0)
    assert result.usage is not None
    assert (result.usage.input_tokens, result.usage.output_tokens) == (20, 10)
    assert (result.cost_usd, result.unpriced) == (Decimal("0.03"), False)


def test_an_unknown_price_is_not_zero() -> None:
    """The sum says that it is not everything."""
    result = result_of(charges=[charge("0.01"), charge(None, unpriced=True)])
    assert (result.cost_usd, result.unpriced) == (Decimal("0.01"), True)


def test_a_limit_on_usd_that_could_not_hold_is_a_warning() -> None:
    """A call without a price is not counted by it."""
    context = context_for(limits=TurnLimits(usd=Decimal(1)))
    result = result_of(context, charges=[charge(None, unpriced=True)])
    assert "`limits.usd` does not count" in result.warnings[0]


def test_the_turns_own_messages_are_named() -> None:
    """From the last question on; what the thread had before is not this turn's."""
    old = [HumanMessage("Hi", id="h"), AIMessage("Hello!", id="old")]
    result = result_of(messages=[*old, QUESTION, ANSWER], first_message=2)
    assert result.message_ids == ("q", "a")


def test_tool_runs_stand_in_the_order_of_the_calls() -> None:
    """Whichever tool ended first."""
    fields: dict[str, Any] = {"arguments": "{}", "status": "ok", "content": "", "seconds": 0}
    runs = [ToolRun(call_id=f"c{n}", name="t", order=n, **fields) for n in (2, 0, 1)]
    assert [run.order for run in result_of(tool_runs=runs).tool_runs] == [0, 1, 2]


def test_a_warning_that_every_attempt_repeats_is_given_once() -> None:
    """Retries send the same request."""
    attempts = [attempt(n, warnings=("`seed` was left out.",)) for n in (1, 2)]
    assert result_of(attempts=attempts).warnings == ("`seed` was left out.",)


def test_the_plugins_are_named() -> None:
    """Those that were selected, joined or not."""
    plugins = [SelectedPlugin(name="shop", directive="llm", joined=False)]
    assert result_of(plugins=plugins).plugins == ("shop",)


def test_a_call_that_never_ran_gets_an_answer() -> None:
    """A vendor would refuse the next request of the thread without it."""
    told = ToolMessage("rain", tool_call_id="weather", id="t")
    given = state(messages=[QUESTION, asks("weather", "search"), told], outcome=CANCELLED)
    patch = run_stage(finalize, given, context_for())
    [added] = patch["messages"]
    assert added.tool_call_id == "search"
    assert added.content == "Not run. The caller cancelled the turn."
    assert added.id in patch["result"].message_ids


def test_a_message_that_cannot_be_sent_is_removed() -> None:
    """It would end every later turn of the thread; the caller reads that it is gone."""
    odd = HumanMessage([{"type": "odd", "x": 1}], id="odd")
    given = state(messages=[QUESTION, ANSWER, odd], outcome=unsendable("odd"), attempts=[])
    patch = run_stage(finalize, given, context_for())
    assert [type(message) for message in patch["messages"]] == [RemoveMessage]
    assert ids(patch["messages"]) == ["odd"]
    assert "1 of the conversation's messages" in patch["result"].warnings[0]


def test_a_message_that_can_be_sent_stays() -> None:
    """A wrong setting is no fault of the conversation."""
    given = state(messages=[QUESTION], outcome=unsendable("no such tool"), attempts=[])
    assert "messages" not in run_stage(finalize, given, context_for())


def test_the_caller_may_replace_the_result() -> None:
    """Listeners and the state get the replaced one."""
    seen = Recorder()

    def redact(result: TurnResult) -> TurnResult:
        return result.model_copy(update={"status": "refused", "answer": ""})

    result = result_of(context_for(on_finish=redact, subscribers=(seen,)))
    assert (result.status, result.answer) == ("refused", "")
    assert [event.status for event in seen.events] == ["refused"]  # type: ignore[attr-defined]
