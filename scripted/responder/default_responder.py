"""What the scripted model answers when no script says so: a pure function of the conversation and
the tools offered.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from turngraph.scripted.prompt import Answer, AskedCall, OfferedTool, Prompt
from turngraph.scripted.responder import text_patterns
from turngraph.scripted.responder.schema_sampler import fill

__all__ = ["answer"]

MAX_CALLS: Final = 16
QUOTED_CHARS: Final = 300
RESULT_CHARS: Final = 2_000
THINKING: Final[Mapping[str, int]] = {"low": 1, "medium": 2, "high": 4, "xhigh": 8, "max": 16}
"""Sentences of made-up reasoning for each effort; any other effort asks for none."""
COMMON_WORDS: Final = frozenset(
    (
        *(
            "about",
            "after",
            "answer",
            "before",
            "call",
            "could",
            "each",
            "every",
            "from",
            "function",
            "give",
            "given",
        ),
        *(
            "have",
            "into",
            "just",
            "like",
            "make",
            "more",
            "most",
            "need",
            "only",
            "other",
            "please",
            "result",
            "return",
        ),
        *(
            "some",
            "tell",
            "than",
            "that",
            "their",
            "them",
            "then",
            "there",
            "these",
            "they",
            "this",
            "those",
            "tool",
        ),
        *(
            "using",
            "value",
            "want",
            "what",
            "when",
            "where",
            "which",
            "will",
            "with",
            "would",
            "your",
        ),
    )
)


def answer(prompt: Prompt) -> Answer:
    """Calls the tools that fit the question; once their results are there, tells them; else says
    that it is scripted.

    >>> from turngraph.scripted.prompt import Message
    >>> answer(Prompt(messages=(Message("user", "What is 6 times 7?"),))).text
    'This is the scripted model, not a language model. You asked: “What is 6 times 7?”'
    >>> calculator = OfferedTool("calculator", "", {"properties": {"expression": {}}, "required": ["expression"]})
    >>> answer(Prompt(messages=(Message("user", "What is 6 times 7?"),), tools=(calculator,))).calls
    (AskedCall(name='calculator', arguments='{"expression": "6 * 7"}', id=None),)
    """
    calls = _calls(prompt)
    if calls:
        return Answer(
            calls=calls,
            reasoning=_reasoning(prompt, f"I call {', '.join(call.name for call in calls)}."),
        )
    results = list(_results(prompt))
    return Answer(text=_text(prompt, results), reasoning=_reasoning(prompt, "I can answer now."))


def _text(prompt: Prompt, results: Sequence[tuple[str, str]]) -> str:
    if prompt.schema is not None:
        return json.dumps(_structured(prompt, results), ensure_ascii=False)
    if results:
        told = " ".join(f"{name} says: {text[:RESULT_CHARS]}" for name, text in results)
        return f"{told}\n(This is the scripted model, repeating what the tools said.)"
    question = prompt.question.strip()[:QUOTED_CHARS]
    asked = f"You asked: “{question}”" if question else "Nothing was asked."
    return f"This is the scripted model, not a language model. {asked}"


def _structured(prompt: Prompt, results: Sequence[tuple[str, str]]) -> Any:
    """An instance of the schema; where any object will do, one with the keys that the request
    quotes.
    """
    text = " ".join((prompt.question, *(result for _, result in results)))
    if prompt.schema:
        return fill(prompt.schema, text)
    asked = " ".join(message.text for message in prompt.messages if message.role != "tool")
    keys = [key for key in text_patterns.quoted(asked) if key.isidentifier()]
    return {key: f"scripted {key}" for key in keys} or {
        "answer": text[:QUOTED_CHARS],
        "scripted": True,
    }


def _reasoning(prompt: Prompt, conclusion: str) -> str | None:
    sentences = THINKING.get(prompt.effort or "")
    return (
        None
        if sentences is None
        else " ".join(["This is scripted reasoning."] * sentences + [conclusion])
    )


def _results(prompt: Prompt) -> Iterator[tuple[str, str]]:
    """The results since the question, each with the name of its tool."""
    names = {call.id: call.name for message in prompt.messages for call in message.calls}
    for message in prompt.since_question:
        if message.role == "tool":
            yield names.get(message.call_id, "A tool"), message.text


def _calls(prompt: Prompt) -> tuple[AskedCall, ...]:
    if prompt.tool_choice == "none" or not prompt.tools:
        return ()
    forced = [tool for tool in prompt.tools if tool.name == prompt.tool_choice]
    wanted = _forced(forced[0], prompt) if forced else _fitting(prompt)
    asked = {_key(call) for message in prompt.since_question for call in message.calls}
    left = [call for call in wanted if _key(call) not in asked]
    if not left and prompt.tool_choice != "auto":
        left = wanted or _forced(prompt.tools[0], prompt)
    return tuple(left[: MAX_CALLS if prompt.parallel else 1])


def _key(call: AskedCall) -> tuple[str, str]:
    """Equal for equal calls, however their arguments were written: a client may have read and
    rewritten them.
    """
    try:
        return call.name, json.dumps(json.loads(call.arguments), sort_keys=True)
    except ValueError:
        return call.name, call.arguments


def _forced(tool: OfferedTool, prompt: Prompt) -> list[AskedCall]:
    """The calls of a tool that must be called: those that fit the question, or one made from its
    schema alone.
    """
    return _special(tool, prompt.question) or [_generic(tool, prompt.question)]


def _fitting(prompt: Prompt) -> list[AskedCall]:
    """The calls the question asks for: of tools that it names or that are made for it; else of the
    likeliest one.
    """
    question = prompt.question[: text_patterns.MAX_READ]
    said = text_patterns.words(question)
    calls: list[AskedCall] = []
    for tool in prompt.tools:
        calls += _special(tool, question) or (
            [_generic(tool, question)] if _names(question, said, tool) else []
        )
    return calls or _likeliest(
        [tool for tool in prompt.tools if _speciality(tool) is None], question, said
    )


def _likeliest(tools: Sequence[OfferedTool], question: str, said: set[str]) -> list[AskedCall]:
    """A call of the tool whose name and description share most words with the question."""
    scores = [(len(_telling(f"{tool.name} {tool.description}") & said), tool) for tool in tools]
    best = max(scores, key=lambda score: score[0], default=(0, None))
    return [_generic(best[1], question)] if best[1] is not None and best[0] else []


def _names(question: str, said: set[str], tool: OfferedTool) -> bool:
    """Whether the question names the tool, as written or by all of its telling words."""
    telling = _telling(tool.name)
    return tool.name.casefold() in question.casefold() or (bool(telling) and telling <= said)


def _telling(text: str) -> set[str]:
    return {word for word in text_patterns.words(text) if len(word) > 3} - COMMON_WORDS


def _generic(tool: OfferedTool, question: str) -> AskedCall:
    return _call(tool, fill(tool.parameters, question, whole=tool.strict))


def _special(tool: OfferedTool, question: str) -> list[AskedCall]:
    """The calls of a calculator, a weather report or a date calculator that the question holds the
    matter for.
    """
    speciality = _speciality(tool)
    if speciality is None or (
        speciality.topic and not speciality.topic & text_patterns.words(question)
    ):
        return []
    return [_call(tool, filling) for filling in speciality.read(tool, question)]


def _speciality(tool: OfferedTool) -> "_Speciality | None":
    named = text_patterns.words(tool.name)
    return next((one for one in SPECIALITIES if one.named & named), None)


def _each(
    read: Callable[[str], Sequence[str]], *properties: str
) -> Callable[[OfferedTool, str], list[dict[str, Any]]]:
    """One call for each thing the text holds, put into the first of these properties the tool has."""

    def fillings(tool: OfferedTool, question: str) -> list[dict[str, Any]]:
        schema = tool.parameters.get("properties", {})
        place = next((name for name in properties if name in schema), None)
        if place is None:
            return []
        rest = {
            **tool.parameters,
            "required": [name for name in tool.parameters.get("required", ()) if name != place],
        }
        rest["properties"] = {name: inner for name, inner in schema.items() if name != place}
        others = fill(rest, text_patterns.DATE.sub(" ", question), whole=tool.strict)
        made = [{place: found} | others for found in read(question)]
        return [{name: filling[name] for name in schema if name in filling} for filling in made]

    return fillings


def _dated(tool: OfferedTool, question: str) -> list[dict[str, Any]]:
    return (
        [fill(tool.parameters, question, whole=tool.strict)]
        if text_patterns.dates(question)
        else []
    )


def _call(tool: OfferedTool, arguments: Any) -> AskedCall:
    return AskedCall(tool.name, json.dumps(arguments, ensure_ascii=False))


class _Speciality(NamedTuple):
    named: frozenset[str]  # words of a tool's name, one of which makes it such a tool
    topic: frozenset[
        str
    ]  # words one of which the question must hold; none where what is read shows the topic
    read: Callable[[OfferedTool, str], list[dict[str, Any]]]


SPECIALITIES: Final = (
    _Speciality(frozenset(("date", "calendar")), frozenset(), _dated),
    _Speciality(
        frozenset(("calculator", "calculate", "calc", "math", "arithmetic")),
        frozenset(),
        _each(text_patterns.expressions, "expression", "formula"),
    ),
    _Speciality(
        frozenset(("weather", "forecast")),
        frozenset(
            (
                "weather",
                "forecast",
                "temperature",
                "rain",
                "raining",
                "snow",
                "snowing",
                "sunny",
                "wind",
                "windy",
            )
        )
        | frozenset(("warm", "warmer", "hot", "hotter", "cold", "colder", "umbrella", "degree")),
        _each(text_patterns.places, "location", "city", "place"),
    ),
)
"""The tools whose questions the mind knows."""
