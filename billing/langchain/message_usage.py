"""Reads what a call used, and what its vendor says that it cost, from LangChain's message."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage

from turngraph.state.usage import MAX_TOKENS, Usage
from turngraph.state.usage_report import TokenCounts, read_usage, with_parts_included

__all__ = ["usage_of"]

_WRITTEN_FOR: Final = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
"""LangChain's names for Anthropic's cache writes, by how long they are kept. Where it gives these,
its `cache_creation` is 0.
"""


def usage_of(message: AIMessage) -> Usage | None:
    """Returns the usage of an answer; `None` where the vendor reported none.

    Of an answer that was not streamed, LangChain keeps the vendor's own report (`token_usage`),
    which is read as in a turn: with each vendor's own names, and with its cost. Of a streamed one
    it keeps the counts that it has a name for.

        >>> details = {"cache_read": 4}
        >>> usage = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}
        >>> usage_of(AIMessage("4", usage_metadata={**usage, "input_token_details": details}))
        Usage(input_tokens=9, output_tokens=2, total_tokens=11, cache_read_tokens=4)
    """
    raw = message.response_metadata.get("token_usage")
    reported = read_usage(raw)[0] if isinstance(raw, Mapping) else None
    if reported is not None and (reported.input_tokens, reported.output_tokens) != (None, None):
        return reported
    if message.usage_metadata is None:
        return reported
    counts = with_parts_included(_counts(message.usage_metadata), [])
    return Usage(**counts, cost_usd=reported.cost_usd if reported else None)


def _counts(metadata: Mapping[str, Any]) -> TokenCounts:
    into = metadata.get("input_token_details", {})
    out = metadata.get("output_token_details", {})
    sides = (_count(metadata["input_tokens"]), _count(metadata["output_tokens"]))
    # A total beside a number that is no count tells nothing about that side.
    total = None if None in sides else _count(metadata["total_tokens"])
    if total is not None and str(total) == f"{sides[0]}{sides[1]}" and total != sum(_known(sides)):
        # The counts came as text, which LangChain joined: nothing here is a count.
        sides, total = (None, None), None
    elif total is not None and 0 in sides and total > sum(_known(sides)):
        # LangChain writes 0 for a count that was left out. The total says what it was.
        sides = (sides[0] or None, sides[1] or None)
    written = [into.get(name) for name in _WRITTEN_FOR]
    return {
        "input_tokens": sides[0],
        "output_tokens": sides[1],
        "total_tokens": total,
        "cache_read_tokens": _part("cache_read", into),
        "cache_write_tokens": _sum([_part("cache_creation", into), *written]),
        "input_audio_tokens": _part("audio", into),
        "reasoning_tokens": _part("reasoning", out),
        "output_audio_tokens": _part("audio", out),
    }


def _part(name: str, details: Mapping[str, Any]) -> int | None:
    """Returns the tokens called `name`, also under a service tier: `priority_cache_read`."""
    return _sum([tokens for key, tokens in details.items() if f"_{key}".endswith(f"_{name}")])


def _sum(parts: list[Any]) -> int | None:
    """Returns the sum of those `parts` that are counts; None if none is."""
    counts = _known([_count(part) for part in parts])
    return sum(counts) if counts else None


def _known(counts: Sequence[int | None]) -> list[int]:
    return [count for count in counts if count is not None]


def _count(tokens: object) -> int | None:
    """Returns `tokens`, or None if it is no number that a call can have used. LangChain checks no
    numbers, and passes on text.
    """
    if isinstance(tokens, bool) or not isinstance(tokens, int | float):
        return None
    return int(tokens) if 0 <= tokens <= MAX_TOKENS else None
