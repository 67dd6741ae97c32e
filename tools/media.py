"""Pictures, sounds and files that a tool returns: which blocks are carried on to the model."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

from turngraph.state.json_types import JsonObject

__all__ = ["MAX_MEDIA", "carried_block"]

MAX_MEDIA: Final = 20_000_000
"""Characters of base64 in one result. They stay in the conversation and are sent with every
request after it.
"""
CARRIED: Final = {
    "image": "image",
    "image_url": "image",
    "audio": "audio",
    "input_audio": "audio",
    "file": "file",
    "input_image": "image",
    "input_file": "file",
}
"""Types of blocks that are carried on, and the type of LangChain's block for each."""
PICTURES: Final = frozenset(
    {"image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp", "image/heic", "image/heif"}
)
"""The formats of pictures that some API takes
(https://platform.openai.com/docs/guides/images-vision, https://ai.google.dev/gemini-api/docs/image-understanding).
With another one, such as `image/svg+xml`, every later request of the thread would fail.
"""
MIME_TYPE: Final = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,100}")
ADDRESS: Final = re.compile(r"https?://[!-~]{1,4000}")
DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.+)", re.DOTALL)


def carried_block(block: Mapping[str, Any]) -> JsonObject | None:
    """Returns `block` as a content block of LangChain, or None for one that no API could take.

    It may have any of LangChain's spellings, Anthropic's `source`, or the form in which either of
    OpenAI's APIs takes it. Only known keys are kept, because a malformed block in a conversation
    makes every later request fail.

        >>> carried_block({"type": "image", "source_type": "base64", "data": "aGk=",
        ...                "mime_type": "image/png"})
        {'type': 'image', 'base64': 'aGk=', 'mime_type': 'image/png'}
    """
    kind = CARRIED.get(str(block.get("type")))
    if kind is None:
        return None
    if isinstance(inner := block.get("file"), Mapping):
        block = inner
    given = _source(block)
    content: JsonObject = {"type": kind}
    name = block.get("filename")
    if isinstance(name, str) and name.isprintable() and 0 < len(name) <= 200:
        content["filename"] = name
    mime_type, data = given.get("mime_type"), given.get("base64")
    url, file_id = given.get("url"), given.get("file_id")
    if isinstance(url, str) and (whole := DATA_URL.fullmatch(url)):
        mime_type, data = whole[1], whole[2]
    if isinstance(data, str) and isinstance(mime_type, str):
        if not MIME_TYPE.fullmatch(mime_type) or not _is_base64(data):
            return None
        if mime_type.startswith("image/") and mime_type.lower() not in PICTURES:
            return None
        if (form := mime_type.partition("/")[0]) in ("image", "audio"):
            content["type"] = form  # APIs refuse a picture or a sound that is called a file
        return {**content, "base64": data, "mime_type": mime_type}
    if kind == "audio":
        return None  # every API takes a sound as base64 only
    if isinstance(url, str) and ADDRESS.fullmatch(url):
        return {**content, "url": url}
    if isinstance(file_id, str) and file_id.isprintable() and file_id:
        return {**content, "file_id": file_id}
    return None


def _source(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns where the content of `block` is, under the names of LangChain's standard blocks."""
    source = block.get("source")
    if isinstance(source, Mapping):
        return {
            "base64": source.get("data"),
            "mime_type": source.get("media_type"),
            "url": source.get("url"),
            "file_id": source.get("file_id"),
        }
    sound = block.get("input_audio")
    if isinstance(sound, Mapping):
        form = sound.get("format")
        return {"base64": sound.get("data"), "mime_type": f"audio/{form}" if form else None}
    image = block.get("image_url")
    if image is not None:
        return {"url": image.get("url") if isinstance(image, Mapping) else image}
    file = block.get("file_data", block.get("file_url"))
    if file is not None:
        return {"url": file}
    if block.get("source_type") == "id":
        return {"file_id": block.get("id")}
    return {"base64": block.get("base64", block.get("data")), **_without_data(block)}


def _without_data(block: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: block.get(key) for key in ("mime_type", "url", "file_id")}


def _is_base64(data: str) -> bool:
    try:
        return len(base64.b64decode(data, validate=True)) > 0
    except (binascii.Error, ValueError):
        return False
