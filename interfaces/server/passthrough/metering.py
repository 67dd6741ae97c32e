"""The money of one forwarded request: held before it leaves, charged when its answer is read."""

import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TypeVar

from turngraph.billing.errors import UncappedError
from turngraph.billing.pricing.charges import charge_for
from turngraph.billing.pricing.estimates import estimated_usage
from turngraph.billing.pricing.price_key import PriceKey
from turngraph.billing.pricing.prices import Prices
from turngraph.billing.pricing.worst_case import CAP_NAMES, answer_caps, worst_case_usd
from turngraph.billing.store.attempts import begin
from turngraph.billing.store.calls import (
    Call,
    CostAttribution,
    Released,
    Settlement,
    UnknownOutcome,
)
from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.billing.store.outcomes import mark_unknown, release
from turngraph.billing.store.settlement import settle
from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.telemetry.opentelemetry import OpenTelemetry
from turngraph.providers.config import ProviderConfig
from turngraph.providers.reading.answer_reader import AnswerReader
from turngraph.providers.reading.asked import Asked
from turngraph.providers.reading.error_reader import read_error
from turngraph.providers.wire.endpoint import request_url
from turngraph.providers.writing.payload import Payload
from turngraph.state.base import Frozen
from turngraph.state.errors import ProviderError
from turngraph.state.json_types import JsonObject
from turngraph.state.reply import ProviderReply
from turngraph.state.request import Api
from turngraph.state.usage import Usage

if TYPE_CHECKING:
    from turngraph.interfaces.telemetry.chat_span import ChatSpan

__all__ = ["NOTHING", "ForwardedRequest", "Meter", "Metered"]

V = TypeVar("V", bound=Frozen)


class Metered(NamedTuple):
    """What an answer used and cost, as far as it is known yet."""

    usage: Usage
    usd: Decimal

    @property
    def tokens(self) -> int:
        """Its tokens, input and output."""
        return (self.usage.input_tokens or 0) + (self.usage.output_tokens or 0)


NOTHING: Final = Metered(Usage(), Decimal(0))
"""What a request without an answer used."""


@dataclass(frozen=True)
class ForwardedRequest:
    """A vendor's own request, as a client has sent it."""

    api: Api
    body: JsonObject
    content: bytes
    """The bytes of `body`, which are forwarded as they are."""

    @property
    def model(self) -> str:
        """The model that is asked."""
        return str(self.body["model"])

    @property
    def streams(self) -> bool:
        """Whether a stream is asked for."""
        return self.body.get("stream") is True


