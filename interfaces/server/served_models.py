"""The models that are served: by name, turns and graphs that the configuration describes."""

import logging
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from langgraph.checkpoint.base import BaseCheckpointSaver

from turngraph.billing.pricing.prices import Prices
from turngraph.graphs.arguments import SCRIPTED, ModelPrices, prices_from, provider_from
from turngraph.graphs.chat import chat_turn
from turngraph.graphs.from_manifest import client_config
from turngraph.graphs.turn_graph import TurnGraph
from turngraph.interfaces.server.config import ModelConfig, ServerConfig
from turngraph.interfaces.server.store import Store
from turngraph.interfaces.user_graphs.loading import Graph, load_graph, load_object
from turngraph.interfaces.user_graphs.node_exits import contain_exits
from turngraph.nodes.support.telemetry import Telemetry
from turngraph.providers.config import ProviderConfig
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.state.errors import TurnConfigurationError, TurngraphError

if TYPE_CHECKING:
    from turngraph.tools.manifests.loading import Manifests

__all__ = ["ModelSet", "ServedModel", "build_models"]

_DEFAULT_NAME: Final = "scripted"

_log: Final = logging.getLogger("turngraph.server")


@dataclass(frozen=True)
class ServedModel:
    """What a client asks by name."""

    name: str
    config: ModelConfig
    kept: Graph
    """The graph, with a checkpointer."""
    stateless: Graph
    """The same graph without one; of a user's own graph it is `kept`."""
    created: int
    """When it was built, in seconds since the epoch."""
    provider: ProviderConfig | None = None
    """What is asked of its vendor; None of a graph of the user's own."""

    @property
    def is_turn(self) -> bool:
        """Whether it is one turn, and not a graph of the user's own."""
        return isinstance(self.kept, TurnGraph)

    @property
    def max_tokens(self) -> int | None:
        """The longest answer that its configuration allows, in tokens."""
        return None if self.provider is None else self.provider.max_tokens

    @property
    def asks_person(self) -> bool:
        """Whether a person may have to approve a tool call."""
        return isinstance(self.kept, TurnGraph) and self.kept.asks_person


@dataclass
class ModelSet:
    """All models of one configuration. It is closed when it is replaced and nobody uses it."""

    models: Mapping[str, ServedModel]
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _users: int = 0
    _replaced: bool = False

    @contextmanager
    def used(self) -> Iterator[Self]:
        """Keeps the models open while a turn runs."""
        self._users += 1
        try:
            yield self
        finally:
            self._users -= 1

    async def aclose(self) -> None:
        """Closes connections and tools."""
        await self._stack.aclose()

    @property
    def prices(self) -> Prices:
        """The prices of all models together."""
        given = [_prices_of(each.config) for each in self.models.values()]
        return prices_from({name: price for prices in given for name, price in prices.items()})

    @property
    def is_idle(self) -> bool:
        """Whether no turn runs on them."""
        return self._users == 0


async def build_models(
    config: ServerConfig,
    store: Store,
    folder: Path,
    environ: MutableMapping[str, str],
    telemetry: Telemetry | None = None,
) -> ModelSet:
    """Builds the models of `config`; the scripted model where there are none.

    Args:
        folder: where the paths in the configuration begin.
        environ: the environment, in which vendors' keys are looked for.
        telemetry: follows the turns.

    Raises TurnConfigurationError that names the model.
    """
    models = config.models or {
        _DEFAULT_NAME: ModelConfig(model=SCRIPTED, functions=("calculator", "date_calculator"))
    }
    stack = AsyncExitStack()
    builder = _Builder(store, folder, environ, stack, telemetry)
    try:
        built = {name: builder.model(name, one) for name, one in models.items()}
    except BaseException:
        await stack.aclose()
        raise
    return ModelSet(built, stack)


