"""Tools of MCP servers: sessions held open on a loop of their own, opened anew when a server was
lost.

Needs the extra `mcp`. A call to a session that is kept open takes milliseconds; starting a server
for each, a second.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from langchain_core.tools import BaseTool, StructuredTool, ToolException

from turngraph.state.errors import TurnConfigurationError
from turngraph.tools.running import BackgroundLoop

if TYPE_CHECKING:
    from mcp import ClientSession
    from mcp.types import CallToolResult, Tool

__all__ = ["McpServers"]

logger = logging.getLogger("turngraph.tools")

T = TypeVar("T")
CONNECT_S: Final = 30.0
CONNECTION_CLOSED: Final = -32000
"""The code of the MCP SDK for a session that ended while a request was waiting."""


class McpServers:
    """The tools of some MCP servers.

        servers = McpServers({
            "files": {"transport": "stdio", "command": "mcp-files", "args": ["/srv"]},
            "shop": {"transport": "streamable_http", "url": "https://shop.example/mcp"},
        })
        turn = chat_turn("openai:gpt-5-mini", tools=servers.tools())

    A server that is gone is told to the model, and connected again at the next call. What was being
    answered when it went is not asked again: it may have been done. Close it, or use it in a `with`
    block.
    """

    def __init__(
        self, servers: Mapping[str, Mapping[str, Any]], *, timeout_s: float = 60.0
    ) -> None:
        self._timeout_s = timeout_s
        self._loop = BackgroundLoop()
        self._servers = {
            name: _Server(name, dict(connection)) for name, connection in servers.items()
        }

    def tools(self) -> list[BaseTool]:
        """The tools the servers offer now, asked anew each time; their names must differ.

        Raises TurnConfigurationError for a server that cannot be reached.
        """
        found: list[BaseTool] = []
        for server in self._servers.values():
            try:
                listed = self._run(server.list_tools(), CONNECT_S)
            except Exception as error:
                raise TurnConfigurationError(
                    f"The MCP server `{server.name}` cannot be reached: {_innermost(error)}."
                ) from error
            found.extend(self._tool(server, tool) for tool in listed)
        return found

    @property
    def changed(self) -> tuple[str, ...]:
        """The servers that have told, since they were last asked, that their tools changed."""
        return tuple(name for name, server in self._servers.items() if server.stale)

    def close(self) -> None:
        """End the sessions, and the servers that were started."""
        for server in self._servers.values():
            self._run(server.disconnect(), 10.0)
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _tool(self, server: "_Server", tool: "Tool") -> BaseTool:
        def call(**arguments: Any) -> tuple[str, Any]:
            return self._run(
                server.call(tool.name, arguments, self._timeout_s), self._timeout_s + CONNECT_S
            )

        return StructuredTool(
            name=tool.name,
            description=tool.description or tool.name,
            args_schema=tool.inputSchema,
            func=call,
            response_format="content_and_artifact",
            metadata={"mcp_server": server.name} | _hints(tool),
        )

    def _run(self, work: "Coroutine[Any, Any, T]", timeout_s: float) -> T:
        outcome = self._loop.run(lambda: work, timeout_s)
        if outcome.late:
            raise ToolException(f"The MCP server did not answer within {timeout_s:g} seconds.")
        if outcome.error is not None:
            raise outcome.error
        return outcome.value  # type: ignore[return-value]


class _Server:
    """One server's session. Everything here runs on one loop; a task of its own opens and closes
    the session.
    """

    def __init__(self, name: str, connection: dict[str, Any]) -> None:
        self.name, self.connection = name, connection
        self.stale = False
        self._session: ClientSession | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stop: asyncio.Event | None = None
        self._lost = asyncio.Event()
        self._connecting: asyncio.Lock | None = None

    async def list_tools(self) -> "Sequence[Tool]":
        try:
            return await self._listed(await self._connected())
        except Exception as error:
            if not _is_lost(error):
                raise
            await self.disconnect()
            return await self._listed(await self._connected())

    async def call(self, name: str, arguments: dict[str, Any], timeout_s: float) -> tuple[str, Any]:
        from datetime import timedelta

        try:
            session = await self._connected()
        except Exception as error:
            raise ToolException(
                f"The MCP server `{self.name}` cannot be reached: {_innermost(error)}."
            ) from error
        try:
            result = await self._unless_lost(
                session.call_tool(
                    name, arguments, read_timeout_seconds=timedelta(seconds=timeout_s)
                )
            )
        except Exception as error:
            if not _is_lost(error):
                raise ToolException(
                    f"The MCP server `{self.name}` refused the call: {_innermost(error)}."
                ) from error
            await self.disconnect()
            raise ToolException(
                f"The MCP server `{self.name}` was lost during the call; whether it was done is not known. It can be "
                "called again."
            ) from error
        return _told(result)

    async def disconnect(self) -> None:
        keeper, self._keeper, self._session = self._keeper, None, None
        if keeper is None or self._stop is None:
            return
        self._stop.set()
        await asyncio.wait({keeper}, timeout=5)
        keeper.cancel()

    async def _unless_lost(self, work: "Coroutine[Any, Any, T]") -> T:
        """The SDK goes on waiting for an answer over HTTP when the server is gone; this does not."""
        answer, lost = asyncio.create_task(work), asyncio.create_task(self._lost.wait())
        try:
            await asyncio.wait({answer, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise ConnectionError("the server is gone")
            return answer.result()
        finally:
            answer.cancel()
            lost.cancel()

    async def _listed(self, session: "ClientSession") -> "list[Tool]":
        self.stale = False
        page = await session.list_tools()
        found = list(page.tools)
        while page.nextCursor:
            page = await session.list_tools(cursor=page.nextCursor)
            found.extend(page.tools)
        return found

    async def _connected(self) -> "ClientSession":
        if self._connecting is None:
            self._connecting = asyncio.Lock()
        async with self._connecting:
            if self._keeper is not None and (self._keeper.done() or self._lost.is_set()):
                await self.disconnect()
            if self._session is None:
                ready: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
                self._stop, self._lost = asyncio.Event(), asyncio.Event()
                self._keeper = asyncio.create_task(self._keep(ready, self._stop))
                self._session = await asyncio.wait_for(ready, CONNECT_S)
            return self._session

    async def _keep(self, ready: "asyncio.Future[ClientSession]", stop: asyncio.Event) -> None:
        """Open the session, hold it until told to stop, and close it in the task that opened it, as
        anyio demands.
        """
        from langchain_mcp_adapters.sessions import create_session

        try:
            async with create_session(self._watched()) as session:  # type: ignore[arg-type]
                await session.initialize()
                ready.set_result(session)
                await stop.wait()
        except Exception as error:  # noqa: BLE001  whoever waits is told; afterwards the session is simply gone
            if not ready.done():
                ready.set_exception(error)
            else:
                logger.info(
                    "the session with MCP server %s ended: %s", self.name, _innermost(error)
                )

    def _watched(self) -> dict[str, Any]:
        """The connection, listening for `notifications/tools/list_changed`
        (https://modelcontextprotocol.io/specification/2025-06-18/server/tools#list-changed-notification).
        """

        async def handle(message: Any) -> None:
            if type(getattr(message, "root", None)).__name__ == "ToolListChangedNotification":
                self.stale = True

        settings = {**self.connection.get("session_kwargs", {}), "message_handler": handle}
        watched = {**self.connection, "session_kwargs": settings}
        if watched.get("transport") in ("streamable_http", "http"):
            watched.setdefault("httpx_client_factory", partial(_client, self._lost.set))
        return watched


def _hints(tool: "Tool") -> dict[str, bool]:
    """Whether it may run twice, where its server says so
    (https://modelcontextprotocol.io/specification/2025-06-18/schema#toolannotations)."""
    said = tool.annotations
    if said is None or (said.readOnlyHint is None and said.idempotentHint is None):
        return {}
    return {"idempotent": bool(said.readOnlyHint or said.idempotentHint)}


def _client(
    on_loss: Callable[[], None], headers: Any = None, timeout: Any = None, auth: Any = None
) -> Any:
    """The HTTP client of a session, telling when the server cannot be reached."""
    import httpx

    class Client(httpx.AsyncClient):
        async def send(self, *args: Any, **kwargs: Any) -> httpx.Response:
            try:
                return await super().send(*args, **kwargs)
            except httpx.TransportError:
                on_loss()
                raise

    # As the SDK's own factory: long answers, short connects.
    limit = timeout if timeout is not None else httpx.Timeout(30.0, read=300.0)
    return Client(headers=headers, timeout=limit, auth=auth, follow_redirects=True)


def _is_lost(error: BaseException) -> bool:
    """Did the session end, rather than the server answer with an error?"""
    from anyio import BrokenResourceError, ClosedResourceError, EndOfStream
    from mcp import McpError

    if isinstance(error, McpError):
        return error.error.code == CONNECTION_CLOSED
    return isinstance(
        error, BrokenResourceError | ClosedResourceError | EndOfStream | ConnectionError
    )


def _innermost(error: BaseException) -> str:
    """What went wrong, out of the groups that anyio wraps it in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": .")


def _told(result: "CallToolResult") -> tuple[str, Any]:
    """A result as text for the model, and its structured part for the program."""
    text = "\n".join(map(_block_text, result.content))
    if result.isError:
        raise ToolException(text or "The tool failed without saying why.")
    return text, result.structuredContent


def _block_text(block: Any) -> str:
    """https://modelcontextprotocol.io/specification/2025-06-18/server/tools#tool-result"""
    if block.type == "text":
        return str(block.text)
    if block.type == "resource" and hasattr(block.resource, "text"):
        return str(block.resource.text)
    if block.type == "resource_link":
        return f"{block.name}: {block.uri}"
    return f"[{getattr(block, 'mimeType', None) or block.type}: not text, left out]"
