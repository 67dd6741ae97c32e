"""`LedgerCallback`: the ledger and its budgets for any LangChain chat model, wherever it is used."""

import threading
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from turngraph.billing.langchain.metering import Metered, PlannedCall, outcome_of
from turngraph.billing.store.attempts import begin, mark_unknown, release
from turngraph.billing.store.calls import Released
from turngraph.billing.store.settlement import settle

__all__ = ["LedgerCallback"]


class LedgerCallback(BaseCallbackHandler):
    """Holds money when a chat model starts, and charges it when it ends: `model.invoke(…,
    config={"callbacks": […]})`.

    A callback sees calls and cannot change them: a bound on the answer must be set on the model,
    and its client's own retries switched off (`max_retries=0`), or the ledger sees one call where
    the vendor bills several. Nothing is recorded for a resume; `LedgerMiddleware` does that. A
    refused budget raises `BudgetExceededError` out of the call.

        >>> from turngraph.billing.ledger import Ledger
        >>> LedgerCallback(Metered(Ledger("sqlite://"))).raise_error
        True
    """

    raise_error = True
    run_inline = True  # in the caller's own thread and order: the hold comes before the request

    def __init__(self, metered: Metered) -> None:
        self.metered = metered
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
        """Hold and mark as sent. Raises `BudgetExceededError`; then nothing is sent."""
        named, parameters = metadata or {}, kwargs.get("invocation_params") or {}
        vendor, model = named.get("ls_provider") or "", named.get("ls_model_name") or ""
        planned = PlannedCall.of(self.metered, messages[0], parameters, vendor, model)
        begun = self.metered.ledger.do(
            begin,
            planned.call,
            call_id=str(run_id),
            request_sha=planned.request_sha,
            usd=planned.usd,
            budgets=self.metered.budgets,
        )
        assert begun.attempt_id is not None, "a run's id is new"
        with self._lock:
            self._under_way[run_id] = (planned, begun.attempt_id)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Charge what it used."""
        under_way = self._take(run_id)
        if under_way is not None:
            planned, attempt_id = under_way
            told = planned.settlement(self.metered, attempt_id, _message(response))
            self.metered.ledger.keep(settle, told)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Let go of what was refused; whatever else, nobody knows."""
        under_way = self._take(run_id)
        if under_way is not None:
            outcome = outcome_of(under_way[1], error)
            if isinstance(outcome, Released):
                self.metered.ledger.keep(release, outcome)
            else:
                self.metered.ledger.keep(mark_unknown, outcome)

    def _take(self, run_id: UUID) -> tuple[PlannedCall, str] | None:
        with self._lock:
            return self._under_way.pop(run_id, None)


def _message(response: LLMResult) -> AIMessage:
    generation = response.generations[0][0]
    if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage):
        return generation.message
    return AIMessage("")
