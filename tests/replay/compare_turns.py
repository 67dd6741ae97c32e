"""Compares a turn with the recorded one."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from jsonschema import Draft202012Validator

from tests.replay.compare import excerpt, same_calls
from tests.replay.compare_sent import in_sent_back
from tests.replay.kept import kept_in
from tests.replay.loops import RecordedTurn, conversation_in, functions_of, result_of
from tests.replay.oracle import Call, RecordedAnswer
from turngraph.state.result import TurnResult
from turngraph.state.usage import TOKEN_FIELDS

Sent = dict[str, Any]
"""The JSON of a request as it was received."""

PLACEHOLDER = re.compile(r"REDACTED|SCRUBBED|PLACEHOLDER", re.IGNORECASE)
"""What recorders put in the place of an id. It has not the form that the vendor's ids have, so in a
request it may be replaced.
"""

Results = Sequence[tuple[str | None, str | None]]
"""Id and text of each result; None where any value is right."""


def turn_differences(
    api: str, turn: RecordedTurn, result: TurnResult, sent: list[Sent]
) -> Iterator[str]:
    """A sentence for each difference; none if the turn ran as recorded."""
    if len(sent) != len(turn.exchanges):
        yield f"requests: {len(turn.exchanges)} recorded, {len(sent)} sent ({result.error})"
        return
    if turn.media:
        yield "results: with an image or the like recorded; here they were text"
    yield from in_requests(api, turn, sent)
    yield from in_answers(turn, result)
    last = turn.said[-1]
    pairs: list[tuple[str, Any, Any]] = [
        ("status", status_of(last), result.status),
        ("answer", last.text, result.answer),
        ("usage", summed(turn.said), usage_of(result)),
    ]
    for name, recorded, found in pairs:
        if recorded != found:
            read = f"{excerpt(found)} in the turn ({result.error})"
            yield f"{name}: {excerpt(recorded)} recorded, {read}"


def in_requests(api: str, turn: RecordedTurn, sent: list[Sent]) -> Iterator[str]:
    """Checks that every request offers the tools and holds the results of all calls before it, in
    the order of the calls.
    """
    results: list[tuple[str | None, str | None]] = []
    for number, request in enumerate(sent):
        names = [function["name"] for function in functions_of(request)]
        if names != list(turn.offered):
            yield f"request {number + 1}: offers {names}, not {list(turn.offered)}"
        found = [brought for item in conversation_in(api, request) if (brought := result_of(item))]
        found = found[len(found) - len(results) :]
        if not same_results(results, found):
            yield f"request {number + 1}: brings {excerpt(found)}, not {excerpt(results)}"
        if number:
            said, kept = turn.said[number - 1], kept_in(turn.exchanges[number - 1])
            for difference in in_sent_back(api, said, kept, request):
                yield f"request {number + 1}: {difference}"
        results += expected_results(turn, number)


def expected_results(turn: RecordedTurn, number: int) -> Results:
    """The results that the next request must hold: the recorded ones, or any text for a call that
    was itself wrong.
    """
    pairs = zip(turn.said[number].calls, turn.results[number], strict=True)
    return [
        (id_if_real(call[0]), None if is_wrong(call, turn) else result) for call, result in pairs
    ]


def id_if_real(id_: str | None) -> str | None:
    """The id of a call, or None, so that any is right, for a recorder's placeholder."""
    return None if id_ is not None and PLACEHOLDER.search(id_) else id_


def is_wrong(call: Call, turn: RecordedTurn) -> bool:
    """Whether the call names no offered tool, or its arguments are invalid: then no tool runs."""
    function = turn.offered.get(call[1])
    if function is None:
        return True
    try:
        arguments = json.loads(call[2] or "{}")
    except ValueError:
        return True
    return not Draft202012Validator(function.get("parameters") or {"type": "object"}).is_valid(
        arguments
    )


def same_results(expected: Results, found: Results) -> bool:
    if len(expected) != len(found):
        return False
    return all(
        e[0] in (None, f[0]) and (e[1] == f[1] or (e[1] is None and bool(f[1])))
        for e, f in zip(expected, found, strict=True)
    )


def in_answers(turn: RecordedTurn, result: TurnResult) -> Iterator[str]:
    """Compares the calls of each answer."""
    replies = [attempt.reply for attempt in result.attempts]
    for number, (said, reply) in enumerate(zip(turn.said, replies, strict=False)):
        read = (
            []
            if reply is None
            else [(call.id, call.name, call.arguments) for call in reply.tool_calls]
        )
        if not same_calls(said.calls, read):
            yield f"answer {number + 1}: calls {excerpt(said.calls)} recorded, {excerpt(read)} read"


def status_of(last: RecordedAnswer) -> str:
    """The status the turn must end with, by its last answer. If that still calls tools, the turn
    has reached its limit of calls.
    """
    if last.error is not None:
        return "error"
    if last.truncated:
        return "truncated"
    if last.finish_reason in ("length", "content_filter"):
        return last.finish_reason
    if last.calls:
        return "limit"
    if last.refusal:
        return "refused"
    return "completed" if last.text.strip() else "empty"


def summed(said: list[RecordedAnswer]) -> dict[str, Any]:
    """The usage of all answers together, without counts that no answer reports."""
    total: Counter[str] = Counter()
    for each in said:
        for name, count in each.usage.items():
            total[name] = total[name] + count if name in total else count
    return dict(total)


def usage_of(result: TurnResult) -> dict[str, Any]:
    found = {name: getattr(result.usage, name, None) for name in (*TOKEN_FIELDS, "cost_usd")}
    return {name: value for name, value in found.items() if value is not None}
