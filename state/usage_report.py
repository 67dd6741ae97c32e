"""Reads how many tokens a call used, and what it cost, under whatever names its vendor has.

A count that is not reported stays None and never becomes zero: zero would be billed as free.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeAlias

from turngraph.state.json_types import member_at, number_or_none
from turngraph.state.usage import MAX_TOKENS, TOKEN_FIELDS, Usage

__all__ = ["USAGE_PATHS", "TokenCounts", "read_usage", "with_parts_included"]

TokenCounts: TypeAlias = dict[str, int | None]
"""Counts by the name of the field of `Usage`."""

_NUMBER: Final = re.compile(r"\d{1,20}(\.\d{1,30})?([eE][-+]?\d{1,2})?", re.ASCII)
MAX_USD: Final = 10**6
"""Far above the cost of any one call."""
TICKS_PER_USD: Final = 10**10
"""https://docs.x.ai/developers/cost-tracking"""

USAGE_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    # First the names of Chat Completions, then those of Responses
    # (https://platform.openai.com/docs/api-reference), then the vendors' own.
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
"""The dotted paths of each field of `Usage`; the first path with a value is read."""
assert tuple(USAGE_PATHS) == TOKEN_FIELDS, "Every field of Usage needs its paths here."

COST_PATHS: Final[Mapping[str, int]] = {
    "usage.cost": 1,  # OpenRouter, in USD: https://openrouter.ai/docs/use-cases/usage-accounting
    "usage.cost.total_cost": 1,  # Perplexity, in USD
    "usage.cost_in_usd_ticks": TICKS_PER_USD,  # xAI
    "cost.usd": 1,  # Venice, beside the usage
}
"""Where vendors report a cost, and how many of their units make a US dollar."""

_COST_MEMBERS: Final = frozenset(
    path.split(".")[1] for path in COST_PATHS if path.startswith("usage.")
) | {"is_byok"}
"""The members of a usage that have to do with its cost. Most vendors report none."""

OWN_KEY_FEE: Final = "usage.cost"
OWN_KEY_UPSTREAM: Final = "usage.cost_details.upstream_inference_cost"
OWN_KEY_UPSTREAM_PARTS: Final = (
    # In Chat Completions and in Responses
    ("upstream_inference_prompt_cost", "upstream_inference_completions_cost"),
    ("upstream_inference_input_cost", "upstream_inference_output_cost"),
)
"""With `is_byok`, what OpenRouter takes itself, and what the model's vendor takes from the caller.
Without it the second is part of the first: https://openrouter.ai/docs/use-cases/usage-accounting
"""

COUNTED_OUTSIDE: Final = (
    # If prompt and completion fall short of the total by exactly these counts, the vendor counted
    # them outside, and they are added. The first row that fits is used.
    (("reasoning_tokens",), "output_tokens"),  # xAI
    (("input_audio_tokens",), "input_tokens"),  # Mistral's Voxtral
    (("output_audio_tokens",), "output_tokens"),
    (("cache_read_tokens",), "input_tokens"),
    (("cache_read_tokens", "cache_write_tokens"), "input_tokens"),
)
PART_OF: Final = (
    ("cache_read_tokens", "input_tokens"),
    ("cache_write_tokens", "input_tokens"),
    ("input_audio_tokens", "input_tokens"),
    ("reasoning_tokens", "output_tokens"),
    ("output_audio_tokens", "output_tokens"),
)
"""Each count, and the count that includes it."""


def read_usage(raw: object, *, cost: object = None) -> tuple[Usage | None, tuple[str, ...]]:
    """The usage that a vendor reported as `raw`, and a note on everything in it that is doubtful.

    cost: the answer's own `cost` member, which stands beside the usage.

    Counts are cumulative: of several reports in a stream the caller passes the last, never a sum. A
    count that is not a whole number from 0 to a billion is treated as absent. Reasoning that by the
    total lies outside the output tokens (xAI) is added to them, so that parts are always included.

        >>> read_usage({"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 334,
        ...     "completion_tokens_details": {"reasoning_tokens": 320}})[0]
        Usage(input_tokens=12, output_tokens=322, total_tokens=334, reasoning_tokens=320)
    """
    if raw is not None and not isinstance(raw, dict):
        return None, ("`usage` is not an object; it counts as absent.",)
    notes: list[str] = []
    members = by_path(raw or {})
    counts = {
        field: token_count(first_value(members, paths), field, notes)
        for field, paths in USAGE_PATHS.items()
    }
    if any(
        counts[side] is None and first_value(members, USAGE_PATHS[side]) is not None
        for side in ("input_tokens", "output_tokens")
    ):
        # A total beside a number that is no count tells nothing about that side.
        counts["total_tokens"] = None
    counts = with_parts_included(counts, notes)
    reported_cost = next(costs_usd({"usage": raw, "cost": cost}, notes), None)
    if reported_cost is None and not any(count is not None for count in counts.values()):
        return None, tuple(notes)
    return Usage(**counts, cost_usd=reported_cost), tuple(notes)


