"""The tool calls of an assistant message as they go back to the model: as it wrote them, unless
they were edited.
"""

import json
from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage

from turngraph.state.arguments import dump_json
from turngraph.state.errors import TurnValueError

__all__ = ["wire_calls"]


def wire_calls(message: AIMessage, *, extra: bool = False) -> list[dict[str, Any]]:
    """The calls of `message` in the Chat Completions form, in the order the model made them.

    The arguments are those it sent, byte for byte, while they still stand for `message.tool_calls`:
    vendors cache prompts by their bytes. Edited ones are written anew. `extra`: with what the
    vendor wants back beside each call.

        >>> message = AIMessage("", tool_calls=[{"id": "1", "name": "f", "args": {"a": 1}}])
        >>> wire_calls(message)[0]["function"]
        {'name': 'f', 'arguments': '{"a": 1}'}
    """
    if not message.tool_calls and not message.invalid_tool_calls:
        return []
    present: list[Mapping[str, Any]] = [*message.tool_calls, *message.invalid_tool_calls]
    calls = []
    for raw in message.additional_kwargs.get("tool_calls") or ():
        at = next((i for i, call in enumerate(present) if call["id"] == raw.get("id")), None)
        if at is not None:  # else a person took it out
            calls.append(_call(present.pop(at), raw, extra))
    return calls + [_call(call, None, extra) for call in present]


def _call(call: Mapping[str, Any], raw: Mapping[str, Any] | None, extra: bool) -> dict[str, Any]:
    if not call["id"] or not call["name"]:
        raise TurnValueError(
            f"A tool call of `{call['name']}` has the id `{call['id']}`; both must be given."
        )
    if raw is not None and raw.get("type") == "custom":
        return dict(raw)
    function = {"name": call["name"], "arguments": _arguments(call["args"], raw)}
    wire: dict[str, Any] = {"id": call["id"], "type": "function", "function": function}
    if extra and raw is not None:
        wire |= {name: value for name, value in raw.items() if name not in wire}
    return wire


def _arguments(args: Any, raw: Mapping[str, Any] | None) -> str:
    sent = None if raw is None else raw["function"]["arguments"]
    if not isinstance(args, Mapping):  # an invalid call keeps its text
        return args or ""
    if sent is not None and _stands_for(sent, args):
        return str(sent)
    try:
        return dump_json(args)
    except (TypeError, ValueError) as exc:
        raise TurnValueError(
            f"The arguments of a tool call cannot be written as JSON: {exc}."
        ) from exc


def _stands_for(sent: str, args: Mapping[str, Any]) -> bool:
    try:
        return bool((json.loads(sent) if sent.strip() else {}) == args)
    except ValueError:
        return False
