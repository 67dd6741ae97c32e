"""All vendors whose own requests are forwarded, and the requests that are on their way."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

from turngraph.billing.pricing.overrides import PriceOverride
from turngraph.billing.store.calls import CostAttribution
from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.interfaces.server.admission import Admission
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.metrics import Metrics
from turngraph.interfaces.server.passthrough.forwarding import Forwarding, Outgoing
from turngraph.interfaces.server.passthrough.headers import headers_for_vendor
from turngraph.interfaces.server.passthrough.kept_answers import KeptAnswer, KeyClaim, claim_key
from turngraph.interfaces.server.passthrough.metering import ForwardedRequest, Meter, Metered
from turngraph.interfaces.server.passthrough.settings import PassthroughConfig
from turngraph.interfaces.server.passthrough.vendor import PassthroughVendor
from turngraph.interfaces.server.rate_limits.limiter import Admitted, RateLimiter
from turngraph.interfaces.server.turn_planning import idempotency_key
from turngraph.interfaces.telemetry.opentelemetry import OpenTelemetry

__all__ = ["PassthroughGateway"]

_TAG: Final = "passthrough"
"""The tag of every charge made here: `turngraph ledger top --by tag` tells them from turns."""


class PassthroughGateway:
    """Forwards requests. Raises TurnConfigurationError for a configuration that cannot be used."""

    def __init__(
        self,
        configured: Mapping[str, PassthroughConfig],
        store: LedgerStore,
        limiter: RateLimiter,
        admission: Admission,
        metrics: Metrics,
        environ: Mapping[str, str],
        telemetry: OpenTelemetry | None,
    ) -> None:
        self._store, self._limiter, self._admission = store, limiter, admission
        self._metrics, self._environ, self._telemetry = metrics, environ, telemetry
        self._vendors: dict[str, PassthroughVendor] = {}
        self._old: list[PassthroughVendor] = []
        self._running: set[Forwarding] = set()
        self.configure(configured)

    def configure(self, configured: Mapping[str, PassthroughConfig]) -> None:
        """Forwards to these vendors from now on. What is on its way keeps its connection.

        Raises TurnConfigurationError if that is not possible; nothing is changed then.
        """
        vendors = {
            name: PassthroughVendor(name, settings, self._environ)
            for name, settings in configured.items()
        }
        self._old += self._vendors.values()
        self._vendors = vendors

    @property
    def prices(self) -> tuple[PriceOverride, ...]:
        """The prices of all vendors that come before the list prices."""
        return tuple(price for each in self._vendors.values() for price in each.prices.overrides)

    def vendor(self, name: str, caller: Caller) -> PassthroughVendor:
        """Returns the vendor below `/passthrough/NAME/`.

        Raises ServerError (403) for a caller whose key is not good for this, and (404) for a vendor
        that is not configured.
        """
        if "passthrough" not in caller.scopes:
            raise ServerError(403, "This key is not good for passthrough: its scopes lack it.")
        found = self._vendors.get(name)
        if found is None:
            known = ", ".join(f"`{each}`" for each in self._vendors) or "none"
            raise ServerError(
                404,
                f"Requests to `{name[:100]}` are not forwarded. Configured are: {known}.",
                code="not_forwarded",
            )
        return found

    async def forward(
        self,
        vendor: PassthroughVendor,
        request: ForwardedRequest,
        caller: Caller,
        admitted: Admitted,
        headers: Mapping[str, str],
    ) -> Forwarding | KeptAnswer:
        """Holds the request's money and sends it. `admitted` is settled when its answer has ended.

        Returns the answer that is kept, if the `Idempotency-Key` of the request has one.

        Raises ServerError (403) for a model that the key may not ask, (400, 409, 422) for an
        `Idempotency-Key` that is empty or in use, (503) where the server has no place, and
        BudgetExceededError.
        """
        _check_model(vendor, request, caller)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._admission.place(caller.account))
            claim = None
            if (key := idempotency_key(headers)) is not None:
                claim = await claim_key(self._store, caller.account, key, request, vendor.name)
            if isinstance(claim, KeptAnswer):
                await self._limiter.settle(admitted, tokens=0)
                return claim
            meter = await self._hold(vendor, request, caller, claim)
            place = stack.pop_all()  # kept until the answer has ended

        async def on_end(used: Metered) -> None:
            await place.aclose()
            await self._limiter.settle(admitted, tokens=used.tokens)
            self._metrics.count_usage(f"{_TAG}:{vendor.name}", used.usage, used.usd)

        # The vendor's part of the trace is below the span of this request, if there is one.
        outgoing = Outgoing(
            vendor.path_of(request.api, request.model),
            request.content,
            {**headers_for_vendor(headers), **meter.start_span()},
        )
        transport = vendor.transport_for(caller.account)
        forwarding = Forwarding(transport, meter, outgoing, claim, on_end)
        self._running.add(forwarding)
        forwarding.task.add_done_callback(lambda _: self._running.discard(forwarding))
        return forwarding

    async def _hold(
        self,
        vendor: PassthroughVendor,
        request: ForwardedRequest,
        caller: Caller,
        claim: KeyClaim | None,
    ) -> Meter:
        attribution = CostAttribution(
            account=caller.account, api_key_id=caller.key_id, tags=(_TAG,)
        )
        config = vendor.transport_for(caller.account).config
        try:
            return await Meter.hold(
                self._store, vendor.prices, config, request, attribution, self._telemetry
            )
        except BaseException:
            if claim is not None:
                await claim.end(whole=False)
            raise

    async def drain(self, seconds: float) -> None:
        """Waits until what is on its way has ended, at most `seconds`."""
        if self._running:
            await asyncio.wait({each.task for each in self._running}, timeout=seconds)

    def stop(self) -> None:
        """Ends what is on its way, and tells the clients that the server stops."""
        for forwarding in self._running:
            forwarding.stop()

    async def close_unused(self) -> None:
        """Closes the connections of earlier configurations, once nothing is on its way."""
        if not self._running:
            old, self._old = self._old, []
            for vendor in old:
                await vendor.aclose()

    async def aclose(self) -> None:
        """Ends what is on its way, so that it is in the ledger, and closes all connections."""
        tasks = [each.task for each in self._running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for vendor in (*self._old, *self._vendors.values()):
            await vendor.aclose()


def _check_model(vendor: PassthroughVendor, request: ForwardedRequest, caller: Caller) -> None:
    name = f"{vendor.name}:{request.model}"
    if caller.models is not None and name not in caller.models:
        allowed = ", ".join(f"`{each}`" for each in sorted(caller.models)) or "none"
        raise ServerError(
            403, f"This key may not ask `{name[:100]}`. It may ask: {allowed}.", param="model"
        )
