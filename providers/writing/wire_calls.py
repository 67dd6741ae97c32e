"""Tool calls in the Chat Completions form: how they are written, and which bytes go back."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from langchain_core.messages import AIMessage

from turngraph.state.arguments import dump_json
from turngraph.state.errors import TurnValueError
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.request import ECHOED_TYPE

__all__ = ["chat_call", "id_name_arguments", "wire_calls"]

_SHORT: Final = 300
"""Characters of arguments that are remembered as parsed."""


def chat_call(id_: str, name: str, arguments: str, *, custom: bool = False) -> JsonObject:
    """A tool call as Chat Completions writes it; with `custom`, of a tool that takes free text.

    https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages

        >>> chat_call("1", "sql", "SELECT 1", custom=True)
        {'id': '1', 'type': 'custom', 'custom': {'name': 'sql', 'input': 'SELECT 1'}}
    """
    if custom:
        return {"id": id_, "type": "custom", "custom": {"name": name, "input": arguments}}
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def id_name_arguments(call: JsonMapping) -> tuple[str, str, str]:
    """The reverse of `chat_call`: id, name, and the text of the arguments or the custom input.

    >>> id_name_arguments(chat_call("1", "sql", "SELECT 1", custom=True))
    ('1', 'sql', 'SELECT 1')
    """
    if call.get("type") == "custom":
        return call["id"], call["custom"]["name"], call["custom"]["input"]
    return call["id"], call["function"]["name"], call["function"]["arguments"]


def wire_calls(message: AIMessage, *, extra: bool = False) -> list[JsonObject]:
    """The tool calls of `message`, in the order in which the model made them.

    The arguments are the very bytes the model sent while they still mean what `message.tool_calls`
    says, because vendors cache prompts by their bytes. Edited arguments are written anew.

    extra: whether to add what the vendor wants back beside each call (Gemini's `extra_content`).

        >>> message = AIMessage("", tool_calls=[{"id": "1", "name": "f", "args": {"a": 1}}])
        >>> wire_calls(message)[0]["function"]
        {'name': 'f', 'arguments': '{"a": 1}'}
    """
    if not message.tool_calls and not message.invalid_tool_calls:
        return []
    present: list[JsonMapping] = [*message.tool_calls, *message.invalid_tool_calls]
    calls = []
    for sent in message.additional_kwargs.get("tool_calls") or ():
        id_ = sent.get("id")
        for at, call in enumerate(present):
            if call["id"] == id_:  # otherwise somebody removed the call from the message
                calls.append(_wire_call(present.pop(at), sent, extra))
                break
    return calls + [_wire_call(call, None, extra) for call in present]


def _wire_call(call: JsonMapping, sent: JsonMapping | None, extra: bool) -> JsonObject:
    """`call` as it goes back. `sent` is the call as the model sent it, if it made it at all."""
    if not call["id"] or not call["name"]:
        raise TurnValueError(
            f"A tool call has the name `{call['name']}` and the id `{call['id']}`; both must be "
            "given."
        )
    if sent is not None and sent.get("type") == "custom":
        return dict(sent)
    wire = chat_call(call["id"], call["name"], _arguments_text(call["args"], sent))
    if sent is not None and sent.get("type") == ECHOED_TYPE:
        wire["type"] = ECHOED_TYPE
    if extra and sent is not None and not sent.keys() <= wire.keys():
        wire |= {name: value for name, value in sent.items() if name not in wire}
    return wire


def _arguments_text(args: Any, sent: JsonMapping | None) -> str:
    if type(args) is not dict and not isinstance(args, Mapping):  # an invalid call keeps its text
        return args or ""
    text = None if sent is None else sent["function"]["arguments"]
    if text is not None and _means(text, args):
        return str(text)
    try:
        return dump_json(args)
    except (TypeError, ValueError) as exc:
        raise TurnValueError(
            f"The arguments of a tool call cannot be written as JSON: {exc}."
        ) from exc


def _means(text: str, args: JsonMapping) -> bool:
    parsed = _parsed(text) if len(text) > _SHORT else _parsed_before(text)
    return bool(parsed == args)


def _parsed(text: str) -> object:
    """What `text` stands for, which nobody may change; None if it is no JSON."""
    try:
        return json.loads(text) if text.strip() else {}
    except ValueError:
        return None


_parsed_before = lru_cache(maxsize=4096)(_parsed)
"""The same for short texts. A conversation is written for each of its requests, with all of its
calls.
"""
