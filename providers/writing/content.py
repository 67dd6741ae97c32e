"""Blocks of a message's content, from any spelling in use to the two that are sent.

Read are the Chat Completions and Responses parts, LangChain's standard blocks (v1 and the older
`source_type` ones) and Anthropic's `source` images. What a block stands for is `Text`, `Media` or,
for parts a vendor alone knows, `Raw`.
"""

import json
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from turngraph.state.errors import TurnValueError

__all__ = [
    "NOT_CONTENT",
    "Media",
    "Part",
    "Raw",
    "Text",
    "chat_part",
    "read_block",
    "responses_part",
]

Kind = Literal["image", "audio", "file"]


@dataclass(frozen=True, slots=True)
class Text:
    """Text, and what a vendor may be told about it (`cache_control`)."""

    text: str
    cache_control: Any = None


@dataclass(frozen=True, slots=True)
class Media:
    """An image, a sound or a file: by `url` (a `data:` one holds it whole), or by the id of an
    uploaded file.
    """

    kind: Kind
    url: str | None = None
    file_id: str | None = None
    detail: str | None = None
    filename: str | None = None
    cache_control: Any = None


@dataclass(frozen=True, slots=True)
class Raw:
    """A part sent as it is, because one vendor knows it (Mistral's `document_url`, `video_url`)."""

    part: dict[str, Any]


Part = Text | Media | Raw

NOT_CONTENT: Final = frozenset(
    (
        "reasoning",
        "thinking",
        "redacted_thinking",
        "tool_use",
        "tool_call",
        "function_call",
        "invalid_tool_call",
    )
)
"""Blocks of other models' answers that say in `content` what LangChain repeats in `tool_calls`, or
that no other vendor can read. They are not content.
"""

_CHAT_ONLY: Final = ("document_url", "file_url", "video_url", "input_audio", "file")
"""Parts for one vendor's Chat Completions."""

_AUDIO_FORMATS: Final = {
    "mpeg": "mp3",
    "x-wav": "wav",
    "wave": "wav",
    "vnd.wave": "wav",
    "x-flac": "flac",
}
_AUDIO_TYPES: Final = {"mp3": "audio/mpeg"}


def read_block(block: Any, where: str) -> Part:
    """What `block` stands for. Raises TurnValueError naming `where` and the block's type if nobody
    knows.

    >>> read_block({"type": "image", "base64": "iVBO", "mime_type": "image/png"}, "message 1")
    Media(kind='image', url='data:image/png;base64,iVBO', file_id=None, detail=None, filename=None, cache_control=None)
    """
    if isinstance(block, str):
        return Text(block)
    if not isinstance(block, Mapping):
        raise TurnValueError(
            f"In {where}, a block of content is a `{type(block).__name__}`; write a string or an object."
        )
    kind = block.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise TurnValueError(
            f"In {where}, no vendor knows the block type `{kind}`. Known: {', '.join(sorted(_READERS))}."
        )
    try:
        return reader(block)
    except KeyError as exc:
        raise TurnValueError(
            f"In {where}, a `{kind}` block lacks {exc}. It has: {', '.join(sorted(block))}."
        ) from exc
    except (AttributeError, TypeError) as exc:
        raise TurnValueError(f"In {where}, a `{kind}` block is malformed: {exc}.") from exc


def chat_part(part: Part, where: str) -> dict[str, Any]:
    """`part` as Chat Completions writes it. Raises TurnValueError for what that API cannot carry.

    https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages

        >>> chat_part(Text("Hi"), "message 1")
        {'type': 'text', 'text': 'Hi'}
    """
    if isinstance(part, Raw):
        return part.part
    if isinstance(part, Text):
        return _cached({"type": "text", "text": part.text}, part)
    return _cached(_CHAT_MEDIA[part.kind](part, where), part)


def responses_part(part: Part, where: str, *, output: bool = False) -> dict[str, Any]:
    """`part` as Responses writes it: `output` in an answer, input elsewhere.

    https://platform.openai.com/docs/api-reference/responses/create#responses-create-input

        >>> responses_part(Text("Hi"), "message 1")
        {'type': 'input_text', 'text': 'Hi'}
    """
    if isinstance(part, Text):
        return {"type": "output_text" if output else "input_text", "text": part.text}
    if isinstance(part, Raw) and part.part.get("type") not in _CHAT_ONLY:
        return part.part
    if isinstance(part, Raw) or part.kind == "audio":
        kind = part.part["type"] if isinstance(part, Raw) else "audio"
        raise TurnValueError(
            f"In {where}, the Responses API does not take `{kind}`; ask through Chat Completions."
        )
    source = {"file_id": part.file_id} if part.file_id is not None else _responses_source(part)
    if part.kind == "image":
        return {"type": "input_image", **source, "detail": part.detail or "auto"}
    return {"type": "input_file", **source}


def _responses_source(part: Media) -> dict[str, Any]:
    url = part.url or ""
    if part.kind == "image":
        return {"image_url": url}
    if url.startswith("data:"):
        return {"filename": part.filename or _file_name(url), "file_data": url}
    return {"file_url": url}


def _cached(wire: dict[str, Any], part: Text | Media) -> dict[str, Any]:
    return wire if part.cache_control is None else {**wire, "cache_control": part.cache_control}


