"""Sentences of `docs/how-to/traces.md` that no other test is about."""

from tests.turns import turn_on
from turngraph import OpenTelemetry
from turngraph.scripted import Call, Say, ScriptedModel


def test_traces_without_an_sdk_nothing_is_sent() -> None:
    """docs/how-to/traces.md: a program that has not set up OpenTelemetry runs as without it, and
    the vendor gets no header of a trace that nobody keeps.
    """
    with ScriptedModel([Call(("calculator", {"expression": "6 * 7"})), Say("42")] * 2) as model:
        for telemetry in (OpenTelemetry(), None):
            turn = turn_on(model, functions=["calculator"], telemetry=telemetry)
            assert turn.run("What is 6 * 7?").status == "completed"
    with_it, without = model.requests[:2], model.requests[2:]
    for request, plain in zip(with_it, without, strict=True):
        assert set(request.headers) == set(plain.headers)
