"""The `spec` of a plugin: a static one, one that asks a database, one that asks a web service."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from turngraph.tools.manifests.parts import Parameter, Part, PromptSettings, Selector, TestValue

__all__ = ["ApiData", "ApiPluginSpec", "PluginSpec", "SqlData", "SqlPluginSpec", "StaticData"]

FIXED_HEADERS: Final = {
    *(
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "host",
        "proxy-authorization",
        "te",
        "trailer",
    ),
    *("transfer-encoding", "upgrade"),
}
"""What a plugin may not set: who is asked, with which rights, and how the message is framed."""


class StaticData(Part):
    """What a static plugin knows."""

    description: str
    static_data: Annotated[dict[str, Any] | list[Any], Field(union_mode="left_to_right")]
    """Any nested mapping or list. The model asks for one of its keys and is told everything below
    it.
    """


class Parameterised(Part):
    """What SQL and API plugins have in common."""

    description: str
    parameters: tuple[Parameter, ...] = ()
    test_values: tuple[TestValue, ...] = ()
    """Arguments for trying the plugin: `turngraph plugins try NAME`."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """At most so many rows (SQL), or items of the list that was answered (API)."""

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        names = [parameter.name for parameter in self.parameters]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two parameters are named {name}")
        for value in self.test_values:
            if value.name not in names:
                raise ValueError(f"the test value {value.name} belongs to no parameter")
        return self


class SqlData(Parameterised):
    """What a SQL plugin asks its database."""

    sql_query: Annotated[str, Field(min_length=1)]
    """One reading statement. `{name}` stands for a parameter, in quotes or not; it is bound, never
    pasted.
    """


class UrlParam(Part):
    """A query parameter. `{name}` in its value stands for a parameter."""

    key: str
    value: str | int | float | bool | None = None


class Header(Part):
    """A header. `{name}` in its value stands for a parameter."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
    value: str | int | float | bool | None = None

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name.lower() in FIXED_HEADERS:
            raise ValueError(
                f"the header {name} is set by turngraph itself (use the connection's authentication)"
            )
        return name


class ApiData(Parameterised):
    """What an API plugin asks its service."""

    endpoint: Annotated[str, Field(min_length=1)]
    """The path below the connection's address. `{name}` stands for a parameter, encoded for its
    place.
    """
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    url_params: tuple[UrlParam, ...] = ()
    headers: tuple[Header, ...] = ()
    body: Any = None
    """A JSON value with `{name}` in its texts (a text that is nothing else takes the parameter's
    own type), or a list of `{name, value}` or `{key, value}`: the fields of an object.
    """
    body_format: Literal["json", "form"] = "json"
    """How the body is sent (turngraph's own)."""
    select: str | None = None
    """What part of the answer the model is told: a JSON pointer (`/items/0`), or a JMESPath
    expression (turngraph's own).
    """
    idempotent: bool | None = None
    """Whether it may be sent again where nobody knows if it arrived; by its method if absent: not
    `POST` and `PATCH` (turngraph's own).
    """

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does no harm
        (https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2).
        """
        return self.method not in ("POST", "PATCH") if self.idempotent is None else self.idempotent

    @field_validator("method", mode="before")
    @classmethod
    def _upper(cls, method: Any) -> Any:
        return method.upper() if isinstance(method, str) else method


class PluginSpec(Part):
    """A static plugin."""

    selector: Selector
    prompt: PromptSettings = PromptSettings()
    data: StaticData


class SqlPluginSpec(Part):
    """A plugin that asks a database."""

    selector: Selector
    prompt: PromptSettings = PromptSettings()
    connection: str
    """The name of a `SqlConnection`."""
    sql_data: SqlData


class ApiPluginSpec(Part):
    """A plugin that asks a web service."""

    selector: Selector
    prompt: PromptSettings = PromptSettings()
    connection: str
    """The name of an `ApiConnection`."""
    api_data: ApiData
