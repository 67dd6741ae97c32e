"""What a request asked for, as far as the reader of its answer must know it."""

from typing import Final, NamedTuple, Self

from turngraph.providers.reading.json_values import objects_in, text_or_none
from turngraph.state.json_types import JsonMapping
from turngraph.state.request import ECHOED_TYPE

__all__ = ["Asked", "unserved"]

_SERVED_IDS: Final = ("srvtoolu_", "xs_call_", "ws_call_")
"""How ids of calls begin that the vendor serves itself. Gateways such as LiteLLM pass Anthropic's
on among the calls: https://docs.claude.com/en/docs/agents-and-tools/tool-use/web-search-tool. The
others are xAI's: https://docs.x.ai/docs/guides/tools/overview
"""
_OUR_TYPES: Final = frozenset({"function", "function_call", ECHOED_TYPE})
"""Types of calls that the caller serves, whatever their names."""


class Asked(NamedTuple):
    """What a request asked for.

    >>> asked = Asked.of({"n": 2, "tools": [{"type": "custom", "name": "sql"}, {"type": "bash"}]})
    >>> asked.several_choices, asked.tools, asked.vendor_tools
    (True, frozenset({'sql'}), frozenset({'bash'}))
    """

    several_choices: bool = False
    """Whether it asked for more than one answer (`n`)."""
    tools: frozenset[str] | None = None
    """The names of the tools that the caller serves. `None`: not known."""
    vendor_tools: frozenset[str] = frozenset()
    """The types of the tools that the vendor serves: `web_search`, `code_interpreter`, …"""

    @classmethod
    def of(cls, body: JsonMapping) -> Self:
        """Returns what the request with this `body` asked for."""
        n = body.get("n")
        names, types = set[str](), set[str]()
        for tool in objects_in(body.get("tools")):
            nested = next(
                (
                    value
                    for key in ("function", "custom")
                    if isinstance(value := tool.get(key), dict)
                ),
                tool,
            )
            if name := text_or_none(nested.get("name")):
                names.add(name)
            elif kind := text_or_none(tool.get("type")):
                types.add(kind)
        return cls(isinstance(n, int) and n > 1, frozenset(names), frozenset(types))


def unserved(kind: object, id_: str | None, name: str | None, asked: Asked) -> bool:
    """Whether a call waits for the caller. Others the vendor has served itself.

    kind: the call's type in its API.

        >>> unserved("function", "srvtoolu_1", "search", Asked(tools=frozenset()))
        False
    """
    if asked.tools is None:
        return True
    has_vendors_id = (id_ or "").startswith(_SERVED_IDS)
    # xAI's own tools may have the name of one of the caller's, but it knows no custom tools.
    if name in asked.tools and not (has_vendors_id and kind == "custom_tool_call"):
        return True
    if has_vendors_id or name in asked.vendor_tools:
        return False
    # A model may invent the name of a function, and is told so. It cannot invent a custom tool or
    # a type: what was not offered under these is the vendor's own (xAI's `x_search`).
    return str(kind or "function") in _OUR_TYPES
