"""Connects manifests with each other: plugins get their connections, connections their secrets."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

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
from turngraph.tools.manifests.placeholders import unused_parameters
from turngraph.tools.manifests.problems import Location
from turngraph.tools.manifests.reading import LocatedManifest, ManifestReader
from turngraph.tools.manifests.secrets import Secrets
from turngraph.tools.plugin import LoadedPlugin
from turngraph.tools.static_plugin import static_plugin
from turngraph.tools.text import backticked

if TYPE_CHECKING:
    from turngraph.tools.sql.database import Database
    from turngraph.tools.web.client import WebClient

__all__ = ["Assembler"]

M = TypeVar("M", bound=Manifest)
Connection = TypeVar("Connection")

NAMESPACES: tuple[tuple[type[Manifest], ...], ...] = (
    (PluginManifest, SqlPluginManifest, ApiPluginManifest),
    (SqlConnectionManifest, ApiConnectionManifest),
    (SecretManifest,),
    (LLMClientManifest,),
    (ProviderManifest,),
)
"""Kinds that share one set of names. Plugins do because the model calls their tools by name."""


class Assembler:
    """Builds plugins and connections from manifests, and adds what does not fit to the problems."""

    def __init__(
        self, reader: ManifestReader, secrets: Secrets, allow_hosts: Collection[str]
    ) -> None:
        self.reader, self.allow_hosts = reader, allow_hosts
        own = self.by_name(SecretManifest)
        self.secrets = replace(secrets, manifests={**secrets.manifests, **own})
        self.databases: dict[str, Database] = {}
        self.services: dict[str, WebClient] = {}

    def plugins(self) -> tuple[LoadedPlugin, ...]:
        """Returns the plugins that could be built. `reader.problems` says what is wrong."""
        self._check_names()
        # Connections come first, because a plugin is built on its connection. A manifest with a
        # problem never ends the work: one run reports the problems of all of them.
        for located, connection in self._of(SqlConnectionManifest):
            self._check_password(located, connection)
            self.databases[located.name] = _database(located, connection, self.secrets)
        for located, service in self._of(ApiConnectionManifest):
            self.services[located.name] = _web_client(
                located, service, self.secrets, self.allow_hosts
            )
        built = (self._plugin(located) for located in self.reader.manifests)
        plugins = tuple(plugin for plugin in built if plugin is not None)
        # A client may name a plugin of any file, so all plugins must be known here.
        self._check_clients({plugin.name for plugin in plugins})
        return plugins

    def _check_password(self, located: LocatedManifest, manifest: SqlConnectionManifest) -> None:
        from turngraph.tools.sql.engines import dialect_of

        data = manifest.spec.connection
        if data.password is not None and dialect_of(data.db_engine) == "sqlite":
            self._problem(
                located,
                ("spec", "connection", "password"),
                "a SQLite database has no password; leave it out",
            )

    def by_name(self, kind: type[M]) -> dict[str, M]:
        """Returns the manifests of one kind by their names."""
        return {located.name: manifest for located, manifest in self._of(kind)}

    def _of(self, kind: type[M]) -> list[tuple[LocatedManifest, M]]:
        return [
            (located, located.manifest)
            for located in self.reader.manifests
            if isinstance(located.manifest, kind)
        ]

    def _check_names(self) -> None:
        for kinds in NAMESPACES:
            first_by_name: dict[str, LocatedManifest] = {}
            for located in self.reader.manifests:
                if not isinstance(located.manifest, kinds):
                    continue
                first = first_by_name.setdefault(located.name, located)
                if first is not located:
                    line = first.document.line_of(("metadata", "name"))
                    self._problem(
                        located,
                        ("metadata", "name"),
                        f"`{located.name}` is already the name of the manifest in "
                        f"{first.source.name}:{line}; rename one of them",
                    )

    def _plugin(self, located: LocatedManifest) -> LoadedPlugin | None:
        match located.manifest:
            case PluginManifest():
                return static_plugin(located.manifest)
            case SqlPluginManifest():
                return self._sql_plugin(located, located.manifest)
            case ApiPluginManifest():
                return self._api_plugin(located, located.manifest)
        return None

    def _sql_plugin(
        self, located: LocatedManifest, manifest: SqlPluginManifest
    ) -> LoadedPlugin | None:
        # Only SQL plugins need SQLAlchemy and the SQL parser, which take long to import.
        from turngraph.tools.sql.plugin import sql_plugin
        from turngraph.tools.sql.statement import StatementError

        database = self._connection(
            located, manifest.spec.connection, self.databases, "SqlConnection"
        )
        if database is None:
            return None
        data = manifest.spec.sql_data
        names = [parameter.name for parameter in data.parameters]
        for name in unused_parameters(data.sql_query, names):
            # A warning, not a problem: the query works. Most often a name is misspelt in one place.
            message = f"the query has no placeholder {{{name}}}, so the parameter has no effect"
            path = ("spec", "sql_data", "parameters")
            self.reader.warnings.append(located.problem(path, message))
        try:
            return sql_plugin(manifest, database)
        except StatementError as error:
            self._problem(located, ("spec", "sql_data", "sql_query"), str(error))
            return None

    def _api_plugin(
        self, located: LocatedManifest, manifest: ApiPluginManifest
    ) -> LoadedPlugin | None:
        from turngraph.tools.web.plugin import api_plugin
        from turngraph.tools.web.selecting import check_selection
        from turngraph.tools.web.template import TemplateError

        client = self._connection(located, manifest.spec.connection, self.services, "ApiConnection")
        try:
            # Checked although the connection may be missing, so that both problems are reported.
            check_selection(manifest.spec.api_data.select or "")
        except ValueError as error:
            self._problem(located, ("spec", "api_data", "select"), str(error))
        if client is None:
            return None
        try:
            return api_plugin(manifest, client)
        except TemplateError as error:
            self._problem(located, ("spec", "api_data", "endpoint"), str(error))
            return None

    def _connection(
        self,
        located: LocatedManifest,
        name: str,
        connections: Mapping[str, Connection],
        kind: str,
    ) -> Connection | None:
        if name not in connections and name not in self.reader.refused:
            self._problem(
                located,
                ("spec", "connection"),
                f"no {kind} is named `{name}` among these manifests "
                f"(there are: {backticked(connections)})",
            )
        return connections.get(name)

    def _check_clients(self, plugins: Collection[str]) -> None:
        for located, client in self._of(LLMClientManifest):
            for index, name in enumerate(client.spec.plugins):
                if name not in plugins and name not in self.reader.refused:
                    self._problem(
                        located,
                        ("spec", "plugins", index),
                        f"no plugin is named `{name}` among these manifests "
                        f"(there are: {backticked(sorted(plugins))})",
                    )
            for index, name in enumerate(client.spec.functions):
                if name not in BUILTINS:
                    self._problem(
                        located,
                        ("spec", "functions", index),
                        f"no built-in function is named `{name}` "
                        f"(there are: {backticked(BUILTINS)})",
                    )

    def _problem(self, located: LocatedManifest, path: Location, message: str) -> None:
        self.reader.problems.append(located.problem(path, message))


def _secret_getter(
    secrets: Secrets, located: LocatedManifest, reference: str | None
) -> Callable[[], str | None]:
    """Returns a function that looks up a connection's secret, relative to the manifest's folder.

    The value is fetched for each use, so it is kept in no object and a new value takes effect.
    """
    if reference is None:
        return lambda: None
    return partial(replace(secrets, folder=located.source.folder).get, reference)


def _database(
    located: LocatedManifest, manifest: SqlConnectionManifest, secrets: Secrets
) -> "Database":
    from turngraph.tools.sql.database import Database
    from turngraph.tools.sql.engines import DatabaseLocation

    data = manifest.spec.connection
    password = _secret_getter(secrets, located, data.password)
    return Database(DatabaseLocation(data, password, located.source.folder))


def _web_client(
    located: LocatedManifest,
    manifest: ApiConnectionManifest,
    secrets: Secrets,
    allow_hosts: Collection[str],
) -> "WebClient":
    from turngraph.tools.web.addresses import AddressPolicy
    from turngraph.tools.web.client import WebClient
    from turngraph.tools.web.credentials import Credentials

    data = manifest.spec.connection
    credentials = Credentials(data, _secret_getter(secrets, located, data.api_key))
    return WebClient(credentials, AddressPolicy(allowed=allow_hosts), data.timeout)
