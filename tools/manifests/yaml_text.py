"""Reads YAML 1.2 as plain data and records the line of every part. Limits apply while it reads.

PyYAML parses the text into events; its loaders are not used. They construct objects that tags name
(https://nvd.nist.gov/vuln/detail/CVE-2020-14343), read `no` as False, `012` as 10 and `22:22` as
1342 (YAML 1.1), let the last of two equal keys win, and expand a small text into a billion nodes by
aliases (https://en.wikipedia.org/wiki/Billion_laughs_attack).
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from turngraph.tools.text import one_line

__all__ = ["Document", "YamlError", "read_documents"]

MAX_CHARACTERS: Final = 1_000_000
MAX_DEPTH: Final = 32
MAX_NODES: Final = 100_000
"""Values in one text, with every alias counted at its full size."""
MAX_DOCUMENTS: Final = 1_000
MAX_DIGITS: Final = 400
"""Characters of a number. Python needs quadratic time for long ones
(https://nvd.nist.gov/vuln/detail/CVE-2020-10735).
"""

Path = tuple[str | int, ...]

# https://yaml.org/spec/1.2.2/#103-core-schema
NULL: Final = re.compile(r"null|Null|NULL|~|")
TRUE: Final = re.compile(r"true|True|TRUE")
FALSE: Final = re.compile(r"false|False|FALSE")
INT: Final = re.compile(r"[-+]?[0-9]+")
HEX: Final = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

TAG: Final = "tag:yaml.org,2002:"
TEXT_TAG: Final = f"{TAG}str"
SCALAR_TYPES: Final = {"int": int, "float": float, "bool": bool, "null": type(None)}
CORE_TAGS: Final = {
    f"{TAG}map": "MappingStartEvent",
    f"{TAG}seq": "SequenceStartEvent",
    **{f"{TAG}{name}": "ScalarEvent" for name in ("str", *SCALAR_TYPES)},
}
"""The tags of the core schema, which name plain values, and the event that each may stand at."""


class YamlError(ValueError):
    """A text that is not acceptable YAML. `line` counts from 1; `before` holds the documents before
    the error.
    """

    def __init__(self, message: str, line: int, before: "Sequence[Document]" = ()) -> None:
        self.line, self.before = line, list(before)
        super().__init__(message)


@dataclass
class Document:
    """One document: its value, and the line on which each part begins, by path."""

    value: Any
    line: int
    lines: dict[Path, int] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    """Each number and boolean as it is written: `500.00` is not the text of 500.0."""

    def line_of(self, path: Path) -> int:
        """Returns the line of `path`, or of the nearest part around it that is in the text."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return self.line


def read_documents(text: str) -> list[Document]:
    """Returns the documents in `text` that are not empty. JSON is YAML too.

    >>> documents = read_documents("a: no\\nb: 012\\n---\\n[1, 2.5, null, yes]")
    >>> [document.value for document in documents]
    [{'a': 'no', 'b': 12}, [1, 2.5, None, 'yes']]

    Raises YamlError for malformed text, for tags other than `!!str` and the like, for equal keys,
    and for text that is too long, nested too deep or has too many values.
    """
    import yaml

    if len(text) > MAX_CHARACTERS:
        raise YamlError(
            f"the text has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read", 1
        )
    if "\t" in text and text.lstrip()[:1] in ("{", "["):
        text = text.expandtabs(2)  # JSON may be indented with tabs, YAML may not
    documents: list[Document] = []
    try:
        events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        for document in _DocumentBuilder(events).documents():
            documents.append(document)  # noqa: PERF402  keeps the documents before an error
    except YamlError as error:
        raise YamlError(str(error), error.line, documents) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlError(f"not YAML: {error.problem or error.context}", line, documents) from None
    except yaml.YAMLError as error:  # a character that YAML forbids
        raise YamlError(f"not YAML: {one_line(str(error))[:200]}", 1) from None
    except UnicodeEncodeError:
        raise YamlError("not YAML: a lone surrogate, which no encoding can carry", 1) from None
    return documents


class _DocumentBuilder:
    """Builds documents from PyYAML's events and counts values while it does."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.nodes = 0
        # For each anchor its value and the number of values in it.
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
        if event.tag not in (None, "!") and CORE_TAGS.get(event.tag) != kind:
            raise YamlError(f"the tag `{event.tag[:50]}` is not allowed; write plain values", line)
        before = self.nodes
        self.count(1, line)
        value = self.value(kind, event, path)
        # An anchor is known only once its value is complete, so an alias cannot make a circle.
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, self.nodes - before)
        return value

    def value(self, kind: str, event: Any, path: Path) -> Any:
        if kind == "MappingStartEvent":
            return self.mapping(path)
        if kind == "SequenceStartEvent":
            return self.sequence(path)
        tagged = event.tag is not None and event.tag not in ("!", TEXT_TAG)
        if not (event.implicit[0] or tagged):  # a quoted value is always text
            return event.value
        line = event.start_mark.line + 1
        value = _scalar(event.value, line)
        if tagged:
            value = _of_tag(value, event.tag, line)
        if not isinstance(value, str):
            self.document.texts[path] = event.value
        return value

    def mapping(self, path: Path) -> dict[str, Any]:
        value: dict[str, Any] = {}
        merged: dict[str, Any] = {}  # from `<<` keys; the mapping's own keys win over them
        while type(event := next(self.events)).__name__ != "MappingEndEvent":
            line = event.start_mark.line + 1
            key = self.key(event, path, line)
            if key in value:
                raise YamlError(f"the key `{key[:50]}` occurs twice in this mapping", line)
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
        # A key such as `1` or `yes` is kept as it is written; only an alias has no text of its own.
        return key if isinstance(key, str) else str(getattr(event, "value", key))

    def sequence(self, path: Path) -> list[Any]:
        value: list[Any] = []
        while type(event := next(self.events)).__name__ != "SequenceEndEvent":
            value.append(self.node(event, (*path, len(value))))
        return value

    def alias(self, anchor: str, line: int) -> Any:
        if anchor not in self.anchors:
            raise YamlError(f"the alias `*{anchor[:50]}` has no complete anchor before it", line)
        value, size = self.anchors[anchor]
        # The value is shared, but whoever serializes it writes it out each time: so it counts.
        self.count(size, line)
        return value

    def count(self, nodes: int, line: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise YamlError(
                f"more than {MAX_NODES:,} values, with aliases counted at full size", line
            )


def _of_tag(value: Any, tag: str, line: int) -> Any:
    """Returns `value` if it is of the type that `tag` names."""
    name = tag.removeprefix(TAG)
    if name == "float" and type(value) is int:
        return float(value)
    if type(value) is not SCALAR_TYPES[name]:
        raise YamlError(f"`{str(value)[:20]}` is no {name}, as its tag says", line)
    return value


def _merged(value: Any, line: int) -> dict[str, Any]:
    """Returns the keys that the value of a `<<` key contributes (https://yaml.org/type/merge.html)."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return {key: item for part in reversed(value) for key, item in part.items()}
    raise YamlError("`<<` takes a mapping, or a list of mappings", line)


def _scalar(text: str, line: int) -> Any:
    """Returns an unquoted value, read by the core schema of YAML 1.2."""
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
                f"`{text[:20]}…` is too large for a number; put it in quotes if it is text", line
            )
        return float(text)
    return text
