"""`LedgerMiddleware`: the ledger and its budgets for LangChain's `create_agent`.

Needs `turngraph[langchain]`.
"""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, messages_from_dict, messages_to_dict
from langchain_core.utils.function_calling import convert_to_openai_tool

from turngraph.billing.langchain.metering import (
    CAP_PARAMETERS,
    MeteringConfig,
    PlannedCall,
    arecord_failure,
    record_failure,
    refuse_hidden_retries,
)
from turngraph.billing.ledger import Ledger
from turngraph.billing.store.attempts import begin
from turngraph.billing.store.calls import Settlement, StartedAttempt
from turngraph.billing.store.settlement import settle
from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.state.errors import TurnConfigurationError

if TYPE_CHECKING:
    from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse

    _Base = AgentMiddleware[Any, Any, Any]
else:
    try:
        from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse

        _Base = AgentMiddleware[Any, Any, Any]
    except ModuleNotFoundError:
        # `help(turngraph)` and `from turngraph import *` open every name, also without the extra.
        _Base = object

__all__ = ["LedgerMiddleware"]


class LedgerMiddleware(_Base):
    """Holds money before each call of an agent's model, charges each call once, and uses an answer
    that was already paid for.

    A call is identified by LangGraph's task: a resumed agent gets the stored answer, and a fork
    makes a call of its own. Put the middleware last in the list, nearest to the model, so that it
    sees the retries of others. Raises `BudgetExceededError` before anything is sent.

    `config` may be a ledger alone: then list prices apply, and its own budgets. Raises
    TurnConfigurationError without the extra `langchain`.

        >>> from turngraph.billing.ledger import Ledger
        >>> middleware = LedgerMiddleware(MeteringConfig(Ledger("sqlite://")))
    """

    def __init__(self, config: MeteringConfig | Ledger) -> None:
        if _Base is object:
            raise TurnConfigurationError(
                "LedgerMiddleware needs LangChain: pip install 'turngraph[langchain]'."
            )
        super().__init__()
        self.config = MeteringConfig.of(config)

    def wrap_model_call(
        self,
        request: "ModelRequest[Any]",
        handler: "Callable[[ModelRequest[Any]], ModelResponse[Any]]",
    ) -> "ModelResponse[Any]":
        """Makes one call, through the ledger."""
        store = self.config.ledger.store
        planned, request = self._plan(request)
        started = store.run(self._begin(planned, request))
        if started.reply is not None:
            return _response_from(started.reply)
        assert started.attempt_id is not None, "a call to a model may be repeated"
        try:
            response = handler(request)
        # Also for Ctrl-C: the request may have arrived.
        except BaseException as exc:
            record_failure(store, started.attempt_id, exc)
            raise
        store.run_or_spool(settle, self._settlement(planned, started.attempt_id, response))
        return response

    async def awrap_model_call(
        self,
        request: "ModelRequest[Any]",
        handler: "Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]",
    ) -> "ModelResponse[Any]":
        """Async version of `wrap_model_call`."""
        store = self.config.ledger.store
        planned, request = self._plan(request)
        started = await store.arun(self._begin(planned, request))
        if started.reply is not None:
            return _response_from(started.reply)
        assert started.attempt_id is not None, "a call to a model may be repeated"
        try:
            response = await handler(request)
        except BaseException as exc:
            await arecord_failure(store, started.attempt_id, exc)
            raise
        settlement = self._settlement(planned, started.attempt_id, response)
        await store.arun_or_spool(settle, settlement)
        return response

    def _plan(self, request: "ModelRequest[Any]") -> "tuple[PlannedCall, ModelRequest[Any]]":
        """Returns the call and the request, with a cap on its answer: without one a hold limits
        nothing.
        """
        model, settings = request.model, dict(request.model_settings)
        refuse_hidden_retries(model)
        if not any(name in settings for name in CAP_PARAMETERS):
            cap = getattr(model, "max_tokens", None)
            settings["max_tokens"] = self.config.max_tokens if cap is None else cap
        tools = [convert_to_openai_tool(tool) for tool in request.tools]
        system = [] if request.system_message is None else [request.system_message]
        # What LangChain reports to tracers and callbacks. There is no public way to it.
        names = model._get_ls_params()
        planned = PlannedCall.of(
            self.config,
            [*system, *request.messages],
            {**settings, "tools": tools},
            vendor=names.get("ls_provider") or "",
            model=names.get("ls_model_name") or "",
            defaults=model._get_invocation_params(stop=None, **settings),
        )
        return planned, request.override(model_settings=settings)

    def _begin(
        self, planned: PlannedCall, request: "ModelRequest[Any]"
    ) -> Callable[[LedgerTransaction], StartedAttempt]:
        # The task's id and the request: other middleware may make several calls in one task.
        task = request.runtime.execution_info.task_id if request.runtime.execution_info else ""
        return partial(
            begin,
            call=planned.call,
            call_id=f"{task}:{planned.request_sha[:16]}",
            request_sha=planned.request_sha,
            usd=planned.usd,
            budgets=self.config.budgets,
        )

    def _settlement(
        self, planned: PlannedCall, attempt_id: str, response: "ModelResponse[Any]"
    ) -> Settlement:
        message = next((m for m in response.result if isinstance(m, AIMessage)), AIMessage(""))
        settlement = planned.settlement(self.config, attempt_id, [message])
        # A structured answer is an object of the caller's own class, which JSON cannot restore: a
        # resumed agent asks for it again.
        if response.structured_response is not None:
            return settlement
        stored = json.dumps(messages_to_dict(response.result))
        return settlement.model_copy(update={"response": stored})


def _response_from(stored: str) -> "ModelResponse[Any]":
    return ModelResponse(result=messages_from_dict(json.loads(stored)))
