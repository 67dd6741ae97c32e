"""Counts the tokens of an answer so that anybody can check the count: one word is one token."""

import threading
from typing import Final

from turngraph.scripted.bounded import BoundedDict
from turngraph.scripted.prompt import Answer, Prompt, RequestedCall
from turngraph.scripted.responder.text_patterns import split_tokens
from turngraph.state.usage import Usage

__all__ = ["PromptCache", "count_usage", "truncate"]

MAX_PREFIXES: Final = 10_000


class PromptCache:
    """Remembers the conversations it has counted, as vendors cache the beginnings of prompts.

    A beginning of fewer than `min_tokens` tokens is never counted as cached; OpenAI's figure is
    1024 (https://platform.openai.com/docs/guides/prompt-caching). Thread-safe.
    """

    def __init__(self, min_tokens: int = 1024) -> None:
        self._min_tokens = min_tokens
        self._totals = BoundedDict[int, int](MAX_PREFIXES)
        """The tokens of each known beginning of a conversation, by a hash of its messages."""
        self._lock = threading.Lock()

    def count_tokens(self, prompt: Prompt) -> tuple[int, int]:
        """Returns the tokens of a prompt, and how many of them were cached.

        >>> from turngraph.scripted.prompt import Message
        >>> cache = PromptCache(min_tokens=0)
        >>> first, second = Message("user", "Good morning to you"), Message("assistant", "And you")
        >>> cache.count_tokens(Prompt((first,))), cache.count_tokens(Prompt((first, second)))
        ((4, 0), (6, 4))
        """
        # Each message extends the hash of those before it, so that a conversation which goes on is
        # found again message by message, and only its new messages are counted.
        key = hash(tuple(tool.name for tool in prompt.tools))
        total = sum(
            1 + len(tool.description.split()) + len(tool.parameters) for tool in prompt.tools
        )
        cached = 0
        with self._lock:
            for message in prompt.messages:
                key = hash((key, message.role, message.text, message.calls))
                known = self._totals.get(key)
                if known is None:
                    total += len(message.text.split()) + _count_calls(message.calls)
                else:
                    total = cached = known
                self._totals[key] = total
        return max(total, 1), cached if cached >= self._min_tokens else 0


def count_usage(answer: Answer, prompt: Prompt, cache: PromptCache) -> Usage:
    """Returns the usage that the answer was scripted with, or counts it.

    Reasoning tokens are part of the output tokens, as in both APIs.
    """
    input_tokens, cached = cache.count_tokens(prompt)
    if answer.usage is not None:
        return answer.usage
    reasoning = len((answer.reasoning or "").split())
    words = len(answer.text.split()) + len((answer.refusal or "").split())
    output_tokens = words + _count_calls(answer.calls) + reasoning
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=input_tokens + output_tokens,
        cache_read_tokens=cached,
        reasoning_tokens=reasoning,
    )


def truncate(answer: Answer, prompt: Prompt) -> Answer:
    """Ends the answer at a stop sequence of the prompt, and at its `max_tokens`.

    Reasoning uses up the tokens first, then the text, then the tool calls.

    >>> truncate(Answer("one two three"), Prompt((), max_tokens=2)).finish
    'length'
    >>> truncate(Answer("a END b"), Prompt((), stop=("END",))).text
    'a '
    """
    stops = [answer.text.find(stop) for stop in prompt.stop if stop and stop in answer.text]
    if stops:
        answer = answer.with_changes(text=answer.text[: min(stops)])
    left = prompt.max_tokens
    if left is None or left >= _count_tokens(answer):
        return answer
    reasoning, left = _take(answer.reasoning or "", left)
    text, left = _take(answer.text, left)
    calls: list[RequestedCall] = []
    for call in answer.calls:
        if left > 0:
            # The call's name is one token. Its arguments may end anywhere, as a real model's do.
            arguments, left = _take(call.arguments, left - 1)
            calls.append(call._replace(arguments=arguments))
    return answer.with_changes(
        text=text,
        reasoning=None if answer.reasoning is None else reasoning,
        calls=tuple(calls),
        finish_reason="length",
    )


def _count_tokens(answer: Answer) -> int:
    texts = len(split_tokens(answer.text)) + len(split_tokens(answer.reasoning or ""))
    return texts + _count_calls(answer.calls)


def _take(text: str, count: int) -> tuple[str, int]:
    """Returns the first `count` tokens of the text, and how many tokens are left."""
    pieces = split_tokens(text)
    return "".join(pieces[:count]), count - min(len(pieces), count)


def _count_calls(calls: tuple[RequestedCall, ...]) -> int:
    """One token for each name, and the words of the arguments."""
    return sum(1 + len(call.arguments.split()) for call in calls)
