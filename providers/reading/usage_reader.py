"""What a call used, read from whatever its vendor calls it. A count that is not reported stays
`None`, never zero.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from turngraph.state.usage import TOKEN_FIELDS, Usage

__all__ = ["USAGE_PATHS", "read_usage"]

MOST_TOKENS: Final = 10**9
"""Above every context window there is; a larger count is a mistake."""
MOST_USD: Final = 10**6
TICKS_PER_USD: Final = 10**10
"""https://docs.x.ai/developers/cost-tracking"""

USAGE_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    # Chat Completions, then Responses (https://platform.openai.com/docs/api-reference), then the
    # vendors' own words.
    "input_tokens": ("prompt_tokens", "input_tokens"),
    "output_tokens": ("completion_tokens", "output_tokens"),
    "total_tokens": ("total_tokens",),
    "cache_read_tokens": (
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "prompt_cache_hit_tokens",  # https://api-docs.deepseek.com/guides/kv_cache
        "cache_read_input_tokens",  # Claude behind Databricks, Snowflake, watsonx; Venice
        "cached_tokens",  # Moonshot, Together
        "num_cached_tokens",  # Mistral
    ),
    "cache_write_tokens": (
        "prompt_tokens_details.cache_write_tokens",  # OpenRouter, Doubleword
        "input_tokens_details.cache_write_tokens",
        "cache_creation_input_tokens",  # Claude behind Databricks, Snowflake
        "prompt_tokens_details.cache_creation_input_tokens",  # Alibaba
        "prompt_tokens_details.cache_creation_tokens",  # LiteLLM's proxy
    ),
    "reasoning_tokens": (
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
        "reasoning_tokens",  # GitHub Copilot, Perplexity
    ),
    "input_audio_tokens": (
        "prompt_tokens_details.audio_tokens",
        "input_tokens_details.audio_tokens",
        "audio_prompt_tokens",
    ),
    "output_audio_tokens": (
        "completion_tokens_details.audio_tokens",
        "output_tokens_details.audio_tokens",
    ),
}
assert tuple(USAGE_PATHS) == TOKEN_FIELDS, "every field of Usage has its paths"

COST_PATHS: Final[Mapping[str, int]] = {
    "usage.cost": 1,  # OpenRouter, in USD: https://openrouter.ai/docs/use-cases/usage-accounting
    "usage.cost.total_cost": 1,  # Perplexity, in USD
    "usage.cost_in_usd_ticks": TICKS_PER_USD,
    "cost.usd": 1,  # Venice, beside the usage
}

OUTSIDE: Final = (
    # Where prompt and completion fall short of the total by exactly these, these were counted
    # outside.
    (("reasoning_tokens",), "output_tokens"),  # xAI
    (("input_audio_tokens",), "input_tokens"),  # Mistral's Voxtral
    (("output_audio_tokens",), "output_tokens"),
    (("cache_read_tokens",), "input_tokens"),
    (("cache_read_tokens", "cache_write_tokens"), "input_tokens"),
)
INSIDE: Final = (
    ("cache_read_tokens", "input_tokens"),
    ("cache_write_tokens", "input_tokens"),
    ("input_audio_tokens", "input_tokens"),
    ("reasoning_tokens", "output_tokens"),
    ("output_audio_tokens", "output_tokens"),
)


def read_usage(raw: object, *, cost: object = None) -> tuple[Usage | None, tuple[str, ...]]:
    """The usage a vendor reported as `raw`, and a note on everything in it that had to be doubted.

    `cost` is the answer's own member of that name, where it stands beside the usage. Counts are
    cumulative: of several reports in a stream the last is read, never a sum. A count that is no
    whole number from 0 to a billion is absent. Parts are made parts: reasoning that the total
    proves to lie outside `output_tokens` is added to it.

        >>> read_usage({"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 334,
        ...     "completion_tokens_details": {"reasoning_tokens": 320}})[0]
        Usage(input_tokens=12, output_tokens=322, total_tokens=334, reasoning_tokens=320)
    """
    if raw is not None and not isinstance(raw, Mapping):
        return None, ("`usage` is not an object; it counts as absent.",)
    notes: list[str] = []
    counts = {
        field: count(first(raw or {}, paths), field, notes) for field, paths in USAGE_PATHS.items()
    }
    counts = with_parts_inside(counts, notes)
    usage = Usage(**counts, cost_usd=cost_usd({"usage": raw, "cost": cost}, notes))
    return (None if usage == Usage() else usage), tuple(notes)


def first(raw: Mapping[str, Any], paths: tuple[str, ...]) -> object:
    return next((found for path in paths if (found := at(raw, path)) is not None), None)


def at(raw: Any, path: str) -> object:
    for name in path.split("."):
        raw = raw.get(name) if isinstance(raw, Mapping) else None
    return raw


def count(value: object, field: str, notes: list[str]) -> int | None:
    if value is None:
        return None
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 <= value <= MOST_TOKENS
        and value % 1 == 0
    ):
        return int(value)
    notes.append(
        f"`{field}` is no count of tokens (a {type(value).__name__}); it counts as absent."
    )
    return None


def with_parts_inside(counts: dict[str, int | None], notes: list[str]) -> dict[str, int | None]:
    prompt, completion, total = (counts[name] for name in TOKEN_FIELDS[:3])
    if prompt is None or completion is None or total is None:
        return counts
    if (excess := total - prompt - completion) != 0:
        counts = with_excess(counts, excess, notes)
    for part, whole in INSIDE:
        if (counts[part] or 0) > (counts[whole] or 0):
            notes.append(
                f"`{part}` ({counts[part]}) exceed `{whole}` ({counts[whole]}); both are kept as reported."
            )
    return counts


def with_excess(
    counts: dict[str, int | None], excess: int, notes: list[str]
) -> dict[str, int | None]:
    for parts, whole in OUTSIDE:
        if excess > 0 and sum(counts[part] or 0 for part in parts) == excess:
            notes.append(f"`{'` and `'.join(parts)}` lay outside `{whole}`; they were added to it.")
            return {**counts, whole: (counts[whole] or 0) + excess}
    notes.append(
        f"`total_tokens` is not the sum of prompt and completion (by {excess}); all are kept as reported."
    )
    return counts


def cost_usd(answer: Mapping[str, object], notes: list[str]) -> Decimal | None:
    return next(costs(answer, notes), None)


def costs(answer: Mapping[str, object], notes: list[str]) -> Iterator[Decimal]:
    for path, per_usd in COST_PATHS.items():
        value = at(answer, path)
        if value is None or isinstance(value, Mapping):
            continue
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 <= value <= MOST_USD * per_usd
        ):
            notes.append(
                f"`{path}` is no amount of money (a {type(value).__name__}); it counts as absent."
            )
        elif value or per_usd == 1:
            yield Decimal(str(value)) / per_usd
        # Zero ticks is what Azure reports for xAI's models, which it bills itself; xAI's own are
        # never free.
