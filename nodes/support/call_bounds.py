"""What a call to the model can cost at most, and an estimate of what an answer used."""

from datetime import UTC, datetime
from decimal import Decimal

from turngraph.billing.pricing import worst_case
from turngraph.billing.pricing.estimates import estimated_usage
from turngraph.billing.pricing.price_key import PriceKey
from turngraph.nodes.support.dependencies import TurnDependencies
from turngraph.providers.writing.payload import Payload
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest
from turngraph.state.usage import Usage

__all__ = ["answer_caps", "estimate_of", "no_cap_message", "worst_case_of"]


def estimate_of(reply: ProviderReply | None, payload: Payload) -> Usage | None:
    """Returns what `reply` used, with the counts that its vendor did not report estimated.

    None if nothing needs an estimate, or if there is no answer.
    """
    if reply is None:
        return None
    calls = "".join(call.name + call.arguments for call in reply.tool_calls)
    answer = reply.text + (reply.reasoning or "") + (reply.refusal or "") + calls
    return estimated_usage(reply.usage, request=payload.content, answer=answer)


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