def _chat_image(part: Media, where: str) -> dict[str, Any]:
    if part.url is None:
        raise TurnValueError(
            f"In {where}, an image is given by file id; Chat Completions takes a URL or base64."
        )
    detail = {} if part.detail is None else {"detail": part.detail}
    return {"type": "image_url", "image_url": {"url": part.url, **detail}}


def _chat_audio(part: Media, where: str) -> dict[str, Any]:
    head, _, data = (part.url or "").partition(";base64,")
    if not data:
        raise TurnValueError(
            f"In {where}, audio is given by URL or file id; it is sent as base64 only."
        )
    subtype = head.rpartition("/")[2]
    return {
        "type": "input_audio",
        "input_audio": {"data": data, "format": _AUDIO_FORMATS.get(subtype, subtype)},
    }


def _chat_file(part: Media, where: str) -> dict[str, Any]:
    if part.file_id is not None:
        return {"type": "file", "file": {"file_id": part.file_id}}
    url = part.url or ""
    if not url.startswith("data:"):
        raise TurnValueError(
            f"In {where}, a file is given by URL; Chat Completions takes base64 or a file id."
        )
    return {
        "type": "file",
        "file": {"filename": part.filename or _file_name(url), "file_data": url},
    }


_CHAT_MEDIA: Final[Mapping[Kind, Callable[[Media, str], dict[str, Any]]]] = {
    "image": _chat_image,
    "audio": _chat_audio,
    "file": _chat_file,
}


def _file_name(url: str) -> str:
    mime = url[5:].partition(";")[0]
    return "document" + (mimetypes.guess_extension(mime) or "")


def _text(block: Mapping[str, Any]) -> Part:
    if not isinstance(block["text"], str):
        raise TypeError(f"`text` is a `{type(block['text']).__name__}`")
    return Text(
        block["text"],
        block.get("cache_control") or (block.get("extras") or {}).get("cache_control"),
    )


def _plain(block: Mapping[str, Any]) -> Part:
    if "text" in block:
        return _text(block)
    return _media("file", {"mime_type": "text/plain", **block})


def _media(kind: Kind, block: Mapping[str, Any]) -> Media:
    """LangChain's standard block, v1 (`url`, `base64`, `file_id`) or older (`source_type`), or
    Anthropic's `source`.
    """
    extras: Mapping[str, Any] = {**(block.get("metadata") or {}), **(block.get("extras") or {})}
    if isinstance(source := block.get("source"), Mapping):
        block = {
            **block,
            "base64": source.get("data"),
            "url": source.get("url"),
            "mime_type": source.get("media_type"),
        }
    data = block.get("base64") or (
        block.get("data") if block.get("source_type") == "base64" else None
    )
    url = f"data:{block['mime_type']};base64,{data}" if data else block.get("url")
    file_id = block.get("file_id") or (
        block.get("id") if block.get("source_type") == "id" else None
    )
    if url is None and file_id is None:
        raise KeyError("url, base64 or file_id")
    detail = block.get("detail") or extras.get("detail")
    name = block.get("filename") or extras.get("filename") or extras.get("name")
    cache = block.get("cache_control") or extras.get("cache_control")
    return Media(kind, None if file_id else url, file_id, detail, name, cache)


def _image_url(block: Mapping[str, Any]) -> Part:
    image = block["image_url"]
    if isinstance(image, str):
        image = {"url": image}
    return Media(
        "image", image["url"], detail=image.get("detail"), cache_control=block.get("cache_control")
    )


def _input_image(block: Mapping[str, Any]) -> Part:
    if (file_id := block.get("file_id")) is not None:
        return Media("image", file_id=file_id, detail=block.get("detail"))
    return Media("image", block["image_url"], detail=block.get("detail"))


def _input_audio(block: Mapping[str, Any]) -> Part:
    audio = block["input_audio"]
    if not isinstance(audio, Mapping):
        return Raw(
            dict(block)
        )  # Mistral takes the base64 text itself: https://docs.mistral.ai/capabilities/audio
    mime = _AUDIO_TYPES.get(audio["format"], f"audio/{audio['format']}")
    return Media("audio", f"data:{mime};base64,{audio['data']}")


def _file(block: Mapping[str, Any]) -> Part:
    if not isinstance(block.get("file"), Mapping):
        return _media("file", block)
    file = block["file"]
    if not str(file.get("file_data", "data:")).startswith("data:"):
        return Raw(
            dict(block)
        )  # OpenRouter takes a URL here: https://openrouter.ai/docs/features/multimodal/pdfs
    return _input_file({**file, "cache_control": block.get("cache_control")})


def _input_file(block: Mapping[str, Any]) -> Part:
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


def _raw(block: Mapping[str, Any]) -> Part:
    return Raw(dict(block))


def _json(block: Mapping[str, Any]) -> Part:
    return Text(json.dumps(block["json"], ensure_ascii=False))


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Part]]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "text-plain": _plain,
    "json": _json,
    "image_url": _image_url,
    "input_image": _input_image,
    "image": lambda block: _media("image", block),
    "input_audio": _input_audio,
    "audio": lambda block: _media("audio", block),
    "file": _file,
    "input_file": _input_file,
    "document_url": _raw,  # https://docs.mistral.ai/capabilities/document_ai/document_qna
    "file_url": _raw,  # Z.AI: https://docs.z.ai/api-reference/llm/chat-completion
    "video_url": _raw,  # vLLM: https://docs.vllm.ai/en/latest/features/multimodal_inputs.html
    "refusal": _raw,
    "non_standard": lambda block: Raw(dict(block["value"])),
}
