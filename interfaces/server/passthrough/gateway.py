"""All vendors whose own requests are forwarded, and the requests that are on their way."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

from turngraph.billing.store.calls import CostAttribution
from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.graphs.arguments import prices_from
from turngraph.interfaces.server.admission import Admission
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.passthrough.forwarding import Forwarding
from turngraph.interfaces.server.passthrough.headers import headers_for_vendor
from turngraph.interfaces.server.passthrough.metering import ForwardedRequest, Meter
from turngraph.interfaces.server.passthrough.settings import PassthroughConfig
from turngraph.interfaces.server.passthrough.vendor import PassthroughVendor
from turngraph.interfaces.server.rate_limits.limiter import Admitted, RateLimiter

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
        environ: Mapping[str, str],
    ) -> None:
        self._store, self._limiter, self._admission = store, limiter, admission
        self._vendors = {
            name: PassthroughVendor(name, settings, environ)
            for name, settings in configured.items()
        }
        self.prices = prices_from(
            {name: price for each in configured.values() for name, price in each.prices.items()}
        )
        """The prices of all vendors together."""
        self._tasks: set[asyncio.Task[None]] = set()

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
    ) -> Forwarding:
        """Holds the request's money and sends it. `admitted` is settled when its answer has ended.

        Raises ServerError (403) for a model that the key may not ask, (503) where the server has no
        place, and BudgetExceededError.
        """
        _check_model(vendor, request, caller)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._admission.place(caller.account))
            meter = await self._hold(vendor, request, caller)
            place = stack.pop_all()  # kept until the answer has ended

        async def on_end(tokens: int) -> None:
            await place.aclose()
            await self._limiter.settle(admitted, tokens=tokens)

        forwarding = Forwarding(
            vendor.transport_for(caller.account),
            meter,
            vendor.path_of(request.api, request.model),
            request.content,
            headers_for_vendor(headers),
            on_end,
        )
        self._tasks.add(forwarding.task)
        forwarding.task.add_done_callback(self._tasks.discard)
        return forwarding

    async def _hold(
        self, vendor: PassthroughVendor, request: ForwardedRequest, caller: Caller
    ) -> Meter:
        attribution = CostAttribution(
            account=caller.account, api_key_id=caller.key_id, tags=(_TAG,)
        )
        config = vendor.transport_for(caller.account).config
        return await Meter.hold(self._store, vendor.prices, config, request, attribution)

    async def aclose(self) -> None:
        """Ends what is on its way, so that it is in the ledger, and closes all connections."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for vendor in self._vendors.values():
            await vendor.aclose()


def _check_model(vendor: PassthroughVendor, request: ForwardedRequest, caller: Caller) -> None:
    name = f"{vendor.name}:{request.model}"
    if caller.models is not None and name not in caller.models:
        allowed = ", ".join(f"`{each}`" for each in sorted(caller.models)) or "none"
        raise ServerError(
            403, f"This key may not ask `{name[:100]}`. It may ask: {allowed}.", param="model"
        )
    if request.body.get("background"):
        raise ServerError(
            400,
            "`background` is not forwarded: the answer comes later, and would not be metered.",
            param="background",
        )
