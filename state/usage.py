"""How many tokens a call to a model used, as its vendor reported them."""

from collections.abc import Sequence
from decimal import Decimal
from functools import reduce
from typing import Final

from turngraph.state.base import Frozen

__all__ = ["MAX_TOKENS", "TOKEN_FIELDS", "Usage", "total_usage"]

MAX_TOKENS: Final = 10**9
"""A larger count than any call can have. A report above it is no count."""

TOKEN_FIELDS: Final = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
)
"""The names of the token counts of a `Usage`, in the order of its fields."""


class Usage(Frozen):
    """Token counts of one call or of several. `None` means that the vendor did not report it.

    The names are those of OpenTelemetry, LangChain and the Responses API, and the counts nest as in
    the Responses API (https://platform.openai.com/docs/api-reference/responses/object):
    `cache_read_tokens`, `cache_write_tokens` and `input_audio_tokens` are part of `input_tokens`;
    `reasoning_tokens` and `output_audio_tokens` are part of `output_tokens`. The readers convert
    the counts of vendors that nest differently (xAI's reasoning tokens).

    The sum of two usages adds count by count; a count that only one of them has is kept.

        >>> Usage(input_tokens=10, output_tokens=5) + Usage(input_tokens=1, cache_read_tokens=1)
        Usage(input_tokens=11, output_tokens=5, cache_read_tokens=1)
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    cost_usd: Decimal | None = None
    """The cost in USD that the vendor itself reports (OpenRouter's `usage.cost`, xAI's
    `cost_in_usd_ticks`).
    """

    def __add__(self, other: "Usage") -> "Usage":
        pairs = (
            (name, getattr(self, name), getattr(other, name))
            for name in (*TOKEN_FIELDS, "cost_usd")
        )
        # None is not zero: "not reported" plus "not reported" stays "not reported".
        return Usage(
            **{name: b if a is None else a if b is None else a + b for name, a, b in pairs}
        )

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        return [(name, value) for name, value in super().__repr_args__() if value is not None]


def total_usage(usages: Sequence[Usage]) -> Usage | None:
    """Returns the sum of `usages`, or None if there are none.

    >>> total_usage([]) is None
    True
    """
    return reduce(Usage.__add__, usages) if usages else None
