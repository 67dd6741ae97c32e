"""What a plugin is to a turn: when it joins, what it adds to the request, and its tool."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from langchain_core.tools import BaseTool, StructuredTool

from turngraph.tools.manifests.parts import PromptSettings, Selector

__all__ = ["LoadedPlugin", "Plugin", "make_tool"]


@runtime_checkable
class Plugin(Protocol):
    """Anything that can join a turn. Manifests are one way to make one; a class of your own is another."""

    @property
    def name(self) -> str:
        """In snake_case; also the name of its tool."""

    @property
    def selector(self) -> Selector:
        """When it joins."""

    @property
    def prompt(self) -> PromptSettings:
        """What it adds to the requests of a turn it joined."""

    @property
    def tool(self) -> BaseTool:
        """What the model may call."""


@dataclass(frozen=True)
class LoadedPlugin:
    """A plugin made from a manifest."""

    name: str
    selector: Selector
    prompt: PromptSettings
    tool: BaseTool
    kind: str = "Plugin"
    connection: str | None = None
    """The name of the connection it asks."""
    test_arguments: Mapping[str, Any] = field(default_factory=dict)
    """From the manifest's test values."""


def make_tool(name: str, description: str, schema: dict[str, Any], run: Any, coroutine: Any = None) -> BaseTool:
    """A LangChain tool of a JSON schema; `run` takes the arguments by name."""
    return StructuredTool(name=name, description=description, args_schema=schema, func=run, coroutine=coroutine)
