"""A function that is called directly gets what LangChain would give it, and is heard as before."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import InjectedToolArg, StructuredTool, ToolException, tool
from langgraph.config import get_config
from langgraph.graph import START, StateGraph
from pydantic import BaseModel, Field, ValidationError
from typing_extensions import TypedDict

from turngraph.tools.direct_call import direct_call_of
from turngraph.tools.toolbox import Toolbox


class Place(BaseModel):
    """An argument with members of its own."""

    city: str
    floor: int = 0


class Search(BaseModel):
    """A schema that a tool's author wrote, with another name for an argument."""

    query: str = Field(alias="q")
    limit: int = Field(default=5, ge=1)


def _show(**arguments: object) -> str:
    return repr(sorted(arguments.items()))


def _typed(n: int, place: Place, tags: list[str] | None = None, ratio: float = 0.5) -> str:
    """Takes arguments of many types."""
    return _show(n=n, place=place, tags=tags, ratio=ratio)


def _searching(query: str, limit: int) -> str:
    """Takes what `Search` says."""
    return _show(query=query, limit=limit)


def _nothing() -> str:
    """Takes nothing."""
    return _show()


async def _later(n: int = 3) -> str:
    """Runs on an event loop."""
    return _show(n=n)


SEARCH = StructuredTool.from_function(_searching, args_schema=Search)


@pytest.mark.parametrize(
    ("plain", "given"),
    [
        (tool(_typed), {"n": "7", "place": {"city": "Oslo"}}),
        (tool(_typed), {"n": 7, "place": {"city": "Oslo", "floor": 2}, "tags": ["a"], "ratio": 1}),
        (SEARCH, {"q": "x"}),
        (SEARCH, {"q": "x", "limit": 2, "other": 1}),
        (tool(_nothing), {}),
    ],
)
def test_the_function_gets_what_langchain_gives_it(
    plain: StructuredTool, given: dict[str, Any]
) -> None:
    """Converted arguments, defaults, other names: a tool must not notice who calls it."""
    direct = direct_call_of(plain)
    assert direct is not None
    assert plain.func is not None
    assert plain.func(**direct.arguments(given)) == plain.run(given)


def test_a_wrong_argument_raises_what_langchain_raises() -> None:
    """The model is told the same."""
    direct = direct_call_of(SEARCH)
    assert direct is not None
    with pytest.raises(ValidationError) as ours:
        direct.arguments({"q": "x", "limit": 0})
    with pytest.raises(ValidationError) as theirs:
        SEARCH.run({"q": "x", "limit": 0})
    assert str(ours.value) == str(theirs.value)


async def test_a_coroutine_is_called_on_the_event_loop() -> None:
    """An async tool too is called directly."""
    assert direct_call_of(tool(_later)) is not None
    output = await Toolbox.of([_later]).arun("_later", {}, call_id="c", timeout_s=60)
    assert output.content == _show(n=3)


def _with_config(n: int, config: RunnableConfig) -> str:
    """Wants LangChain's configuration."""
    return _show(n=n)


def _with_callbacks(n: int, callbacks: Any = None) -> str:
    """Wants LangChain's callbacks."""
    return _show(n=n)


def _with_rest(**rest: int) -> str:
    """Takes arguments of any name."""
    return _show(**rest)


def _with_hidden(n: int, user: Annotated[str, InjectedToolArg] = "nobody") -> str:
    """Has an argument that the model does not see."""
    return _show(n=n, user=user)


@pytest.mark.parametrize("function", [_with_config, _with_callbacks, _with_rest])
def test_langchain_calls_what_it_must_fill(function: Callable[..., str]) -> None:
    """Parameters outside the schema are LangChain's business."""
    assert direct_call_of(tool(function)) is None


def test_a_hidden_argument_keeps_its_default() -> None:
    """What the model sends for it does not reach the tool."""
    box = Toolbox.of([_with_hidden])
    output = box.run("_with_hidden", {"n": 1, "user": "root"}, call_id="c", timeout_s=60)
    assert output.content == _show(n=1, user="nobody")


class Special(StructuredTool):
    """A tool class of its own may do anything in `run`."""


def _failing(n: int) -> str:
    """Fails."""
    raise ToolException("no")


@pytest.mark.parametrize(
    "special",
    [
        Special.from_function(_nothing),
        StructuredTool.from_function(_failing, handle_tool_error=True),
        StructuredTool.from_function(_failing, handle_validation_error=True),
        StructuredTool.from_function(_failing, response_format="content_and_artifact"),
        StructuredTool.from_function(
            _with_rest, args_schema={"type": "object", "properties": {"n": {"type": "integer"}}}
        ),
    ],
)
def test_langchain_calls_what_it_treats_in_a_special_way(special: StructuredTool) -> None:
    """Errors as answers, artifacts, schemas that are no model, classes of the author's own."""
    assert direct_call_of(special) is None


class Listener(BaseCallbackHandler):
    """Keeps what tools were called with."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def on_tool_start(self, serialized: dict[str, Any], input_str: str, **kwargs: Any) -> None:
        self.heard.append(kwargs.get("inputs"))


class Numbers(TypedDict):
    """A graph's state."""

    n: int


def _graph_with(box: Toolbox) -> Any:
    def node(state: Numbers) -> Numbers:
        box.run("_asking", {"n": state["n"]}, call_id="c", timeout_s=60)
        return state

    return StateGraph(Numbers).add_node("node", node).add_edge(START, "node").compile()


def test_a_listener_hears_the_call_and_the_tool_finds_its_configuration() -> None:
    """A tool's `get_config()` is that of its node, whether or not anybody listens."""
    found: list[Any] = []

    def _asking(n: int) -> str:
        """Looks at the configuration of the run."""
        found.append(get_config()["configurable"]["tenant"])
        return "done"

    graph, listener = _graph_with(Toolbox.of([_asking])), Listener()
    config: Any = {"configurable": {"tenant": "acme"}}
    graph.invoke({"n": 1}, config)
    graph.invoke({"n": 2}, {**config, "callbacks": [listener]})
    assert found == ["acme", "acme"]
    assert listener.heard == [{"n": 2}]


def test_a_listener_on_the_tool_itself_hears_the_call() -> None:
    """Callbacks may also stand on the tool."""
    listener = Listener()
    own = StructuredTool.from_function(coroutine=_later, callbacks=[listener])
    Toolbox.of([own]).run("_later", {"n": 4}, call_id="c", timeout_s=60)
    assert listener.heard == [{"n": 4}]
