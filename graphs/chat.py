"""`chat_turn`: one chat turn as a compiled LangGraph graph, in one call."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.store.base import BaseStore
from langgraph.types import All, Checkpointer

from turngraph.billing.pricing.prices import Prices
from turngraph.graphs.argument_kinds import check_arguments, check_nodes
from turngraph.graphs.arguments import (
    SCRIPTED,
    ModelPrices,
    approval_from,
    check_marks,
    ledger_from,
    prices_from,
    provider_from,
    split_vendor_tools,
)
from turngraph.graphs.builder import build_chat_turn
from turngraph.graphs.stage_table import CustomStages
from turngraph.graphs.steps import Steps
from turngraph.graphs.turn_graph import TurnGraph
from turngraph.nodes.support.answer_format import format_validator
from turngraph.nodes.support.dependencies import (
    Approve,
    OnFinish,
    Replay,
    Subscriber,
    TurnDependencies,
)
from turngraph.nodes.support.telemetry import Telemetry
from turngraph.providers.config import ProviderConfig
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.providers.request_template import request_template
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.limits import TurnLimits
from turngraph.state.response_format import answer_class, response_format_of
from turngraph.state.result import TurnResult
from turngraph.state.stages import TurnStage
from turngraph.tools.builtin.registry import BUILTINS
from turngraph.tools.plugin import Plugin
from turngraph.tools.retries import Retry
from turngraph.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI

    from turngraph.billing.budget import Budget
    from turngraph.billing.ledger import Ledger

__all__ = ["chat_turn"]


def chat_turn(
    model: "str | ProviderConfig | OpenAIProvider | BaseChatOpenAI",
    *,
    tools: Sequence[BaseTool | Callable[..., Any] | Mapping[str, Any]] = (),
    plugins: Iterable[Plugin] = (),
    functions: Sequence[str] = (),
    system: str | None = None,
    stream: bool = False,
    response_format: type[Any] | Mapping[str, Any] | None = None,
    repair_answer: bool = False,
    limits: TurnLimits | None = None,
    prices: Prices | ModelPrices | str | Path | None = None,
    ledger: "Ledger | str | None" = None,
    budget: "Budget | Sequence[Budget]" = (),
    require_marks: bool = False,
    wait_s: float = 0.0,
    steps: Steps = "auto",
    replay: Replay = "call",
    approve: bool | Collection[str] | Approve = False,
    before_model: Sequence[TurnStage] = (),
    after_model: Sequence[TurnStage] = (),
    before_tools: Sequence[TurnStage] = (),
    retries: Mapping[str, Retry] | None = None,
    on_event: "Subscriber | Sequence[Subscriber]" = (),
    on_finish: OnFinish | None = None,
    telemetry: Telemetry | None = None,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    interrupt_before: All | list[str] | None = None,
    interrupt_after: All | list[str] | None = None,
    name: str = "chat_turn",
    environ: Mapping[str, str] | None = None,
) -> TurnGraph:
    """Build one chat turn as a compiled LangGraph graph.

    Args:
        model: `"vendor:model"` (the key is read from the vendor's variable in `environ`),
            `"scripted"` (a model of rules on this machine, without a key), a `ProviderConfig`, an
            `OpenAIProvider`, or a LangChain `ChatOpenAI`, whose configuration and client are used.
        tools: what the model may call: `@tool` functions, `BaseTool`s, plain typed functions, MCP
            tools, and tools that the vendor runs itself (`{"type": "web_search"}`).
        plugins: plugins from `load_manifests`. Each joins a turn as its selector says.
        functions: built-in tools by name, such as `"calculator"`.
        system: the system message, instead of the configuration's.
        stream: ask the vendor for a stream. Tokens then reach `on_event` and LangGraph's `messages`
            and `custom` streams. Watching a turn never changes this.
        response_format: the form of the answer, instead of the configuration's: a pydantic class,
            a dataclass, a TypedDict, a JSON schema, or an object as Chat Completions defines it.
            `result.parsed` is the answer read in it;
            an answer that does not fit ends the turn with the status `invalid_answer`.
        repair_answer: ask the model once more for an answer that does not fit.
        limits: how many calls, tool calls, tokens, US dollars and seconds a turn may use.
        prices: your prices, which come before the list prices: `Prices`, the path of a price file,
            or a dict such as `{"openai:gpt-5-mini": {"input": "0.25", "output": "2"}}` in USD per
            million tokens.
        ledger: a `Ledger`, or the URL of one (`"sqlite:///turns.db"`). Money is held in it before
            each call and charged after it, exactly once; it also keeps two workers off one thread.
            A ledger made from a URL is `turn.ledger`; `turn.ledger.close()` closes it at once, and
            else it is closed when nothing uses it any more.
        budget: what each turn may cost, beside the ledger's own budgets. Needs a `ledger`.
        require_marks: refuse tools that do not say in their metadata whether they may run twice
            (`{"idempotent": False}` or True), where a ledger is bound. By default they are named in
            a warning in the log: where a worker is killed in the middle of such a call, it runs
            again.
        wait_s: seconds that a turn waits for another worker that has its thread, before it raises
            TurnConflictError.
        steps: in how many steps of LangGraph the stages run. `"each"`: one step a stage. `"one"`:
            all in one, also with a checkpointer, which then stores one checkpoint a turn.
            `"auto"`: in one, where the run keeps no checkpoints and nobody watches its steps.
        replay: what happens to a call that the ledger has an answer to, when a run goes back to an
            earlier checkpoint: it is sent again and charged (`"call"`), or gets the recorded answer
            at no cost (`"recorded"`). A run may override it in `configurable["turn_replay"]`.
        approve: which tool calls a person must agree to: all (True), those of the named tools, or
            those for which a function returns True. The graph stops with an interrupt, so a run
            without a checkpointer is refused.
        before_model, after_model, before_tools: stages of your own, as functions from the state of
            the turn to what they change (`turngraph.state.TurnStage`). Each becomes a node.
        retries: tools that are tried again after the errors named for them. A call that succeeded
            is never repeated.
        on_event: called with every event of the turn.
        on_finish: called with each result, and may return another.
        telemetry: follows every run, as `OpenTelemetry()` does with spans and metrics.
        checkpointer, store, interrupt_before, interrupt_after, name: as in LangGraph's `compile`.
        environ: where keys are read; the environment of the process by default.

    Returns:
        A compiled graph. Its input is `{"messages": […]}`, its output has `messages`, `result` and
        `charges`. `run` and `arun` take a text and return the typed `TurnResult`.

    Raises TurnConfigurationError for arguments that do not fit; nothing has been sent then.

        >>> turn = chat_turn("scripted", functions=["calculator"])
        >>> turn.run("What is 6 * 7?").tool_runs[0].content
        '42'
    """
    check_arguments(locals())  # the arguments: nothing else has a name yet
    keeper = ledger_from(ledger)
    if keeper is None:
        _check_unused(budget=budget, replay=replay, require_marks=require_marks)
    bound = tuple(plugins)
    provider = provider_from(model, os.environ if environ is None else environ)
    own, at_vendor = split_vendor_tools(tools)
    if at_vendor:
        provider = provider.with_builtin_tools(at_vendor)
    if provider.config.add_built_in_tools:
        functions = tuple(dict.fromkeys((*functions, *BUILTINS)))
    toolbox = Toolbox.of(
        [*own, *(plugin.tool for plugin in bound), *functions], retries=retries or {}
    )
    if keeper is not None:
        check_marks(toolbox, name, required=require_marks)
    form = provider.config.response_format if response_format is None else response_format
    answer_form = response_format_of(form)
    format_validator(answer_form or {})
    template = request_template(
        provider.config, provider.api, tools=toolbox.specs, system=system, stream=stream
    )
    deps = TurnDependencies(
        provider=provider,
        toolbox=toolbox,
        template=template.model_copy(update={"response_format": answer_form}),
        answer_class=answer_class(form),
        repair_answer=repair_answer,
        plugins=bound,
        ledger=keeper,
        budgets=tuple(budget) if isinstance(budget, Sequence) else (budget,),
        limits=limits or TurnLimits(),
        prices=prices_from(prices, scripted=model == SCRIPTED),
        replay=replay,
        approve=approval_from(approve, toolbox),
        on_finish=on_finish or _unchanged,
        subscribers=(on_event,) if callable(on_event) else tuple(on_event),
        telemetry=telemetry,
    )
    custom = CustomStages(before_model, after_model, before_tools)
    builder = build_chat_turn(deps, custom)
    check_nodes(builder.nodes, interrupt_before=interrupt_before, interrupt_after=interrupt_after)
    graph = builder.compile(
        checkpointer,
        store=store,
        interrupt_before=interrupt_before,
        interrupt_after=interrupt_after,
        name=name,
    )
    graph.message_chars, graph.wait_s = deps.limits.message_chars, wait_s
    graph.steps, graph.telemetry = steps, telemetry
    graph.asks_person = callable(approve) or bool(approve)
    if keeper is not None:
        _bind(graph, keeper)
    return graph


def _check_unused(*, budget: object, replay: Replay, require_marks: bool) -> None:
    """Raise TurnConfigurationError for what only a ledger can do."""
    if require_marks:
        raise TurnConfigurationError(
            "Only a ledger knows that a call ran already: give `ledger='sqlite:///turns.db'` with "
            "`require_marks=True`."
        )
    if budget:
        raise TurnConfigurationError(
            "A budget needs a ledger to be held in: give `ledger='sqlite:///turns.db'` too."
        )
    if replay == "recorded":
        raise TurnConfigurationError(
            "Recorded answers are kept in a ledger: give `ledger='sqlite:///turns.db'` too."
        )


def _bind(graph: TurnGraph, ledger: "Ledger") -> None:
    """Let `ledger` admit the turns of `graph`, and let only the worker that has a turn write its
    checkpoints.
    """
    from turngraph.billing.leases.fenced_checkpointer import fenced
    from turngraph.graphs.admission import lease_from

    graph.ledger = ledger
    if isinstance(graph.checkpointer, BaseCheckpointSaver):
        graph.checkpointer = fenced(graph.checkpointer, ledger.leases, lease_from)


def _unchanged(result: TurnResult) -> TurnResult:
    return result
