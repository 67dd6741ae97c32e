"""What a call to a model used, in tokens, as its vendor reported it."""

from decimal import Decimal
from functools import reduce
from typing import Final

from turngraph.state.base import Frozen

__all__ = ["TOKEN_FIELDS", "Usage", "total_usage"]

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


class Usage(Frozen):
    """Token counts of one call or of several; `None` is what the vendor did not report, never zero.

    The names are those of OpenTelemetry, LangChain and the Responses API; the nesting is that of
    the Responses API (https://platform.openai.com/docs/api-reference/responses/object):
    `cache_read_tokens`, `cache_write_tokens` and `input_audio_tokens` are part of `input_tokens`;
    `reasoning_tokens` and `output_audio_tokens` are part of `output_tokens`. Readers make it so
    where a vendor counts otherwise (xAI's reasoning).

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
    """What the vendor itself says the call cost (OpenRouter's `usage.cost`, xAI's
    `cost_in_usd_ticks`), in USD.
    """

    def __add__(self, other: "Usage") -> "Usage":
        both = (
            (name, getattr(self, name), getattr(other, name))
            for name in (*TOKEN_FIELDS, "cost_usd")
        )
        return Usage(**{name: b if a is None else a if b is None else a + b for name, a, b in both})

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        return [(name, value) for name, value in super().__repr_args__() if value is not None]


def total_usage(usages: "list[Usage] | tuple[Usage, ...]") -> Usage | None:
    """The sum of `usages`, or `None` where there is nothing to sum.

    >>> total_usage([]) is None
    True
    """
    return reduce(Usage.__add__, usages) if usages else None
