"""A tool's code gets the config of the run, and every argument that is only named like LangChain's.

Each claim is held with and without callbacks: without them a function is called directly.
"""

from collections.abc import Callable
from typing import Annotated, Any, Optional

import pytest
from langchain_core.callbacks import BaseCallbackHandler, CallbackManagerForToolRun
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolArg, StructuredTool, Tool
from langgraph.graph import START, StateGraph
from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

from turngraph.state.errors import ToolArgumentsError
from turngraph.state.reply import ToolCall
from turngraph.tools.toolbox import Toolbox

CALLBACKS = pytest.mark.parametrize("callbacks", [[], [BaseCallbackHandler()]])
WAYS = pytest.mark.parametrize("way", ["sync", "async"])


class State(TypedDict, total=False):
    answer: str


def _user(config: RunnableConfig | None) -> str:
    return "no config" if config is None else str(config["configurable"]["user"])


def required(n: int, config: RunnableConfig) -> str:
    """Takes a config, as LangChain has it."""
    return _user(config)


def nullable(n: int, config: RunnableConfig | None) -> str:
    """Takes a config that may be None."""
    return _user(config)


def optional(n: int, config: Optional[RunnableConfig] = None) -> str:  # noqa: UP045
    """Takes a config with a default."""
    return _user(config)


def elsewhere(n: int, cfg: RunnableConfig | None = None) -> str:
    """Takes a config under another name."""
    return _user(cfg)


def marked(n: int, cfg: Annotated[RunnableConfig | None, InjectedToolArg] = None) -> str:
    """Takes a config that is marked as injected."""
    return _user(cfg)


def marked_and_required(n: int, config: Annotated[RunnableConfig, InjectedToolArg]) -> str:
    """Takes a config that is marked as injected, without a default."""
    return _user(config)


async def later(n: int, config: RunnableConfig | None = None) -> str:
    """Takes a config on an event loop."""
    return _user(config)


def twice(n: int, config: RunnableConfig, other: RunnableConfig | None = None) -> str:
    """Takes it under two names."""
    assert _user(config) == _user(other)
    return _user(config)


class Number(BaseModel):
    """A schema without the config, which allows nothing else."""

    model_config = ConfigDict(extra="forbid")
    n: int


class Annotation(BaseTool):
    name: str = "annotation"
    description: str = "A class that wants a config."
    calls: int = 0

    def _run(self, n: int, config: RunnableConfig) -> str:
        self.calls += 1
        return _user(config)


class Union(BaseTool):
    name: str = "union"
    description: str = "A class whose config may be None."
    args_schema: Any = Number

    def _run(
        self,
        n: int,
        config: RunnableConfig | None = None,
        run_manager: CallbackManagerForToolRun | None = None,
    ) -> str:
        assert run_manager is not None
        return _user(config)


def _dict_schema(function: Callable[..., Any], **properties: Any) -> StructuredTool:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return StructuredTool(name="given", description="Given.", args_schema=schema, func=function)


async def called(
    given: BaseTool | Callable[..., Any], way: str, callbacks: Any, arguments: dict[str, Any]
) -> str:
    """Returns what the tool answers inside of a graph."""
    box = Toolbox.of([given])
    [name] = [one.name for one in box]

    def node(state: State) -> State:
        return {"answer": box.run(name, arguments, call_id="c", timeout_s=60).content}

    async def anode(state: State) -> State:
        return {"answer": (await box.arun(name, arguments, call_id="c", timeout_s=60)).content}

    graph = StateGraph(State)
    graph.add_node("tool", node if way == "sync" else anode)
    graph.add_edge(START, "tool")
    app = graph.compile()
    config: RunnableConfig = {"configurable": {"user": "ann"}, "callbacks": callbacks}
    ended = app.invoke({}, config) if way == "sync" else await app.ainvoke({}, config)
    return str(ended["answer"])