@dataclass(frozen=True)
class _Builder:
    store: Store
    folder: Path
    environ: MutableMapping[str, str]
    stack: AsyncExitStack
    telemetry: Telemetry | None

    def model(self, name: str, config: ModelConfig) -> ServedModel:
        provider = None
        try:
            if config.graph is not None:
                graph = self._graph(config)
            else:
                manifests = [self._manifests(each) for each in config.plugins]
                provider = self._provider(config, manifests)
                graph = self._turn(name, config, provider, manifests)
        except (TurngraphError, ValueError) as exc:
            raise TurnConfigurationError(f"`models.{name}`: {exc}") from exc
        is_turn = isinstance(graph, TurnGraph)
        stateless = graph.copy({"checkpointer": None}) if is_turn else graph
        sampling = None if provider is None else provider.config
        return ServedModel(name, config, graph, stateless, int(time.time()), sampling)

    def _graph(self, config: ModelConfig) -> Graph:
        assert config.graph is not None, "the caller has looked"
        graph = contain_exits(load_graph(config.graph, self.folder, self.environ).graph)
        _check_messages(config.graph, graph)
        _warn_of_unpaid(config.graph, graph)
        if isinstance(graph.checkpointer, BaseCheckpointSaver):
            return graph
        saver: Any = self.store.checkpointer
        if isinstance(graph, TurnGraph) and graph.ledger is not None:
            from turngraph.billing.leases.fenced_checkpointer import fenced
            from turngraph.graphs.admission import lease_from

            saver = fenced(saver, graph.ledger.leases, lease_from)
        return graph.copy({"checkpointer": saver})

    def _turn(
        self,
        name: str,
        config: ModelConfig,
        provider: OpenAIProvider,
        manifests: "list[Manifests]",
    ) -> TurnGraph:
        functions = config.functions
        if config.manifest is None:
            plugins = [plugin for each in manifests for plugin in each]
        else:
            holder = _holder_of(config.manifest, manifests)
            plugins = list(holder.of_client(config.manifest))
            functions = functions or tuple(holder.clients[config.manifest].spec.functions)
        self.stack.push_async_callback(provider.aclose)
        return chat_turn(
            provider,
            tools=[load_object(each, self.folder) for each in config.tools],
            plugins=plugins,
            functions=functions,
            system=config.system,
            limits=config.limits,
            prices=_prices_of(config),
            ledger=self.store.ledger,
            budget=config.budgets,
            approve=config.approve,
            steps="one",
            telemetry=self.telemetry,
            checkpointer=self.store.checkpointer,
            name=name,
        )

    def _manifests(self, path: str) -> "Manifests":
        from turngraph.tools.manifests.loading import load_manifests

        file = self.folder / path
        if not file.exists():
            raise TurnConfigurationError(f"`plugins`: there is no file or folder `{file}`.")
        manifests = load_manifests(file)
        self.stack.callback(manifests.close)
        return manifests

    def _provider(self, config: ModelConfig, manifests: "list[Manifests]") -> OpenAIProvider:
        if config.manifest is not None:
            holder = _holder_of(config.manifest, manifests)
            described = client_config(holder, config.manifest, environ=self.environ)
            return OpenAIProvider(described.replaced(**config.provider))
        assert config.model is not None, "the configuration has one of three"
        if config.model == SCRIPTED:
            return provider_from(SCRIPTED, self.environ)
        # Clients expect that nothing is said in their name: no system message unless they send one.
        fields: dict[str, Any] = {"default_system_role": "", **config.provider}
        if config.key_env is not None:
            if not self.environ.get(config.key_env):
                raise TurnConfigurationError(
                    f"`key_env` names `{config.key_env}`, and that variable is not set."
                )
            fields["api_key"] = self.environ[config.key_env]
        model = config.model
        if ":" not in model and "base_url" in fields:
            model = f"custom:{model}"
        return OpenAIProvider(
            ProviderConfig.from_model_string(model, environ=self.environ, **fields)
        )


def _check_messages(reference: str, graph: Graph) -> None:
    """A request is messages and so is an answer, so the graph must keep some."""
    if "messages" in graph.channels:
        return
    names = (name for name in graph.channels if not name.startswith(("_", "branch:")))
    raise TurnConfigurationError(
        f"The graph `{reference}` has no `messages`, which clients send and are answered with. Its "
        f"state has: {', '.join(names) or 'nothing'}. Add `messages`, as `MessagesState` has it."
    )


def _warn_of_unpaid(reference: str, graph: Graph) -> None:
    """Says where a graph has a turn that nobody pays for. One that a function calls is not seen."""
    turns = [graph, *(inner for _, inner in graph.get_subgraphs(recurse=True))]
    if any(isinstance(each, TurnGraph) and each.ledger is None for each in turns):
        _log.warning(
            "Graph `%s` has a turn without a ledger: it is charged to no account, and held by no "
            "budget. Build it with a `ledger` on the server's database.",
            reference,
        )


def _prices_of(config: ModelConfig) -> ModelPrices:
    free = {f"custom:{SCRIPTED}": {"input": 0, "output": 0}}
    return config.prices or (free if config.model == SCRIPTED else {})


def _holder_of(client: str, manifests: "list[Manifests]") -> "Manifests":
    for each in manifests:
        if client in each.clients:
            return each
    known = ", ".join(f"`{name}`" for each in manifests for name in each.clients) or "none"
    raise TurnConfigurationError(f"`manifest` names `{client}`. LLMClients found: {known}.")
