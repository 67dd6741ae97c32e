"""The vendor's own tools: which vendor has which, how file search is written, and their credentials
kept apart.

Built-in tools are part of a request, which is part of the state; a remote MCP server's token must
not be. It stands in the configuration instead and joins the tool on the way out.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from pydantic import JsonValue

from turngraph.state.errors import TurnConfigurationError

__all__ = ["BUILTIN_TOOLS", "authorised", "check_builtin_tools", "file_search", "target_of"]

BUILTIN_TOOLS: Final[Mapping[str, frozenset[str]]] = {
    # https://platform.openai.com/docs/guides/tools
    "openai": frozenset(
        (
            "web_search",
            "file_search",
            "code_interpreter",
            "image_generation",
            "computer_use_preview",
            "mcp",
        )
    ),
    # https://learn.microsoft.com/azure/ai-foundry/openai/how-to/responses
    "azure": frozenset(
        ("web_search_preview", "file_search", "code_interpreter", "image_generation", "mcp")
    ),
    # https://docs.x.ai/developers/tools/overview, where file_search searches «collections»
    "xai": frozenset(("web_search", "x_search", "code_interpreter", "file_search", "mcp")),
    # https://console.groq.com/docs/tool-use/built-in-tools
    "groq": frozenset(("browser_search", "code_interpreter", "mcp")),
}
"""Tools that run at the vendor, for those vendors whose documentation lists them. Any other is
passed on as it is.
"""

_CREDENTIALS: Final = ("authorization", "headers")
"""Members of a remote MCP tool that hold keys:
https://platform.openai.com/docs/guides/tools-remote-mcp
"""


def file_search(vector_store_ids: Sequence[str]) -> dict[str, JsonValue]:
    """The tool that searches these vector stores:
    https://platform.openai.com/docs/guides/tools-file-search

    >>> file_search(["vs_1"])
    {'type': 'file_search', 'vector_store_ids': ['vs_1']}
    """
    return {"type": "file_search", "vector_store_ids": list(vector_store_ids)}


def check_builtin_tools(tools: Collection[Mapping[str, JsonValue]]) -> None:
    """Raises TurnConfigurationError for a tool without a type, or one that brings a credential
    along.
    """
    for tool in tools:
        kind = tool.get("type")
        if not isinstance(kind, str) or kind == "function":
            raise TurnConfigurationError(
                "A built-in tool is an object with the `type` of one of the vendor's tools, as "
                '{"type": "web_search"}; functions of your own are given as `tools`.'
            )
        found = next((name for name in _CREDENTIALS if tool.get(name) is not None), None)
        if found is not None:
            raise TurnConfigurationError(
                f"`{found}` of a built-in tool would stand in every checkpoint. "
                "Give the token as `mcp_authorization`, under the server's URL (or its connector's id)."
            )


def target_of(tool: Mapping[str, Any]) -> str:
    """Where an MCP tool leads to: its server's URL, or its connector's id; empty for any other
    tool.

    >>> target_of({"type": "mcp", "server_label": "x", "server_url": "https://mcp.example.com"})
    'https://mcp.example.com'
    """
    if tool.get("type") != "mcp":
        return ""
    return str(tool.get("server_url") or tool.get("connector_id") or "")


def authorised(body: Mapping[str, Any], tokens: Mapping[str, str]) -> dict[str, Any]:
    """`body` with the token of each remote MCP server it names. Another server of the same label
    gets none.

    >>> tool = {"type": "mcp", "server_label": "x", "server_url": "https://mcp.example.com"}
    >>> authorised({"tools": [tool]}, {"https://mcp.example.com": "t"})["tools"][0]["authorization"]
    't'
    """
    tools = body.get("tools")
    if not tokens or not isinstance(tools, list):
        return dict(body)
    return {**body, "tools": [_with_token(tool, tokens) for tool in tools]}


def _with_token(tool: Any, tokens: Mapping[str, str]) -> Any:
    token = tokens.get(target_of(tool)) if isinstance(tool, Mapping) else None
    if token is None or tool.get("authorization") is not None:
        return tool
    return {**tool, "authorization": token}
