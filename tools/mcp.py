"""Tools of MCP servers, called through sessions that stay open.

Needs the extra `mcp`. The sessions live on a background event loop. A call through an open session
takes milliseconds; starting a server for each call takes a second.
"""

from collections.abc import Coroutine, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from langchain_core.tools import BaseTool, StructuredTool, ToolException

from turngraph.state.argument_kinds import SECONDS, Kind, check_kinds
from turngraph.state.connected import Connected
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.tool_names import MAX_LENGTH, as_tool_name, is_tool_name
from turngraph.tools.mcp_results import OutputSchema
from turngraph.tools.mcp_session import CONNECT_S, McpSession, innermost_error
from turngraph.tools.running import BackgroundLoop

if TYPE_CHECKING:
    from mcp.types import Tool

__all__ = ["McpServers"]

T = TypeVar("T")
_KINDS: Final[Mapping[str, Kind]] = {
    "servers": Kind(
        lambda value: (
            isinstance(value, Mapping) and all(isinstance(each, Mapping) for each in value.values())
        ),
        "an object of connection settings by name: "
        "`{'files': {'transport': 'stdio', 'command': 'mcp-files', 'args': []}}`",
    ),
    "timeout_s": SECONDS,
    "connect_timeout_s": SECONDS,
}
CLOSE_S: Final = 10.0


class McpServers(Connected):
    """The tools of one or more MCP servers, each given by its connection settings.

        servers = McpServers({
            "files": {"transport": "stdio", "command": "mcp-files", "args": ["/srv"]},
            "shop": {"transport": "streamable_http", "url": "https://shop.example/mcp"},
        })
        turn = chat_turn("openai:gpt-5-mini", tools=servers.tools())

    The settings are those of `langchain-mcp-adapters`
    (https://github.com/langchain-ai/langchain-mcp-adapters). If a server is lost, the model reads
    so, and the next call connects again. A call that was running at that moment is not repeated,
    because it may have taken effect. Vendors take fewer names than MCP does: what is no letter,
    digit, `_` or `-` in a tool's name is shown as `_`, and at most 64 characters. The metadata
    `mcp_tool` has the name on the server. Call `close()` at the end, or use a `with` block.

    `timeout_s` is the time of one call, and `connect_timeout_s` the time in which a server must
    have started and answered the first time; both in seconds.

    Raises TurnConfigurationError for a value that is not allowed.
    """

    def __init__(
        self,
        servers: Mapping[str, Mapping[str, Any]],
        *,
        timeout_s: float = 60.0,
        connect_timeout_s: float = CONNECT_S,
    ) -> None:
        check_kinds(_KINDS, locals())
        self._timeout_s, self._connect_timeout_s = timeout_s, connect_timeout_s
        self._loop = BackgroundLoop()
        self._servers = {
            name: McpSession(name, dict(connection), connect_timeout_s)
            for name, connection in servers.items()
        }

    def tools(self) -> list[BaseTool]:
        """Returns the tools the servers offer now. Each call asks the servers again.

        Raises TurnConfigurationError for a server that cannot be reached.
        """
        _load_adapter()
        tools: list[BaseTool] = []
        for server in self._servers.values():
            try:
                listed = self._run(server.list_tools(), self._connect_timeout_s)
            except Exception as error:
                # The transport's error is often the innermost of several exception groups.
                raise TurnConfigurationError(
                    f"The MCP server `{server.name}` cannot be reached: {innermost_error(error)}."
                ) from error
            names = _shown_names([tool.name for tool in listed])
            tools.extend(
                self._tool(server, tool, name) for tool, name in zip(listed, names, strict=True)
            )
        return tools

    @property
    def changed(self) -> tuple[str, ...]:
        """The servers that announced a change of their tools since `tools()` last asked them."""
        return tuple(name for name, server in self._servers.items() if server.stale)

    def close(self) -> None:
        """Ends the sessions, and the server processes that were started."""
        # A session can only be ended on the loop that opened it, so the loop is closed last.
        for server in self._servers.values():
            self._run(server.disconnect(), CLOSE_S)
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _tool(self, server: McpSession, tool: "Tool", name: str) -> BaseTool:
        """Returns `tool` of `server` as a LangChain tool, shown to models as `name`."""

        output = OutputSchema(tool.name, tool.outputSchema)

        def call(**arguments: object) -> tuple[Any, Any]:
            # A session that was lost is opened again first, which takes up to the connect timeout.
            return self._run(
                server.call(tool.name, arguments, self._timeout_s, output),
                self._timeout_s + self._connect_timeout_s,
            )

        return StructuredTool(
            name=name,
            description=tool.description or tool.name,
            args_schema=tool.inputSchema,
            func=call,
            response_format="content_and_artifact",
            metadata={"mcp_server": server.name, "mcp_tool": tool.name} | _idempotent_hint(tool),
        )

    def _run(self, work: "Coroutine[Any, Any, T]", timeout_s: float) -> T:
        outcome = self._loop.run(lambda: work, timeout_s)
        if outcome.timed_out:
            raise ToolException(f"The MCP server did not answer within {timeout_s:g} seconds.")
        if outcome.error is not None:
            raise outcome.error
        return outcome.value  # type: ignore[return-value]


def _load_adapter() -> None:
    """Imports what opens sessions. It may take seconds, which no server needs to be waited for."""
    try:
        import langchain_mcp_adapters.sessions  # noqa: F401
    except ModuleNotFoundError as error:
        raise TurnConfigurationError(
            "langchain-mcp-adapters is not installed: pip install 'turngraph[mcp]'."
        ) from error


def _shown_names(names: Sequence[str]) -> list[str]:
    """Returns `names` as vendors take them. One that another tool has already gets a number.

    MCP allows dots, slashes and 128 characters
    (https://modelcontextprotocol.io/specification/2025-11-25/server/tools#tool-names).

        >>> _shown_names(["get.user", "get_user", "list/all"])
        ['get_user_2', 'get_user', 'list_all']
    """
    taken = {name for name in names if is_tool_name(name)}
    shown: list[str] = []
    for name in names:
        if name in taken:
            shown.append(name)
            continue
        plain = as_tool_name(name)
        endings = ("", *(f"_{number}" for number in range(2, len(names) + 2)))
        choices = (plain[: MAX_LENGTH - len(ending)] + ending for ending in endings)
        shown.append(
            next(choice for choice in choices if choice not in taken and choice not in shown)
        )
    return shown


def _idempotent_hint(tool: "Tool") -> dict[str, bool]:
    """Returns whether `tool` may run twice, as metadata, if its server says so
    (https://modelcontextprotocol.io/specification/2025-06-18/schema#toolannotations).
    """
    hints = tool.annotations
    if hints is None or (hints.readOnlyHint is None and hints.idempotentHint is None):
        return {}
    return {"idempotent": bool(hints.readOnlyHint or hints.idempotentHint)}
