"""Chat Completions messages as one vendor takes them: each step is one quirk, and does nothing
where it is not set.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from turngraph.providers.vendors.profiles import Quirks
from turngraph.providers.writing.messages import REASONING_FIELDS
from turngraph.providers.writing.notes import Notes
from turngraph.state.arguments import parse_arguments
from turngraph.state.errors import ToolArgumentsError

__all__ = ["adapted", "short_id"]

Wire = list[dict[str, Any]]

_STANDARD: Final = frozenset(
    ("role", "content", "name", "tool_calls", "refusal", "audio", "tool_call_id")
)
_NAME: Final = re.compile(r"[^\s<|\\/>]{1,64}")
"""https://platform.openai.com/docs/api-reference/chat/create, `name`."""


def adapted(wire: Wire, quirks: Quirks, notes: Notes) -> Wire:
    """`wire`, freshly written messages, as the vendor of `quirks` takes them. They are changed in
    place.
    """
    for step in _STEPS:
        wire = step(wire, quirks, notes)
    return wire


def _replay(wire: Wire, quirks: Quirks, notes: Notes) -> Wire:
    """Earlier reasoning and what came with it: kept where it must go back, else removed."""
    last_user = max((n for n, message in enumerate(wire) if message["role"] == "user"), default=-1)
    wanted = _WANTED[quirks.reasoning_replay]
    for n, message in enumerate(wire):
        if message["role"] != "assistant":
            continue
        if not wanted(message, n > last_user):
            for name in message.keys() - _STANDARD:
                del message[name]
        elif quirks.reasoning_field == "think_tags":
            _think_tags(message)
        elif quirks.reasoning_field != "as_received":
            for name in REASONING_FIELDS:
                if name in message:
                    message[quirks.reasoning_field] = message.pop(name)
            if quirks.blank_reasoning and "tool_calls" in message:
                message.setdefault(quirks.reasoning_field, "")
    return wire


def _think_tags(message: dict[str, Any]) -> None:
    """Reasoning before the text, between the tags the model itself writes."""
    reasoning = [message.pop(name) for name in REASONING_FIELDS if name in message]
    if reasoning and isinstance(message.get("content", ""), str):
        message["content"] = f"<think>{reasoning[0]}</think>{message.get('content', '')}"


_WANTED: Final[Mapping[str, Callable[[dict[str, Any], bool], bool]]] = {
    "never": lambda message, since_user: False,
    "tool_loop": lambda message, since_user: since_user,
    "with_calls": lambda message, since_user: "tool_calls" in message,
    "always": lambda message, since_user: True,
}
"""Whether a message's reasoning goes back, by `reasoning_replay`."""


def _beside_calls(wire: Wire, quirks: Quirks, notes: Notes) -> Wire:
    """What came beside a tool call, or a stand-in for it where another vendor's model made the
    call.
    """
    for message in wire:
        calls = message.get("tool_calls")
        if not calls:
            continue
        if not quirks.extra_content:
            for call in calls:
                call.pop("extra_content", None)
        elif quirks.missing_extra_content is not None and not any(
            "extra_content" in call for call in calls
        ):
            calls[0]["extra_content"] = quirks.missing_extra_content
    return wire


def _roles(wire: Wire, quirks: Quirks, notes: Notes) -> Wire:
    if quirks.system_role != "as_written":
        for message in wire:
            if message["role"] in ("system", "developer"):
                message["role"] = quirks.system_role
    return wire


def _one_system(wire: Wire, quirks: Quirks, notes: Notes) -> Wire:
    system = [message for message in wire if message["role"] == "system"]
    if not quirks.one_system_message or len(system) < 2:
        return wire
    notes.add(f"{len(system)} system messages are sent as one: {notes.vendor} takes no more.")
    joined = "\n\n".join(_as_text(message["content"]) for message in system)
    return [
        {"role": "system", "content": joined},
        *(message for message in wire if message["role"] != "system"),
    ]


def _tool_media(wire: Wire, quirks: Quirks, notes: Notes) -> Wire:
    """Images in a tool's result follow in a user message, after the last result of the same answer."""
    if quirks.tool_media or not any(m["role"] == "tool" and _media(m["content"]) for m in wire):
        return wire
    moved: list[Any] = []
    out: Wire = []
    for n, message in enumerate(wire):
        out.append(message)
        if message["role"] == "tool" and (media := _media(message["content"])):
            message["content"] = [
                part for part in message["content"] if part not in media
            ] or "See the next message."
            moved += [
                {"type": "text", "text": f"From the tool call {message['tool_call_id']}:"},
                *media,
            ]
        last = n + 1 == len(wire) or wire[n + 1]["role"] != "tool"
        if moved and last:
            notes.add(
                "Media in a tool's result are sent in a user message after it: a result holds only text."
            )
            out.append({"role": "user", "content": moved})
            moved = []
    return out


