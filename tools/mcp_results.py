"""The results of MCP tools as content for the model, whatever form a server gives them."""

import json
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject
from turngraph.tools.arguments import Validator, compile_schema
from turngraph.tools.failures import IllustratedError, log_failure
from turngraph.tools.mistakes import UncheckableError
from turngraph.tools.output import ToolOutput, as_output, as_text, omitted_block

if TYPE_CHECKING:
    from mcp import ClientSession
    from mcp.types import CallToolResult

__all__ = ["OutputSchema", "UnreadableError", "call_tool", "result_parts", "unreadable_text"]


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
        # An object, in the protocol's versions up to now.
        structuredContent: Any = None  # noqa: N815  the protocol's name

        @field_validator("content", mode="before")
        @classmethod
        def _as_list(cls, content: Any) -> Any:
            return content if isinstance(content, list) else [] if content is None else [content]

    return AnyResult


class UnreadableError(ConnectionError):
    """A server answered with what is no message. The text follows the words "an answer that"."""


def unreadable_text(error: ValueError) -> str:
    """Returns what a server sent, as far as `error` of the SDK tells it."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    seen = error.errors(include_url=False)[0]["input"]
    if isinstance(seen, bytes):
        return seen.decode("utf-8", "replace")
    return seen if isinstance(seen, str) else as_text(seen)


class OutputSchema:
    """The schema that a tool's structured content must fit, if it has one.

    >>> OutputSchema("count", {"type": "object", "required": ["n"]}).mistakes_in({})
    'at `$`: "n" is a required property'
    """

    def __init__(self, name: str, schema: JsonObject | None) -> None:
        self._validator: Validator | None = None
        try:
            self._validator = compile_schema(name, schema) if schema else None
        except TurnConfigurationError as error:
            # The tool itself may work.
            log_failure(f"the results of MCP tool {name} are not checked", error)

    def mistakes_in(self, content: object) -> str:
        """Returns what is wrong with `content`, or an empty text. Servers must keep to their schema
        (https://modelcontextprotocol.io/specification/2025-06-18/server/tools#output-schema).
        """
        if self._validator is None:
            return ""
        if content is None:
            return "it has no structured content"
        try:
            return "; ".join(self._validator.mistakes_in(content))
        except UncheckableError as error:
            return f"it could not be checked{error}".rstrip(".")


def result_parts(result: "CallToolResult", output: OutputSchema) -> tuple[Any, Any]:
    """Returns the content for the model, and the structured content for the program.

    The content is text, or a list of content blocks if there are pictures, sounds or files in it.
    Raises ToolException if the result is an error, or does not fit the tool's schema `output`.
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
    if mistakes := output.mistakes_in(result.structuredContent):
        shown = as_output(blocks) if blocks else ToolOutput(content=data)
        raise IllustratedError(
            "The tool has run, and its result does not fit the schema that its server promises: "
            f"{mistakes}. The result: {shown.content}",
            shown.media,
        )
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
