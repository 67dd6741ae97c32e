"""The worst a call can cost, before it is made: what a budget holds."""

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from turngraph.billing.pricing.prices import Prices

__all__ = ["IMAGE_TOKENS", "prompt_bound", "worst_case_usd"]

IMAGE_TOKENS: Final = 50_000
"""No image is known to cost more tokens: the dearest documented is gpt-4o-mini's, 2 833 and 5 667 a
tile, 8 tiles (https://platform.openai.com/docs/guides/images-vision#calculating-costs).
"""


def prompt_bound(body: bytes) -> int:
    """More tokens than the request `body` (JSON) can have.

    A byte-level tokenizer makes no more tokens than there are bytes, and the JSON around a message
    is longer than the few tokens a vendor puts around it. A picture is counted as a picture, not as
    its base64. What a vendor keeps itself (`previous_response_id`) is not in the body and must be
    added.

        >>> prompt_bound(b'{"messages": [{"role": "user", "content": "Hi"}]}')
        49
    """
    if b"image" not in body:
        return len(body)
    return len(body) + sum(
        IMAGE_TOKENS - min(len(url), len(body)) for url in _images(json.loads(body))
    )


def _images(value: Any) -> Iterator[str]:
    """The URLs of every picture in a request, of either API."""
    if isinstance(value, list):
        for item in value:
            yield from _images(item)
    elif isinstance(value, dict):
        url = value.get("image_url")
        found = url.get("url") if isinstance(url, dict) else url
        if isinstance(found, str):
            yield found
        for name, item in value.items():
            if name != "image_url":
                yield from _images(item)


def worst_case_usd(
    prices: Prices,
    *,
    vendor: str,
    model: str,
    at: datetime,
    input_tokens: int,
    max_tokens: int,
    base_url: str | None = None,
    service_tier: str | None = None,
) -> Decimal | None:
    """What to hold, in USD; `None` where the price is unknown. `max_tokens` must stand in the
    request.

    >>> from datetime import UTC
    >>> worst_case_usd(Prices(), vendor="openai", model="gpt-5", at=datetime(2026, 1, 1, tzinfo=UTC),
    ...                prompt_tokens=1000, max_tokens=1000)
    Decimal('0.01125')
    """
    priced = prices.most(
        vendor=vendor,
        model=model,
        at=at,
        input_tokens=input_tokens,
        output_tokens=max_tokens,
        base_url=base_url,
        service_tier=service_tier,
    )
    return None if priced is None else priced.usd
