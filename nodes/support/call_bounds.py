"""What a call to the model can cost at most, and what an answer without usage used at least."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from turngraph.billing.pricing.worst_case import prompt_bound, worst_case_usd
from turngraph.nodes.support.dependencies import TurnDependencies
from turngraph.providers.writing.payload import Payload
from turngraph.state.reply import ProviderReply
from turngraph.state.request import Api, ChatRequest
from turngraph.state.usage import Usage

__all__ = ["answer_caps", "estimate_of", "no_cap_message", "worst_case_of"]

_UNCAPPED_TOKENS: Final = 32_768
"""The length that an answer without a cap is counted with."""
_BYTES_A_TOKEN: Final = 4
"""In English (https://help.openai.com/en/articles/4936856-what-are-tokens-and-how-to-count-them)."""
_ANSWER_COUNTS: Final = ("n", "best_of")
"""The parameters that ask for several answers at once."""
_CAPS: Final[Mapping[Api, tuple[str, ...]]] = {
    "chat": ("max_completion_tokens", "max_tokens"),
    "responses": ("max_output_tokens",),
}
"""The parameters that cap an answer. The name that the other API uses caps nothing."""


def estimate_of(reply: ProviderReply | None, payload: Payload) -> Usage | None:
    """Returns an estimate of what `reply` used, or None if it has usage or is None.

    Counts one token for four bytes of the request and of the answer.
    """
    if reply is None or reply.usage is not None:
        return None
    output_bytes = len(reply.text.encode()) + len((reply.reasoning or "").encode())
    input_bytes = prompt_bound(payload.content)
    return Usage(
        input_tokens=input_bytes // _BYTES_A_TOKEN + 1,
        output_tokens=output_bytes // _BYTES_A_TOKEN + 1,
    )


def worst_case_of(request: ChatRequest, payload: Payload, deps: TurnDependencies) -> Decimal | None:
    """Returns the most that `payload` can cost, in USD, or None if no price is known."""
    body = payload.body
    # `extra_body` may name another model or a dearer tier than the request: what is sent counts.
    # A vendor may also ignore either, so the dearest combination is held.
    models = {request.model, *(name for name in [body.get("model")] if isinstance(name, str))}
    tiers = {None, *(name for name in [body.get("service_tier")] if isinstance(name, str))}
    # Each of several answers may be as long as the cap allows.
    answers = max([1, *(count for count in _sent(payload, _ANSWER_COUNTS) if type(count) is int)])
    worst = (
        worst_case_usd(
            deps.prices,
            vendor=request.vendor,
            model=model,
            at=datetime.fromtimestamp(deps.clock(), UTC),
            input_tokens=prompt_bound(payload.content),
            max_tokens=max(answer_caps(payload), default=_UNCAPPED_TOKENS) * answers,
            base_url=deps.provider.config.base_url,
            service_tier=tier,
        )
        for model in models
        for tier in tiers
    )
    return max((usd for usd in worst if usd is not None), default=None)


def answer_caps(payload: Payload) -> list[int]:
    """Returns the caps on the answer's tokens that are really sent, under whatever names.

    Empty if there is none, or if one of them caps nothing: some servers read -1 as "no end", and a
    string as whatever they like. `extra_body` may hold such a cap.
    """
    caps = _sent(payload, _CAPS[payload.api])
    counts = [*caps, *_sent(payload, _ANSWER_COUNTS)]
    return caps if all(type(count) is int and count > 0 for count in counts) else []


def no_cap_message(payload: Payload) -> str:
    """Returns the error for a request whose answer has no cap although a budget applies."""
    names = " or ".join(f"`{name}`" for name in _CAPS[payload.api])
    return (
        "A budget applies, and the request has no cap on its answer: "
        f"put {names} into it, a whole number from 1 on."
    )


def _sent(payload: Payload, names: Sequence[str]) -> list[Any]:
    return [payload.body[name] for name in names if payload.body.get(name) is not None]
