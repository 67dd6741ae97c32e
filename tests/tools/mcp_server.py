"""A real MCP server for the tests: `python mcp_server.py stdio`, or `… http PORT`.

`python mcp_server.py odd-names` serves, over stdio, tools with names that no vendor takes.
"""

import asyncio
import os
import sys
from collections.abc import Callable

from mcp.server.fastmcp import Context, FastMCP, Image
from mcp.types import CallToolResult, ImageContent, TextContent, ToolAnnotations

server = FastMCP(
    "tests",
    host="127.0.0.1",
    port=int(sys.argv[2]) if len(sys.argv) > 2 else 8000,
    log_level="ERROR",
)


@server.tool(annotations=ToolAnnotations(readOnlyHint=True))
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("no such thing")


@server.tool()
async def slow() -> str:
    """Take an hour."""
    await asyncio.sleep(3600)
    return "done"


@server.tool()
def picture() -> Image:
    """A picture."""
    return Image(data=b"\x89PNG", format="png")


@server.tool()
def structured() -> CallToolResult:
    """Structured content and no text."""
    return CallToolResult(content=[], structuredContent={"terms": ["GDP"]})


@server.tool()
def refuse() -> CallToolResult:
    """An error with data."""
    return CallToolResult(
        content=[TextContent(type="text", text="too fast")],
        structuredContent={"code": "RATE_LIMITED", "retry_after": 30},
        isError=True,
    )


@server.tool()
def refuse_with_picture() -> CallToolResult:
    """An error that a picture explains."""
    picture = ImageContent(type="image", data="iVBORw==", mimeType="image/png")
    text = TextContent(type="text", text="no such button")
    return CallToolResult(content=[text, picture], isError=True)


@server.tool()
def refuse_by_data() -> CallToolResult:
    """An error with data and no text."""
    return CallToolResult(content=[], structuredContent={"code": 429}, isError=True)


@server.tool()
def pid() -> int:
    """The server's process."""
    return os.getpid()


@server.tool(annotations=ToolAnnotations(idempotentHint=False))
def die() -> str:
    """End the server in the middle of the call."""
    os._exit(1)


@server.tool()
async def grow(context: Context) -> str:  # type: ignore[type-arg]
    """Add a tool and tell so."""
    server.add_tool(lambda: "new", name="newcomer", description="New.")
    await context.session.send_tool_list_changed()
    return "grown"


def giving(text: str) -> Callable[[], str]:
    return lambda: text


if __name__ == "__main__":
    if sys.argv[1] == "odd-names":
        server = FastMCP("odd", log_level="CRITICAL")
        for name in ("get.user", "get_user", "list/all"):
            server.add_tool(giving(name), name=name, description="Give the name.")
    server.run("streamable-http" if sys.argv[1] == "http" else "stdio")
