"""Shows the arguments of a tool under their aliases, the names by which pydantic accepts them."""

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject

__all__ = ["with_aliases"]


def with_aliases(tool: str, schema: JsonObject, model: object) -> JsonObject:
    """Returns `schema`, the arguments of `tool`, with each alias in place of its field's name.

    LangChain shows the fields' names and validates by `model`, which takes the aliases. A model
    that is shown one name and must use another would never get a call right.

        >>> from pydantic import Field
        >>> class Route(BaseModel):
        ...     from_: str = Field(alias="from")
        >>> with_aliases("route", {"properties": {"from_": {}}, "required": ["from_"]}, Route)
        {'properties': {'from': {}}, 'required': ['from']}

    Raises TurnConfigurationError for a field that can only be given inside another argument
    (`AliasPath`).
    """
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return schema
    if model.model_config.get("validate_by_alias") is False:
        return schema
    by_name = bool(
        model.model_config.get("validate_by_name") or model.model_config.get("populate_by_name")
    )
    shown = {
        name: _shown_name(tool, name, field, by_name)
        for name, field in model.model_fields.items()
        if name in schema.get("properties", {})
    }
    properties = {shown.get(name, name): value for name, value in schema["properties"].items()}
    renamed = {**schema, "properties": properties}
    if "required" in schema:
        renamed["required"] = [shown.get(name, name) for name in schema["required"]]
    return renamed


def _shown_name(tool: str, name: str, field: FieldInfo, by_name: bool) -> str:
    alias = field.validation_alias
    if alias is None or isinstance(alias, str):
        return alias or name
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    plain = [choice for choice in choices if isinstance(choice, str)]
    if plain or by_name:
        return plain[0] if plain else name
    raise TurnConfigurationError(
        f"The argument `{name}` of tool `{tool}` is read from inside another one (`AliasPath`), "
        "which no model can be told. Give it an alias of its own."
    )
