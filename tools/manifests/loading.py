"""`load_manifests`: from files people already have to plugins, connections and secrets that work
together.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from turngraph.state.errors import TurnConfigurationError
from turngraph.tools.builtin.registry import BUILTINS
from turngraph.tools.manifests.kinds import (
    ApiConnectionManifest,
    ApiPluginManifest,
    LLMClientManifest,
    PluginManifest,
    ProviderManifest,
    SecretManifest,
    SqlConnectionManifest,
    SqlPluginManifest,
)
from turngraph.tools.manifests.parts import Manifest
from turngraph.tools.manifests.problems import ManifestError
from turngraph.tools.manifests.reading import Found, Reading, sources
from turngraph.tools.manifests.secrets import Secrets
from turngraph.tools.plugin import LoadedPlugin
from turngraph.tools.static_plugin import static_plugin

if TYPE_CHECKING:
    from turngraph.tools.sql.database import Database
    from turngraph.tools.web.client import WebClient

__all__ = ["Manifests", "load_manifests"]

logger = logging.getLogger("turngraph.tools")

M = TypeVar("M", bound=Manifest)
NOTHING: Mapping[str, "Found"] = MappingProxyType({})


@dataclass(frozen=True)
class Manifests:
    """What was loaded. Iterated over, it is its plugins, in the order of the files."""

    plugins: tuple[LoadedPlugin, ...] = ()
    clients: Mapping[str, LLMClientManifest] = field(default_factory=dict)
    providers: Mapping[str, ProviderManifest] = field(default_factory=dict)
    secrets: Secrets = field(default_factory=Secrets)
    warnings: tuple[str, ...] = ()
    """What was loaded and is not used, a line each."""
    databases: "Mapping[str, Database]" = field(default_factory=dict, repr=False)

    def __iter__(self) -> Iterator[LoadedPlugin]:
        return iter(self.plugins)

    def __len__(self) -> int:
        return len(self.plugins)

    def __getitem__(self, name: str) -> LoadedPlugin:
        for plugin in self.plugins:
            if plugin.name == name:
                return plugin
        names = ", ".join(f"`{plugin.name}`" for plugin in self.plugins) or "none"
        raise TurnConfigurationError(f"No plugin is named `{name}`. There are: {names}.")

    def of_client(self, name: str) -> "Manifests":
        """These manifests with the plugins of the client `name` alone. Raises
        TurnConfigurationError.
        """
        if name not in self.clients:
            names = ", ".join(f"`{client}`" for client in self.clients) or "none"
            raise TurnConfigurationError(f"No LLMClient is named `{name}`. There are: {names}.")
        return replace(
            self, plugins=tuple(self[plugin] for plugin in self.clients[name].spec.plugins)
        )

    def close(self) -> None:
        """Close the connections to databases."""
        for database in self.databases.values():
            database.close()


def load_manifests(
    source: str | Path | Sequence[str | Path],
    *,
    secrets: Secrets | None = None,
    allow_hosts: Collection[str] = (),
) -> Manifests:
    """The manifests in a file, in a folder and below, in a text, or in several, ready to be given
    to a turn.

    `secrets` says where secrets that are named and not written are found; by default in the
    environment. `allow_hosts` names hosts API plugins may reach though their addresses are not
    public (`localhost:8080`).

        >>> shop = load_manifests('''
        ... apiVersion: turngraph/v1
        ... kind: Plugin
        ... metadata: {name: shop}
        ... spec:
        ...   selector: {directive: always}
        ...   data: {description: What the shop knows., static_data: {opening_hours: 9 to 5}}
        ... ''')
        >>> shop["shop"].tool.invoke({"inquiry_type": "opening_hours"})
        '9 to 5'

    Raises ManifestError, holding every problem with its file, line and path, and FileNotFoundError.
    """
    reading = Reading()
    for text in sources(source):
        reading.read(text)
    return _Assembly(reading, secrets or Secrets(), frozenset(allow_hosts)).manifests()


class _Assembly:
    """Puts plugins, connections and secrets together, gathering what does not fit."""

    def __init__(self, reading: Reading, secrets: Secrets, allow_hosts: Collection[str]) -> None:
        self.reading, self.allow_hosts = reading, allow_hosts
        self.found = reading.found
        own = {one.manifest.metadata.name: one.manifest for one in self.of(SecretManifest)}
        self.secrets = replace(secrets, manifests={**secrets.manifests, **own})  # type: ignore[dict-item]
        self.databases: dict[str, Database] = {}
        self.services: dict[str, WebClient] = {}

    def manifests(self) -> Manifests:
        self.check_names()
        self.connect()
        plugins = tuple(plugin for one in self.found if (plugin := self.plugin(one)) is not None)
        self.check_clients({plugin.name for plugin in plugins})
        if self.reading.problems:
            raise ManifestError(
                sorted(self.reading.problems, key=lambda problem: (problem.file, problem.line))
            )
        for warning in self.reading.warnings:
            logger.warning("%s", warning)
        return Manifests(
            plugins=plugins,
            clients={
                one.manifest.metadata.name: one.manifest for one in self.of(LLMClientManifest)
            },  # type: ignore[misc]
            providers={
                one.manifest.metadata.name: one.manifest for one in self.of(ProviderManifest)
            },  # type: ignore[misc]
            secrets=self.secrets,
            warnings=tuple(map(str, self.reading.warnings)),
            databases=self.databases,
        )

    def of(self, *kinds: type[Manifest]) -> list[Found]:
        return [one for one in self.found if isinstance(one.manifest, kinds)]

    def check_names(self) -> None:
        """Plugins share one set of names, for their tools do; so do connections; other kinds have
        each their own.
        """
        groups: tuple[tuple[type[Manifest], ...], ...] = (
            (PluginManifest, SqlPluginManifest, ApiPluginManifest),
            (SqlConnectionManifest, ApiConnectionManifest),
            (SecretManifest,),
            (LLMClientManifest,),
            (ProviderManifest,),
        )
        for group in groups:
            seen: dict[str, Found] = {}
            for one in self.of(*group):
                first = seen.setdefault(one.manifest.metadata.name, one)
                if first is not one:
                    where = f"{first.source.name}:{first.document.line_of(('metadata', 'name'))}"
                    self.problem(one, ("metadata", "name"), f"is taken by the manifest in {where}")

    def connect(self) -> None:
        for one in self.of(SqlConnectionManifest):
            self.databases[one.manifest.metadata.name] = _database(one, self.secrets)
        for one in self.of(ApiConnectionManifest):
            self.services[one.manifest.metadata.name] = _service(
                one, self.secrets, self.allow_hosts
            )

    def plugin(self, one: Found) -> LoadedPlugin | None:
        match one.manifest:
            case PluginManifest():
                return static_plugin(one.manifest)
            case SqlPluginManifest():
                return self.sql(one, one.manifest)
            case ApiPluginManifest():
                return self.api(one, one.manifest)
        return None

    def sql(self, one: Found, manifest: SqlPluginManifest) -> LoadedPlugin | None:
        from turngraph.tools.sql.plugin import sql_plugin
        from turngraph.tools.sql.statement import StatementError, unused

        database = self.connection(one, manifest.spec.connection, self.databases, "SqlConnection")
        if database is None:
            return None
        data = manifest.spec.sql_data
        for name in unused(data.sql_query, [parameter.name for parameter in data.parameters]):
            self.warn(
                one,
                ("spec", "sql_data", "parameters"),
                f"the parameter {name} stands nowhere in the query",
            )
        try:
            return sql_plugin(manifest, database)
        except StatementError as error:
            self.problem(one, ("spec", "sql_data", "sql_query"), str(error))
            return None

    def api(self, one: Found, manifest: ApiPluginManifest) -> LoadedPlugin | None:
        from turngraph.tools.web.plugin import api_plugin
        from turngraph.tools.web.selecting import check_selection
        from turngraph.tools.web.template import TemplateError

        client = self.connection(one, manifest.spec.connection, self.services, "ApiConnection")
        try:
            check_selection(manifest.spec.api_data.select or "")
        except ValueError as error:
            self.problem(one, ("spec", "api_data", "select"), str(error))
        if client is None:
            return None
        try:
            return api_plugin(manifest, client)
        except TemplateError as error:
            self.problem(one, ("spec", "api_data", "endpoint"), str(error))
            return None

    def connection(
        self, one: Found, name: str, there: "Mapping[str, M2]", kind: str
    ) -> "M2 | None":
        if name not in there:
            names = ", ".join(there) or "none"
            self.problem(
                one,
                ("spec", "connection"),
                f"no {kind} is named {name!r} among these manifests (there are: {names})",
            )
        return there.get(name)

    def check_clients(self, plugins: Collection[str]) -> None:
        for one in self.of(LLMClientManifest):
            assert isinstance(one.manifest, LLMClientManifest)
            for at, name in enumerate(one.manifest.spec.plugins):
                if name not in plugins:
                    self.problem(
                        one,
                        ("spec", "plugins", at),
                        f"no plugin is named {name!r} among these manifests",
                    )
            for at, name in enumerate(one.manifest.spec.functions):
                if name not in BUILTINS:
                    there = ", ".join(BUILTINS)
                    self.problem(
                        one,
                        ("spec", "functions", at),
                        f"no function is named {name!r} (there are: {there})",
                    )

    def problem(self, one: Found, path: tuple[str | int, ...], message: str) -> None:
        self.reading.problems.append(one.problem(path, message))

    def warn(self, one: Found, path: tuple[str | int, ...], message: str) -> None:
        self.reading.warnings.append(one.problem(path, message))


M2 = TypeVar("M2")


def _secret(secrets: Secrets, folder: Path, reference: str | None) -> str | None:
    return None if reference is None else replace(secrets, folder=folder).get(reference)


def _database(one: Found, secrets: Secrets) -> "Database":
    from turngraph.tools.sql.database import Database
    from turngraph.tools.sql.engines import Place

    assert isinstance(one.manifest, SqlConnectionManifest)
    data, folder = one.manifest.spec.connection, one.source.folder
    return Database(Place(data, partial(_secret, secrets, folder, data.password), folder))


def _service(one: Found, secrets: Secrets, allow_hosts: Collection[str]) -> "WebClient":
    from turngraph.tools.web.addresses import AddressPolicy
    from turngraph.tools.web.client import WebClient
    from turngraph.tools.web.credentials import Credentials

    assert isinstance(one.manifest, ApiConnectionManifest)
    data = one.manifest.spec.connection
    credentials = Credentials(data, partial(_secret, secrets, one.source.folder, data.api_key))
    return WebClient(credentials, AddressPolicy(allowed=allow_hosts), data.timeout)
