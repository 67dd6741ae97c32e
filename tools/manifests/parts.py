"""The parts that all manifests are made of, and what surrounds each `spec`.

`smarter.sh/v1` writes field names in camelCase (a few in snake_case), `turngraph/v1` in snake_case
only. A field that is `null` counts as not given.
"""

from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from turngraph.tools.manifests.value_types import has_type

__all__ = [
    "API_VERSIONS",
    "NATIVE",
    "Manifest",
    "Metadata",
    "Parameter",
    "Part",
    "PromptSettings",
    "Selector",
    "TestValue",
]

NATIVE: Final = "turngraph/v1"
"""The dialect whose field names are in snake_case."""
API_VERSIONS: Final = ("smarter.sh/v1", NATIVE)


class Part(BaseModel):
    """A mapping in a manifest: frozen; refuses unknown fields; reads both dialects."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        loc_by_alias=False,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )
    null_means_null: ClassVar[frozenset[str]] = frozenset()
    """Fields for which `null` is a value."""

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            key: item
            for key, item in value.items()
            if item is not None or key in cls.null_means_null
        }


class OpenPart(Part):
    """A part that keeps unknown fields. They configure another platform, so they only cause a
    warning.
    """

    model_config = ConfigDict(extra="allow")


class Metadata(Part):
    """The identity of a manifest."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=50)]
    """In snake_case, at most 50 characters. The tool of a plugin has this name."""
    description: str = ""
    """For people; the model does not read it."""
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$")] = "0.1.0"
    """A semantic version (https://semver.org)."""
    tags: tuple[str, ...] = ()
    """Labels for people and other programs."""
    annotations: tuple[dict[str, Any], ...] = ()
    """Mappings of one key each, for people and other programs."""
    plugin_class: Literal["static", "sql", "api"] | None = None
    """Repeats the kind of a plugin; if it is given, it must agree with `kind`."""


class Selector(Part):
    """When a plugin joins a turn."""

    directive: Literal["always", "search_terms", "llm"]
    """`always`; `search_terms`: if one of them occurs in the conversation; `llm`: if the model
    calls it.
    """
    search_terms: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = ()
    """Terms to look for. Case, punctuation and small typos do not matter."""

    @model_validator(mode="after")
    def _has_terms(self) -> Self:
        if self.directive == "search_terms" and not self.search_terms:
            raise ValueError("the directive search_terms needs at least one search term")
        return self


class PromptSettings(Part):
    """What a plugin adds to the requests of a turn it joins."""

    provider: str | None = None
    """The vendor of `model`. In a turn with another vendor, `model` is ignored."""
    system_role: str = ""
    """Text that is appended to the system message of the request, never to the conversation."""
    model: str | None = None
    """The model to use."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """0 to 2."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """The largest number of tokens in one answer."""


class Parameter(Part):
    """An argument that the model gives."""

    null_means_null: ClassVar[frozenset[str]] = frozenset({"default"})

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
    """Letters, digits and `_`, at most 64."""
    type: Literal["string", "number", "integer", "float", "boolean", "object", "array", "null"] = (
        "string"
    )
    description: str = ""
    """What the model should know about the argument."""
    required: bool = False
    """Whether the model must give it."""
    enum: Annotated[tuple[Any, ...], Field(min_length=1)] | None = None
    """The allowed values."""
    default: Any = None
    """The value if the model gives none. Without a default, an optional parameter is `null`."""

    @field_validator("enum", mode="before")
    @classmethod
    def _none_for_empty(cls, value: Any) -> Any:
        # An empty list would allow no value at all. Manifests have it where they mean no list.
        return None if value == [] else value

    @model_validator(mode="after")
    def _values_have_the_type(self) -> Self:
        for value in self.enum or ():
            if not has_type(value, self.type):
                raise ValueError(f"the enum value {value!r} is not of the type {self.type}")
        if self.default is not None and not has_type(self.default, self.type):
            raise ValueError(f"the default {self.default!r} is not of the type {self.type}")
        if self.default is not None and self.enum is not None and self.default not in self.enum:
            raise ValueError(f"the default {self.default!r} is not one of the enum values")
        return self


class TestValue(Part):
    """An argument for trying a plugin."""

    __test__: ClassVar[bool] = False  # keeps pytest from collecting this class
    null_means_null: ClassVar[frozenset[str]] = frozenset({"value"})

    name: str
    """The name of a parameter."""
    value: Any = None


class Manifest(Part):
    """A manifest of any kind."""

    model_config = ConfigDict(alias_generator=to_camel)

    api_version: Annotated[Literal["smarter.sh/v1", "turngraph/v1"], Field(alias="apiVersion")]
    """The dialect of this file. Always spelled `apiVersion`."""
    kind: str
    metadata: Metadata
    status: Any = None
    """Written by a platform and not read."""