class Meter:
    """Reads an answer beside the client, and charges what it used. Nothing of it is changed."""

    def __init__(
        self,
        store: LedgerStore,
        prices: Prices,
        config: ProviderConfig,
        request: ForwardedRequest,
        call: Call,
        attempt_id: str,
        telemetry: OpenTelemetry | None,
    ) -> None:
        self._store, self._prices, self._config = store, prices, config
        self._request, self._call, self._attempt_id = request, call, attempt_id
        self._telemetry = telemetry
        self._span: ChatSpan | None = None
        self.is_complete = False
        """Whether a whole answer was read and charged."""
        self._reader: AnswerReader | None = None
        self._text: list[str] = []
        self._usage: Usage | None = None

    @classmethod
    async def hold(
        cls,
        store: LedgerStore,
        prices: Prices,
        config: ProviderConfig,
        request: ForwardedRequest,
        attribution: CostAttribution,
        telemetry: OpenTelemetry | None,
    ) -> Self:
        """Holds the most that the request can cost, and marks it as sent.

        Raises BudgetExceededError, or ServerError (400) where a budget applies and the request has
        no cap on its answer.
        """
        call = Call(
            attribution=attribution,
            vendor=config.vendor,
            model=request.model,
            base_url=config.base_url,
        )
        try:
            with nullcontext() if telemetry is None else telemetry.ledger("begin"):
                started = await store.arun(
                    begin,
                    call,
                    call_id=f"passthrough-{uuid.uuid4().hex}",
                    request_sha=sha256(request.content).hexdigest(),
                    usd=_worst_case(prices, config, request, store.now()),
                    capped=bool(answer_caps(request.api, request.body)),
                )
        except UncappedError:
            names = " or ".join(f"`{name}`" for name in CAP_NAMES[request.api])
            raise ServerError(
                400,
                f"A budget applies, and the request has no cap on its answer: put {names} into it.",
                code="uncapped",
            ) from None
        assert started.attempt_id is not None, "a call to a model may be repeated"
        return cls(store, prices, config, request, call, started.attempt_id, telemetry)

    @property
    def api(self) -> Api:
        """The API of the request."""
        return self._request.api

    def start_span(self) -> Mapping[str, str]:
        """Begins the span of the request, if turns have spans. Returns the headers to send."""
        if self._telemetry is None:
            return {}
        self._span = self._telemetry.start_chat(self._config.vendor, self._request.body)
        payload = Payload(self._request.api, self._request.body)
        return self._span.sent(payload, request_url(self._config, self._request.api))

    def close(self) -> None:
        """Ends the span. The request has ended, and what is known of it is recorded."""
        if self._span is not None:
            self._span.close()

    def answer_begins(self, status: int, headers: Mapping[str, str]) -> None:
        """Prepares for the body of an answer."""
        self._reader = AnswerReader(
            self._request.api,
            vendor=self._config.vendor,
            status=status,
            headers=headers,
            streaming=self._request.streams,
            secrets=self._config.secrets,
            finish_reason_optional=self._config.profile.finish_reason_optional,
            asked=Asked.of(self._request.body),
        )

    def read(self, data: bytes) -> None:
        """Reads the next bytes of the answer."""
        assert self._reader is not None, "the answer has begun"
        try:
            for chunk in self._reader.feed(data, time.monotonic()):
                if self._span is not None:
                    self._span.chunk_came()
                self._text.append(chunk.text)
                self._usage = chunk.usage or self._usage
        except ProviderError:
            return  # what is wrong with the answer is the client's to see; `charge` estimates

    async def charge(self, *, whole: bool) -> Metered:
        """Charges what the answer used. `whole` says that all of its bytes have come.

        Where it ended before it said what it used, nobody knows what the vendor bills: then it
        stays open until the books are swept.
        """
        assert self._reader is not None, "the answer has begun"
        try:
            reply: ProviderReply | None = self._reader.finish()
        except ProviderError as exc:
            if self._usage is None:
                await self.failed(exc)
                return self._guess()
            reply = None
        self._show(reply)
        usage = self._usage if reply is None else reply.usage
        if usage is None and (reply is None or reply.truncated or not whole):
            await self.unknown("cut")
            return self._guess()
        estimate = self._estimate(usage)
        charge = charge_for(
            self._prices,
            self._price_key(reply),
            attempt_id=self._attempt_id,
            asked_model=self._request.model,
            usage=usage,
            estimate=estimate,
            account=self._call.attribution.account,
        )
        assert charge is not None, "an answer has a charge"
        settlement = Settlement(
            charge=charge,
            basis="partial" if charge.estimated else "actual",
            provider_id=None if reply is None else reply.response_id,
            http_status=200,
        )
        await self._record(settle, settlement)
        self.is_complete = whole and reply is not None and not reply.truncated
        if self._span is not None and charge.amount_usd is not None:
            self._span.charged(float(charge.amount_usd))
        return Metered(charge.usage or Usage(), charge.amount_usd or Decimal(0))

    async def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Releases the money of a request that the vendor has refused, if it bills nothing."""
        error = read_error(status, headers, body, self._config.vendor)
        await self.failed(error)

    async def failed(self, error: ProviderError) -> None:
        """Records a request that brought no answer."""
        if self._span is not None:
            self._span.failed(error.kind, str(error))
        if error.billed == "none":
            released = Released(attempt_id=self._attempt_id, why=error.kind)
            await self._record(release, released)
        else:
            await self._leave_open(error.kind)

    async def unknown(self, why: str) -> None:
        """Records that nobody knows what the vendor bills; the sweep decides later."""
        if self._span is not None:
            self._span.failed(why, "The answer was not read to its end.")
        await self._leave_open(why)

    async def _leave_open(self, why: str) -> None:
        seen = self._usage if self._usage is not None or not self._text else self._estimate(None)
        outcome = UnknownOutcome(attempt_id=self._attempt_id, why=why, estimate=seen)
        await self._record(mark_unknown, outcome)

    async def _record(self, op: Callable[[LedgerTransaction, V], object], value: V) -> None:
        telemetry = self._telemetry
        with nullcontext() if telemetry is None else telemetry.ledger(op.__name__):
            await self._store.arun_or_spool(op, value)

    def _show(self, reply: ProviderReply | None) -> None:
        """Adds what is known of the answer to the span."""
        if self._span is not None and reply is not None:
            self._span.replied(reply)
            self._span.answered(reply.usage)

    def _guess(self) -> Metered:
        """What an answer used that is charged later."""
        return Metered(self._estimate(None) or Usage(), Decimal(0))

    def _estimate(self, usage: Usage | None) -> Usage | None:
        text = "".join(self._text)
        return estimated_usage(usage, request=self._request.content, answer=text)

    def _price_key(self, reply: ProviderReply | None) -> PriceKey:
        return PriceKey(
            self._config.vendor,
            (reply.model if reply is not None else None) or self._request.model,
            at=datetime.fromtimestamp(self._store.now(), UTC),
            base_url=self._config.base_url,
            service_tier=None if reply is None else reply.service_tier,
        )


def _worst_case(
    prices: Prices, config: ProviderConfig, request: ForwardedRequest, now: float
) -> Decimal | None:
    at = datetime.fromtimestamp(now, UTC)
    key = PriceKey(config.vendor, request.model, at=at, base_url=config.base_url)
    return worst_case_usd(prices, key, api=request.api, body=request.body, content=request.content)
