"""What every manifest is made of: parts that know both dialects, and what stands around each
`spec`.

`smarter.sh/v1` writes names in camelCase (and a few in snake_case), `turngraph/v1` in snake_case
alone. A field that is `null` is a field not given.
"""

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

__all__ = [
    "API_VERSIONS",
    "Manifest",
    "Metadata",
    "Parameter",
    "Part",
    "PromptSettings",
    "Selector",
    "TestValue",
]

API_VERSIONS: Final = ("smarter.sh/v1", "turngraph/v1")


class Part(BaseModel):
    """A mapping of a manifest: frozen, refusing fields it does not know, in either dialect."""

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
    """A part whose further fields are kept and named in a warning, not refused: they configure
    another platform.
    """

    model_config = ConfigDict(extra="allow")


class Metadata(Part):
    """Who a manifest is."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=50)]
    """In snake_case, at most 50 characters. A plugin's tool has this name."""
    description: str = ""
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$")] = "0.1.0"
    """A semantic version (https://semver.org)."""
    tags: tuple[str, ...] = ()
    annotations: tuple[dict[str, Any], ...] = ()
    """Mappings of one key each, for people and other programs."""
    plugin_class: Literal["static", "sql", "api"] | None = None
    """What the kind of a plugin already says; where given it must agree."""


class Selector(Part):
    """When a plugin joins a turn."""

    directive: Literal["always", "search_terms", "llm"]
    """`always`; `search_terms`, when one of them occurs in the conversation; `llm`, when the model
    calls it.
    """
    search_terms: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = ()
    """Matched whatever their case and punctuation, small typos forgiven."""

    @model_validator(mode="after")
    def _has_terms(self) -> "Selector":
        if self.directive == "search_terms" and not self.search_terms:
            raise ValueError("the directive search_terms needs at least one search term")
        return self


class PromptSettings(Part):
    """What a plugin brings to the requests of a turn it joins."""

    provider: str | None = None
    """The vendor its model belongs to; in a turn of another vendor `model` is left alone."""
    system_role: str = ""
    """Appended to the system message of the request, never to the conversation."""
    model: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None


class Parameter(Part):
    """An argument the model fills in."""

    null_means_null: ClassVar[frozenset[str]] = frozenset({"default"})

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
    type: Literal["string", "number", "integer", "float", "boolean", "object", "array", "null"] = (
        "string"
    )
    description: str = ""
    required: bool = False
    enum: Annotated[tuple[Any, ...], Field(min_length=1)] | None = None
    """The values allowed."""
    default: Any = None
    """Used where the model gives no value. Without one, a parameter that is not required is `null`.
    """

    @field_validator("enum", mode="before")
    @classmethod
    def _none_for_empty(cls, value: Any) -> Any:
        return None if value == [] else value

    @model_validator(mode="after")
    def _fits(self) -> "Parameter":
        from turngraph.tools.manifests.parameters import fits

        for value in self.enum or ():
            if not fits(value, self.type):
                raise ValueError(f"the enum value {value!r} is no {self.type}")
        if self.default is not None and not fits(self.default, self.type):
            raise ValueError(f"the default {self.default!r} is no {self.type}")
        if self.default is not None and self.enum is not None and self.default not in self.enum:
            raise ValueError(f"the default {self.default!r} is none of the enum values")
        return self


class TestValue(Part):
    """A value for trying a plugin."""

    __test__: ClassVar[bool] = False  # not for pytest
    null_means_null: ClassVar[frozenset[str]] = frozenset({"value"})

    name: str
    value: Any = None


class Manifest(Part):
    """A manifest of any kind."""

    model_config = ConfigDict(alias_generator=to_camel)

    api_version: Annotated[Literal["smarter.sh/v1", "turngraph/v1"], Field(alias="apiVersion")]
    """Which dialect this file is written in. Always spelt `apiVersion`."""
    kind: str
    metadata: Metadata
    status: Any = None
    """Written by a platform, and not read."""
