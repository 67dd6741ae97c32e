"""The `spec` of a plugin: static, SQL or API."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from turngraph.tools.manifests.parts import Parameter, Part, PromptSettings, Selector, TestValue

__all__ = ["ApiData", "ApiPluginSpec", "PluginSpec", "SqlData", "SqlPluginSpec", "StaticData"]

FIXED_HEADERS: Final = frozenset(
    [
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "host",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
"""Headers that a plugin may not set. They decide which server is asked and with which rights, and
where the message ends: a second `Content-Length` or `Transfer-Encoding` would allow request
smuggling (https://www.rfc-editor.org/rfc/rfc9112#section-11.2).
"""


class StaticData(Part):
    """What a static plugin knows."""

    description: str
    """What the plugin knows; the model reads it to decide whether to call the plugin."""
    static_data: Annotated[dict[str, Any] | list[Any], Field(union_mode="left_to_right")]
    """Any nested mapping or list. The model asks for a key and receives everything below it."""


class ParameterizedData(Part):
    """The fields that SQL and API plugins share."""

    description: str
    """What the plugin does; the model reads it to decide whether to call the plugin."""
    parameters: tuple[Parameter, ...] = ()
    test_values: tuple[TestValue, ...] = ()
    """Arguments for trying the plugin: `turngraph plugins try NAME`."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """The largest number of rows (SQL), or of items of the list in the answer (API)."""

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


class SqlData(ParameterizedData):
    """What a SQL plugin asks its database."""

    sql_query: Annotated[str, Field(min_length=1)]
    """One statement that only reads. `{name}` stands for a parameter, in quotes or not. Its value
    is bound, never inserted as text.
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
    def _is_free(cls, name: str) -> str:
        if name.lower() in FIXED_HEADERS:
            raise ValueError(
                f"the header {name} is set by turngraph itself; use the connection's auth_method "
                "for authentication"
            )
        return name


class ApiData(ParameterizedData):
    """What an API plugin asks its service."""

    endpoint: Annotated[str, Field(min_length=1)]
    """The path below the connection's `base_url`. `{name}` stands for a parameter; its value is
    percent-encoded.
    """
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    """The HTTP method."""
    url_params: tuple[UrlParam, ...] = ()
    headers: tuple[Header, ...] = ()
    body: Any = None
    """A JSON value. `{name}` in its texts stands for a parameter; a text that is only `{name}`
    becomes the value with its own type. A list of `{name, value}` or `{key, value}` means an
    object.
    """
    body_format: Literal["json", "form"] = "json"
    """How the body is sent (only in turngraph)."""
    select: str | None = None
    """The part of the answer that the model receives: a JSON pointer (`/items/0`) or a JMESPath
    expression (only in turngraph).
    """
    idempotent: bool | None = None
    """Whether the request may be sent again if nobody knows whether it arrived. By default yes,
    except for `POST` and `PATCH` (only in turngraph).
    """

    @property
    def repeatable(self) -> bool:
        """Whether sending the request twice does no harm
        (https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2).
        """
        return self.method not in ("POST", "PATCH") if self.idempotent is None else self.idempotent

    @field_validator("method", mode="before")
    @classmethod
    def _upper_case(cls, method: Any) -> Any:
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
