"""What the scripted model answers where no script does.

`answer` is a pure function of the prompt: it calls the offered tools that fit the question, then
repeats their results. Where no tool fits, it says that it is scripted.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from turngraph.scripted.prompt import Answer, OfferedTool, Prompt, RequestedCall
from turngraph.scripted.responder import text_patterns
from turngraph.scripted.responder.known_tools import find_kind, read_arguments
from turngraph.scripted.responder.schema_sampler import sample

__all__ = ["answer"]

MAX_CALLS: Final = 16
QUOTED_CHARS: Final = 300
"""Characters of the question that an answer repeats."""
RESULT_CHARS: Final = 2_000
"""Characters of a tool's result that an answer repeats."""
REASONING_SENTENCES: Final[Mapping[str, int]] = {
    "low": 1,
    "medium": 2,
    "high": 4,
    "xhigh": 8,
    "max": 16,
}
"""Sentences of made-up reasoning for each effort; any other effort gets no reasoning."""
COMMON_WORDS: Final = frozenset(
    text_patterns.WORD.findall(
        """
        about after answer before call could each every from function give given have into just like
        make more most need only other please result return some tell than that their them then
        there these they this those tool using value want what when where which will with would your
        """
    )
)
"""Words that say nothing about which tool a question needs."""


def answer(prompt: Prompt) -> Answer:
    """Returns tool calls that fit the question, or a text with their results.

    >>> from turngraph.scripted.prompt import Message
    >>> question = Message("user", "What is 6 times 7?")
    >>> answer(Prompt(messages=(question,))).text
    'This is the scripted model, not a language model. You asked: “What is 6 times 7?”'
    >>> schema = {"properties": {"expression": {}}, "required": ["expression"]}
    >>> calculator = OfferedTool("calculator", "", schema)
    >>> answer(Prompt(messages=(question,), tools=(calculator,))).calls
    (RequestedCall(name='calculator', arguments='{"expression": "6 * 7"}', id=None),)
    """
    calls = _choose_calls(prompt)
    if calls:
        names = ", ".join(call.name for call in calls)
        return Answer(calls=calls, reasoning=_reasoning(prompt, f"I call {names}."))
    results = list(_results(prompt))
    return Answer(text=_text(prompt, results), reasoning=_reasoning(prompt, "I can answer now."))


def _text(prompt: Prompt, results: Sequence[tuple[str, str]]) -> str:
    if prompt.schema is not None:
        return json.dumps(_structured_answer(prompt, results), ensure_ascii=False)
    if results:
        lines = " ".join(f"{name} says: {text[:RESULT_CHARS]}" for name, text in results)
        return f"{lines}\n(This is the scripted model, repeating what the tools said.)"
    question = prompt.question.strip()[:QUOTED_CHARS]
    asked = f"You asked: “{question}”" if question else "Nothing was asked."
    return f"This is the scripted model, not a language model. {asked}"


def _structured_answer(prompt: Prompt, results: Sequence[tuple[str, str]]) -> Any:
    """Returns a value that fits the schema of the prompt.

    Where the prompt asks for any JSON object, its keys are those that the messages quote.
    """
    text = " ".join((prompt.question, *(result for _, result in results)))
    if prompt.schema:
        return sample(prompt.schema, text)
    asked = " ".join(message.text for message in prompt.messages if message.role != "tool")
    keys = [key for key in text_patterns.find_quoted(asked) if key.isidentifier()]
    if keys:
        return {key: f"scripted {key}" for key in keys}
    return {"answer": text[:QUOTED_CHARS], "scripted": True}


def _reasoning(prompt: Prompt, conclusion: str) -> str | None:
    # More effort gives more reasoning tokens, so that their count and their price can be tested.
    sentences = REASONING_SENTENCES.get(prompt.effort or "")
    if sentences is None:
        return None
    return " ".join(["This is scripted reasoning."] * sentences + [conclusion])


