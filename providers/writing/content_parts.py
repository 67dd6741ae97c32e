"""Parts of a Chat Completions message's content, as one vendor takes them."""

import json
from collections.abc import Mapping
from typing import Any, Final

from turngraph.providers.vendors.profiles import Quirks
from turngraph.providers.writing.notes import Notes
from turngraph.state.json_types import JsonObject

__all__ = ["adapt_parts", "as_text", "move_tool_media", "note_tool_media"]

_EMPTY_TEXT: Final = {"type": "text", "text": ""}


def note_tool_media(messages: list[JsonObject], quirks: Quirks, notes: Notes) -> list[JsonObject]:
    """Puts a text in place of media in tools' results that the vendor does not take.

    A user's own message is refused instead, but nobody can mend a tool's: the thread would be lost.
    """
    for message in messages:
        if message["role"] != "tool" or not isinstance(message["content"], list):
            continue
        for n, part in enumerate(message["content"]):
            if _is_taken(part, quirks):
                continue
            kind = part.get("type", "content")
            notes.add_tool_media([kind])
            message["content"][n] = {"type": "text", "text": f"[{kind}: left out]"}
    return messages


def _is_taken(part: JsonObject, quirks: Quirks) -> bool:
    if part.get("type") == "text":
        return True
    if _is_by_url(part) and not quirks.image_urls:
        return False
    if part.get("type") == "input_audio" and not quirks.tool_audio:
        return False
    return quirks.part_types is None or str(part.get("type")) in quirks.part_types


def _is_by_url(part: JsonObject) -> bool:
    if part.get("type") != "image_url":
        return False
    # A caller's own block (`non_standard`) may hold anything; the vendor says what is wrong in it.
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, Mapping) else None
    return isinstance(url, str) and not url.startswith("data:")


def move_tool_media(messages: list[JsonObject], quirks: Quirks, notes: Notes) -> list[JsonObject]:
    """Moves images out of tools' results into a user message after the last result.

    Most vendors take only text in a tool's result. The user message comes after all results of the
    same answer, because nothing may stand between a call and its result.
    """
    if quirks.tool_media or not any(
        message["role"] == "tool" and media_parts(message["content"]) for message in messages
    ):
        return messages
    moved: list[JsonObject] = []
    adapted: list[JsonObject] = []
    for n, message in enumerate(messages):
        adapted.append(message)
        if message["role"] == "tool" and (media := media_parts(message["content"])):
            rest = [part for part in message["content"] if part not in media]
            message["content"] = rest or "See the next message."
            origin = f"From the tool call {message['tool_call_id']}:"
            moved += [{"type": "text", "text": origin}, *media]
        is_last_result = n + 1 == len(messages) or messages[n + 1]["role"] != "tool"
        if moved and is_last_result:
            notes.add(
                "Media in a tool's result are sent in a user message after it: a result holds only "
                "text."
            )
            adapted.append({"role": "user", "content": moved})
            moved = []
    return adapted


def adapt_parts(messages: list[JsonObject], quirks: Quirks, notes: Notes) -> list[JsonObject]:
    """Rewrites parts that the vendor does not know, in place.

    Empty texts, which some vendors refuse, are left out: an answer of nothing else is empty.

    Raises TurnValueError for a part that cannot be rewritten without losing what it holds.
    """
    for message in messages:
        content = message.get("content")
        if not isinstance(content, list):
            continue
        filled = [part for part in content if part != _EMPTY_TEXT]
        if message["role"] == "assistant":
            filled = [part for part in filled if _goes_back(part, quirks)]
            if not filled:
                message["content"] = ""
                continue
        content[:] = [adapt_part(part, quirks, notes) for part in filled or content]
        if quirks.text_content and all(part.get("type") == "text" for part in content):
            message["content"] = as_text(content)
    return messages


def _goes_back(part: JsonObject, quirks: Quirks) -> bool:
    """Whether the vendor takes `part` of an earlier answer, which another vendor may have made."""
    kind = part.get("type")
    return kind in ("text", "refusal") or quirks.part_types is None or kind in quirks.answer_parts


def adapt_part(part: JsonObject, quirks: Quirks, notes: Notes) -> JsonObject:
    # Mistral's `input_audio` is the base64 text itself, everybody else's an object around it.
    kind = "bare_audio" if isinstance(part.get("input_audio"), str) else part.get("type")
    if kind == "refusal" and not quirks.refusal_parts:
        return {"type": "text", "text": part["refusal"]}
    check_part_type(kind, quirks, notes)
    if _is_by_url(part) and not quirks.image_urls:
        notes.refuse("images are taken as base64 only, not by URL.")
    if "cache_control" in part and not quirks.cache_control:
        notes.add_dropped("cache_control")
        return {name: value for name, value in part.items() if name != "cache_control"}
    return part


def check_part_type(kind: str | None, quirks: Quirks, notes: Notes) -> None:
    if quirks.part_types is None or kind in ("text", "refusal"):
        return
    if kind in quirks.part_types | quirks.answer_parts:
        return
    allowed = ", ".join(sorted(quirks.part_types)) or "text only"
    notes.refuse(f"parts of type `{kind}` are not taken on Chat Completions. Taken: {allowed}.")


def media_parts(content: object) -> list[JsonObject]:
    if not isinstance(content, list):
        return []
    return [part for part in content if part.get("type") != "text"]


def as_text(content: Any) -> str:
    """`content` as one text: text parts as they are, others as JSON."""
    if isinstance(content, str):
        return content
    return "\n".join(
        part["text"] if part.get("type") == "text" else json.dumps(part) for part in content
    )
