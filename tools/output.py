"""Turns the return value of a tool into text for the model: JSON, cleaned, cut if too long."""

import json
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any, Final, Literal

from langchain_core.messages import ToolMessage
from langchain_core.messages.tool import ToolOutputMixin
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from turngraph.state.base import Frozen
from turngraph.state.json_types import JsonObject
from turngraph.tools.media import MAX_MEDIA, carried_block
from turngraph.tools.text import UNSENDABLE

__all__ = ["ToolOutput", "as_output", "as_plain", "as_text", "clean", "cut", "omitted_block"]

TEXTS: Final = {"text", "input_text", "output_text"}
"""Types of content blocks that are text."""
MEDIA: Final = {
    "image",
    "image_url",
    "input_image",
    "audio",
    "input_audio",
    "video",
    "file",
    "input_file",
}
"""Types of content blocks that are not text."""
MEDIA_KEYS: Final = {
    "base64",
    "data",
    "file_data",
    "file_id",
    "file_url",
    "image_url",
    "input_audio",
    "mime_type",
    "source",
    "source_type",
}
"""A media block has at least one of these keys. A tool's own `{"type": "file", "name": …}` has none
of them and is data.
"""
URL_BLOCK: Final = {"type", "url", "id", "index", "extras", "filename"}
"""All keys of a media block that is given by its address. With others it is a tool's own data."""
NOTICE: Final = "\n[cut: {left:,} of {total:,} characters left out; ask for less at a time]"


class ToolOutput(Frozen):
    """The output of one tool call: the part the model reads, and the part it does not.

    >>> ToolOutput(content="x" * 200).cut(150).truncated
    True
    """

    content: str
    artifact: Any = None
    """Plain data for the caller, never shown to the model (LangChain's
    `response_format="content_and_artifact"`).
    """
    status: Literal["ok", "error"] = "ok"
    truncated: bool = False
    rows: int = 0
    """Number of rows, for a price per row: the length of a list, or of the `rows` of a database
    answer. Counted before anything is cut.
    """
    media: tuple[JsonObject, ...] = ()
    """Pictures, sounds and files, as content blocks of LangChain. `content` names each of them."""

    @property
    def message_content(self) -> "str | list[str | dict[Any, Any]]":
        """The content of the tool message: the text, followed by the media if there are any."""
        if not self.media:
            return self.content
        return [{"type": "text", "text": self.content}, *(dict(block) for block in self.media)]

    def cut(self, limit: int) -> "ToolOutput":
        """Returns this output with at most `limit` characters of content, the notice included."""
        if len(self.content) <= limit:
            return self
        return self.model_copy(update={"content": cut(self.content, limit), "truncated": True})


def cut(text: str, limit: int) -> str:
    """Returns `text` if it has at most `limit` characters, else its beginning and a notice.

    The model reads the notice and can ask for less.

        >>> cut("a" * 500, 100)[36:]
        'aa\\n[cut: 462 of 500 characters left out; ask for less at a time]'
    """
    if len(text) <= limit:
        return text
    room = limit - len(NOTICE.format(left=len(text), total=len(text)))
    kept = text[: max(room, 0)]
    return (kept + NOTICE.format(left=len(text) - len(kept), total=len(text)))[:limit]


def clean(text: str) -> str:
    """Returns `text` with NUL and lone surrogates replaced, because vendors and databases refuse
    them.

    >>> clean("a\\x00b")
    'a\\ufffdb'
    """
    # Nearly every text is ASCII, and this check is about a hundred times faster than the pattern.
    if text.isascii() and "\x00" not in text:
        return text
    return UNSENDABLE.sub("\ufffd", text)


def as_text(value: object) -> str:
    """Returns `value` as the model reads it: text unchanged, anything else as compact JSON.

    Pydantic models, dataclasses, dates, decimals, enums and sets become the nearest JSON. NaN and
    infinities become strings, because JSON has no numbers for them. Raises TypeError if there is no
    JSON form.

        >>> as_text({"a": [1, None, True]}), as_text("plain")
        ('{"a":[1,null,true]}', 'plain')
    """
    if isinstance(value, str):
        return clean(value)
    # These have a JSON form that would help no model: base64, a class's name, a half-read iterator.
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"{len(value):,} bytes, which a model cannot read; return text instead")
    for each in value if isinstance(value, list | tuple) else (value,):
        if isinstance(each, ToolOutputMixin):
            raise TypeError(f"a {type(each).__name__}, which turngraph does not apply; return data")
    if isinstance(value, Iterator):
        raise TypeError(f"a {type(value).__name__} that nobody has iterated; return a list instead")
    return _json(value)


