"""Translates a LangChain model's call, and its result, into the ledger's values."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, convert_to_openai_messages

from turngraph.billing.budget import Budget
from turngraph.billing.langchain.message_usage import usage_of
from turngraph.billing.ledger import Ledger
from turngraph.billing.pricing.charges import charge_for
from turngraph.billing.pricing.estimates import estimated_usage
from turngraph.billing.pricing.price_key import PriceKey
from turngraph.billing.pricing.prices import Prices
from turngraph.billing.pricing.worst_case import CAP_NAMES, answer_count, worst_case_usd
from turngraph.billing.store.calls import (
    Call,
    CostAttribution,
    Released,
    Settlement,
    UnknownOutcome,
)
from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.billing.store.outcomes import mark_unknown, release
from turngraph.billing.store.states import SettlementBasis
from turngraph.state.argument_kinds import (
    Kind,
    check_kinds,
    has_method,
    is_a,
    is_positive,
    is_text,
    list_of,
    or_none,
)
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.payer import payer_of_run
from turngraph.state.request import Api

__all__ = [
    "CAP_PARAMETERS",
    "MeteringConfig",
    "PlannedCall",
    "arecord_failure",
    "record_failure",
    "refuse_hidden_retries",
]

CAP_PARAMETERS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""LangChain's names for the cap on an answer. `ChatOpenAI` renames the first that is set to the one
that its API knows.
"""

_MAX_ANSWERS: Final = 128
"""No vendor gives more (https://platform.openai.com/docs/api-reference/chat/create)."""
_NOT_SENT: Final = ("_type", "extra_body", "model_name", "use_responses_api")
"""Parameters that LangChain reports and does not send as they are."""

_KINDS: Final[Mapping[str, Kind]] = {
    "ledger": Kind(is_a(Ledger), "a Ledger: write `Ledger('sqlite:///turns.db')`"),
    "prices": Kind(has_method("charge"), "a `Prices()`"),
    "attribution": Kind(is_a(CostAttribution), "a CostAttribution"),
    "budgets": Kind(list_of(has_method("windows")), "a list of Budgets: `[Budget(usd='0.50')]`"),
    "max_tokens": Kind(is_positive, "a whole number of at least 1"),
    "vendor": Kind(or_none(is_text), "the name of a vendor"),
}


@dataclass(frozen=True)
class MeteringConfig:
    """How the calls of a LangChain model are metered.

    `prices` are what they cost, `attribution` is whom they are charged to, and `budgets` apply
    beside those of the ledger. `max_tokens` caps an answer that has no cap of its own. `vendor`
    replaces LangChain's name for the vendor, where price lists have another.

        >>> from turngraph.billing.ledger import Ledger
        >>> attribution = CostAttribution(account="acme")
        >>> MeteringConfig(Ledger("sqlite://"), attribution=attribution).attribution.account
        'acme'
    """

    ledger: Ledger
    prices: Prices = field(default_factory=Prices)
    attribution: CostAttribution = CostAttribution()  # noqa: RUF009  # frozen
    budgets: tuple[Budget, ...] = ()
    max_tokens: int = 4096
    vendor: str | None = None

    def __post_init__(self) -> None:
        check_kinds(_KINDS, vars(self))

    @classmethod
    def of(cls, metered: "MeteringConfig | Ledger") -> "MeteringConfig":
        """Returns `metered`, or for a ledger its configuration with list prices and no more."""
        return cls(metered) if isinstance(metered, Ledger) else metered

    @property
    def now(self) -> datetime:
        """The time by the ledger's clock."""
        return datetime.fromtimestamp(self.ledger.store.now(), UTC)


