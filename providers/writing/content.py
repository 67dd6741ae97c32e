"""Blocks of a message's content: what they stand for, and how each API writes them.

A block is read by `content_readers.read_block` into `Text`, `Media` or, for parts that only one
vendor knows, `Raw`. From there it is written for Chat Completions or Responses.
"""

import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from langchain_core.messages import BaseMessage

from turngraph.state.errors import TurnValueError
from turngraph.state.json_types import JsonObject

__all__ = [
    "NOT_CONTENT",
    "Kind",
    "Media",
    "Part",
    "Raw",
    "Text",
    "chat_part",
    "part_or_note",
    "place_of",
    "responses_part",
]

Kind: TypeAlias = Literal["image", "audio", "video", "file"]


@dataclass(frozen=True, slots=True)
class Text:
    """Text, and the vendor's cache hint beside it (`cache_control`)."""

    text: str
    cache_control: Any = None


@dataclass(frozen=True, slots=True)
class Media:
    """An image, a sound, a video or a file, given by a URL or by the id of an uploaded file."""

    kind: Kind
    url: str | None = None
    """A `data:` URL holds all of it."""
    file_id: str | None = None
    detail: str | None = None
    filename: str | None = None
    cache_control: Any = None


@dataclass(frozen=True, slots=True)
class Raw:
    """A part sent as it is, because one vendor knows it (Mistral's `document_url`, `video_url`)."""

    part: JsonObject


Part: TypeAlias = Text | Media | Raw

NOT_CONTENT: Final = frozenset(
    (
        "reasoning",
        "thinking",
        "redacted_thinking",
        "tool_use",
        "tool_call",
        "function_call",
        "invalid_tool_call",
        "tool_call_chunk",
        "server_tool_call",
        "server_tool_call_chunk",
        "server_tool_result",
        "non_standard",
    )
)
"""Types of blocks in other models' answers that are left out. They repeat what LangChain has in
`tool_calls`, or no other vendor can read them.
"""

_CHAT_ONLY: Final = ("document_url", "file_url", "video_url", "input_audio", "file")
"""Parts that single vendors know, in Chat Completions only."""

_AUDIO_FORMATS: Final = {
    "mpeg": "mp3",
    "x-wav": "wav",
    "wave": "wav",
    "vnd.wave": "wav",
    "x-flac": "flac",
}
"""The `format` of `input_audio` for a media subtype that has another name."""


def place_of(message: BaseMessage | str) -> str:
    """How an error names `message`."""
    if isinstance(message, str):
        return "the system message"
    return f"message `{message.id}`" if message.id else f"a message of type {message.type}"


def chat_part(part: Part, place: str) -> JsonObject:
    """`part` as Chat Completions writes it. Raises TurnValueError for what that API cannot carry.

    https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages

        >>> chat_part(Text("Hi"), "message 1")
        {'type': 'text', 'text': 'Hi'}
    """
    if isinstance(part, Raw):
        return part.part
    if isinstance(part, Text):
        return _with_cache_control({"type": "text", "text": part.text}, part)
    return _with_cache_control(_CHAT_MEDIA[part.kind](part, place), part)


def responses_part(part: Part, place: str, *, output: bool = False) -> JsonObject:
    """`part` as Responses writes it. Raises TurnValueError for what that API cannot carry.

    https://platform.openai.com/docs/api-reference/responses/create#responses-create-input

    output: whether the part belongs to an answer; otherwise it is input.

        >>> responses_part(Text("Hi"), "message 1")
        {'type': 'input_text', 'text': 'Hi'}
    """
    if isinstance(part, Text):
        return {"type": "output_text" if output else "input_text", "text": part.text}
    if isinstance(part, Raw) and part.part.get("type") not in _CHAT_ONLY:
        return part.part
    if isinstance(part, Raw) or part.kind in ("audio", "video"):
        kind = part.part["type"] if isinstance(part, Raw) else part.kind
        raise TurnValueError(
            f"In {place}, the Responses API does not take `{kind}`; ask through Chat Completions."
        )
    source = {"file_id": part.file_id} if part.file_id is not None else _responses_source(part)
    if part.kind == "image":
        # `detail` is required here, and `auto` is what its absence means on Chat Completions.
        return {"type": "input_image", **source, "detail": part.detail or "auto"}
    return {"type": "input_file", **source}


def part_or_note(
    part: Part, place: str, write: Callable[[Part, str], JsonObject], noted: set[str]
) -> JsonObject:
    """`part` as `write` has it, or a text in its place where that API cannot carry it. Then its
    kind is added to `noted`.

    For a tool's result: no caller can mend it, and an error would be raised in every later request
    of the thread.

        >>> part_or_note(Media("audio", "data:audio/wav;base64,AA"), "m", responses_part, set())
        {'type': 'input_text', 'text': '[audio: left out, this API does not take it]'}
    """
    try:
        return write(part, place)
    except TurnValueError:
        kind = part.kind if isinstance(part, Media) else "content"
        noted.add(kind)
        return write(Text(f"[{kind}: left out, this API does not take it]"), place)


def _responses_source(part: Media) -> JsonObject:
    url = part.url or ""
    if part.kind == "image":
        return {"image_url": url}
    if url.startswith("data:"):
        return {"filename": part.filename or _file_name(url), "file_data": url}
    return {"file_url": url}


def _with_cache_control(wire: JsonObject, part: Text | Media) -> JsonObject:
    return wire if part.cache_control is None else {**wire, "cache_control": part.cache_control}


def _chat_image(part: Media, place: str) -> JsonObject:
    if part.url is None:
        raise TurnValueError(
            f"In {place}, an image is given by file id; Chat Completions takes a URL or base64."
        )
    detail = {} if part.detail is None else {"detail": part.detail}
    return {"type": "image_url", "image_url": {"url": part.url, **detail}}


def _chat_audio(part: Media, place: str) -> JsonObject:
    head, _, data = (part.url or "").partition(";base64,")
    if not data:
        raise TurnValueError(
            f"In {place}, audio is given by URL or file id; it is sent as base64 only."
        )
    subtype = head.rpartition("/")[2]
    audio_format = _AUDIO_FORMATS.get(subtype, subtype)
    return {"type": "input_audio", "input_audio": {"data": data, "format": audio_format}}


def _chat_file(part: Media, place: str) -> JsonObject:
    if part.file_id is not None:
        return {"type": "file", "file": {"file_id": part.file_id}}
    url = part.url or ""
    if not url.startswith("data:"):
        raise TurnValueError(
            f"In {place}, a file is given by URL; Chat Completions takes base64 or a file id."
        )
    # OpenAI refuses a file without a name, so one is made up from its media type.
    filename = part.filename or _file_name(url)
    return {"type": "file", "file": {"filename": filename, "file_data": url}}


def _chat_video(part: Media, place: str) -> JsonObject:
    if part.url is None:
        raise TurnValueError(
            f"In {place}, a video is given by file id; Chat Completions takes a URL or base64."
        )
    return {"type": "video_url", "video_url": {"url": part.url}}


_CHAT_MEDIA: Final[Mapping[Kind, Callable[[Media, str], JsonObject]]] = {
    "image": _chat_image,
    "audio": _chat_audio,
    "video": _chat_video,
    "file": _chat_file,
}


def _file_name(data_url: str) -> str:
    media_type = data_url.removeprefix("data:").partition(";")[0]
    return "document" + (mimetypes.guess_extension(media_type) or "")
