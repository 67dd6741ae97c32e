"""What `run`, `chat` and `step` build a turn from: manifests, plugins, tools, ledger, budget."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from turngraph.interfaces.cli.client_options import open_client
from turngraph.interfaces.cli.ledger_options import Amount
from turngraph.interfaces.cli.model_options import ModelOptions, SelectedModel

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool
    from langgraph.types import Checkpointer

    from turngraph.billing.budget import Budget
    from turngraph.billing.ledger import Ledger
    from turngraph.graphs.turn_graph import TurnGraph
    from turngraph.providers.config import ProviderConfig
    from turngraph.providers.openai_provider import OpenAIProvider
    from turngraph.tools.plugin import Plugin

__all__ = ["TurnOptions", "TurnSetup", "open_setup"]


@Parameter(name="*")
@dataclass(frozen=True)
class TurnOptions:
    """The options that `run`, `chat` and `step` share beside those of the model."""

    client: Annotated[
        Path | None,
        Parameter(
            help="A YAML file with an LLMClient manifest: its model, settings, plugins and "
            "functions are used, unless an option says otherwise."
        ),
    ] = None
    plugins: Annotated[
        Path | None,
        Parameter(help="A YAML file, or a folder of them, whose plugins the turn may use."),
    ] = None
    tool: Annotated[
        tuple[str, ...],
        Parameter(
            name="--tool",
            negative="",
            help="A tool of your own to offer, as in my_tools:search or my_tools.py:search. May be "
            "given several times.",
        ),
    ] = ()
    allow_host: Annotated[
        tuple[str, ...],
        Parameter(
            negative="",
            help="A host, as in localhost:8080, that API plugins may reach although its address is "
            "not public.",
        ),
    ] = ()
    ledger: Annotated[
        str | None,
        Parameter(
            env_var="TURNGRAPH_LEDGER",
            help="The ledger that is charged, as in sqlite:///turns.db. Put a URL with a password "
            "into the variable.",
        ),
    ] = None
    budget: Annotated[
        Amount | None, Parameter(help="The most that one turn may cost, in US dollars.")
    ] = None


@dataclass(frozen=True)
class TurnSetup:
    """Everything that a turn is built from."""

    model: SelectedModel
    options: ModelOptions
    plugins: "tuple[Plugin, ...]" = ()
    tools: "tuple[BaseTool | Callable[..., Any], ...]" = ()
    ledger: "Ledger | None" = None
    budgets: "tuple[Budget, ...]" = ()

    def turn(
        self,
        provider: "ProviderConfig | OpenAIProvider",
        *,
        stream: bool = False,
        checkpointer: "Checkpointer" = None,
    ) -> "TurnGraph":
        """Returns the turn, whose requests `provider` sends."""
        from turngraph.graphs.chat import chat_turn

        return chat_turn(
            provider,
            plugins=self.plugins,
            tools=self.tools,
            functions=self.model.functions,
            system=self.options.system,
            stream=stream,
            limits=self.model.limits,
            prices=self.model.prices,
            ledger=self.ledger,
            budget=self.budgets,
            checkpointer=checkpointer,
        )


@contextmanager
def open_setup(
    given: TurnOptions, options: ModelOptions, environ: Mapping[str, str]
) -> Iterator[TurnSetup]:
    """Yields what the options name. The scripted model, connections and ledger close at the end.

    Raises TurnConfigurationError for whatever is missing or wrong; nothing has been sent then.
    """
    from turngraph.interfaces.user_graphs.loading import load_object

    with ExitStack() as stack:
        selected = stack.enter_context(
            open_client(given.client, options, environ, given.allow_host)
        )
        budgets = _budgets(given)
        yield TurnSetup(
            selected.model,
            selected.options,
            (*selected.plugins, *_plugins(given, stack)),
            tuple(load_object(each, Path()) for each in given.tool),
            _ledger(given, stack),
            budgets,
        )


def _plugins(given: TurnOptions, stack: ExitStack) -> "tuple[Plugin, ...]":
    from turngraph.state.errors import TurnConfigurationError
    from turngraph.tools.manifests.loading import load_manifests

    if given.plugins is None:
        return ()
    if not given.plugins.exists():
        raise TurnConfigurationError(f"--plugins: there is no file or folder `{given.plugins}`.")
    manifests = load_manifests(given.plugins, allow_hosts=given.allow_host)
    stack.callback(manifests.close)
    return tuple(manifests)


def _ledger(given: TurnOptions, stack: ExitStack) -> "Ledger | None":
    # A budget alone is held in a ledger that ends with the command.
    url = "sqlite://" if given.ledger is None and given.budget is not None else given.ledger
    if url is None:
        return None
    from turngraph.billing.ledger import Ledger

    return stack.enter_context(Ledger(url))


def _budgets(given: TurnOptions) -> "tuple[Budget, ...]":
    if given.budget is None:
        return ()
    from turngraph.billing.budget import Budget

    return (Budget(usd=given.budget),)