@CALLBACKS
@WAYS
@pytest.mark.parametrize(
    "given",
    [
        *(required, nullable, optional, elsewhere, marked, marked_and_required, later, twice),
        StructuredTool.from_function(optional, args_schema=Number),
        StructuredTool.from_function(optional, handle_tool_error=True),
        _dict_schema(optional, n={"type": "integer"}),
        Annotation(),
        Union(),
    ],
    ids=lambda given: getattr(given, "__name__", type(given).__name__),
)
async def test_the_config_reaches_the_tool_and_never_the_model(
    given: Any, way: str, callbacks: Any
) -> None:
    """LangChain fills one exact annotation only, and offers the others to the model."""
    box = Toolbox.of([given])
    assert list(box.specs[0].parameters["properties"]) == ["n"]  # type: ignore[arg-type]
    assert await called(given, way, callbacks, {"n": 1}) == "ann"


def test_a_model_that_sends_a_config_is_told_that_there_is_no_such_argument() -> None:
    """A model must not choose under which thread or user a tool runs."""
    call = ToolCall(id="c", name="optional", arguments='{"n": 1, "config": {"configurable": {}}}')
    with pytest.raises(ToolArgumentsError, match="`config` is not an argument"):
        Toolbox.of([optional]).check(call)


async def test_a_class_that_wants_the_config_counts_its_calls_itself() -> None:
    """Its code must not run on a copy."""
    given = Annotation()
    assert await called(given, "sync", [], {"n": 1}) == "ann"
    assert given.calls == 1


@CALLBACKS
@WAYS
async def test_a_single_input_tool_gets_its_input_and_the_config(way: str, callbacks: Any) -> None:
    """LangChain's `Tool` takes exactly one argument from the model."""

    def look(text: str, config: RunnableConfig | None = None) -> str:
        return f"{text} {_user(config)}"

    single = Tool("look", look, "Look.")
    shown: Any = Toolbox.of([single]).specs[0].parameters
    [argument] = shown["properties"]
    assert await called(single, way, callbacks, {argument: "up"}) == "up ann"


class Config(BaseModel):
    """The model's own argument `config`, beside a default that the function lacks."""

    config: str = "standard"


def _echo(config: str) -> str:
    """Echoes its argument."""
    return config


async def _echo_later(config: str) -> str:
    """Echoes its argument on an event loop."""
    return config


def _echo_and_config(config: int, cfg: RunnableConfig) -> str:
    """Takes both: an argument of that name, and the config."""
    return f"{config + 1} {_user(cfg)}"


def _echo_self(self: str) -> str:
    """Has an argument that is named like that of methods."""
    return self


TEXT = {"type": "string"}


@CALLBACKS
@WAYS
@pytest.mark.parametrize(
    ("given", "arguments", "answer"),
    [
        (_echo, {"config": "a"}, "a"),
        (_echo_later, {"config": "a"}, "a"),
        (_echo_and_config, {"config": "41"}, "42 ann"),
        (_echo_self, {"self": "a"}, "a"),
        (StructuredTool.from_function(_echo, args_schema=Config), {"config": "a"}, "a"),
        (StructuredTool.from_function(_echo, args_schema=Config), {}, "standard"),
        (StructuredTool.from_function(_echo, handle_tool_error=True), {"config": "a"}, "a"),
        (_dict_schema(_echo, config=TEXT), {"config": "a"}, "a"),
        (_dict_schema(lambda callbacks: callbacks, callbacks=TEXT), {"callbacks": "a"}, "a"),
        (
            _dict_schema(lambda run_manager: run_manager, run_manager=TEXT),
            {"run_manager": "a"},
            "a",
        ),
        (_dict_schema(lambda **given: given["config"], config=TEXT), {"config": "a"}, "a"),
    ],
)
async def test_an_argument_only_named_like_one_of_langchains_reaches_the_function(
    given: Any, arguments: Any, answer: str, way: str, callbacks: Any
) -> None:
    """LangChain's own method swallows it, and the function fails with "missing an argument"."""
    assert await called(given, way, callbacks, arguments) == answer
