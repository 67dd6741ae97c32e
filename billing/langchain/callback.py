"""`LedgerCallback`: the ledger and its budgets for any LangChain chat model."""

import threading
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from turngraph.billing.langchain.metering import MeteringConfig, PlannedCall, record_failure
from turngraph.billing.ledger import Ledger
from turngraph.billing.store.attempts import begin
from turngraph.billing.store.settlement import settle

__all__ = ["LedgerCallback"]


class LedgerCallback(BaseCallbackHandler):
    """Holds money when a chat model starts and charges it when it ends.

    Pass it with the call: `model.invoke(…, config={"callbacks": [LedgerCallback(config)]})`. A
    budget that refuses the call raises `BudgetExceededError` out of it, and nothing is sent.

    A callback sees calls and cannot change them. So set `max_tokens` on the model, and switch off
    its client's own retries (`max_retries=0`): otherwise the ledger sees one call where the vendor
    bills several. Answers are not stored for a resumed agent; `LedgerMiddleware` does that.

    `config` may be a ledger alone: then list prices apply, and its own budgets.

        >>> from turngraph.billing.ledger import Ledger
        >>> LedgerCallback(MeteringConfig(Ledger("sqlite://"))).raise_error
        True
    """

    raise_error = True
    """LangChain logs errors of callbacks; this makes it raise them."""
    run_inline = True
    """Called in the caller's own thread and order, so that the hold comes before the request."""

    def __init__(self, config: MeteringConfig | Ledger) -> None:
        self.config = MeteringConfig.of(config)
        self._under_way: dict[UUID, tuple[PlannedCall, str]] = {}
        self._lock = threading.Lock()

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Holds the money and marks the call as sent. Raises `BudgetExceededError`."""
        names = metadata or {}
        planned = PlannedCall.of(
            self.config,
            messages[0],
            kwargs.get("invocation_params") or {},
            vendor=names.get("ls_provider") or "",
            model=names.get("ls_model_name") or "",
        )
        started = self.config.ledger.store.run(
            begin,
            planned.call,
            call_id=str(run_id),
            request_sha=planned.request_sha,
            usd=planned.usd,
            budgets=self.config.budgets,
        )
        assert started.attempt_id is not None, "a run's id is new"
        with self._lock:
            self._under_way[run_id] = (planned, started.attempt_id)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: object) -> None:
        """Charges what the call used."""
        under_way = self._take(run_id)
        if under_way is not None:
            planned, attempt_id = under_way
            settlement = planned.settlement(self.config, attempt_id, _choices(response))
            self.config.ledger.store.run_or_spool(settle, settlement)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: object) -> None:
        """Releases a call that was refused; any other failed call is unknown."""
        under_way = self._take(run_id)
        if under_way is not None:
            record_failure(self.config.ledger.store, under_way[1], error)

    def _take(self, run_id: UUID) -> tuple[PlannedCall, str] | None:
        with self._lock:
            return self._under_way.pop(run_id, None)


def _choices(response: LLMResult) -> list[AIMessage]:
    return [
        generation.message
        if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage)
        else AIMessage(generation.text)
        for generation in response.generations[0]
    ]