@dataclass(frozen=True)
class PlannedCall:
    """A call that is about to be made."""

    call: Call
    request_sha: str
    usd: Decimal | None
    """The most that it can cost; `None` where its price is unknown."""
    content: bytes = b""
    """The request as JSON, near enough to count its tokens."""
    answers: int = 1
    """How many answers were asked for (`n`)."""

    @classmethod
    def of(
        cls,
        config: MeteringConfig,
        messages: Sequence[BaseMessage],
        parameters: Mapping[str, object],
        *,
        vendor: str,
        model: str,
        defaults: Mapping[str, object] | None = None,
    ) -> "PlannedCall":
        """Returns the call that LangChain's `messages` and `parameters` describe.

        `defaults` are the model's own parameters. They count for the worst case, and not for the
        identity of the request.
        """
        # The identity must be the same when an agent is built anew and resumed; the model's own
        # parameters may contain objects that have no stable text.
        said = convert_to_openai_messages(list(messages))
        identity = json.dumps({"messages": said, **parameters}, default=str)
        api, body = _request_body(said, {**(defaults or {}), **parameters})
        content = json.dumps(body, default=str, ensure_ascii=False, separators=(",", ":"))
        call = Call(attribution=_attribution(config), vendor=config.vendor or vendor, model=model)
        sent = content.encode("utf-8", "surrogatepass")
        usd = worst_case_usd(
            config.prices,
            PriceKey(call.vendor, model, at=config.now),
            api=api,
            body=body,
            content=sent,
            uncapped_tokens=config.max_tokens,
        )
        request_sha = hashlib.sha256(identity.encode()).hexdigest()
        return cls(call, request_sha, usd, sent, answers=min(answer_count(body), _MAX_ANSWERS))

    def settlement(
        self, config: MeteringConfig, attempt_id: str, choices: Sequence[AIMessage]
    ) -> Settlement:
        """Returns what the answer cost. What its usage lacks is estimated from the text, as in a
        turn: LangChain asks some vendors for no usage of a streamed answer.

        choices: the messages of the answer. The first has the usage of all. Where `n` asked for
            more than there are (an agent gets only the first), the others count as long as these.
        """
        usage = usage_of(choices[0])
        metadata = choices[0].response_metadata
        written = "".join(map(_text_of, choices)) * max(1, self.answers // len(choices))
        key = PriceKey(
            self.call.vendor,
            metadata.get("model_name") or self.call.model,
            at=config.now,
            service_tier=metadata.get("service_tier"),
        )
        charge = charge_for(
            config.prices,
            key,
            attempt_id=attempt_id,
            asked_model=self.call.model,
            usage=usage,
            estimate=estimated_usage(usage, request=self.content, answer=written),
            account=self.call.attribution.account,
        )
        assert charge is not None, "an answered attempt has a charge"
        basis: SettlementBasis = "partial" if charge.estimated else "actual"
        return Settlement(charge=charge, basis=basis, provider_id=metadata.get("id"))


def _attribution(config: MeteringConfig) -> CostAttribution:
    """Whom a call is charged to: whom the configuration names, or else the payer of the run."""
    payer = payer_of_run() if not config.attribution.account else None
    if payer is None:
        return config.attribution
    return config.attribution.model_copy(update=payer._asdict())


def _request_body(messages: object, parameters: Mapping[str, Any]) -> tuple[Api, dict[str, Any]]:
    """Returns the request as `ChatOpenAI` sends it, near enough for its worst case."""
    api: Api = "responses" if parameters.get("use_responses_api") else "chat"
    left_out = (*_NOT_SENT, *CAP_PARAMETERS)
    body = {
        name: value
        for name, value in parameters.items()
        if name not in left_out and value is not None
    }
    caps = [parameters[name] for name in CAP_PARAMETERS if parameters.get(name) is not None]
    if caps:
        body[CAP_NAMES[api][0]] = caps[0]
    # The OpenAI client merges `extra_body` over everything else.
    return api, {"messages": messages, **body, **(parameters.get("extra_body") or {})}


def _text_of(message: AIMessage) -> str:
    """Returns all that the model wrote: text, reasoning and calls, with the JSON around them."""
    written = [message.content, message.tool_calls, message.invalid_tool_calls]
    beside = [message.additional_kwargs.get(name) for name in ("reasoning_content", "refusal")]
    return "".join(
        part if isinstance(part, str) else json.dumps(part, default=str, ensure_ascii=False)
        for part in (*written, *beside)
        if part
    )


def record_failure(store: LedgerStore, attempt_id: str, error: BaseException) -> None:
    """Records a call that raised `error`: refused calls are released, others are unknown."""
    outcome = _outcome_of(attempt_id, error)
    if isinstance(outcome, Released):
        store.run_or_spool(release, outcome)
    else:
        store.run_or_spool(mark_unknown, outcome)


async def arecord_failure(store: LedgerStore, attempt_id: str, error: BaseException) -> None:
    """Async version of `record_failure`."""
    outcome = _outcome_of(attempt_id, error)
    if isinstance(outcome, Released):
        await store.arun_or_spool(release, outcome)
    else:
        await store.arun_or_spool(mark_unknown, outcome)


def _outcome_of(attempt_id: str, error: BaseException) -> Released | UnknownOutcome:
    # A vendor may have worked on a request that ends with 408, 409 or 5xx. Other 4xx are refused
    # before any work.
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and 400 <= status < 500 and status not in (408, 409):
        return Released(attempt_id=attempt_id, why=f"HTTP {status}")
    return UnknownOutcome(attempt_id=attempt_id, why=type(error).__name__)


def refuse_hidden_retries(model: object) -> None:
    """Raises `TurnConfigurationError` for a model whose client retries by itself.

    The vendor may bill each try, and the ledger would see one. The `openai` client tries three
    times by default.
    """
    client = getattr(model, "root_client", None)
    retries = getattr(client, "max_retries", 0)
    if retries:
        raise TurnConfigurationError(
            f"`{type(model).__name__}` retries {retries} times by itself. The ledger does not see "
            "these tries, and each may be billed. Build the model with `max_retries=0`."
        )
