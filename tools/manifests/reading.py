"""Reads texts into manifests: every document of every file, checked by the model of its kind."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from turngraph.state.json_types import JsonObject
from turngraph.tools.manifests.kinds import FOREIGN_KINDS, KIND_SPELLINGS, KINDS
from turngraph.tools.manifests.parts import API_VERSIONS, NATIVE, Manifest, OpenPart, Part
from turngraph.tools.manifests.platform import as_platform_reads, snake_case, written_text
from turngraph.tools.manifests.problems import (
    Location,
    Problem,
    dotted,
    path_in_file,
    problem_from,
    quote_value,
)
from turngraph.tools.manifests.sources import Source
from turngraph.tools.manifests.yaml_text import Document, YamlError, read_documents
from turngraph.tools.text import suggest

__all__ = ["LocatedManifest", "ManifestReader"]


@dataclass(frozen=True, slots=True)
class LocatedManifest:
    """A manifest, and the document in which it was written."""

    manifest: Manifest
    source: Source
    document: Document

    @property
    def name(self) -> str:
        """The name in its metadata."""
        return self.manifest.metadata.name

    def problem(self, path: Location, message: str) -> Problem:
        """Returns a problem at `path`, a path in the field names of the models."""
        error: Any = {
            "type": "value_error",
            "loc": path,
            "ctx": {"error": message},
            "input": None,
            "msg": "",
        }
        return problem_from(
            error, file=self.source.name, document=self.document, model=type(self.manifest)
        )


@dataclass
class ManifestReader:
    """Reads sources one by one and collects manifests, problems and warnings."""

    manifests: list[LocatedManifest] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    empty: list[Problem] = field(default_factory=list)
    """One for each source without any manifest, which is a problem only where nothing else is."""
    refused: set[str] = field(default_factory=set)
    """The names of manifests that have a problem. What refers to them has none of its own."""

    def read(self, source: Source) -> None:
        """Reads all documents of one text."""
        if source.undecoded_line is not None:
            message = "is not UTF-8; save the file in that encoding"
            self.problems.append(Problem(source.name, source.undecoded_line, "", message))
            return
        try:
            documents = read_documents(source.text)
        except YamlError as error:
            self.problems.append(Problem(source.name, error.line, "", str(error)))
            documents = error.before
        else:
            if not documents:
                self.empty.append(Problem(source.name, 1, "", "contains no manifest"))
        for document in documents:
            self._read_document(source, document)

    def _read_document(self, source: Source, document: Document) -> None:
        problem = _envelope_problem(document.value)
        if problem is not None:
            path, message = problem
            where = (path,) if path else ()
            found = Problem(source.name, document.line_of(where), path, message)
            # A folder of the platform also holds its users, accounts and stores.
            (self.warnings if _is_foreign(document.value) else self.problems).append(found)
            return
        kind = KIND_SPELLINGS.get(document.value["kind"], document.value["kind"])
        model, unknown = KINDS[kind], list[Problem]()
        try:
            manifest = self._read_manifest(model, kind, source, document, unknown)
        except ValidationError as errors:
            self.refused.add(_name_in(document))
            # An unknown field is often the misspelled name of one that is missing.
            self.problems.extend(unknown)
            self.problems.extend(
                problem_from(error, file=source.name, document=document, model=model)
                for error in errors.errors(include_url=False)
            )
            return
        located = LocatedManifest(manifest, source, document)
        self.manifests.append(located)
        self.warnings.extend(sorted(unknown, key=lambda one: one.line))
        self.warnings.extend(
            located.problem(path, "is not used by turngraph") for path in _unused_fields(manifest)
        )

    def _read_manifest(
        self,
        model: type[Manifest],
        kind: str,
        source: Source,
        document: Document,
        unknown: list[Problem],
    ) -> Manifest:
        """Returns the manifest in `document`.

        In `smarter.sh/v1`, unknown fields are left out and added to `unknown`, and a number where
        a text belongs is the text. Raises ValidationError.
        """
        if document.value["apiVersion"] == NATIVE:
            return _validate(model, kind, document.value)

        def warn(path: Location, message: str) -> None:
            line = document.line_of(path)
            self.warnings.append(Problem(source.name, line, dotted(path), message))

        value = as_platform_reads(document, warn)
        while True:
            try:
                return _validate(model, kind, value)
            except ValidationError as errors:
                mended = False
                for error in errors.errors(include_url=False):
                    path = path_in_file(error["loc"], document, native=False)
                    holder = _holder(value, path)
                    if holder is None:
                        continue
                    if error["type"] == "extra_forbidden":
                        del holder[path[-1]]
                        found = problem_from(
                            error, file=source.name, document=document, model=model
                        )
                        unknown.append(found._replace(message=f"{found.message}; has no effect"))
                        mended = True
                    elif error["type"] == "string_type":
                        text = written_text(document, path, error["input"])
                        mended = mended or isinstance(text, str)
                        holder[path[-1]] = text
                if not mended:
                    raise


def _name_in(document: Document) -> str:
    metadata = document.value.get("metadata")
    name = str(metadata.get("name")) if isinstance(metadata, dict) else ""
    return name if document.value["apiVersion"] == NATIVE else snake_case(name)


def _holder(value: Any, path: Location) -> Any:
    """Returns the mapping or list inside `value` that has the last step of `path`; None if there is
    none.
    """
    holder = None
    for step in path:
        holder = value
        is_item = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if not is_item and not (isinstance(value, dict) and step in value):
            return None
        value = value[step]
    return holder


def _is_foreign(value: Any) -> bool:
    """Whether `value` is a manifest of the platform that turngraph does not run."""
    if not isinstance(value, dict) or value.get("apiVersion") not in API_VERSIONS:
        return False
    kind = value.get("kind")
    return value["apiVersion"] != NATIVE and isinstance(kind, str) and kind in FOREIGN_KINDS


def _envelope_problem(value: object) -> tuple[str, str] | None:
    """Returns path and message of what is wrong with apiVersion or kind, or None."""
    if not isinstance(value, dict):
        return "", "must be a mapping with apiVersion, kind, metadata and spec"
    version, kind = value.get("apiVersion"), value.get("kind")
    if version not in API_VERSIONS:
        allowed = ", ".join(API_VERSIONS)
        return "apiVersion", f"must be one of {allowed}, but is {quote_value(version)}"
    if isinstance(kind, str) and kind in FOREIGN_KINDS:
        return (
            "kind",
            f"{kind} is a kind of the platform this format comes from; turngraph does not run it",
        )
    if not isinstance(kind, str) or (kind not in KINDS and kind not in KIND_SPELLINGS):
        # The kinds are alike ("SqlPlugin", "ApiPlugin"), so only a close match is worth a hint.
        hint = suggest(kind, KINDS, cutoff=0.7) if isinstance(kind, str) else ""
        return "kind", f"must be one of {', '.join(KINDS)}, but is {quote_value(kind)}{hint}"
    return None


def _validate(model: type[Manifest], kind: str, document: JsonObject) -> Manifest:
    native = document["apiVersion"] == NATIVE
    value = _with_class_in_metadata(document) | {"kind": kind}
    # The native dialect has one spelling for each field, so aliases are off for it.
    if native:
        value["api_version"] = value.pop("apiVersion")
    return model.model_validate(value, by_alias=not native, by_name=True)


def _with_class_in_metadata(value: JsonObject) -> JsonObject:
    """Returns `value` with `pluginClass` in the metadata.

    Files also have it beside the kind or in the spec.
    """
    metadata = value.get("metadata")
    for place in (value, value.get("spec")):
        if isinstance(place, dict) and "pluginClass" in place and isinstance(metadata, dict):
            without = {key: item for key, item in place.items() if key != "pluginClass"}
            rest = without if place is value else value | {"spec": without}
            return rest | {"metadata": metadata | {"pluginClass": place["pluginClass"]}}
    return value


def _unused_fields(part: object, path: Location = ()) -> Iterator[Location]:
    """Yields the paths of fields that an open part kept without knowing them."""
    if isinstance(part, OpenPart):
        # Fields that begin with `app` configure a web page; the format says so.
        yield from ((*path, name) for name in part.model_extra or () if not name.startswith("app"))
    if isinstance(part, Part):
        for name in type(part).model_fields:
            yield from _unused_fields(getattr(part, name), (*path, name))
