"""What a call to the model can cost at most, and what an answer without usage used at least."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from turngraph.billing.pricing import worst_case
from turngraph.billing.pricing.price_key import PriceKey
from turngraph.nodes.support.dependencies import TurnDependencies
from turngraph.providers.writing.payload import Payload
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest
from turngraph.state.usage import Usage

__all__ = ["answer_caps", "estimate_of", "no_cap_message", "worst_case_of"]

_BYTES_A_TOKEN: Final = 4
"""In English (https://help.openai.com/en/articles/4936856-what-are-tokens-and-how-to-count-them)."""


def estimate_of(reply: ProviderReply | None, payload: Payload) -> Usage | None:
    """Returns an estimate of what `reply` used, or None if it has usage or is None.

    Counts one token for four bytes of the request and of the answer.
    """
    if reply is None or reply.usage is not None:
        return None
    output_bytes = len(reply.text.encode()) + len((reply.reasoning or "").encode())
    input_bytes = worst_case.prompt_bound(payload.content)
    return Usage(
        input_tokens=input_bytes // _BYTES_A_TOKEN + 1,
        output_tokens=output_bytes // _BYTES_A_TOKEN + 1,
    )


def worst_case_of(request: ChatRequest, payload: Payload, deps: TurnDependencies) -> Decimal | None:
    """Returns the most that `payload` can cost, in USD, or None if no price is known."""
    key = PriceKey(
        request.vendor,
        request.model,
        at=datetime.fromtimestamp(deps.clock(), UTC),
        base_url=deps.provider.config.base_url,
    )
    return worst_case.worst_case_usd(
        deps.prices, key, api=payload.api, body=payload.body, content=payload.content
    )


def answer_caps(payload: Payload) -> list[int]:
    """Returns the caps on the answer's tokens that are really sent, under whatever names."""
    return worst_case.answer_caps(payload.api, payload.body)


def no_cap_message(payload: Payload) -> str:
    """Returns the error for a request whose answer has no cap although a budget applies."""
    names = " or ".join(f"`{name}`" for name in worst_case.CAP_NAMES[payload.api])
    return (
        "A budget applies, and the request has no cap on its answer: "
        f"put {names} into it, a whole number from 1 on."
    )
