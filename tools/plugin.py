"""What a plugin is to a turn: when it joins, what it adds to the request, and its tool."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from langchain_core.tools import BaseTool, StructuredTool

from turngraph.state.json_types import JsonObject

# Only their names are needed: a turn without plugins does not wait for the models of manifests.
if TYPE_CHECKING:
    from turngraph.tools.manifests.parts import PromptSettings, Selector

__all__ = ["LoadedPlugin", "Plugin", "make_tool"]


@runtime_checkable
class Plugin(Protocol):
    """Anything that can join a turn: a plugin from a manifest, or an object of your own class."""

    @property
    def name(self) -> str:
        """The name in snake_case, which is also the name of the tool."""

    @property
    def selector(self) -> "Selector":
        """When the plugin joins a turn."""

    @property
    def prompt(self) -> "PromptSettings":
        """What the plugin adds to the requests of a turn it joined."""

    @property
    def tool(self) -> BaseTool:
        """The tool that the model may call."""


@dataclass(frozen=True)
class LoadedPlugin:
    """A plugin that was loaded from a manifest."""

    name: str
    selector: "Selector"
    prompt: "PromptSettings"
    tool: BaseTool
    kind: str = "Plugin"
    """The kind of its manifest: `Plugin`, `SqlPlugin` or `ApiPlugin`."""
    connection: str | None = None
    """The name of the connection it uses; None for a static plugin."""
    test_arguments: Mapping[str, Any] = field(default_factory=dict)
    """The arguments that the manifest's test values give."""


def make_tool(
    name: str,
    description: str,
    schema: JsonObject,
    run: Callable[..., Any],
    coroutine: Callable[..., Awaitable[Any]] | None = None,
    *,
    idempotent: bool = True,
) -> BaseTool:
    """Returns a LangChain tool whose arguments have this JSON `schema`.

    `run` and `coroutine` take the arguments by name. Its metadata says whether it is `idempotent`:
    one that is not does not run again on its own where a call was interrupted.
    """
    return StructuredTool(
        name=name,
        description=description,
        args_schema=schema,
        func=run,
        coroutine=coroutine,
        metadata={"idempotent": idempotent},
    )
