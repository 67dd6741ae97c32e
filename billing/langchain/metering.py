"""What a LangChain chat model is about to do, and did, in the ledger's words."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, convert_to_openai_messages

from turngraph.billing.ledger import Ledger
from turngraph.billing.pricing.charges import charge_for
from turngraph.billing.pricing.prices import Prices
from turngraph.billing.pricing.worst_case import prompt_bound, worst_case_usd
from turngraph.billing.store.budgets import Budget
from turngraph.billing.store.calls import (
    Call,
    CostAttribution,
    Released,
    Settlement,
    UnknownOutcome,
)
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.usage import Usage

__all__ = ["Metered", "PlannedCall", "outcome_of", "usage_of"]


@dataclass(frozen=True)
class Metered:
    """How a LangChain model is metered: its ledger, prices, budgets, and who pays.

    `max_tokens` bounds an answer that names no bound of its own. `vendor` names the vendor in price
    lists where LangChain's own name for it is not the one.
    """

    ledger: Ledger
    prices: Prices = field(default_factory=Prices)
    attribution: CostAttribution = CostAttribution()  # noqa: RUF009  # frozen
    budgets: tuple[Budget, ...] = ()
    max_tokens: int = 4096
    vendor: str | None = None


@dataclass(frozen=True)
class PlannedCall:
    """A call that is about to be made."""

    call: Call
    request_sha: str
    usd: Decimal | None

    @classmethod
    def of(
        cls,
        metered: Metered,
        messages: Sequence[BaseMessage],
        parameters: Mapping[str, Any],
        vendor: str,
        model: str,
    ) -> "PlannedCall":
        """From LangChain's messages and parameters. The hold is for the worst they can cost."""
        at = datetime.fromtimestamp(metered.ledger.now(), UTC)
        body = json.dumps(
            {"messages": convert_to_openai_messages(list(messages)), **parameters}, default=str
        ).encode()
        cap = next(
            (parameters[name] for name in _CAPS if parameters.get(name) is not None),
            metered.max_tokens,
        )
        call = Call(attribution=metered.attribution, vendor=metered.vendor or vendor, model=model)
        usd = worst_case_usd(
            metered.prices,
            vendor=call.vendor,
            model=model,
            at=at,
            input_tokens=prompt_bound(body),
            max_tokens=cap,
        )
        return cls(call, hashlib.sha256(body).hexdigest(), usd)

    def settlement(self, metered: Metered, attempt_id: str, message: AIMessage) -> Settlement:
        """What the answer cost. Without usage it is charged as unpriced: at the budget's ceiling,
        or marked.
        """
        told = message.response_metadata
        charge = charge_for(
            metered.prices,
            attempt_id=attempt_id,
            vendor=self.call.vendor,
            model=told.get("model_name") or self.call.model,
            asked_model=self.call.model,
            service_tier=told.get("service_tier"),
            at=datetime.fromtimestamp(metered.ledger.now(), UTC),
            usage=usage_of(message),
            account=self.call.attribution.account,
        )
        assert charge is not None, "an answered attempt has a charge"
        return Settlement(charge=charge, provider_id=told.get("id"))


_CAPS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


def usage_of(message: AIMessage) -> Usage | None:
    """The usage of an answer; `None` where the vendor reported none.

    >>> usage = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11, "input_token_details": {"cache_read": 4}}
    >>> usage_of(AIMessage("4", usage_metadata=usage))
    Usage(input_tokens=9, output_tokens=2, total_tokens=11, cache_read_tokens=4)
    """
    told = message.usage_metadata
    if told is None:
        return None
    into, out = told.get("input_token_details", {}), told.get("output_token_details", {})
    return Usage(
        input_tokens=told["input_tokens"],
        output_tokens=told["output_tokens"],
        total_tokens=told["total_tokens"],
        cache_read_tokens=into.get("cache_read"),
        cache_write_tokens=into.get("cache_creation"),
        input_audio_tokens=into.get("audio"),
        reasoning_tokens=out.get("reasoning"),
        output_audio_tokens=out.get("audio"),
    )


def outcome_of(attempt_id: str, error: BaseException) -> Released | UnknownOutcome:
    """What an error says about the bill: a refusal costs nothing; whatever else, nobody knows.

    A 408 may have been worked on, a 409 or 5xx too; other 4xx were refused before any work.
    """
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and 400 <= status < 500 and status not in (408, 409):
        return Released(attempt_id=attempt_id, why=f"HTTP {status}")
    return UnknownOutcome(attempt_id=attempt_id, why=type(error).__name__)


def refuse_hidden_retries(model: Any) -> None:
    """Raise `TurnConfigurationError` for a model whose client retries by itself: the vendor bills
    each try.

    The `openai` client tries three times by default and tells nobody.
    """
    client = getattr(model, "root_client", None)
    retries = getattr(client, "max_retries", 0)
    if retries:
        raise TurnConfigurationError(
            f"`{type(model).__name__}` retries {retries} times by itself, unseen by the ledger, and each try may be "
            "billed. Build it with `max_retries=0`."
        )
