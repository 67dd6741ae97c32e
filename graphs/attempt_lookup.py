"""`vendor_lookup`: what the sweeper asks vendors by, for calls whose answer never arrived."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from turngraph.billing.operations.sweeper import Lookup, Outcome, Outstanding, ProviderRecord
from turngraph.graphs.chat import provider_of
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
    """A `lookup` for `sweep`, asking the endpoints of `models` with their keys.

    A response is found by its id, unless its request said `store: false`; a chat completion where
    its request said `store: true`. What is found is charged by its usage, and a resumed turn uses
    the answer. A completion that is not kept, and of which nothing was seen, never arrived; that is
    believed `sure_after_s` seconds after it was sent. A response that its vendor no longer has did
    arrive, since it had an id: that says nothing about its cost. An error is logged, and leaves the
    attempt to the sweep's policy.

        >>> from turngraph.billing import Ledger
        >>> openai = ProviderConfig(vendor="openai", model="gpt-5-mini", api_key="sk-...")
        >>> with Ledger("sqlite://") as ledger:
        ...     ledger.sweep(lookup=vendor_lookup(openai), policy="manual").left
        0

    Raises TurnConfigurationError for a model nobody can ask.
    """
    providers = [provider_of(model, os.environ if environ is None else environ) for model in models]
    return _VendorLookup(providers, sure_after_s, clock)


@dataclass(frozen=True)
class _VendorLookup:
    providers: Sequence[OpenAIProvider]
    sure_after_s: float
    clock: Callable[[], float]

    def __call__(self, attempt: Outstanding) -> Outcome:
        """What the first endpoint that can tell says; several may have the same address, and other
        keys.
        """
        said = (self._said(attempt, provider) for provider in self._serving(attempt))
        return next((outcome for outcome in said if outcome is not None), None)

    def _serving(self, attempt: Outstanding) -> Iterator[OpenAIProvider]:
        for provider in self.providers if attempt.kind == "completion" else ():
            if (provider.vendor, provider.config.base_url) == (attempt.vendor, attempt.base_url):
                yield provider

    def _said(self, attempt: Outstanding, provider: OpenAIProvider) -> Outcome:
        if attempt.stored is None:
            return None
        try:
            said = ask_vendor(
                provider,
                attempt.stored,
                response_id=attempt.provider_id,
                attempt_id=attempt.attempt_id,
            )
        except ProviderError as exc:
            _log.warning("Attempt %s was not found out about: %s", attempt.attempt_id, exc)
            return None
        if said == "nothing":
            return self._absent(attempt)
        if isinstance(said, str):
            return said
        if said.usage is None:
            return None
        return ProviderRecord(
            usage=said.usage,
            response=said.model_dump_json(),
            provider_id=said.response_id,
            model=said.model,
            service_tier=said.service_tier,
        )

    def _absent(self, attempt: Outstanding) -> Outcome:
        """Only what is whole is kept: an answer that had begun was cut, and may be charged for all
        the same.
        """
        if attempt.usage is not None:
            return None
        return "absent" if self.clock() - attempt.created >= self.sure_after_s else "pending"
