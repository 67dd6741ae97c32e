"""Tools that run at the vendor, and how the credentials of remote MCP servers are kept apart.

Such tools are part of a request, which is stored with the turn's state. A remote MCP server's token
must not be stored there. It is in the configuration instead, and joins the tool when the request is
sent. Which vendor has which tools is in `vendors.yaml` (`builtin_tools`).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from pydantic import JsonValue

from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject

__all__ = ["add_authorization", "check_builtin_tools", "file_search_tool"]

_CREDENTIALS: Final = ("authorization", "headers")
"""The members of a remote MCP tool that hold keys:
https://platform.openai.com/docs/guides/tools-remote-mcp
"""


def file_search_tool(vector_store_ids: Sequence[str]) -> dict[str, JsonValue]:
    """Returns the tool that searches these vector stores.

    https://platform.openai.com/docs/guides/tools-file-search

    >>> file_search_tool(["vs_1"])
    {'type': 'file_search', 'vector_store_ids': ['vs_1']}
    """
    return {"type": "file_search", "vector_store_ids": list(vector_store_ids)}


def check_builtin_tools(tools: Collection[Mapping[str, JsonValue]]) -> None:
    """Raises TurnConfigurationError for a tool without a type, or with a credential in it."""
    for tool in tools:
        kind = tool.get("type")
        if not isinstance(kind, str) or kind == "function":
            raise TurnConfigurationError(
                "A built-in tool is an object whose `type` names one of the vendor's tools, as "
                '{"type": "web_search"}. Give functions of your own as `tools`.'
            )
        credential = next((name for name in _CREDENTIALS if tool.get(name) is not None), None)
        if credential is not None:
            raise TurnConfigurationError(
                f"`{credential}` of a built-in tool would stand in every checkpoint. Give the "
                "token as `mcp_authorization`, under the server's URL or its connector's id."
            )


def add_authorization(body: Mapping[str, object], tokens: Mapping[str, str]) -> JsonObject:
    """Returns `body` with a token in each remote MCP tool whose server has one in `tokens`.

    Servers are told apart by URL or connector id. Labels would not do: anybody can choose them.

    >>> tool = {"type": "mcp", "server_label": "x", "server_url": "https://mcp.example.com"}
    >>> body = add_authorization({"tools": [tool]}, {"https://mcp.example.com": "t"})
    >>> body["tools"][0]["authorization"]
    't'
    """
    tools = body.get("tools")
    if not tokens or not isinstance(tools, list):
        return dict(body)
    return {**body, "tools": [_add_token(tool, tokens) for tool in tools]}


def _add_token(tool: object, tokens: Mapping[str, str]) -> Any:
    if not isinstance(tool, Mapping) or tool.get("type") != "mcp":
        return tool
    token = tokens.get(str(tool.get("server_url") or tool.get("connector_id") or ""))
    if token is None or tool.get("authorization") is not None:
        return tool
    return {**tool, "authorization": token}
