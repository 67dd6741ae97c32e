"""`chat_turn`: one chat turn as a compiled LangGraph graph, in one call."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.store.base import BaseStore
from langgraph.types import All, Checkpointer

from turngraph.billing.pricing.prices import Prices
from turngraph.graphs.builder import build_chat_turn
from turngraph.graphs.turn_graph import TurnGraph
from turngraph.nodes.support.dependencies import Approve, OnFinish, TurnDeps
from turngraph.nodes.support.stage_context import Replay, Subscriber
from turngraph.providers.config import ProviderConfig
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.providers.request_template import request_template
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.limits import TurnLimits
from turngraph.state.result import TurnResult
from turngraph.tools.plugin import Plugin
from turngraph.tools.retries import Retry
from turngraph.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI

    from turngraph.billing.budget import Budget
    from turngraph.billing.ledger import Ledger

__all__ = ["chat_turn", "provider_of"]


def chat_turn(
    model: "str | ProviderConfig | OpenAIProvider | BaseChatOpenAI",
    *,
    tools: Sequence[BaseTool | Callable[..., Any]] = (),
    plugins: Iterable[Plugin] = (),
    functions: Sequence[str] = (),
    system: str | None = None,
    stream: bool = False,
    limits: TurnLimits | None = None,
    prices: Prices | None = None,
    ledger: "Ledger | None" = None,
    budget: "Budget | Sequence[Budget]" = (),
    wait_s: float = 0.0,
    replay: Replay = "call",
    approve: bool | Collection[str] | Approve = False,
    retries: Mapping[str, Retry] | None = None,
    on_event: Subscriber | Sequence[Subscriber] = (),
    on_finish: OnFinish | None = None,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    interrupt_before: All | list[str] | None = None,
    interrupt_after: All | list[str] | None = None,
    name: str = "chat_turn",
    environ: Mapping[str, str] | None = None,
) -> TurnGraph:
    """One chat turn, compiled.

    Args:
        model: `"vendor:model"` (the key is read from the vendor's variable in `environ`), a
            `ProviderConfig`, an `OpenAIProvider`, or a LangChain `ChatOpenAI` whose configuration
            and client are then used.
        tools: what the model may call: `@tool` functions, `BaseTool`s, plain typed functions, MCP
        tools. plugins: what `load_manifests` made; each joins a turn as its selector says.
        functions: built-in tools by name, such as `"calculator"`. system: the system message, in
        place of the configuration's. stream: ask the vendor for a stream; tokens then reach
        `on_event` and LangGraph's `messages` and `custom`
            streams. Watching a turn never changes this.
        limits: what the turn may use. prices: your overrides over the list prices. ledger: where
        money is held before each call and charged after it, exactly once; it also keeps two workers
            off one thread.
        budget: what each turn may cost, beside the ledger's own budgets; it needs a `ledger`.
        wait_s: how long a turn waits for another worker that has its thread, before it raises
        TurnConflictError. replay: what becomes, on going back to an earlier checkpoint, of a call
        the ledger has an answer to: made again
            and charged (`"call"`), or answered as it was, at no cost (`"recorded"`). A run may say
            otherwise, in `configurable["turn_replay"]`.
        approve: which tool calls a person must agree to: all, those of the named tools, or as a
            function says. The graph then stops with an interrupt; it needs a checkpointer.
        retries: tools that are tried again after the errors named for them; a call that succeeded
        never is. on_event: told every event of the turn. on_finish: sees each result last and may
        replace it. checkpointer, store, interrupt_before, interrupt_after, name: as in LangGraph's
        `compile`. environ: where keys are read; the process's environment by default.

    Returns:
        A compiled graph. Its input is `{"messages": […]}`, its output `messages`, `result` and
        `charges`.

    Raises TurnConfigurationError for what is wired wrongly; nothing has been sent then.

        >>> from turngraph.scripted import ScriptedModel
        >>> with ScriptedModel() as model:
        ...     config = ProviderConfig(model="scripted", base_url=model.base_url)
        ...     turn = chat_turn(config, functions=["calculator"])
        ...     turn.invoke({"messages": [("user", "What is 6 * 7?")]})["result"].tool_runs[0].content
        '42'
    """
    if budget and ledger is None:
        raise TurnConfigurationError(
            "A budget needs a ledger to be held in: give `ledger=Ledger(…)` too."
        )
    if replay == "recorded" and ledger is None:
        raise TurnConfigurationError(
            "Recorded answers are kept in a ledger: give `ledger=Ledger(…)` too."
        )
    _check_kinds(tools=tools, functions=functions, plugins=plugins, limits=limits)
    bound = tuple(plugins)
    toolbox = Toolbox.of(
        [*tools, *(plugin.tool for plugin in bound), *functions], retries=retries or {}
    )
    provider = provider_of(model, os.environ if environ is None else environ)
    deps = TurnDeps(
        provider=provider,
        toolbox=toolbox,
        template=request_template(
            provider.config, provider.api, tools=toolbox.specs, system=system, stream=stream
        ),
        plugins=bound,
        ledger=ledger,
        budgets=tuple(budget) if isinstance(budget, Sequence) else (budget,),
        limits=limits or TurnLimits(),
        prices=prices or Prices(),
        replay=replay,
        approve=_approver(approve, toolbox),
        on_finish=on_finish or _as_it_is,
        subscribers=(on_event,) if callable(on_event) else tuple(on_event),
    )
    graph = build_chat_turn(deps).compile(
        checkpointer,
        store=store,
        interrupt_before=interrupt_before,
        interrupt_after=interrupt_after,
        name=name,
    )
    graph.message_chars, graph.wait_s = deps.limits.message_chars, wait_s
    if ledger is not None:
        _bind(graph, ledger)
    return graph


def provider_of(
    model: "str | ProviderConfig | OpenAIProvider | BaseChatOpenAI", environ: Mapping[str, str]
) -> OpenAIProvider:
    """The provider that `model` names or is. Raises TurnConfigurationError saying what may be
    given.
    """
    if isinstance(model, OpenAIProvider):
        return model
    if isinstance(model, ProviderConfig):
        return OpenAIProvider(model)
    if isinstance(model, str):
        return OpenAIProvider(ProviderConfig.from_model_string(model, environ=environ))
    if hasattr(model, "root_client"):
        return OpenAIProvider.from_chat_model(model)
    raise TurnConfigurationError(
        f"`model` is a {type(model).__name__}. "
        "Allowed: 'vendor:model', a ProviderConfig, an OpenAIProvider, or a LangChain ChatOpenAI."
    )


def _check_kinds(*, tools: object, functions: object, plugins: object, limits: object) -> None:
    """The slips everyone makes once, named. Raises TurnConfigurationError."""
    if isinstance(tools, str) or not isinstance(tools, Sequence):
        raise TurnConfigurationError(
            f"`tools` is a list of tools, not {type(tools).__name__}: write `tools=[…]`."
        )
    if isinstance(functions, str):
        raise TurnConfigurationError(
            f"`functions` is a list of names: write `functions=['{functions[:64]}']`."
        )
    if isinstance(plugins, str):
        raise TurnConfigurationError(
            f"`plugins` takes what was loaded: `plugins=load_manifests('{plugins[:64]}')`."
        )
    if limits is not None and not isinstance(limits, TurnLimits):
        raise TurnConfigurationError(
            f"`limits` is a TurnLimits, not {type(limits).__name__}: `TurnLimits(calls=4)`."
        )


def _bind(graph: TurnGraph, ledger: "Ledger") -> None:
    """Turns of `graph` are admitted by `ledger`, and only the worker that has a turn writes its
    checkpoints.
    """
    from turngraph.billing.leases.fenced_checkpointer import fenced
    from turngraph.graphs.admission import lease_from

    graph.ledger = ledger
    if isinstance(graph.checkpointer, BaseCheckpointSaver):
        graph.checkpointer = fenced(graph.checkpointer, ledger.leases, lease_from)


def _approver(approve: bool | Collection[str] | Approve, toolbox: Toolbox) -> Approve:
    if callable(approve):
        return approve
    if isinstance(approve, bool):
        return lambda call: approve
    names = {approve} if isinstance(approve, str) else set(approve)
    unknown = sorted(name for name in names if name not in toolbox)
    if unknown:
        offered = ", ".join(f"`{tool.name}`" for tool in toolbox) or "none"
        raise TurnConfigurationError(
            f"`approve` names `{unknown[0]}`, no tool of this turn. Offered: {offered}."
        )
    return lambda call: call.name in names


def _as_it_is(result: TurnResult) -> TurnResult:
    return result
