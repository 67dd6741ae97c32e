"""Reads `smarter.sh/v1` as its platform does, where the models alone would refuse it.

The platform normalizes names, takes a plugin's description from the metadata, and does not tell a
number from a text. `turngraph/v1` stays strict.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

from turngraph.state.json_types import JsonObject
from turngraph.tools.manifests.problems import Location
from turngraph.tools.manifests.value_types import has_type
from turngraph.tools.manifests.yaml_text import Document

__all__ = ["as_platform_reads", "snake_case", "written_text"]

CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
OTHER: Final = re.compile(r"[^a-z0-9]+")
DATA: Final = ("data", "sqlData", "sql_data", "apiData", "api_data")
SECRETS: Final = ("password", "apiKey", "api_key")
FIELD_KEYS: Final = frozenset({"name", "type", "default", "description", "required", "enum"})
"""The keys of a field in a body that is written as a list."""

Warn = Callable[[Location, str], None]


def as_platform_reads(document: Document, warn: Warn) -> JsonObject:
    """Returns the value of a `smarter.sh/v1` document in the form that the models take.

    `warn` is called for what an author should know about.
    """
    value: JsonObject = deepcopy(document.value)
    metadata, spec = _mapping(value.get("metadata")), _mapping(value.get("spec"))
    _normalize_names(metadata, spec, warn)
    _read_annotations(metadata)
    for key in DATA:
        data = spec.get(key)
        if isinstance(data, dict):
            if data.get("description") is None and metadata.get("description"):
                data["description"] = metadata["description"]
            _read_parameters(data, ("spec", key), document, warn)
            if isinstance(data.get("body"), list):
                data["body"] = _body_object(data["body"], data, ("spec", key, "body"), document)
    return value


def snake_case(name: str) -> str:
    """Returns `name` as the platform normalizes names.

    >>> snake_case("ShopPrices"), snake_case("My plugin-2"), snake_case("fine_already")
    ('shop_prices', 'my_plugin_2', 'fine_already')
    """
    return OTHER.sub("_", CAMEL.sub("_", name).lower()).strip("_")


def written_text(document: Document, path: Location, value: object) -> object:
    """Returns a number or a boolean at `path` as the text that the file has there.

    Anything else is returned as it is.
    """
    if not isinstance(value, bool | int | float):
        return value
    return document.texts.get(path, json.dumps(value))


def _mapping(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _normalize_names(metadata: JsonObject, spec: JsonObject, warn: Warn) -> None:
    name = metadata.get("name")
    if isinstance(name, str) and snake_case(name) != name:
        metadata["name"] = snake_case(name)
        warn(("metadata", "name"), f"is read as `{metadata['name']}`: names are in snake_case")
    if isinstance(spec.get("connection"), str):
        spec["connection"] = snake_case(spec["connection"])
    if isinstance(spec.get("plugins"), list):
        spec["plugins"] = [
            snake_case(plugin) if isinstance(plugin, str) else plugin for plugin in spec["plugins"]
        ]
    for part in (_mapping(spec.get("connection")), _mapping(spec.get("provider"))):
        for key in SECRETS:
            # With a colon it is no name but `env:NAME` and the like.
            if isinstance(part.get(key), str) and ":" not in part[key]:
                part[key] = snake_case(part[key])


def _read_annotations(metadata: JsonObject) -> None:
    """Makes a list of one-key mappings of annotations that are one mapping, or keys alone."""
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict):
        metadata["annotations"] = [{key: value} for key, value in annotations.items()]
    elif isinstance(annotations, list):
        metadata["annotations"] = [
            {each: None} if isinstance(each, str) else each for each in annotations
        ]


def _read_parameters(data: JsonObject, path: Location, document: Document, warn: Warn) -> None:
    """Gives each value of a parameter the parameter's type, where it is written as another one.

    A test value without a parameter is left out: it serves nothing but tries of the plugin.
    """
    kinds: dict[str, str] = {}
    for index, parameter in _mappings(data.get("parameters")):
        kind = parameter.get("type", "string")
        where = (*path, "parameters", index)
        kinds[str(parameter.get("name"))] = kind
        if "default" in parameter:
            default = parameter["default"]
            parameter["default"] = _typed(default, kind, (*where, "default"), document)
        if isinstance(parameter.get("enum"), list):
            parameter["enum"] = [
                _typed(item, kind, (*where, "enum", place), document)
                for place, item in enumerate(parameter["enum"])
            ]
    for key in ("testValues", "test_values"):
        for index, test in _mappings(data.get(key)):
            kind = kinds.get(str(test.get("name")))
            if "value" in test and kind is not None:
                where = (*path, key, index, "value")
                test["value"] = _typed(test["value"], kind, where, document)
            if test.get("name") is not None and kind is None:
                warn((*path, key, index), f"no parameter is named `{test['name']}`; has no effect")
        if isinstance(data.get(key), list):
            data[key] = [
                test
                for test in data[key]
                if not isinstance(test, dict) or str(test.get("name", "")) in {"", *kinds}
            ]


def _typed(value: Any, kind: object, path: Location, document: Document) -> Any:
    """Returns `value` as the type `kind`: a number as the text it is written as, and a text as the
    number it says. What does not fit is returned as it is, for the models to refuse.
    """
    if kind == "string":
        return written_text(document, path, value)
    if isinstance(value, str) and kind in ("number", "float", "integer", "boolean"):
        try:
            read = json.loads(value.strip().lower())
        except (ValueError, RecursionError):
            return value
        return read if has_type(read, str(kind)) else value
    return value


def _body_object(
    body: list[Any], data: Mapping[str, Any], path: Location, document: Document
) -> Any:
    """Returns the object that a list of `{name, type, default}` means.

    A field with the name of a parameter is that parameter, any other has its default.
    """
    if not body or not all(isinstance(item, dict) and _is_field(item) for item in body):
        return body
    names = {parameter.get("name") for _, parameter in _mappings(data.get("parameters"))}
    return {
        item["name"]: f"{{{item['name']}}}"
        if item["name"] in names
        else _typed(item.get("default"), item.get("type", ""), (*path, index, "default"), document)
        for index, item in enumerate(body)
    }


def _is_field(item: Mapping[str, Any]) -> bool:
    is_described = "type" in item or "default" in item
    return isinstance(item.get("name"), str) and is_described and item.keys() <= FIELD_KEYS


def _mappings(items: object) -> Iterator[tuple[int, JsonObject]]:
    """Yields the mappings in the list `items`, each with its place."""
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield index, item
