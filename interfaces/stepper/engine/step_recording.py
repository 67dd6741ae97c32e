"""Writes what the steps of a walk have sent and received as a recording, which `replay_cassette`
replays. No key is in it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from turngraph.interfaces.stepper.engine.recording import without_secrets
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.task_controller import TaskRun
from turngraph.interfaces.stepper.engine.wire_request import request_of
from turngraph.scripted.cassettes import PATHS
from turngraph.state.json_types import JsonObject
from turngraph.state.result import Attempt

__all__ = ["is_turn_over", "recorded_lines"]

_NAME: Final = "turn"
_ABOUT_STREAMS: Final = frozenset(("stream", "stream_options"))


def recorded_lines(steps: Iterable[Step]) -> list[str]:
    """Returns a line of JSON for each request of the last turn that was answered, in their order.

    Of one turn, because a recording is replayed as one. A step keeps the answer as one value, so a
    streamed request is recorded as one that was not.
    """
    runs = [run for run in _last_turn(steps) if run.task.calls_model]
    answered = [pair for run in runs for pair in _answered(run)]
    return [_line(index, run, attempt) for index, (run, attempt) in enumerate(answered)]


def is_turn_over(steps: Iterable[Step]) -> bool:
    """Whether the last turn has come to its end."""
    return any(run.task.node == "finalize" for run in _last_turn(steps))


def _last_turn(steps: Iterable[Step]) -> list[TaskRun]:
    """The stages that ran of the turn that asked the model last; empty if none has."""
    stages = [run for step in steps for run in step.runs if run.task.stage is not None]
    asked = [run for run in stages if run.task.calls_model]
    if not asked:
        return []
    turn = [run for run in stages if run.task.namespace == asked[-1].task.namespace]
    begins = [place for place, run in enumerate(turn) if run.task.node == "prep_first_request"]
    return turn[begins[-1] :] if begins else turn


def _answered(run: TaskRun) -> Iterator[tuple[TaskRun, Attempt]]:
    """The attempts of a run to which an answer came, an error of the vendor included."""
    attempts = run.output.get("attempts", ()) if isinstance(run.output, Mapping) else ()
    for attempt in attempts:
        if isinstance(attempt, Attempt) and _response(attempt) is not None:
            yield run, attempt


def _line(index: int, run: TaskRun, attempt: Attempt) -> str:
    request = request_of(run.task, sent=True)
    assert request is not None, "an answered call was sent"
    api = attempt.request.api
    body = {name: value for name, value in request.body.items() if name not in _ABOUT_STREAMS}
    exchange = {
        "id": f"{_NAME}_{index}",
        "vendor": attempt.request.vendor,
        "api": api,
        "request": {"method": "POST", "path": PATHS[api], "body": body},
        "response": _response(attempt),
        "sequence": {"cassette": _NAME, "index": index},
    }
    assert run.task.stage is not None, "only a stage of a turn sends requests"
    secrets = run.task.stage.deps.provider.config.secrets
    return without_secrets(json.dumps(exchange, ensure_ascii=False), secrets)


def _response(attempt: Attempt) -> JsonObject | None:
    """The answer as recordings hold it; None if no whole answer came."""
    reply, error = attempt.reply, attempt.error
    headers: dict[str, Any] = {"content-type": "application/json"}
    if error is None and reply is not None and reply.raw is not None:
        return {"status": reply.status, "headers": headers, "body": reply.raw}
    if error is None or error.status is None:
        return None
    body = {"error": {"message": error.message}}
    return {"status": error.status, "headers": headers, "body": body}