def _parts(wire: Wire, quirks: Quirks, notes: Notes) -> Wire:
    """Parts of content: what the vendor does not know is rewritten, or refused where that would
    lose it.
    """
    for message in wire:
        content = message.get("content")
        if not isinstance(content, list):
            continue
        for n, part in enumerate(content):
            content[n] = _part(part, quirks, notes)
        if quirks.text_content and all(part.get("type") == "text" for part in content):
            message["content"] = _as_text(content)
    return wire


def _part(part: dict[str, Any], quirks: Quirks, notes: Notes) -> dict[str, Any]:
    kind = "bare_audio" if isinstance(part.get("input_audio"), str) else part.get("type")
    if kind == "refusal" and not quirks.refusal_parts:
        return {"type": "text", "text": part["refusal"]}
    if (
        quirks.part_types is not None
        and kind not in quirks.part_types
        and kind not in ("text", "refusal")
    ):
        taken = ", ".join(sorted(quirks.part_types)) or "text only"
        notes.refuse(f"parts of type `{kind}` are not taken on Chat Completions. Taken: {taken}.")
    if (
        kind == "image_url"
        and not quirks.image_urls
        and not part["image_url"]["url"].startswith("data:")
    ):
        notes.refuse("images are taken as base64 only, not by URL.")
    if "cache_control" in part and not quirks.cache_control:
        notes.dropped("cache_control")
        return {name: value for name, value in part.items() if name != "cache_control"}
    return part


def _names(wire: Wire, quirks: Quirks, notes: Notes) -> Wire:
    for message in wire:
        name = message.get("name")
        if name is not None and not (quirks.names and _NAME.fullmatch(name)):
            why = f"`{name[:64]}` holds characters no vendor takes" if quirks.names else ""
            notes.dropped("name", why)
            del message["name"]
    return wire


def _call_ids(wire: Wire, quirks: Quirks, notes: Notes) -> Wire:
    length = quirks.tool_id_length
    if length is None:
        return wire
    for message in wire:
        for call in message.get("tool_calls") or ():
            call["id"] = short_id(call["id"], length)
        if "tool_call_id" in message:
            message["tool_call_id"] = short_id(message["tool_call_id"], length)
    return wire


def short_id(call_id: str, length: int) -> str:
    """An id of `length` letters and digits: `call_id` itself where it is one, else always the same
    for the same id.

    >>> short_id("call_abc", 9), short_id("D681PevKs", 9)
    ('dEWh31dcd', 'D681PevKs')
    """
    if re.fullmatch(rf"[A-Za-z0-9]{{{length}}}", call_id):
        return call_id
    number = int.from_bytes(sha256(call_id.encode("utf-8", "surrogatepass")).digest())
    letters = []
    for _ in range(length):
        number, place = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[place])
    return "".join(letters)


_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _json_arguments(wire: Wire, quirks: Quirks, notes: Notes) -> Wire:
    """Arguments that are no JSON object: some servers parse earlier calls, and fail on them."""
    if not quirks.json_arguments:
        return wire
    for message in wire:
        for call in message.get("tool_calls") or ():
            if "function" not in call:
                continue
            text = call["function"]["arguments"]
            if not _is_object(text):
                call["function"]["arguments"] = "{}"
                if text.strip():
                    notes.add(
                        f"Arguments of an earlier call that are no JSON object are sent as {{}} to {notes.vendor}."
                    )
    return wire


def _is_object(text: str) -> bool:
    try:
        parse_arguments(text)
    except ToolArgumentsError:
        return False
    return bool(text.strip())


def _empty_assistant(wire: Wire, quirks: Quirks, notes: Notes) -> Wire:
    if quirks.empty_assistant == "as_is":
        return wire
    out: Wire = []
    for message in wire:
        if message["role"] == "assistant" and not message.get("content"):
            if quirks.empty_assistant == "string":
                message["content"] = ""
            elif not message.get("tool_calls"):
                notes.add(f"An answer without text is left out: {notes.vendor} refuses it.")
                continue
        out.append(message)
    return out


def _bridge(wire: Wire, quirks: Quirks, notes: Notes) -> Wire:
    if quirks.bridge is None:
        return wire
    out: Wire = []
    for message in wire:
        if message["role"] == "user" and out and out[-1]["role"] == "tool":
            notes.add(
                f"An answer, «{quirks.bridge}», is put between a tool's result and the user: {notes.vendor} asks so."
            )
            out.append({"role": "assistant", "content": quirks.bridge})
        out.append(message)
    return out


_STEPS: Final[Sequence[Callable[[Wire, Quirks, Notes], Wire]]] = (
    _replay,
    _beside_calls,
    _roles,
    _one_system,
    _tool_media,
    _parts,
    _names,
    _call_ids,
    _json_arguments,
    _empty_assistant,
    _bridge,
)


def _media(content: Any) -> list[dict[str, Any]]:
    return (
        [part for part in content if part.get("type") != "text"]
        if isinstance(content, list)
        else []
    )


def _as_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(
        part["text"] if part.get("type") == "text" else json.dumps(part) for part in content
    )
