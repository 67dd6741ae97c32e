"""What a tool gives back, as text for the model: any JSON value, cleaned, and cut where it is too
long.
"""

import re
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any, Final, Literal

from langchain_core.messages import ToolMessage
from langchain_core.messages.tool import ToolOutputMixin
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from turngraph.state.base import Frozen

__all__ = ["ToolOutput", "as_output", "as_plain", "as_text", "clean", "cut"]

MEDIA: Final = {"image", "image_url", "audio", "video", "file"}
"""Types of content blocks that are not text. The model is told that one was there."""
MEDIA_KEYS: Final = {"base64", "data", "file_id", "image_url", "mime_type", "source", "source_type"}
"""A media block has one of these; a tool's own `{"type": "file", "name": …}` is data and has none.
"""
UNSENDABLE: Final = re.compile("[\x00\ud800-\udfff]")
NOTICE: Final = "\n[cut: {left:,} of {total:,} characters left out; ask for less at a time]"


class ToolOutput(Frozen):
    """One tool call's answer: what the model reads, and what it does not.

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
    """How many rows it has, for a price per row: of a list, or of a database's answer. Counted
    before any cut.
    """

    def cut(self, limit: int) -> "ToolOutput":
        """The same output with at most `limit` characters of content, a notice included."""
        if len(self.content) <= limit:
            return self
        return self.model_copy(update={"content": cut(self.content, limit), "truncated": True})


def cut(text: str, limit: int) -> str:
    """`text` where it has at most `limit` characters, else its beginning and a notice the model can
    read.

    >>> cut("a" * 500, 100)[36:]
    'aa\\n[cut: 462 of 500 characters left out; ask for less at a time]'
    """
    if len(text) <= limit:
        return text
    room = limit - len(NOTICE.format(left=len(text), total=len(text)))
    kept = text[: max(room, 0)]
    return (kept + NOTICE.format(left=len(text) - len(kept), total=len(text)))[:limit]


def clean(text: str) -> str:
    """`text` with NUL and lone surrogates replaced: no vendor and no database takes them.

    >>> clean("a\\x00b")
    'a\\ufffdb'
    """
    if (
        text.isascii() and "\x00" not in text
    ):  # nearly all there is, and a hundred times faster to see
        return text
    return UNSENDABLE.sub("\ufffd", text)


def as_text(value: object) -> str:
    """`value` as the model reads it: a text as it is, anything else as compact JSON.

    Pydantic models, dataclasses, dates, decimals, enums and sets become the JSON nearest to them;
    NaN and the infinities become strings, because JSON has no numbers for them. Raises TypeError
    for what has no JSON form.

        >>> as_text({"a": [1, None, True]}), as_text("plain")
        ('{"a":[1,null,true]}', 'plain')
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"bytes ({len(value):,} of them), which a model cannot read; return text")
    if isinstance(value, ToolOutputMixin):
        raise TypeError(f"a {type(value).__name__}, which a turn does not carry out; return data")
    if isinstance(value, Iterator):
        raise TypeError(f"an unread {type(value).__name__}; return a list")
    return _json(value)


def as_plain(value: object) -> Any:
    """`value` as plain data a checkpoint can keep. What has no plain form is named instead.

    >>> as_plain({1, }), as_plain(lambda: 1)
    ([1], {'not_kept': 'function'})
    """
    if value is None or isinstance(value, str | bytes | bool):
        return clean(value) if isinstance(value, str) else value
    try:
        return _cleaned(to_jsonable_python(value, inf_nan_mode="strings"))
    except (PydanticSerializationError, ValueError, RecursionError):
        return {"not_kept": type(value).__name__}


def as_output(value: object) -> ToolOutput:
    """What a tool returned, whatever it is, as a `ToolOutput`.

    >>> as_output(object())
    ToolOutput(content='Error: the tool returned a value of type `object`, which has no JSON form.', artifact=None, \
status='error', truncated=False, rows=0)
    """
    if isinstance(value, ToolOutput):
        return value
    if isinstance(value, ToolMessage):
        status: Literal["ok", "error"] = "error" if value.status == "error" else "ok"
        return ToolOutput(
            content=_flat(value.content), artifact=as_plain(value.artifact), status=status
        )
    if _are_blocks(value):
        return ToolOutput(content=_flat(value))
    try:
        return ToolOutput(content=as_text(value), rows=_rows(value))
    except TypeError as error:
        return ToolOutput(content=f"Error: the tool returned {error}.", status="error")


def _rows(value: object) -> int:
    listed = value.get("rows") if isinstance(value, dict) else value
    return len(listed) if isinstance(listed, list | tuple) else 0


def _json(value: object) -> str:
    try:
        return to_json(value, inf_nan_mode="strings").decode()
    except PydanticSerializationError:
        try:  # a lone surrogate somewhere inside is no reason to lose the rest
            plain = _cleaned(to_jsonable_python(value, inf_nan_mode="strings"))
            return to_json(plain, inf_nan_mode="strings").decode()
        except (PydanticSerializationError, ValueError, RecursionError):
            raise TypeError(
                f"a value of type `{type(value).__name__}`, which has no JSON form"
            ) from None


def _cleaned(value: Any) -> Any:
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
    return isinstance(value, list) and len(value) > 0 and all(_is_block(block) for block in value)


def _is_block(block: object) -> bool:
    if not isinstance(block, dict):
        return False
    if block.get("type") == "text":
        return isinstance(block.get("text"), str)
    return block.get("type") in MEDIA and not MEDIA_KEYS.isdisjoint(block)


def _flat(content: Any) -> str:
    """The text of content blocks, a line each."""
    if isinstance(content, str):
        return clean(content)
    assert isinstance(content, Sequence)
    return clean("\n".join(_block_text(block) for block in content))


def _block_text(block: Any) -> str:
    if isinstance(block, str):
        return block
    if block.get("type") == "text" or ("text" in block and block.get("type") not in MEDIA):
        return str(block.get("text", ""))
    kind = block.get("mime_type") or block.get("type", "something")
    return f"[{kind}: not text, left out]"
