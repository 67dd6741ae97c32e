"""The kinds of manifests: eight that turngraph runs, and those of the platform that it recognises
and refuses.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, Self

from pydantic import model_validator

from turngraph.tools.manifests.connection_parts import (
    ApiConnectionSpec,
    LLMClientSpec,
    ProviderSpec,
    SecretSpec,
    SqlConnectionSpec,
)
from turngraph.tools.manifests.parts import Manifest, Metadata
from turngraph.tools.manifests.plugin_parts import ApiPluginSpec, PluginSpec, SqlPluginSpec

__all__ = [
    "FOREIGN_KINDS",
    "KINDS",
    "KIND_SPELLINGS",
    "ApiConnectionManifest",
    "ApiPluginManifest",
    "LLMClientManifest",
    "PluginManifest",
    "ProviderManifest",
    "SecretManifest",
    "SqlConnectionManifest",
    "SqlPluginManifest",
]


def _agree(metadata: Metadata, wanted: str) -> None:
    if metadata.plugin_class not in (None, wanted):
        raise ValueError(
            f"pluginClass {metadata.plugin_class} disagrees with the kind, which is {wanted}"
        )


class PluginManifest(Manifest):
    """A static plugin: what it knows stands in the manifest."""

    kind: Literal["Plugin"]
    spec: PluginSpec

    @model_validator(mode="after")
    def _class(self) -> Self:
        _agree(self.metadata, "static")
        return self


class SqlPluginManifest(Manifest):
    """A plugin that asks a database one prepared question."""

    kind: Literal["SqlPlugin"]
    spec: SqlPluginSpec

    @model_validator(mode="after")
    def _class(self) -> Self:
        _agree(self.metadata, "sql")
        return self


class ApiPluginManifest(Manifest):
    """A plugin that sends a web service one prepared request."""

    kind: Literal["ApiPlugin"]
    spec: ApiPluginSpec

    @model_validator(mode="after")
    def _class(self) -> Self:
        _agree(self.metadata, "api")
        return self


class SqlConnectionManifest(Manifest):
    """A database that SQL plugins ask."""

    kind: Literal["SqlConnection"]
    spec: SqlConnectionSpec


class ApiConnectionManifest(Manifest):
    """A web service that API plugins ask."""

    kind: Literal["ApiConnection"]
    spec: ApiConnectionSpec


class SecretManifest(Manifest):
    """A secret, by value or by where it is."""

    kind: Literal["Secret"]
    spec: SecretSpec


class LLMClientManifest(Manifest):
    """A turn by name: `turngraph run --client file.yaml`."""

    kind: Literal["LLMClient"]
    spec: LLMClientSpec


class ProviderManifest(Manifest):
    """A vendor beside those turngraph knows."""

    kind: Literal["Provider"]
    spec: ProviderSpec


KINDS: Final[Mapping[str, type[Manifest]]] = MappingProxyType(
    {
        "Plugin": PluginManifest,
        "SqlPlugin": SqlPluginManifest,
        "ApiPlugin": ApiPluginManifest,
        "SqlConnection": SqlConnectionManifest,
        "ApiConnection": ApiConnectionManifest,
        "Secret": SecretManifest,
        "LLMClient": LLMClientManifest,
        "Provider": ProviderManifest,
    }
)
"""In the order in which they are documented."""
FOREIGN_KINDS: Final = {
    *(
        "Account",
        "ApiKey",
        "AuthToken",
        "Chat",
        "ChatHistory",
        "ChatPluginUsage",
        "ChatToolCall",
        "Chatbot",
    ),
    *(
        "Prompt",
        "PromptHistory",
        "PromptPluginUsage",
        "PromptToolCall",
        "Proxy",
        "Session",
        "User",
        "UserProfile",
    ),
    *("VectorStore", "Vectorstore"),
}
"""Resources of the platform the first dialect comes from. Turngraph does not run them."""
KIND_SPELLINGS: Final[Mapping[str, str]] = MappingProxyType({"StaticPlugin": "Plugin"})
"""Other names in use for a kind."""
