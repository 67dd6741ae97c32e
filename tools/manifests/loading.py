"""`load_manifests`: turns manifest files into plugins with their connections and secrets."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from turngraph.state.argument_kinds import Kind, check_kinds, is_a, or_none
from turngraph.state.connected import Connected
from turngraph.state.errors import TurnConfigurationError
from turngraph.tools.manifests.assembly import Assembler
from turngraph.tools.manifests.kinds import LLMClientManifest, ProviderManifest
from turngraph.tools.manifests.problems import ManifestError
from turngraph.tools.manifests.reading import ManifestReader
from turngraph.tools.manifests.secrets import Secrets
from turngraph.tools.manifests.sources import read_sources
from turngraph.tools.plugin import LoadedPlugin
from turngraph.tools.text import backticked

if TYPE_CHECKING:
    from turngraph.tools.sql.database import Database
    from turngraph.tools.web.client import WebClient

__all__ = ["Manifests", "load_manifests"]

logger = logging.getLogger("turngraph.tools")


def _are_hosts(value: object) -> bool:
    return (
        isinstance(value, Collection)
        and not isinstance(value, str | bytes)
        and all(isinstance(each, str) for each in value)
    )


_KINDS: Final[Mapping[str, Kind]] = {
    "secrets": Kind(or_none(is_a(Secrets)), "a `Secrets()`"),
    "allow_hosts": Kind(_are_hosts, "a list of hosts: `allow_hosts=['localhost:8080']`"),
}


@dataclass(frozen=True)
class Manifests(Connected):
    """The manifests that were loaded. Iterating yields the plugins, in the order of the files."""

    plugins: tuple[LoadedPlugin, ...] = ()
    clients: Mapping[str, LLMClientManifest] = field(default_factory=dict)
    providers: Mapping[str, ProviderManifest] = field(default_factory=dict)
    secrets: Secrets = field(default_factory=Secrets)
    warnings: tuple[str, ...] = ()
    """What was loaded and is not used, one line each."""
    databases: "Mapping[str, Database]" = field(default_factory=dict, repr=False)
    services: "Mapping[str, WebClient]" = field(default_factory=dict, repr=False)

    def __iter__(self) -> Iterator[LoadedPlugin]:
        return iter(self.plugins)

    def __len__(self) -> int:
        return len(self.plugins)

    def __getitem__(self, name: str) -> LoadedPlugin:
        for plugin in self.plugins:
            if plugin.name == name:
                return plugin
        names = backticked(plugin.name for plugin in self.plugins)
        raise TurnConfigurationError(f"No plugin is named `{name}`. There are: {names}.")

    def of_client(self, name: str) -> "Manifests":
        """Returns these manifests with only the plugins of the client `name`.

        Raises TurnConfigurationError if there is no such client.
        """
        if name not in self.clients:
            raise TurnConfigurationError(
                f"No LLMClient is named `{name}`. There are: {backticked(self.clients)}."
            )
        return replace(
            self, plugins=tuple(self[plugin] for plugin in self.clients[name].spec.plugins)
        )

    def close(self) -> None:
        """Closes the connections to databases."""
        for database in self.databases.values():
            database.close()


def load_manifests(
    source: str | Path | Sequence[str | Path],
    *,
    secrets: Secrets | None = None,
    allow_hosts: Collection[str] = (),
) -> Manifests:
    """Returns the manifests in `source`, checked and connected, ready for `chat_turn(plugins=…)`.

    `source` is a file, a folder (with all folders below it), the text of manifests, or a list of
    these. `secrets` finds the secrets that manifests refer to; by default in the environment.
    `allow_hosts` names hosts that API plugins may reach although their addresses are not public
    (`localhost:8080`).

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

    Raises ManifestError with every problem, its file, line and path, and FileNotFoundError.
    """
    check_kinds(_KINDS, {"secrets": secrets, "allow_hosts": allow_hosts})
    reader = ManifestReader()
    for text in read_sources(source):
        reader.read(text)
    # Alone, an empty file is the wrong file; beside others it is one that is not yet written.
    is_alone = not (reader.manifests or reader.problems)
    (reader.problems if is_alone else reader.warnings).extend(reader.empty)
    assembler = Assembler(reader, secrets or Secrets(), frozenset(allow_hosts))
    plugins = assembler.plugins()
    # Only now, so that the author sees all problems at once, those between manifests included.
    if reader.problems:
        raise ManifestError(
            sorted(reader.problems, key=lambda problem: (problem.file, problem.line))
        )
    for warning in reader.warnings:
        logger.warning("%s", warning)
    return Manifests(
        plugins=plugins,
        clients=assembler.by_name(LLMClientManifest),
        providers=assembler.by_name(ProviderManifest),
        secrets=assembler.secrets,
        warnings=tuple(map(str, reader.warnings)),
        databases=assembler.databases,
        services=assembler.services,
    )
