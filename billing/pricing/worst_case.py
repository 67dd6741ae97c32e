"""The most a call can cost, before it is made: what a budget holds.

It is computed from the JSON that is really sent, so that a turn and LangChain's models hold the
same for the same request.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from turngraph.billing.pricing.price_key import PriceKey
from turngraph.billing.pricing.prices import Prices
from turngraph.state.request import Api

__all__ = [
    "CAP_NAMES",
    "IMAGE_TOKENS",
    "UNCAPPED_TOKENS",
    "answer_caps",
    "answer_count",
    "prompt_bound",
    "worst_case_usd",
]

IMAGE_TOKENS: Final = 50_000
"""No image is known to cost more tokens: the dearest documented is gpt-4o-mini's, 2 833 and 5 667
per tile, 8 tiles (https://platform.openai.com/docs/guides/images-vision#calculating-costs).
"""

UNCAPPED_TOKENS: Final = 32_768
"""The output tokens that are assumed of a request without a cap on its answer. A budget sends no
such request; without a budget the amount is only reported.
"""

CAP_NAMES: Final[Mapping[Api, tuple[str, ...]]] = {
    "chat": ("max_completion_tokens", "max_tokens"),
    "responses": ("max_output_tokens",),
}
"""The request fields that limit an answer's length. The field of the other API has no effect."""

_ANSWER_COUNTS: Final = ("n", "best_of")
"""The request fields that ask for several answers; each answer may be as long as the cap allows."""


def worst_case_usd(
    prices: Prices,
    key: PriceKey,
    *,
    api: Api,
    body: Mapping[str, object],
    content: bytes,
    uncapped_tokens: int = UNCAPPED_TOKENS,
) -> Decimal | None:
    """Returns the most that a request can cost, in USD; `None` where its price is unknown.

    Args:
        prices: where the rates come from.
        key: the vendor, model and time of the call.
        api: the API that the request is sent to.
        body: the JSON object that is sent. It may name another model than `key`, and a service
            tier: the dearest combination counts.
        content: the bytes of `body` as they are sent.
        uncapped_tokens: the output tokens to assume where the request has no cap on its answer.

    >>> from datetime import UTC, datetime
    >>> key = PriceKey("openai", "gpt-5", at=datetime(2026, 1, 1, tzinfo=UTC))
    >>> body = {"max_completion_tokens": 1000, "n": 2}
    >>> worst_case_usd(Prices(), key, api="chat", body=body, content=b" " * 1000)
    Decimal('0.02125')
    """
    cap = max(answer_caps(api, body), default=uncapped_tokens)
    # Not known before the call: whether the vendor honors the tier, and which model it bills.
    models = {key.model, *_texts(body, "model")}
    tiers = {None, key.service_tier, *_texts(body, "service_tier")}
    worst = (
        prices.most(
            replace(key, model=model, service_tier=tier),
            input_tokens=prompt_bound(content),
            output_tokens=cap * answer_count(body),
        )
        for model in models
        for tier in tiers
    )
    return max((priced.usd for priced in worst if priced is not None), default=None)


def answer_caps(api: Api, body: Mapping[str, object]) -> list[int]:
    """Returns the caps on the answer's length that `body` has, in tokens; none where one of them,
    or a number of answers, is no positive whole number.

    To some servers -1 means "no limit", and nobody knows what they make of a text.

        >>> answer_caps("chat", {"max_tokens": 100}), answer_caps("chat", {"max_tokens": -1})
        ([100], [])
    """
    caps = _present(body, CAP_NAMES[api])
    numbers = [*caps, *_present(body, _ANSWER_COUNTS)]
    return caps if all(type(number) is int and number > 0 for number in numbers) else []


def answer_count(body: Mapping[str, object]) -> int:
    """Returns how many answers `body` asks for; 1 where it does not say, or says no number.

    >>> answer_count({"n": 3}), answer_count({"n": "3"})
    (3, 1)
    """
    return max([1, *(n for n in _present(body, _ANSWER_COUNTS) if type(n) is int)])


def prompt_bound(content: bytes) -> int:
    """Returns more tokens than the request `content` (JSON) can have.

    A byte-level tokenizer makes no more tokens than there are bytes, and the JSON around a message
    is longer than the few tokens that a vendor puts around it. An image counts as an image, not by
    its base64 text. What the vendor stores itself (`previous_response_id`) is not in the request,
    and the caller must add it.

        >>> prompt_bound(b'{"messages": [{"role": "user", "content": "Hi"}]}')
        49
    """
    if b"image" not in content:
        return len(content)
    return len(content) + sum(
        IMAGE_TOKENS - min(len(url), len(content)) for url in _image_urls(json.loads(content))
    )


def _image_urls(value: object) -> Iterator[str]:
    """Yields the URL of every image in a request, of either API."""
    if isinstance(value, list):
        for item in value:
            yield from _image_urls(item)
    elif isinstance(value, dict):
        url = value.get("image_url")
        inner = url.get("url") if isinstance(url, dict) else url
        if isinstance(inner, str):
            yield inner
        for name, item in value.items():
            if name != "image_url":
                yield from _image_urls(item)


def _present(body: Mapping[str, object], names: tuple[str, ...]) -> list[Any]:
    return [body[name] for name in names if body.get(name) is not None]


def _texts(body: Mapping[str, object], name: str) -> list[str]:
    return [value for value in _present(body, (name,)) if isinstance(value, str)]
