"""What a plugin is to a turn: when it joins, what it adds to the request, and its tool."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from langchain_core.tools import BaseTool, StructuredTool

from turngraph.tools.manifests.parts import PromptSettings, Selector

__all__ = ["LoadedPlugin", "Plugin", "make_tool"]


@runtime_checkable
class Plugin(Protocol):
    """Anything that can join a turn. Manifests are one way to make one; a class of your own is
    another.
    """

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


def make_tool(
    name: str,
    description: str,
    schema: dict[str, Any],
    run: Callable[..., Any],
    coroutine: Callable[..., Awaitable[Any]] | None = None,
    *,
    idempotent: bool = True,
) -> BaseTool:
    """A LangChain tool of a JSON schema; `run` takes the arguments by name.

    One that is not `idempotent` is marked so in its metadata: what was interrupted is not run again
    unasked.
    """
    metadata = {} if idempotent else {"idempotent": False}
    return StructuredTool(
        name=name,
        description=description,
        args_schema=schema,
        func=run,
        coroutine=coroutine,
        metadata=metadata,
    )
