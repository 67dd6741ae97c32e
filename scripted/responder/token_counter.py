"""What an answer costs in tokens, counted so that anybody can check it: a word is a token."""

import threading
from collections import OrderedDict
from typing import Final

from turngraph.scripted.prompt import Answer, AskedCall, Prompt
from turngraph.scripted.responder.text_patterns import tokens
from turngraph.state.usage import Usage

__all__ = ["PromptCache", "capped", "metered"]

REMEMBERED: Final = 10_000


class PromptCache:
    """Remembers which beginnings of conversations it has seen, as vendors do, and how many tokens
    they had.

    A beginning shorter than `least` tokens is not counted as cached; 1024 is OpenAI's figure
    (https://platform.openai.com/docs/guides/prompt-caching).
    """

    def __init__(self, least: int = 1024) -> None:
        self._least = least
        self._seen: OrderedDict[int, int] = OrderedDict()
        self._lock = threading.Lock()

    def count(self, prompt: Prompt) -> tuple[int, int]:
        """The tokens of a prompt, and how many of them were cached; from now on all of them are.

        >>> from turngraph.scripted.prompt import Message
        >>> cache = PromptCache(least=0)
        >>> first = Message("user", "Good morning to you")
        >>> cache.count(Prompt((first,))), cache.count(Prompt((first, Message("assistant", "And you"))))
        ((4, 0), (6, 4))
        """
        key = hash(tuple(tool.name for tool in prompt.tools))
        total = sum(
            1 + len(tool.description.split()) + len(tool.parameters) for tool in prompt.tools
        )
        cached = 0
        with self._lock:
            for message in prompt.messages:
                key = hash((key, message.role, message.text, message.calls))
                seen = self._seen.get(key)
                total = (
                    total + len(message.text.split()) + _calls(message.calls)
                    if seen is None
                    else seen
                )
                cached = cached if seen is None else seen
                self._seen[key] = total
            while len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        return max(total, 1), cached if cached >= self._least else 0


def metered(answer: Answer, prompt: Prompt, cache: PromptCache) -> Usage:
    """The usage of an answer: the one it was scripted with, or counted. Reasoning is part of the
    completion.
    """
    asked, cached = cache.count(prompt)
    if answer.usage is not None:
        return answer.usage
    thought = len((answer.reasoning or "").split())
    said = (
        len(answer.text.split())
        + len((answer.refusal or "").split())
        + _calls(answer.calls)
        + thought
    )
    return Usage(
        input_tokens=asked,
        output_tokens=said,
        total_tokens=asked + said,
        cache_read_tokens=cached,
        reasoning_tokens=thought,
    )


def capped(answer: Answer, prompt: Prompt) -> Answer:
    """The answer, ended where a stop sequence begins, and at `max_tokens` (reasoning is counted
    first, calls last).

    >>> capped(Answer("one two three"), Prompt((), max_tokens=2)).finish
    'length'
    >>> capped(Answer("a END b"), Prompt((), stop=("END",))).text
    'a '
    """
    ends = [answer.text.find(word) for word in prompt.stop if word and word in answer.text]
    if ends:
        answer = answer.but(text=answer.text[: min(ends)])
    left = prompt.max_tokens
    if left is None or left >= len(tokens(answer.text)) + len(
        tokens(answer.reasoning or "")
    ) + _calls(answer.calls):
        return answer
    reasoning, left = _first(answer.reasoning or "", left)
    text, left = _first(answer.text, left)
    calls: list[AskedCall] = []
    for call in answer.calls:
        if left > 0:
            arguments, left = _first(call.arguments, left - 1)
            calls.append(call._replace(arguments=arguments))
    thought = reasoning if answer.reasoning is not None else None
    return answer.but(text=text, reasoning=thought, calls=tuple(calls), finish_reason="length")


def _first(text: str, count: int) -> tuple[str, int]:
    pieces = tokens(text)
    return "".join(pieces[:count]), count - min(len(pieces), count)


def _calls(calls: tuple[AskedCall, ...]) -> int:
    return sum(1 + len(call.arguments.split()) for call in calls)
