"""Reads blocks of a message's content in every spelling in use.

These are the parts of Chat Completions and Responses, LangChain's standard blocks (v1, and the
older ones with `source_type`: https://docs.langchain.com/oss/python/langchain/messages) and
Anthropic's media with a `source`.
"""

import json
from collections.abc import Callable, Mapping
from typing import Final

from turngraph.providers.writing.content import Kind, Media, Part, Raw, Text
from turngraph.state.errors import TurnValueError
from turngraph.state.json_types import JsonMapping

__all__ = ["read_block", "read_result_block"]

_TEXTS: Final = ("url", "file_id", "detail", "filename")
"""The members of `Media` that are texts."""
_AUDIO_TYPES: Final = {"mp3": "audio/mpeg"}
"""The media type for a `format` of `input_audio`, where it is not `audio/<format>`."""


def read_block(block: object, place: str) -> Part:
    """What `block` stands for.

    place: how an error names the message. Raises TurnValueError, with the block's type, for a
        block that no vendor knows.

        >>> read_block({"type": "text", "text": "Hi"}, "message 1")
        Text(text='Hi', cache_control=None)
    """
    if isinstance(block, str):
        return Text(block)
    if not isinstance(block, Mapping):
        raise TurnValueError(
            f"In {place}, a block of content is a `{type(block).__name__}`; write a string or an "
            "object."
        )
    kind = block.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        known = ", ".join(sorted(_READERS))
        raise TurnValueError(
            f"In {place}, no vendor knows the block type `{kind}`. Known: {known}."
        )
    try:
        return _with_texts(reader(block))
    except KeyError as exc:
        members = ", ".join(sorted(block))
        raise TurnValueError(
            f"In {place}, a `{kind}` block lacks {exc}. It has: {members}."
        ) from exc
    except (AttributeError, TypeError) as exc:
        raise TurnValueError(f"In {place}, a `{kind}` block is malformed: {exc}.") from exc


def read_result_block(block: object, place: str, noted: set[str]) -> Part:
    """What `block` of a tool's result stands for; a note in its place if nobody knows. Then its
    type is added to `noted`.

    A result is in every later request of its thread, and nobody can mend it.

        >>> read_result_block({"type": "hologram"}, "message 1", set()).text
        '[hologram: left out, no vendor knows it]'
    """
    try:
        return read_block(block, place)
    except TurnValueError:
        kind = block.get("type") if isinstance(block, Mapping) else type(block).__name__
        noted.add(str(kind)[:100])
        return Text(f"[{kind}: left out, no vendor knows it]")


def _with_texts(part: Part) -> Part:
    """`part`, whose members are texts. Raises TypeError for another type."""
    members = {
        name: getattr(part, name) for name in _TEXTS if getattr(part, name, None) is not None
    }
    if isinstance(part, Raw) and part.part.get("type") == "refusal":
        members["refusal"] = part.part["refusal"]
    for name, value in members.items():
        if not isinstance(value, str):
            raise TypeError(f"`{name}` is a `{type(value).__name__}`, and must be a text")
    return part


def _text(block: JsonMapping) -> Part:
    text = block["text"]
    if not isinstance(text, str):
        raise TypeError(f"`text` is a `{type(text).__name__}`")
    cache_control = block.get("cache_control") or (block.get("extras") or {}).get("cache_control")
    return Text(text, cache_control)


def _plain_text(block: JsonMapping) -> Part:
    if "text" in block:
        return _text(block)
    return _media("file", {"mime_type": "text/plain", **block})


