"""Finds the texts that manifests are written in: files, all files of a folder, or a text itself."""

import codecs
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from turngraph.state.errors import TurnConfigurationError

__all__ = ["Source", "read_sources"]

SUFFIXES: Final = {".yaml", ".yml", ".json"}
MARKS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""The marks with which a text says its encoding. UTF-32's begins with UTF-16's."""
MAX_FILES: Final = 2_000
"""Files of one folder that are read."""
MAX_BYTES: Final = 4_000_000
"""Bytes of one file that are read."""


class Source(NamedTuple):
    """A text, the name messages give it, and the folder that relative paths in it start from."""

    name: str
    folder: Path
    text: str
    undecoded_line: int | None = None
    """The line at which the file stops being text."""


def read_sources(given: "str | Path | Sequence[str | Path]") -> Iterator[Source]:
    """Yields the texts of a file, of a folder and all folders below it, or of several of these.

    `given` may also be the text of a manifest itself. Raises FileNotFoundError if it is none of
    these.
    """
    if not isinstance(given, str | Path):
        if isinstance(given, bytes) or not isinstance(given, Iterable):
            raise TurnConfigurationError(
                f"Manifests are read from a path or a text, or a list of these, and not from "
                f"{type(given).__name__}."
            )
        for item in given:
            yield from read_sources(item)
        return
    # No path that people use contains a line break or begins with a brace.
    if isinstance(given, str) and ("\n" in given or given.lstrip().startswith("{")):
        yield Source("<text>", Path(), given)
        return
    path = Path(given)
    if not _can_be_path(str(given)):
        raise TurnConfigurationError(
            "Manifests were given as a text that is neither a path nor a manifest: "
            f"{str(given)[:60]!r}."
        )
    if path.is_dir():
        for file in _files(path):
            yield _source(file, str(file.relative_to(path)))
    else:
        yield _source(path, str(path))


def _can_be_path(text: str) -> bool:
    """Whether a file may be called so: file systems take names of 255 bytes, and no NUL."""
    try:
        names = os.fsencode(text).split(b"/")
    except UnicodeEncodeError:
        return False
    return all(len(name) <= 255 and b"\0" not in name for name in names)


def _files(folder: Path) -> list[Path]:
    """Returns the manifest files below `folder`, sorted, without hidden files and folders."""
    wanted = (
        file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()
    )
    return sorted(
        file
        for file in wanted
        if not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )[:MAX_FILES]


def _source(file: Path, name: str) -> Source:
    with file.open("rb") as opened:
        data = opened.read(MAX_BYTES)
    return Source(name, file.parent, *_decoded(data))


def _decoded(data: bytes) -> tuple[str, int | None]:
    """Returns the text, and the first line that cannot be decoded.

    A text without a mark is UTF-8, as YAML wants (https://yaml.org/spec/1.2.2/#52-character-encodings).
    """
    encoding = next((name for mark, name in MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding), None
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, "replace")
        return before, before.count("\n") + 1