def by_path(raw: Mapping[str, object]) -> dict[str, object]:
    """The members of `raw`, and those of the objects in it, by their dotted paths.

    >>> by_path({"a": 1, "b": {"c": 2}})
    {'a': 1, 'b': {'c': 2}, 'b.c': 2}
    """
    members = dict(raw)
    for name, value in raw.items():
        if isinstance(value, dict):
            members |= {f"{name}.{inner}": member for inner, member in value.items()}
    return members


def first_value(members: Mapping[str, object], paths: Sequence[str]) -> object:
    for path in paths:
        if (value := members.get(path)) is not None:
            return value
    return None


def token_count(value: object, field: str, notes: list[str]) -> int | None:
    if value is None:
        return None
    number = number_or_none(value)
    # Some vendors write whole numbers as floats (12.0).
    if number is not None and 0 <= number <= MAX_TOKENS and number % 1 == 0:
        return int(number)
    kind = type(value).__name__
    notes.append(f"`{field}` is not a count of tokens (a `{kind}`); it counts as absent.")
    return None


def with_parts_included(counts: TokenCounts, notes: list[str]) -> TokenCounts:
    """Returns `counts` with what lies outside of prompt and completion added to them, as the total
    shows. What stays doubtful is added to `notes`.
    """
    prompt, completion, total = (counts[name] for name in TOKEN_FIELDS[:3])
    if prompt is None or completion is None or total is None:
        return counts  # without all three there is no arithmetic to decide by
    if (excess := total - prompt - completion) != 0:
        counts = with_excess_placed(counts, excess, notes)
    for part, whole in PART_OF:
        if (counts[part] or 0) > (counts[whole] or 0):
            notes.append(
                f"`{part}` ({counts[part]}) exceed `{whole}` ({counts[whole]}); "
                "both are kept as reported."
            )
    return counts


def with_excess_placed(counts: TokenCounts, excess: int, notes: list[str]) -> TokenCounts:
    """`counts`, with the tokens that the total has beyond prompt and completion put where they
    belong, if one row of `COUNTED_OUTSIDE` explains them exactly.
    """
    for parts, whole in COUNTED_OUTSIDE:
        if excess > 0 and sum(counts[part] or 0 for part in parts) == excess:
            names = "` and `".join(parts)
            notes.append(f"`{names}` lay outside `{whole}`; they were added to it.")
            return {**counts, whole: (counts[whole] or 0) + excess}
    notes.append(
        f"`total_tokens` is not the sum of prompt and completion (by {excess}); "
        "all are kept as reported."
    )
    return counts


def costs_usd(answer: Mapping[str, object], notes: list[str]) -> Iterator[Decimal]:
    """The costs that the answer reports, in USD, best first."""
    usage = answer.get("usage")
    if answer.get("cost") is None and not (
        isinstance(usage, dict) and _COST_MEMBERS & usage.keys()
    ):
        return
    if member_at(answer, "usage.is_byok") is True:
        # Paid with the caller's own key, so no cost elsewhere in the answer is the whole one.
        yield from cost_with_own_key(answer, notes)
        return
    for path, units_per_usd in COST_PATHS.items():
        amount = amount_usd(answer, path, units_per_usd, notes)
        # Zero ticks is what Azure reports for xAI's models, which it bills itself; a call to xAI is
        # never free.
        if amount is not None and (amount or units_per_usd == 1):
            yield amount


def cost_with_own_key(answer: Mapping[str, object], notes: list[str]) -> Iterator[Decimal]:
    """The cost of a call that OpenRouter made with the caller's own key at the model's vendor: its
    own fee, and what the vendor takes.
    """
    fee = amount_usd(answer, OWN_KEY_FEE, 1, notes)
    upstream = amount_usd(answer, OWN_KEY_UPSTREAM, 1, notes)
    for names in OWN_KEY_UPSTREAM_PARTS:
        paths = [f"usage.cost_details.{name}" for name in names]
        parts = [amount_usd(answer, path, 1, notes) for path in paths if upstream is None]
        if parts and None not in parts:
            upstream = sum(filter(None, parts), Decimal(0))
    if upstream is not None:
        yield upstream + (fee or Decimal(0))
    elif fee is not None:
        notes.append(
            f"`{OWN_KEY_FEE}` is the router's fee alone, and what the vendor takes is not "
            "reported; the list price counts."
        )


def amount_in(value: object) -> int | float | Decimal | None:
    """`value` as a number, also where it is one written as text, as decimals often are so that no
    parser rounds them; otherwise None.

    >>> amount_in("12"), amount_in("0.0015"), amount_in("many")
    (Decimal('12'), Decimal('0.0015'), None)
    """
    if isinstance(value, str):
        return Decimal(value) if _NUMBER.fullmatch(value) else None
    return number_or_none(value)


def amount_usd(
    answer: Mapping[str, object], path: str, units_per_usd: int, notes: list[str]
) -> Decimal | None:
    """The amount of money at `path`, in USD; None, perhaps with a note, where there is none."""
    value = member_at(answer, path)
    if value is None or isinstance(value, Mapping):
        return None
    amount = amount_in(value)
    if amount is None or not 0 <= amount <= MAX_USD * units_per_usd:
        kind = type(value).__name__
        notes.append(f"`{path}` is not an amount of money (a `{kind}`); it counts as absent.")
        return None
    # `str` first: Decimal(0.1) would have the float's binary error.
    return Decimal(str(amount)) / units_per_usd
