"""The results of MCP tools as content for the model, whatever form a server gives them."""

import json
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from turngraph.state.json_types import JsonObject
from turngraph.tools.failures import IllustratedError
from turngraph.tools.output import ToolOutput, as_output, as_text, omitted_block

if TYPE_CHECKING:
    from mcp import ClientSession
    from mcp.types import CallToolResult

__all__ = ["call_tool", "result_parts"]


async def call_tool(
    session: "ClientSession", name: str, arguments: JsonObject, timeout_s: float
) -> "CallToolResult":
    """Calls the tool as `session.call_tool` does, and takes any result that has a meaning.

    The SDK refuses a result without `content`, or with a block of a type that it does not know. The
    tool has run by then, and the model would read that its call was refused.
    """
    from mcp.types import CallToolRequest, CallToolRequestParams, ClientRequest

    params = CallToolRequestParams(name=name, arguments=arguments)
    request = ClientRequest(CallToolRequest(params=params))
    return await session.send_request(
        request, _any_result(), request_read_timeout_seconds=timedelta(seconds=timeout_s)
    )


@cache
def _any_result() -> "type[CallToolResult]":
    """Returns the SDK's class of results, with content of any kind."""
    from mcp.types import CallToolResult, ContentBlock
    from pydantic import Field, field_validator

    class AnyResult(CallToolResult):
        content: list[ContentBlock | Any] = Field(default_factory=list)

        @field_validator("content", mode="before")
        @classmethod
        def _as_list(cls, content: Any) -> Any:
            return content if isinstance(content, list) else [] if content is None else [content]

    return AnyResult


def result_parts(result: "CallToolResult") -> tuple[Any, Any]:
    """Returns the content for the model, and the structured content for the program.

    The content is text, or a list of content blocks if there are pictures, sounds or files in it.
    Raises ToolException if the result is an error.
    """
    blocks = [_block(block) for block in result.content]
    text = "\n".join(block["text"] for block in blocks if block["type"] == "text")
    data = "" if result.structuredContent is None else as_text(result.structuredContent)
    if result.isError:
        shown = as_output(blocks) if blocks else ToolOutput(content="")
        # The text of an error seldom repeats its data, such as a code or the seconds to wait.
        parts = [shown.content.strip(), "" if _is_same_json(text, data) else data]
        sentence = "\n".join(filter(None, parts)) or "The tool failed without saying why."
        raise IllustratedError(sentence, shown.media)
    # Servers should repeat structured content as text; some do not
    # (https://modelcontextprotocol.io/specification/2025-06-18/server/tools#structured-content).
    if not text.strip() and data:
        blocks.append({"type": "text", "text": data})
    if all(block["type"] == "text" for block in blocks):
        return "\n".join(block["text"] for block in blocks if block["text"]), (
            result.structuredContent
        )
    return blocks, result.structuredContent


def _is_same_json(text: str, data: str) -> bool:
    try:
        return bool(data) and as_text(json.loads(text)) == data
    except (ValueError, RecursionError):
        return False


def _block(block: Any) -> JsonObject:
    """Returns a content block of MCP as one of LangChain
    (https://modelcontextprotocol.io/specification/2025-06-18/server/tools#tool-result).
    """
    if isinstance(block, str):
        return _text_block(block)
    if not hasattr(block, "type"):  # of a newer protocol than the SDK's
        kind = block.get("mimeType") or block.get("type") if isinstance(block, dict) else None
        return _text_block(omitted_block(str(kind or "something")[:100]))
    if block.type == "text":
        return _text_block(str(block.text))
    if block.type in ("image", "audio"):
        return {"type": block.type, "base64": block.data, "mime_type": block.mimeType}
    if block.type == "resource" and hasattr(block.resource, "text"):
        return _text_block(str(block.resource.text))
    if block.type == "resource":
        kind = block.resource.mimeType or "application/octet-stream"
        media = "image" if kind.startswith("image/") else "file"
        return {"type": media, "base64": block.resource.blob, "mime_type": kind}
    if block.type == "resource_link":
        return _text_block(f"{block.name}: {block.uri}")
    return _text_block(omitted_block(getattr(block, "mimeType", None) or block.type))


def _text_block(text: str) -> JsonObject:
    return {"type": "text", "text": text}
