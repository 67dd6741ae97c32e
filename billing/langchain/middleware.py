"""`LedgerMiddleware`: the ledger and its budgets for LangChain's `create_agent`. Needs
`turngraph[langchain]`.
"""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from langchain_core.messages import AIMessage, messages_from_dict, messages_to_dict
from langchain_core.utils.function_calling import convert_to_openai_tool

from turngraph.billing.langchain.metering import (
    Metered,
    PlannedCall,
    outcome_of,
    refuse_hidden_retries,
)
from turngraph.billing.store.attempts import begin, mark_unknown, release
from turngraph.billing.store.calls import Released, Settlement, StartedAttempt
from turngraph.billing.store.settlement import settle
from turngraph.state.errors import TurnConfigurationError

try:
    from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
except ModuleNotFoundError as exc:
    raise TurnConfigurationError(
        "LedgerMiddleware needs LangChain: pip install 'turngraph[langchain]'."
    ) from exc

__all__ = ["LedgerMiddleware"]


class LedgerMiddleware(AgentMiddleware[Any, Any, Any]):
    """Holds money before each call of an agent's model, charges each once, and uses an answer
    already paid for.

    A call's identity is LangGraph's task: a resumed agent gets the recorded answer, a fork makes a
    call of its own. Put it last in the list, nearest to the model, so that other middleware's
    retries are seen. Raises `BudgetExceededError` before anything is sent.

        >>> from turngraph.billing.ledger import Ledger
        >>> middleware = LedgerMiddleware(Metered(Ledger("sqlite://")))
    """

    def __init__(self, metered: Metered) -> None:
        super().__init__()
        self.metered = metered

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """One call, on the ledger."""
        planned, request = self._asked(request)
        begun = self.metered.ledger.do(self._begin(planned, request))
        if begun.reply is not None:
            return _reply(begun.reply)
        assert begun.attempt_id is not None, "a call to a model may be repeated"
        try:
            response = handler(request)
        except BaseException as exc:
            outcome = outcome_of(begun.attempt_id, exc)
            if isinstance(outcome, Released):
                self.metered.ledger.keep(release, outcome)
            else:
                self.metered.ledger.keep(mark_unknown, outcome)
            raise
        self.metered.ledger.keep(settle, self._settlement(planned, begun.attempt_id, response))
        return response

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """The same for a task."""
        planned, request = self._asked(request)
        begun = await self.metered.ledger.ado(self._begin(planned, request))
        if begun.reply is not None:
            return _reply(begun.reply)
        assert begun.attempt_id is not None, "a call to a model may be repeated"
        try:
            response = await handler(request)
        except BaseException as exc:
            outcome = outcome_of(begun.attempt_id, exc)
            if isinstance(outcome, Released):
                await self.metered.ledger.akeep(release, outcome)
            else:
                await self.metered.ledger.akeep(mark_unknown, outcome)
            raise
        await self.metered.ledger.akeep(
            settle, self._settlement(planned, begun.attempt_id, response)
        )
        return response

    def _asked(self, request: ModelRequest[Any]) -> tuple[PlannedCall, ModelRequest[Any]]:
        """What is asked, and the request with a bound on its answer: a hold without one binds
        nobody.
        """
        model, settings = request.model, dict(request.model_settings)
        refuse_hidden_retries(model)
        bound = getattr(model, "max_tokens", None)
        if not any(
            name in settings
            for name in ("max_tokens", "max_completion_tokens", "max_output_tokens")
        ):
            settings["max_tokens"] = self.metered.max_tokens if bound is None else bound
        tools = [convert_to_openai_tool(tool) for tool in request.tools]
        messages = [
            *([request.system_message] if request.system_message is not None else []),
            *request.messages,
        ]
        named = (
            model._get_ls_params()
        )  # what LangChain tells its tracers; there is no public name for it
        vendor, name = named.get("ls_provider") or "", named.get("ls_model_name") or ""
        planned = PlannedCall.of(self.metered, messages, {**settings, "tools": tools}, vendor, name)
        return planned, request.override(model_settings=settings)

    def _begin(
        self, planned: PlannedCall, request: ModelRequest[Any]
    ) -> Callable[[Any], StartedAttempt]:
        # The task's id, and what is asked: middleware may ask several things in one task.
        task = request.runtime.execution_info.task_id if request.runtime.execution_info else ""
        return partial(
            begin,
            call=planned.call,
            call_id=f"{task}:{planned.request_sha[:16]}",
            request_sha=planned.request_sha,
            usd=planned.usd,
            budgets=self.metered.budgets,
        )

    def _settlement(
        self, planned: PlannedCall, attempt_id: str, response: ModelResponse[Any]
    ) -> Settlement:
        message = next((m for m in response.result if isinstance(m, AIMessage)), AIMessage(""))
        told = planned.settlement(self.metered, attempt_id, message)
        # A structured answer is an object of the caller's own class: it is asked for again rather
        # than guessed.
        kept = (
            json.dumps(messages_to_dict(response.result))
            if response.structured_response is None
            else None
        )
        return told.model_copy(update={"response": kept})


def _reply(kept: str) -> ModelResponse[Any]:
    return ModelResponse(result=messages_from_dict(json.loads(kept)))
