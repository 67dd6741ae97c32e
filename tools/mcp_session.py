"""The session with one MCP server: opened at the first use, and again when it was lost."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from langchain_core.tools import ToolException

from turngraph.state.forks import renew_after_fork
from turngraph.state.json_types import JsonObject
from turngraph.tools.failures import log_failure
from turngraph.tools.mcp_results import (
    OutputSchema,
    UnreadableError,
    call_tool,
    result_parts,
    unreadable_text,
)
from turngraph.tools.output import as_text, clean
from turngraph.tools.text import one_line

if TYPE_CHECKING:
    from mcp import ClientSession
    from mcp.types import Tool

__all__ = ["CONNECT_S", "McpSession", "innermost_error"]


T = TypeVar("T")
CONNECT_S: Final = 30.0
"""Seconds that connecting to a server, or listing its tools, may take, if nothing is configured."""
CONNECTION_CLOSED: Final = (-32000, "Connection closed")
"""The error code and the message of the MCP SDK for a session that ended while a request was
waiting. Servers use the code for errors of their own (https://www.jsonrpc.org/specification#error_object).
"""


class McpSession:
    """The session with one server. All methods run on the same event loop.

    A separate task opens and closes the session, because anyio requires that one task does both.
    """

    def __init__(self, name: str, connection: JsonObject, connect_s: float = CONNECT_S) -> None:
        self.name, self.connection, self.connect_s = name, connection, connect_s
        self.stale = False
        self._session: ClientSession | None = None
        self._session_task: asyncio.Task[None] | None = None
        self._stop: asyncio.Event | None = None
        self._lost = asyncio.Event()
        self._unreadable: UnreadableError | None = None
        self._connecting: asyncio.Lock | None = None
        self._of_the_parent: list[object] = []
        renew_after_fork(self, McpSession._forget)

    async def list_tools(self) -> "Sequence[Tool]":
        """Returns the server's tools. A lost session is opened again: listing changes nothing."""
        try:
            return await self._unless_lost(self._all_tools(await self._connect()))
        except Exception as error:
            if not _is_lost(error) or isinstance(error, UnreadableError):
                raise
            await self.disconnect()
            return await self._unless_lost(self._all_tools(await self._connect()))

    async def call(
        self, name: str, arguments: JsonObject, timeout_s: float, output: OutputSchema
    ) -> tuple[Any, Any]:
        """Calls the tool `name`: its content for the model, and its structured content, which must
        fit `output`.

        Raises ToolException with a sentence for the model.
        """
        try:
            session = await self._connect()
        except Exception as error:
            raise ToolException(
                f"The MCP server `{self.name}` cannot be reached: {innermost_error(error)}."
            ) from error
        try:
            result = await self._unless_lost(call_tool(session, name, arguments, timeout_s))
        except Exception as error:
            if not _is_lost(error):
                raise ToolException(
                    f"The MCP server `{self.name}` refused the call: {innermost_error(error)}."
                    f"{_error_data(error)}"
                ) from error
            await self.disconnect()
            # Not repeated: the server may have acted before the connection broke.
            why = (
                f"gave an answer that {error}" if isinstance(error, UnreadableError) else "was lost"
            )
            raise ToolException(
                f"The MCP server `{self.name}` {why} during the call, so it is not known whether "
                "the call took effect. The tool can be called again."
            ) from error
        return result_parts(result, output)

    async def disconnect(self) -> None:
        """Closes the session, if one is open. The next call opens a new one."""
        session_task, self._session_task, self._session = self._session_task, None, None
        if session_task is None or self._stop is None:
            return
        self._stop.set()
        # A server that does not answer its shutdown must not block the caller forever.
        await asyncio.wait({session_task}, timeout=5)
        session_task.cancel()

    def _forget(self) -> None:
        # A forked process begins a session of its own: its parent goes on using this one. The task
        # is kept, since a task that is collected would end its session, and so the server.
        self._of_the_parent.append(self._session_task)
        self._session_task, self._session, self._stop = None, None, None
        self._lost, self._connecting = asyncio.Event(), None

    async def _unless_lost(self, work: "Coroutine[Any, Any, T]") -> T:
        """Returns the result of `work`, or raises ConnectionError as soon as the server is lost.

        The SDK keeps waiting for an answer after a server over HTTP is gone, and after one that it
        could not read.
        """
        answer, lost = asyncio.create_task(work), asyncio.create_task(self._lost.wait())
        try:
            await asyncio.wait({answer, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise self._unreadable or ConnectionError("the server is gone")
            return answer.result()
        finally:
            answer.cancel()
            lost.cancel()

    async def _all_tools(self, session: "ClientSession") -> "list[Tool]":
        self.stale = False
        page = await session.list_tools()
        tools = list(page.tools)
        seen = set[str]()
        while page.nextCursor:
            if page.nextCursor in seen:
                again = page.nextCursor[:50]
                raise ToolException(f"its list of tools leads back to the page {again!r}")
            seen.add(page.nextCursor)
            page = await session.list_tools(cursor=page.nextCursor)
            tools.extend(page.tools)
        return tools

    async def _connect(self) -> "ClientSession":
        # One session for parallel calls: the first opens it, the others wait at the lock.
        if self._connecting is None:
            self._connecting = asyncio.Lock()
        async with self._connecting:
            if self._session_task is not None and (
                self._session_task.done() or self._lost.is_set()
            ):
                await self.disconnect()
            if self._session is None:
                ready: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
                self._stop, self._lost = asyncio.Event(), asyncio.Event()
                self._unreadable = None
                self._session_task = asyncio.create_task(self._hold_session(ready, self._stop))
                opened = asyncio.wait_for(ready, self.connect_s)
                self._session = await self._unless_lost(opened)
            return self._session

    async def _hold_session(
        self, ready: "asyncio.Future[ClientSession]", stop: asyncio.Event
    ) -> None:
        """Opens the session, keeps it open until `stop` is set, and closes it.

        anyio requires that a session is closed by the task that opened it
        (https://anyio.readthedocs.io/en/stable/cancellation.html).
        """
        from langchain_mcp_adapters.sessions import create_session

        try:
            async with create_session(self._watched_connection()) as session:  # type: ignore[arg-type]
                await session.initialize()
                ready.set_result(session)
                await stop.wait()
        except Exception as error:  # noqa: BLE001  reported to the waiting caller, or logged
            if not ready.done():
                ready.set_exception(error)
            else:
                log_failure(f"the session with MCP server {self.name} ended", _innermost(error))

    def _watched_connection(self) -> JsonObject:
        """Returns the connection settings with handlers for a lost server and for changed tools.

        A server announces the latter by `notifications/tools/list_changed`
        (https://modelcontextprotocol.io/specification/2025-06-18/server/tools#list-changed-notification).
        """

        async def handle(message: object) -> None:
            if isinstance(message, ValueError):
                self._meet_unreadable(message)
            if type(getattr(message, "root", None)).__name__ == "ToolListChangedNotification":
                self.stale = True

        settings = {**self.connection.get("session_kwargs", {}), "message_handler": handle}
        watched = {**self.connection, "session_kwargs": settings}
        if watched.get("transport") in ("streamable_http", "http"):
            watched.setdefault("httpx_client_factory", partial(_http_client, self._lost.set))
        return watched

    def _meet_unreadable(self, error: ValueError) -> None:
        """Ends the session if the server meant a message that is none: nobody else will answer.

        Over stdio a server may print other lines by mistake, which clients leave alone
        (https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#stdio).
        """
        text = unreadable_text(error)
        if self.connection.get("transport") == "stdio" and '"jsonrpc"' not in text:
            log_failure(f"MCP server {self.name} printed a line that is no message", error)
            return
        self._unreadable = UnreadableError(f"is no MCP message: {clean(text)[:100]}")
        self._lost.set()


def _http_client(
    on_loss: Callable[[], None], headers: Any = None, timeout: Any = None, auth: Any = None
) -> Any:
    """Returns the HTTP client of a session. It calls `on_loss` if the server cannot be reached."""
    import httpx

    class Client(httpx.AsyncClient):
        async def send(self, *args: Any, **kwargs: Any) -> httpx.Response:
            try:
                return await super().send(*args, **kwargs)
            except httpx.TransportError:
                on_loss()
                raise

    # The same limits as the SDK's own factory: long answers, short connects.
    limit = timeout if timeout is not None else httpx.Timeout(30.0, read=300.0)
    return Client(headers=headers, timeout=limit, auth=auth, follow_redirects=True)


def _is_lost(error: BaseException) -> bool:
    """Whether the session ended, as opposed to the server answering with an error."""
    from anyio import BrokenResourceError, ClosedResourceError, EndOfStream
    from mcp import McpError

    if isinstance(error, McpError):
        return (error.error.code, error.error.message) == CONNECTION_CLOSED
    return isinstance(
        error, BrokenResourceError | ClosedResourceError | EndOfStream | ConnectionError
    )


def innermost_error(error: BaseException) -> str:
    """Returns type and message of the first error inside the groups that anyio wraps it in."""
    first = _innermost(error)
    return f"{type(first).__name__}: {one_line(str(first))[:200]}".rstrip(": .")


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _error_data(error: BaseException) -> str:
    """Returns the data of a protocol error, such as the allowed values, as text to append."""
    data = getattr(getattr(error, "error", None), "data", None)
    return "" if data is None else f" {as_text(data)}"