def _media(kind: Kind, block: JsonMapping) -> Media:
    """Reads LangChain's standard block, v1 or older, or Anthropic's block with a `source`."""
    extras: JsonMapping = {**(block.get("metadata") or {}), **(block.get("extras") or {})}
    if isinstance(source := block.get("source"), Mapping):
        block = {
            **block,
            "base64": source.get("data"),
            "url": source.get("url"),
            "mime_type": source.get("media_type"),
        }
    # The older blocks say in `source_type` what `data` and `id` hold.
    old_type = block.get("source_type")
    data = block.get("base64") or (block.get("data") if old_type == "base64" else None)
    url = f"data:{block['mime_type']};base64,{data}" if data else block.get("url")
    file_id = block.get("file_id") or (block.get("id") if old_type == "id" else None)
    if url is None and file_id is None:
        raise KeyError("url, base64 or file_id")
    return Media(
        kind,
        url=None if file_id else url,
        file_id=file_id,
        detail=block.get("detail") or extras.get("detail"),
        filename=block.get("filename") or extras.get("filename") or extras.get("name"),
        cache_control=block.get("cache_control") or extras.get("cache_control"),
    )


def _image_url(block: JsonMapping) -> Part:
    image = block["image_url"]
    if isinstance(image, str):
        image = {"url": image}
    cache_control = block.get("cache_control")
    return Media("image", image["url"], detail=image.get("detail"), cache_control=cache_control)


def _input_image(block: JsonMapping) -> Part:
    if (file_id := block.get("file_id")) is not None:
        return Media("image", file_id=file_id, detail=block.get("detail"))
    return Media("image", block["image_url"], detail=block.get("detail"))


def _input_audio(block: JsonMapping) -> Part:
    audio = block["input_audio"]
    if not isinstance(audio, Mapping):
        # Mistral takes the base64 text itself: https://docs.mistral.ai/capabilities/audio
        return Raw(dict(block))
    media_type = _AUDIO_TYPES.get(audio["format"], f"audio/{audio['format']}")
    return Media("audio", f"data:{media_type};base64,{audio['data']}")


def _file(block: JsonMapping) -> Part:
    file = block.get("file")
    if not isinstance(file, Mapping):
        is_text = block.get("source_type") == "text"
        return _text(block) if is_text else _media("file", block)
    if not str(file.get("file_data", "data:")).startswith("data:"):
        # OpenRouter takes a URL here: https://openrouter.ai/docs/features/multimodal/pdfs
        return Raw(dict(block))
    return _input_file({**file, "cache_control": block.get("cache_control")})


def _input_file(block: JsonMapping) -> Part:
    url, file_id = block.get("file_data") or block.get("file_url"), block.get("file_id")
    if url is None and file_id is None:
        raise KeyError("file_data, file_url or file_id")
    return Media(
        "file",
        url,
        file_id,
        filename=block.get("filename"),
        cache_control=block.get("cache_control"),
    )


def _plain_text_or_file(block: JsonMapping) -> Part:
    source = block.get("source")
    if isinstance(source, Mapping) and source.get("type") == "text":
        return Text(source["data"])
    return _media("file", {"filename": block.get("title"), **block})


def _raw(block: JsonMapping) -> Part:
    return Raw(dict(block))


def _json(block: JsonMapping) -> Part:
    return Text(json.dumps(block["json"], ensure_ascii=False))


_READERS: Final[Mapping[str, Callable[[JsonMapping], Part]]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "text-plain": _plain_text,
    "json": _json,
    "image_url": _image_url,
    "input_image": _input_image,
    "image": lambda block: _media("image", block),
    "input_audio": _input_audio,
    "audio": lambda block: _media("audio", block),
    "video": lambda block: _media("video", block),
    "document": _plain_text_or_file,  # Anthropic's
    "file": _file,
    "input_file": _input_file,
    "document_url": _raw,  # https://docs.mistral.ai/capabilities/document_ai/document_qna
    "file_url": _raw,  # Z.AI: https://docs.z.ai/api-reference/llm/chat-completion
    "video_url": _raw,  # vLLM: https://docs.vllm.ai/en/latest/features/multimodal_inputs.html
    "refusal": _raw,
    "non_standard": lambda block: Raw(dict(block["value"])),
}
