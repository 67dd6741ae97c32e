"""`vendor_lookup`: asks vendors about calls whose answer never arrived, for a ledger's sweep."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from turngraph.billing.operations.sweeper import Lookup, Outcome, Outstanding, ProviderRecord
from turngraph.graphs.arguments import provider_from
from turngraph.providers.config import ProviderConfig
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.providers.wire.lookup import ask_vendor
from turngraph.state.errors import ProviderError

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI

__all__ = ["vendor_lookup"]

_log: Final = logging.getLogger("turngraph.billing")


def vendor_lookup(
    *models: "str | ProviderConfig | OpenAIProvider | BaseChatOpenAI",
    sure_after_s: float = 600.0,
    environ: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.time,
) -> Lookup:
    """A `lookup` for a ledger's sweep, which asks the endpoints of `models` with their keys.

    A response is found by its id, unless its request said `store: false`; a chat completion, where
    its request said `store: true`. What is found is charged by its usage, and a resumed turn uses
    the answer.

    A completion that the vendor does not have, and of which nothing was received, never arrived.
    That is certain `sure_after_s` seconds after it was sent. A response that the vendor no longer
    has did arrive, since it had an id, so its cost stays unknown. An error of the vendor is logged,
    and the attempt is left to the sweep's policy.

        >>> from turngraph.billing import Ledger
        >>> openai = ProviderConfig(vendor="openai", model="gpt-5-mini", api_key="sk-...")
        >>> with Ledger("sqlite://") as ledger:
        ...     ledger.sweep(lookup=vendor_lookup(openai), policy="manual").left
        0

    Raises TurnConfigurationError for a model that cannot be asked.
    """
    providers = [
        provider_from(model, os.environ if environ is None else environ) for model in models
    ]
    return _VendorLookup(providers, sure_after_s, clock)


@dataclass(frozen=True)
class _VendorLookup:
    providers: Sequence[OpenAIProvider]
    sure_after_s: float
    clock: Callable[[], float]

    def __call__(self, attempt: Outstanding) -> Outcome:
        """The outcome that the first endpoint knows. Several may share an address and differ in
        their keys.
        """
        outcomes = (self._ask(attempt, provider) for provider in self._serving(attempt))
        return next((outcome for outcome in outcomes if outcome is not None), None)

    def _serving(self, attempt: Outstanding) -> Iterator[OpenAIProvider]:
        for provider in self.providers if attempt.kind == "completion" else ():
            if (provider.vendor, provider.config.base_url) == (attempt.vendor, attempt.base_url):
                yield provider

    def _ask(self, attempt: Outstanding, provider: OpenAIProvider) -> Outcome:
        if attempt.stored is None:
            return None
        try:
            record = ask_vendor(
                provider,
                attempt.stored,
                response_id=attempt.provider_id,
                attempt_id=attempt.attempt_id,
            )
        except ProviderError as exc:
            _log.warning("The vendor could not be asked about %s: %s", attempt.attempt_id, exc)
            return None
        if record == "nothing":
            return self._absent(attempt)
        if isinstance(record, str):
            return record
        if record.usage is None:
            return None
        return ProviderRecord(
            usage=record.usage,
            response=record.model_dump_json(),
            provider_id=record.response_id,
            model=record.model,
            service_tier=record.service_tier,
        )

    def _absent(self, attempt: Outstanding) -> Outcome:
        # Vendors store only whole answers. One that had begun to arrive was cut, and may be charged
        # for all the same.
        if attempt.usage is not None:
            return None
        return "absent" if self.clock() - attempt.created >= self.sure_after_s else "pending"
