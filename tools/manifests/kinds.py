"""The kinds of manifests: eight that turngraph runs, and the platform's kinds that it refuses."""

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


def _check_class(metadata: Metadata, expected: str) -> None:
    if metadata.plugin_class not in (None, expected):
        raise ValueError(
            f"pluginClass {metadata.plugin_class} does not agree with the kind, which is {expected}"
        )


class PluginManifest(Manifest):
    """A static plugin. The manifest contains its data."""

    kind: Literal["Plugin"]
    spec: PluginSpec

    @model_validator(mode="after")
    def _class(self) -> Self:
        _check_class(self.metadata, "static")
        return self


class SqlPluginManifest(Manifest):
    """A plugin that sends one prepared query to a database."""

    kind: Literal["SqlPlugin"]
    spec: SqlPluginSpec

    @model_validator(mode="after")
    def _class(self) -> Self:
        _check_class(self.metadata, "sql")
        return self


class ApiPluginManifest(Manifest):
    """A plugin that sends one prepared request to a web service."""

    kind: Literal["ApiPlugin"]
    spec: ApiPluginSpec

    @model_validator(mode="after")
    def _class(self) -> Self:
        _check_class(self.metadata, "api")
        return self


class SqlConnectionManifest(Manifest):
    """A database that SQL plugins use."""

    kind: Literal["SqlConnection"]
    spec: SqlConnectionSpec


class ApiConnectionManifest(Manifest):
    """A web service that API plugins use."""

    kind: Literal["ApiConnection"]
    spec: ApiConnectionSpec


class SecretManifest(Manifest):
    """A secret: its value, or a reference to it."""

    kind: Literal["Secret"]
    spec: SecretSpec


class LLMClientManifest(Manifest):
    """A turn by name: `turngraph run --client file.yaml`."""

    kind: Literal["LLMClient"]
    spec: LLMClientSpec


class ProviderManifest(Manifest):
    """A vendor in addition to those that turngraph knows."""

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
"""The model of each kind, in the order of the reference page."""

FOREIGN_KINDS: Final = frozenset(
    [
        "Account",
        "ApiKey",
        "AuthToken",
        "Chat",
        "ChatHistory",
        "ChatPluginUsage",
        "ChatToolCall",
        "Prompt",
        "PromptHistory",
        "PromptPluginUsage",
        "PromptToolCall",
        "Proxy",
        "Session",
        "SmarterAuthToken",
        "User",
        "UserProfile",
        "VectorStore",
        "Vectorstore",
    ]
)
"""Kinds of the platform that `smarter.sh/v1` comes from. They are known in order to say clearly
that turngraph does not run them: a warning, since folders of the platform hold them too.
"""

KIND_SPELLINGS: Final[Mapping[str, str]] = MappingProxyType(
    {"StaticPlugin": "Plugin", "Chatbot": "LLMClient"}
)
"""Other and former names of a kind."""
