"""A model is shown the name of an argument that the tool accepts."""

from typing import Annotated, Any

import pytest
from langchain_core.tools import InjectedToolArg, StructuredTool
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field

from turngraph.state.errors import ToolArgumentsError, TurnConfigurationError
from turngraph.state.json_types import JsonObject
from turngraph.state.reply import ToolCall
from turngraph.tools.toolbox import Toolbox


class Alias(BaseModel):
    from_: str = Field(alias="from")


class Choices(BaseModel):
    from_: str = Field(validation_alias=AliasChoices("from", "origin"))


class Generated(BaseModel):
    model_config = ConfigDict(alias_generator=lambda name: name.strip("_"))

    from_: str


class ByName(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    from_: str = Field(validation_alias=AliasPath("places", 0))


class NotByAlias(BaseModel):
    model_config = ConfigDict(validate_by_alias=False, validate_by_name=True)

    from_: str = Field(alias="from")


class Inside(BaseModel):
    place: Alias


def boxed(schema: type[BaseModel]) -> Toolbox:
    def route(**given: Any) -> str:
        return repr(given)

    tool = StructuredTool.from_function(route, name="route", description="d", args_schema=schema)
    return Toolbox.of([tool])


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        (Alias, "from"),
        (Choices, "from"),
        (Generated, "from"),
        (ByName, "from_"),
        (NotByAlias, "from_"),
    ],
)
def test_the_name_that_is_shown_is_the_one_that_is_accepted(
    schema: type[BaseModel], name: str
) -> None:
    """LangChain shows the fields' names, pydantic accepts the aliases: no call could be right."""
    box = boxed(schema)
    shown: JsonObject = box.specs[0].parameters
    assert shown["properties"].keys() == {name}
    assert shown["required"] == [name]
    arguments = box.check(ToolCall(id="c", name="route", arguments=f'{{"{name}": "Oslo"}}'))
    output = box.run("route", arguments, call_id="c", timeout_s=60)
    assert output.content == "{'from_': 'Oslo'}"


def test_an_alias_inside_an_argument_is_shown_and_accepted() -> None:
    box = boxed(Inside)
    call = ToolCall(id="c", name="route", arguments='{"place": {"from": "Oslo"}}')
    assert "Oslo" in box.run("route", box.check(call), call_id="c", timeout_s=60).content


def test_an_argument_that_no_name_reaches_is_refused_when_wired() -> None:
    class Path(BaseModel):
        from_: str = Field(validation_alias=AliasPath("places", 0))

    with pytest.raises(TurnConfigurationError, match="`from_` of tool `route` is read from inside"):
        boxed(Path)


def test_a_model_cannot_reach_an_injected_argument_by_its_alias() -> None:
    class Hidden(BaseModel):
        city: str
        user: Annotated[str, InjectedToolArg] = Field("nobody", alias="as")

    call = ToolCall(id="c", name="route", arguments='{"city": "Oslo", "as": "root"}')
    with pytest.raises(ToolArgumentsError, match="`as` is not an argument"):
        boxed(Hidden).check(call)
