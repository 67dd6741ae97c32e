"""Members of an answer that are missing, wrong or absurd."""

from collections.abc import Mapping
from typing import Any

from tests.faults.answers import ADD, Call, Good
from tests.faults.fault import Fault
from tests.faults.script import End, Script, in_turn

TWO_CALLS = "completed: usage usage; 2 tools"


def with_usage(name: str, usage: Any, ends: str = "completed: estimate") -> Fault:
    """A row for usage that is not the right one: `usage`, or what it makes of the right answer."""

    def script(good: Good) -> Script:
        given = usage(good) if callable(usage) else usage
        return [good.answer(good.body(usage=given)), End.KEEP]

    return Fault(f"usage {name}", script, ends)


def calls(name: str, given: list[Call], ends: str, but: Mapping[str, str] | None = None) -> Fault:
    """A row for tool calls, whose results are answered in the next request."""
    return Fault(
        name,
        lambda good: in_turn(
            [good.answer(good.body(calls=given)), End.KEEP], [good.answer(), End.KEEP]
        ),
        ends,
        but or {},
    )


def changed(name: str, ends: str, but: Mapping[str, str] | None = None, **given: Any) -> Fault:
    """A row for an answer with other members."""
    return Fault(name, lambda good: [good.answer(good.body(**given)), End.KEEP], ends, but or {})


USAGE = [
    with_usage("missing", None),
    with_usage("that is empty", {}),
    with_usage("that is a text", "many"),
    with_usage("that is a list", [1, 2]),
    with_usage("below zero", lambda good: good.usage(-100)),
    with_usage("of 10^30 tokens", lambda good: good.usage(10**30)),
    with_usage("that is NaN", lambda good: good.usage(float("nan"))),
    with_usage("without an end", lambda good: good.usage(float("inf"))),
    with_usage("that is true", lambda good: good.usage(True)),
    with_usage("as text", lambda good: good.usage("100")),
    with_usage("with half a token", lambda good: good.usage(0.5)),
    with_usage("as whole floats", lambda good: good.usage(100.0, 10.0), "completed: usage"),
    with_usage("of the prompt alone", lambda good: good.usage(100, None)),
    with_usage("of the answer alone", lambda good: good.usage(None, 10)),
    with_usage("of zero and zero", lambda good: good.usage(0, 0)),
    with_usage(
        "whose total is wrong", lambda good: good.usage(total_tokens=5), "completed: estimate"
    ),
    with_usage(
        "with details that are `null`",
        lambda good: good.usage(prompt_tokens_details=None, input_tokens_details=None),
        "completed: usage",
    ),
    with_usage(
        "with details that are a text",
        lambda good: good.usage(prompt_tokens_details="x", input_tokens_details=7),
        "completed: usage",
    ),
    Fault(
        "usage twice in one object",
        lambda good: [
            good.answer(good.body().replace(b'"usage": {', b'"usage": null, "usage": {')),
            End.KEEP,
        ],
        "completed: usage",
    ),
]

CALLS = [
    calls("one call", [*ADD], "completed: usage usage; 1 tools"),
    calls("two calls", [Call("a"), Call("b")], TWO_CALLS),
    calls("two calls with one id", [Call("a"), Call("a")], TWO_CALLS),
    calls("calls without ids", [Call(None), Call(None)], TWO_CALLS),
    calls("a call with an empty id", [Call("")], "completed: usage usage; 1 tools"),
    calls(
        "a call with an id of 5,000 characters",
        [Call("x" * 5_000)],
        "completed: usage usage; 1 tools",
    ),
    calls("a call of a tool that is none", [Call(name="rm")], "completed: usage usage"),
    calls("a call without a name", [Call(name="")], "completed: usage usage"),
    calls(
        "a call with a name of 5,000 characters", [Call(name="x" * 5_000)], "completed: usage usage"
    ),
    calls("a call without arguments", [Call(arguments="")], "completed: usage usage"),
    calls("arguments that are no JSON", [Call(arguments="a=40")], "completed: usage usage"),
    calls("arguments cut off", [Call(arguments='{"a": 40, "b": 2')], "completed: usage usage"),
    calls("arguments that are a list", [Call(arguments="[40, 2]")], "completed: usage usage"),
    calls("arguments that are `null`", [Call(arguments="null")], "completed: usage usage"),
    calls(
        "arguments of the wrong types",
        [Call(arguments='{"a": "x", "b": []}')],
        "completed: usage usage",
    ),
    calls("arguments with NaN", [Call(arguments='{"a": NaN, "b": 2}')], "completed: usage usage"),
    calls(
        "arguments with a member twice",
        [Call(arguments='{"a": 1, "a": 40, "b": 2}')],
        "completed: usage usage",
    ),
    calls(
        "arguments 5,000 deep",
        [Call(arguments='{"a": ' + "[" * 5_000 + "]" * 5_000 + "}")],
        "completed: usage usage",
    ),
    calls(
        "arguments with 5,000 digits",
        [Call(arguments='{"a": ' + "9" * 5_000 + ', "b": 2}')],
        "completed: usage usage",
    ),
    calls(
        "arguments of 2 MB", [Call(arguments='{"a": "' + "x" * 2_000_000 + '"}')], "too_large: held"
    ),
    calls("150 calls", [Call(f"c{n}") for n in range(150)], "too_large: held"),
]

TYPES = [
    changed("text that is a number", "completed: usage", text=42),
    changed("text that is an object", "completed: usage", text={"answer": 42}),
    changed("text that is `null`", "empty: usage", text=None),
    changed("text that is a list", "completed: usage", text=["a"]),
    changed("an id that is a number", "completed: usage", id=7),
    changed("an id that is an object", "completed: usage", id={"a": 1}),
    changed("a model that is a list", "completed: usage", model=["m"]),
    changed("an answer under another model's name", "completed: usage", model="other"),
    changed("a service tier that is a number", "completed: usage", service_tier=5),
    Fault(
        "choices or output that are `null`",
        lambda good: [good.answer(empty(good, None))],
        "protocol: held",
    ),
    Fault(
        "choices or output that are a text",
        lambda good: [good.answer(empty(good, "none"))],
        "protocol: held",
    ),
    Fault(
        "choices or output that hold no objects",
        lambda good: [good.answer(empty(good, [1, None]))],
        "protocol: held",
        {"responses": "empty: estimate"},
    ),
]


def empty(good: Good, value: Any) -> bytes:
    """An answer, always as JSON, whose content is `value`."""
    import json

    name = "choices" if good.api == "chat" else "output"
    return json.dumps(Good(good.api, False).whole(usage=None, **{name: value})).encode()


ROWS = [*USAGE, *CALLS, *TYPES]