def _results(prompt: Prompt) -> Iterator[tuple[str, str]]:
    """Yields the tool results since the question, each with the name of its tool."""
    names = {call.id: call.name for message in prompt.messages for call in message.calls}
    for message in prompt.since_question:
        if message.role == "tool":
            yield names.get(message.call_id, "A tool"), message.text


def _choose_calls(prompt: Prompt) -> tuple[RequestedCall, ...]:
    """Returns the calls that the question needs and that were not made since the question."""
    if prompt.tool_choice == "none" or not prompt.tools:
        return ()
    required = [tool for tool in prompt.tools if tool.name == prompt.tool_choice]
    wanted = _required_calls(required[0], prompt) if required else _fitting_calls(prompt)
    # A call that has its result already is not made again: the loop would never end.
    made = {_call_key(call) for message in prompt.since_question for call in message.calls}
    left = [call for call in wanted if _call_key(call) not in made]
    if not left and prompt.tool_choice != "auto":
        # The request demands a call, so a repeated or a made-up call is better than none.
        left = wanted or _required_calls(prompt.tools[0], prompt)
    return tuple(left[: MAX_CALLS if prompt.parallel else 1])


def _call_key(call: RequestedCall) -> tuple[str, str]:
    """Returns the same key for equal calls, even where a client has rewritten their JSON."""
    try:
        return call.name, json.dumps(json.loads(call.arguments), sort_keys=True)
    except ValueError:
        return call.name, call.arguments


def _required_calls(tool: OfferedTool, prompt: Prompt) -> list[RequestedCall]:
    """Returns calls of a tool that must be called: made from the question, or from its schema."""
    return _known_calls(tool, prompt.question) or [_sampled_call(tool, prompt.question)]


def _fitting_calls(prompt: Prompt) -> list[RequestedCall]:
    """Returns the calls that the question asks for.

    These are calls of every tool that the question names or whose kind is known; without any, one
    call of the likeliest other tool.
    """
    # The patterns read a bounded text, so that a very long prompt is answered as fast as any.
    question = prompt.question[: text_patterns.MAX_READ]
    words = text_patterns.find_words(question)
    calls: list[RequestedCall] = []
    for tool in prompt.tools:
        known = _known_calls(tool, question)
        if not known and _is_named(tool, question, words):
            known = [_sampled_call(tool, question)]
        calls += known
    if calls:
        return calls
    # A tool of a known kind was asked above, and found nothing for itself in the question.
    others = [tool for tool in prompt.tools if find_kind(tool) is None]
    return _likeliest_call(others, question, words)


def _likeliest_call(
    tools: Sequence[OfferedTool], question: str, words: set[str]
) -> list[RequestedCall]:
    """Returns a call of the tool whose name and description share most words with the question."""
    scores = [
        (len(_telling_words(f"{tool.name} {tool.description}") & words), tool) for tool in tools
    ]
    score, best = max(scores, key=lambda pair: pair[0], default=(0, None))
    return [_sampled_call(best, question)] if best is not None and score else []


def _is_named(tool: OfferedTool, question: str, words: set[str]) -> bool:
    """Whether the question has the name of the tool, as written or all of its telling words."""
    telling = _telling_words(tool.name)
    return tool.name.casefold() in question.casefold() or (bool(telling) and telling <= words)


def _telling_words(text: str) -> set[str]:
    return {word for word in text_patterns.find_words(text) if len(word) > 3} - COMMON_WORDS


def _sampled_call(tool: OfferedTool, question: str) -> RequestedCall:
    return _call(tool, sample(tool.parameters, question, include_optional=tool.strict))


def _known_calls(tool: OfferedTool, question: str) -> list[RequestedCall]:
    return [_call(tool, arguments) for arguments in read_arguments(tool, question)]


def _call(tool: OfferedTool, arguments: object) -> RequestedCall:
    return RequestedCall(tool.name, json.dumps(arguments, ensure_ascii=False))