def as_plain(value: object) -> Any:
    """Returns `value` as plain data that a checkpoint can store, or only the name of its type.

    >>> as_plain({1, }), as_plain(lambda: 1)
    ([1], {'not_kept': 'function'})
    """
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bytes | bool):
        return value
    try:
        return _cleaned(to_jsonable_python(value, inf_nan_mode="strings"))
    except (PydanticSerializationError, ValueError, RecursionError):
        return {"not_kept": type(value).__name__}


def as_output(value: object) -> ToolOutput:
    """Returns what a tool returned as a `ToolOutput`. Never raises.

    >>> as_output({"rows": [1, 2]}).rows, as_output(object()).content
    (2, 'Error: the tool returned a value of type `object`, which has no JSON form.')
    """
    if isinstance(value, ToolOutput):
        return value
    if isinstance(value, ToolMessage):
        status: Literal["ok", "error"] = "error" if value.status == "error" else "ok"
        output = _blocks_output(_written_blocks(value.content))
        return output.model_copy(update={"artifact": as_plain(value.artifact), "status": status})
    if _are_blocks(value):
        assert isinstance(value, list | tuple)
        return _blocks_output(value)
    try:
        return ToolOutput(content=as_text(value), rows=_row_count(value))
    except TypeError as error:
        return ToolOutput(content=f"Error: the tool returned {error}.", status="error")


def omitted_block(kind: str) -> str:
    """Returns the text that replaces a content block no model could read; `kind` is its type."""
    return f"[{kind}: not text, left out]"


def _row_count(value: object) -> int:
    # SQL plugins return `{"rows": […]}`; a price may be one for each row.
    listed = value.get("rows") if isinstance(value, dict) else value
    return len(listed) if isinstance(listed, list | tuple) else 0


def _json(value: object) -> str:
    try:
        return to_json(value, inf_nan_mode="strings").decode()
    except PydanticSerializationError:
        # One lone surrogate somewhere inside must not cost the model the whole answer.
        try:
            plain = _cleaned(to_jsonable_python(value, inf_nan_mode="strings"))
            return to_json(plain, inf_nan_mode="strings").decode()
        except (PydanticSerializationError, ValueError, RecursionError):
            raise TypeError(
                f"a value of type `{type(value).__name__}`, which has no JSON form"
            ) from None


def _cleaned(value: object) -> Any:
    """Returns `value`, plain data, with every text cleaned and every NaN and infinity as text."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    return value


def _are_blocks(value: object) -> bool:
    """Whether `value` is a list of LangChain content blocks and nothing else. Text among them is
    one too.
    """
    return (
        isinstance(value, list | tuple)
        and any(_is_block(block) for block in value)
        and all(isinstance(block, str) or _is_block(block) for block in value)
    )


def _written_blocks(content: str | Sequence[Any]) -> Sequence[Any]:
    """Returns the blocks of a tool message. LangChain writes those it does not know, such as
    sounds, as JSON.
    """
    if not isinstance(content, str):
        return content
    if content.startswith('[{"') and '"type"' in content:
        try:
            written = json.loads(content)
        except (ValueError, RecursionError):
            return [content]
        if _are_blocks(written) and any(
            str(block.get("type")) in MEDIA for block in written if isinstance(block, dict)
        ):
            return list(written)
    return [content]


def _is_block(block: object) -> bool:
    if not isinstance(block, dict):
        return False
    if str(block.get("type")) in TEXTS:
        return isinstance(block.get("text"), str)
    if str(block.get("type")) not in MEDIA:
        return False
    if isinstance(file := block.get("file"), dict):
        block = file
    return not MEDIA_KEYS.isdisjoint(block) or ("url" in block and block.keys() <= URL_BLOCK)


def _blocks_output(blocks: Sequence[Any]) -> ToolOutput:
    """Returns the output for content blocks: a line of text for each, and the media beside it."""
    lines: list[str] = []
    media: list[JsonObject] = []
    size = 0
    for block in blocks:
        if isinstance(block, str):
            lines.append(block)
        elif block.get("type") == "text" or (
            "text" in block and str(block.get("type")) not in MEDIA
        ):
            lines.append(str(block.get("text", "")))
        else:
            kind = str(block.get("mime_type") or block.get("type", "something"))
            carried = carried_block(block)
            size += 0 if carried is None else len(str(carried.get("base64", "")))
            if carried is None:
                lines.append(omitted_block(kind))
            elif size > MAX_MEDIA:
                lines.append(f"[{kind}: left out, more than {MAX_MEDIA:,} characters of base64]")
            else:
                media.append(carried)
                lines.append(f"[{kind}]")
    return ToolOutput(content=clean("\n".join(lines)), media=tuple(media))
