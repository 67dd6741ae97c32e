"""From texts to manifests: every document of every file, each checked by the model of its kind."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from turngraph.tools.manifests.kinds import FOREIGN_KINDS, KIND_SPELLINGS, KINDS
from turngraph.tools.manifests.parts import API_VERSIONS, Manifest, OpenPart, Part
from turngraph.tools.manifests.problems import Problem, problem_of, shown
from turngraph.tools.manifests.yaml_text import Document, YamlError, read_documents

__all__ = ["Found", "Reading", "Source", "sources"]

SUFFIXES: Final = {".yaml", ".yml", ".json"}
MAX_FILES: Final = 2_000
MAX_BYTES: Final = 4_000_000


class Source(NamedTuple):
    """A text, where it came from, and the folder its relative files are in."""

    name: str
    folder: Path
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """A manifest, and where it stands."""

    manifest: Manifest
    source: Source
    document: Document

    def problem(self, path: tuple[str | int, ...], message: str) -> Problem:
        """Something wrong at `path` of this manifest, given in the words of the models."""
        error: Any = {
            "type": "value_error",
            "loc": path,
            "ctx": {"error": message},
            "input": None,
            "msg": "",
        }
        return problem_of(
            error, file=self.source.name, document=self.document, model=type(self.manifest)
        )


@dataclass
class Reading:
    """What was found so far: manifests, problems, and things worth a warning."""

    found: list[Found] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def read(self, source: Source) -> None:
        """All documents of one text."""
        try:
            documents = read_documents(source.text)
        except YamlError as error:
            self.problems.append(Problem(source.name, error.line, "", str(error)))
            documents = error.before
        else:
            if not documents:
                self.problems.append(Problem(source.name, 1, "", "holds no manifest"))
        for document in documents:
            self._read_document(source, document)

    def _read_document(self, source: Source, document: Document) -> None:
        problem = _envelope_problem(document.value)
        if problem is not None:
            path, message = problem
            where = (path,) if path else ()
            self.problems.append(Problem(source.name, document.line_of(where), path, message))
            return
        kind = KIND_SPELLINGS.get(document.value["kind"], document.value["kind"])
        model = KINDS[kind]
        native = document.value["apiVersion"] == "turngraph/v1"
        try:
            value = _with_class_in_metadata(document.value) | {"kind": kind}
            if native:  # one spelling for each field; `apiVersion` alone is written as everywhere
                value["api_version"] = value.pop("apiVersion")
            manifest = model.model_validate(value, by_alias=not native, by_name=True)
        except ValidationError as error:
            for one in error.errors(include_url=False):
                self.problems.append(
                    problem_of(one, file=source.name, document=document, model=model)
                )
            return
        found = Found(manifest, source, document)
        self.found.append(found)
        self.warnings.extend(
            found.problem(path, "is not used by turngraph") for path in _extras(manifest)
        )


def sources(given: "str | Path | Sequence[str | Path]") -> Iterator[Source]:
    """The texts in a file, in a folder and the folders below it, in `given` itself where it is a
    text, or in several.

    Raises FileNotFoundError where it is none of them.
    """
    if not isinstance(given, str | Path):
        for one in given:
            yield from sources(one)
        return
    if isinstance(given, str) and ("\n" in given or given.lstrip().startswith("{")):
        yield Source("<text>", Path(), given)
        return
    path = Path(given)
    if path.is_dir():
        for file in _files(path):
            yield _source(file, str(file.relative_to(path)))
    else:
        yield _source(path, str(path))


def _files(folder: Path) -> list[Path]:
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
    return Source(name, file.parent, data.decode("utf-8-sig", "replace"))


def _envelope_problem(value: Any) -> tuple[str, str] | None:
    """Path and message of what is wrong with a document before its kind is known."""
    if not isinstance(value, dict):
        return "", "a manifest is a mapping with apiVersion, kind, metadata and spec"
    version, kind = value.get("apiVersion"), value.get("kind")
    if version not in API_VERSIONS:
        return "apiVersion", f"must be one of {', '.join(API_VERSIONS)}, but is {shown(version)}"
    if not isinstance(kind, str):
        return "kind", f"must be one of {', '.join(KINDS)}, but is {shown(kind)}"
    if kind in FOREIGN_KINDS:
        return (
            "kind",
            f"{kind} is a resource of the platform this format comes from; turngraph does not run it",
        )
    if kind not in KINDS and kind not in KIND_SPELLINGS:
        near = difflib.get_close_matches(kind, KINDS, n=1, cutoff=0.7)
        hint = f"; did you mean {near[0]}?" if near else ""
        return "kind", f"must be one of {', '.join(KINDS)}, but is {shown(kind)}{hint}"
    return None


def _with_class_in_metadata(value: dict[str, Any]) -> dict[str, Any]:
    """`pluginClass` is written in the metadata, beside the kind, or in the spec."""
    for place in (value, value.get("spec")):
        if (
            isinstance(place, dict)
            and "pluginClass" in place
            and isinstance(value.get("metadata"), dict)
        ):
            without = {key: item for key, item in place.items() if key != "pluginClass"}
            metadata = value["metadata"] | {"pluginClass": place["pluginClass"]}
            return (without if place is value else value | {"spec": without}) | {
                "metadata": metadata
            }
    return value


def _extras(part: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of fields an open part kept without knowing them."""
    if isinstance(part, OpenPart):
        # What begins with `app` only dresses a web page; the format says so.
        yield from ((*path, name) for name in part.model_extra or () if not name.startswith("app"))
    if isinstance(part, Part):
        for name in type(part).model_fields:
            yield from _extras(getattr(part, name), (*path, name))
