"""YAML read as plain data, with the line of everything: YAML 1.2's core values, no tags, bounded
before it is built.

PyYAML supplies the events. Its loaders are not used: they build what tags name, read `no` as False,
`012` as 10 and `22:22` as 1342, let the last of two equal keys win, and grow a small text into a
billion nodes by aliases.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Document", "YamlError", "read_documents"]

MAX_CHARACTERS: Final = 1_000_000
MAX_DEPTH: Final = 32
MAX_NODES: Final = 100_000
"""Counted with every alias written out in full."""
MAX_DOCUMENTS: Final = 1_000
MAX_DIGITS: Final = 400

Path = tuple[str | int, ...]

# https://yaml.org/spec/1.2.2/#103-core-schema
NULL: Final = re.compile(r"null|Null|NULL|~|")
TRUE: Final = re.compile(r"true|True|TRUE")
FALSE: Final = re.compile(r"false|False|FALSE")
INT: Final = re.compile(r"[-+]?[0-9]+")
HEX: Final = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class YamlError(ValueError):
    """A text that is no acceptable YAML. `line` counts from 1; `before` holds the documents that
    were read.
    """

    def __init__(self, message: str, line: int, before: "Sequence[Document]" = ()) -> None:
        self.line, self.before = line, list(before)
        super().__init__(message)


@dataclass
class Document:
    """One document: its value, and the line on which each part of it begins, by path."""

    value: Any
    line: int
    lines: dict[Path, int] = field(default_factory=dict)

    def line_of(self, path: Path) -> int:
        """The line of `path`, or of the nearest part around it that stands in the text."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return self.line


def read_documents(text: str) -> list[Document]:
    """The documents in `text` that hold something. JSON is YAML too.

    >>> [document.value for document in read_documents("a: no\\nb: 012\\n---\\n[1, 2.5, null, yes]")]
    [{'a': 'no', 'b': 12}, [1, 2.5, None, 'yes']]

    Raises YamlError for malformed text, tags, equal keys, and for what is too long, too deep or too
    large.
    """
    import yaml

    if len(text) > MAX_CHARACTERS:
        raise YamlError(
            f"the text has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read", 1
        )
    if "\t" in text and text.lstrip()[:1] in ("{", "["):
        text = text.expandtabs(2)  # JSON may be indented by tabs, which YAML forbids
    documents: list[Document] = []
    try:
        events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        for document in _Events(events).documents():
            documents.append(document)  # noqa: PERF402  those before an error are wanted too
    except YamlError as error:
        raise YamlError(str(error), error.line, documents) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlError(f"not YAML: {error.problem or error.context}", line, documents) from None
    except yaml.YAMLError as error:  # a character YAML forbids
        raise YamlError(f"not YAML: {' '.join(str(error).split())[:200]}", 1) from None
    except UnicodeEncodeError:
        raise YamlError("not YAML: half a surrogate pair, which no encoding can carry", 1) from None
    return documents


class _Events:
    """Builds documents from PyYAML's events, counting as it goes."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.nodes = 0
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.document = Document(None, 1)

    def documents(self) -> Iterator[Document]:
        count = 0
        for event in self.events:
            if type(event).__name__ == "DocumentStartEvent":
                count += 1
                if count > MAX_DOCUMENTS:
                    raise YamlError(
                        f"more than {MAX_DOCUMENTS:,} documents", event.start_mark.line + 1
                    )
                self.anchors = {}
                first = next(self.events)
                self.document = Document(None, first.start_mark.line + 1)
                self.document.value = self.node(first, ())
                if self.document.value is not None:
                    yield self.document

    def node(self, event: Any, path: Path) -> Any:
        line = event.start_mark.line + 1
        self.document.lines.setdefault(path, line)
        if len(path) > MAX_DEPTH:
            raise YamlError(f"nested deeper than {MAX_DEPTH} levels", line)
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self.alias(event.anchor, line)
        if event.tag is not None and event.tag != "!":
            raise YamlError(f"the tag `{event.tag[:50]}` is not allowed; write plain values", line)
        before = self.nodes
        self.count(1, line)
        value = self.built(kind, event, path)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, self.nodes - before)
        return value

    def built(self, kind: str, event: Any, path: Path) -> Any:
        if kind == "MappingStartEvent":
            return self.mapping(path)
        if kind == "SequenceStartEvent":
            return self.sequence(path)
        return _plain(event.value, event.start_mark.line + 1) if event.implicit[0] else event.value

    def mapping(self, path: Path) -> dict[str, Any]:
        value: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while type(event := next(self.events)).__name__ != "MappingEndEvent":
            line = event.start_mark.line + 1
            key = self.key(event, path, line)
            if key in value:
                raise YamlError(f"the key `{key[:50]}` stands here twice", line)
            self.document.lines[(*path, key)] = line
            item = self.node(next(self.events), (*path, key))
            if key == "<<":
                merged = _merged(item, line) | merged
            else:
                value[key] = item
        return merged | value

    def key(self, event: Any, path: Path, line: int) -> str:
        if type(event).__name__ not in ("ScalarEvent", "AliasEvent"):
            raise YamlError("a key must be text", line)
        key = self.node(event, path)
        if isinstance(key, dict | list):
            raise YamlError("a key must be text", line)
        return (
            str(key)
            if isinstance(key, str)
            else event.value
            if hasattr(event, "value")
            else str(key)
        )

    def sequence(self, path: Path) -> list[Any]:
        value: list[Any] = []
        while type(event := next(self.events)).__name__ != "SequenceEndEvent":
            value.append(self.node(event, (*path, len(value))))
        return value

    def alias(self, anchor: str, line: int) -> Any:
        if anchor not in self.anchors:
            raise YamlError(f"the alias `*{anchor[:50]}` has no finished anchor before it", line)
        value, size = self.anchors[anchor]
        self.count(size, line)
        return value

    def count(self, nodes: int, line: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise YamlError(f"more than {MAX_NODES:,} values, aliases written out", line)


def _merged(value: Any, line: int) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return {key: item for part in reversed(value) for key, item in part.items()}
    raise YamlError("`<<` takes a mapping, or a list of them", line)


def _plain(text: str, line: int) -> Any:
    """An unquoted value, by the core schema of YAML 1.2."""
    if NULL.fullmatch(text):
        return None
    if TRUE.fullmatch(text):
        return True
    if FALSE.fullmatch(text):
        return False
    if len(text) <= MAX_DIGITS and INT.fullmatch(text):
        return int(text)
    if len(text) <= MAX_DIGITS and HEX.fullmatch(text):
        return int(text, 0)
    if FLOAT.fullmatch(text):
        if len(text) > MAX_DIGITS or not math.isfinite(float(text)):
            raise YamlError(
                f"`{text[:20]}…` is too long for a number; put it in quotes if it is text", line
            )
        return float(text)
    return text
