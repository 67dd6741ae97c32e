"""A turn's call to the model as LangChain's tracers see it, such as LangSmith's: a run of the type
`llm`, with its usage and its cost, below the run of the stage.

Source: https://docs.langchain.com/langsmith/log-llm-trace
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Self

from langchain_core.callbacks import BaseCallbackManager, CallbackManager
from langchain_core.callbacks.manager import CallbackManagerForLLMRun
from langchain_core.messages import AnyMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tracers.base import BaseTracer

from turngraph.providers.writing.messages import to_ai_message
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest

__all__ = ["ModelRun", "tracers_in"]


def tracers_in(callbacks: object) -> CallbackManager | None:
    """Returns a run's tracers, to be told of calls to the model; None where there are none.

    Other callbacks are left out. LangGraph's own would send each answer to its stream a second
    time, and a callback that counts or charges calls would do so beside the turn.
    """
    if not isinstance(callbacks, BaseCallbackManager):
        return None
    tracers: Iterable[Any] = (one for one in callbacks.handlers if isinstance(one, BaseTracer))
    manager = CallbackManager(list(tracers), parent_run_id=callbacks.parent_run_id)
    return manager if manager.handlers else None


class ModelRun:
    """One attempt, as a run."""

    def __init__(self, run: CallbackManagerForLLMRun, request: ChatRequest) -> None:
        self._run, self._request = run, request

    @classmethod
    def start(
        cls, tracers: CallbackManager, request: ChatRequest, messages: Sequence[AnyMessage]
    ) -> Self:
        """Begins the run of a request with these messages."""
        known = {
            "ls_provider": request.vendor,
            "ls_model_name": request.model,
            "ls_model_type": "chat",
            "ls_temperature": request.temperature,
            "ls_max_tokens": request.max_tokens,
        }
        metadata = {name: value for name, value in known.items() if value is not None}
        manager = CallbackManager(
            tracers.handlers, parent_run_id=tracers.parent_run_id, metadata=metadata
        )
        system = [] if request.system is None else [SystemMessage(request.system)]
        (run,) = manager.on_chat_model_start(
            {"name": request.model},
            [[*system, *messages]],
            name=f"{request.vendor}:{request.model}",
            invocation_params=request.model_dump(exclude_none=True, exclude_defaults=True),
        )
        return cls(run, request)

    def end(self, reply: ProviderReply, cost_usd: Decimal | None) -> None:
        """Ends the run with an answer; `cost_usd` is None where no price is known."""
        request = self._request
        message = to_ai_message(
            reply, message_id=reply.response_id or "", vendor=request.vendor, api=request.api
        )
        if message.usage_metadata is not None and cost_usd is not None:
            # LangSmith's form of the usage has amounts beside the counts of LangChain's.
            usage: Any = message.usage_metadata
            usage["total_cost"] = float(cost_usd)
        self._run.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]))

    def fail(self, error: BaseException) -> None:
        """Ends the run without an answer."""
        self._run.on_llm_error(error)
