"""Recorded tool loops as turns: how they are split, that they run, that differences are found."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.replay.compare_turns import turn_differences
from tests.replay.loops import RecordedTurn, Thread, threads_in, threads_of
from tests.replay.record import OWN
from tests.replay.recordings import Recording, load
from tests.replay.test_replay import run
from tests.replay.turns import replayed_turns
from turngraph.state.result import TurnResult

TOOL = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {}}},
}
USER = {"role": "user", "content": "2 + 2?"}


def calling(*ids: str) -> dict[str, Any]:
    calls = [
        {"id": id_, "type": "function", "function": {"name": "add", "arguments": "{}"}}
        for id_ in ids
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(id_: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": text}


def exchange(index: int, messages: list[Any], answer: Any, follows: int | None = None) -> Recording:
    message = answer if isinstance(answer, dict) else {"role": "assistant", "content": answer}
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    usage = {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}
    body = {
        "id": f"c{index}",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": usage,
    }
    return {
        "id": f"rec_{index}",
        "vendor": "openai",
        "api": "chat",
        "streaming": False,
        "request": {"body": {"model": "gpt-4o-mini", "messages": messages, "tools": [TOOL]}},
        "response": {"status": 200, "headers": {"content-type": "application/json"}, "body": body},
        "sequence": {"cassette": "cas_1", "index": index, "count": 3}
        | ({} if follows is None else {"follows": follows, "by": "tool_results"}),
    }


ASKED = [USER, calling("a", "b")]
TOLD = [*ASKED, result("b", "5"), result("a", "4")]
FIRST = exchange(0, [USER], calling("a", "b"))
LOOP = [FIRST, exchange(1, TOLD, "It is 4.", 0)]


def found_in(threads: list[Thread]) -> list[str]:
    return [line for _, lines in replayed_turns(threads) for line in lines]


def test_results_and_nothing_behind_them_go_on_with_the_turn() -> None:
    """Results are put in the order of the calls, whatever their order in the recording."""
    [thread] = threads_in(LOOP)
    [turn] = thread.turns
    assert (turn.new, turn.results, len(turn.exchanges)) == ([USER], [["4", "5"], []], 2)
    assert found_in([thread]) == []


def test_something_new_behind_the_results_is_the_next_turn_of_the_thread() -> None:
    """The first turn ends at its limit of calls with its results in the thread, and the second
    turn sends them.
    """
    [thread] = threads_in(
        [FIRST, exchange(1, [*TOLD, {"role": "user", "content": "Quick!"}], "4", 0)]
    )
    assert [turn.new for turn in thread.turns] == [[USER], [{"role": "user", "content": "Quick!"}]]
    assert found_in([thread]) == []


def test_a_client_that_went_on_twice_from_one_answer_had_two_threads() -> None:
    """Otherwise the exchanges of one would be played into a turn of the other."""
    threads = list(threads_in([*LOOP, exchange(2, TOLD, "Four.", 0)]))
    assert [thread.id for thread in threads] == ["rec_1", "rec_2"]
    assert found_in(threads) == []


def test_wrong_calls_are_told_to_the_model_in_place_of_a_result() -> None:
    """No tool may run on invalid arguments, whatever the recorded client did with them."""
    wrong = copy.deepcopy(LOOP)
    for message in (
        wrong[0]["response"]["body"]["choices"][0]["message"],
        wrong[1]["request"]["body"]["messages"][1],
    ):
        message["tool_calls"][0]["function"]["arguments"] = '{"a": '
    assert found_in(list(threads_in(wrong))) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda turn, sent: sent.pop(), "requests: "),
        (lambda turn, sent: sent[1].pop("tools"), "request 2: offers "),
        (lambda turn, sent: sent[1]["messages"].pop(), "request 2: brings "),
        (lambda turn, sent: sent[1]["messages"].reverse(), "request 2: brings "),
        (lambda turn, sent: sent[1]["messages"][-1].update(content="6"), "request 2: brings "),
        (lambda turn, sent: sent[1]["messages"][-1].update(tool_call_id="c"), "request 2: brings "),
        (lambda turn, sent: turn.said[0].calls.pop(), "request 2: brings "),
        (
            lambda turn, sent: setattr(
                turn.said[0], "calls", [("a", "add", "{}"), ("b", "sub", "{}")]
            ),
            "answer 1: ",
        ),
        (lambda turn, sent: setattr(turn.said[1], "text", "It is 5."), "answer: "),
        (lambda turn, sent: setattr(turn.said[1], "text", ""), "status: "),
        (lambda turn, sent: turn.said[0].usage.update(input_tokens=3), "usage: "),
    ],
)
def test_a_turn_that_goes_wrong_is_named(
    change: Callable[[RecordedTurn, Any], Any], named: str
) -> None:
    """Every kind of difference is found by itself."""
    turn, result_, sent = went_well()
    assert list(turn_differences("chat", turn, result_, sent)) == []
    change(turn, sent)
    if named == "request 2: brings " and len(turn.said[0].calls) == 1:
        turn.results[0].pop()
    assert [
        line for line in turn_differences("chat", turn, result_, sent) if line.startswith(named)
    ]


def went_well() -> tuple[RecordedTurn, TurnResult, list[Any]]:
    """The loop, its result and the requests, of a turn that ran as recorded."""
    from tests.replay.server import answering
    from tests.replay.turns import Tape, run as run_turn

    [thread] = threads_in(LOOP)
    turn = thread.turns[0]
    tape = Tape(list(turn.exchanges))
    with answering(tape.play) as host:
        found = run_turn(thread, turn, f"{host}/v1", None, None)
    return turn, found, json.loads(json.dumps(tape.sent))


def test_every_loop_of_the_scripted_model_runs_as_a_turn() -> None:
    """Both APIs, JSON and streams, several calls at once, arguments that are not JSON."""
    threads = list(threads_of(load(OWN.parent)))
    assert run(OWN.parent, "--turns") == (0, [f"{len(threads)} passed, 0 failed"])
    assert len(threads) == 12
