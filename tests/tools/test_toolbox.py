"""The toolbox takes any tool and answers every call in time, whatever the tool does."""

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, TypedDict

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import ToolMessage
from langchain_core.tools import (
    BaseTool,
    InjectedToolArg,
    InjectedToolCallId,
    StructuredTool,
    ToolException,
    tool,
)
from langgraph.prebuilt import InjectedState, InjectedStore, ToolRuntime
from langgraph.store.base import BaseStore
from langgraph.types import Command
from pydantic import BaseModel

from turngraph.state.errors import (
    ToolArgumentsError,
    ToolError,
    ToolTimeoutError,
    TurnConfigurationError,
    UnknownToolError,
)
from turngraph.state.reply import ToolCall
from turngraph.tools.output import ToolOutput
from turngraph.tools.retries import Retry
from turngraph.tools.toolbox import Toolbox

TRACE: contextvars.ContextVar[str] = contextvars.ContextVar("TRACE", default="none")


def double(n: int) -> int:
    """Twice the number."""
    return 2 * n


async def triple(n: int) -> int:
    """Thrice the number."""
    await asyncio.sleep(0)
    return 3 * n


class City(BaseModel):
    name: str
    founded: date


@dataclass
class Point:
    x: int
    y: Decimal


def schemed(schema: dict[str, Any]) -> BaseTool:
    return StructuredTool(name="t", description="", args_schema=schema, func=double)


def by_position(n: int, /) -> int:
    """Give it."""
    return n


def run(
    function: Callable[..., Any] | BaseTool, timeout_s: float = 10, **arguments: Any
) -> ToolOutput:
    box = Toolbox.of([function])
    return box.run(box.specs[0].name, arguments, call_id="call_1", timeout_s=timeout_s)


def returning(value: Any) -> ToolOutput:
    def give() -> Any:
        """Give it."""
        return value

    return run(give)


# What may be a tool


def test_functions_tools_and_names_of_builtins_are_accepted() -> None:
    """Callers have all three."""
    box = Toolbox.of(
        [double, triple, StructuredTool.from_function(double, name="d2"), "calculator"]
    )
    assert [spec.name for spec in box.specs] == ["double", "triple", "d2", "calculator"]
    assert box.specs[0].description == "Twice the number."
    assert box.specs[0].parameters["required"] == ["n"]
    assert "double" in box
    assert len(box) == 4
    assert [one.name for one in box] == ["double", "triple", "d2", "calculator"]


def test_a_description_has_no_indentation() -> None:
    """Python before 3.13 keeps the indentation of docstrings, which costs tokens."""
    described = "Find a thing.\n\n    Names are case-sensitive.\n      Codes are not.\n    "
    box = Toolbox.of(
        [
            StructuredTool(
                name="find", description=described, args_schema={"type": "object"}, func=double
            )
        ]
    )
    assert (
        box.specs[0].description == "Find a thing.\n\nNames are case-sensitive.\n  Codes are not."
    )


def test_a_tool_with_a_json_schema_keeps_it() -> None:
    """MCP tools have a JSON schema instead of a pydantic model."""
    schema = {
        "type": "object",
        "properties": {"q": {"type": "string", "minLength": 2}},
        "required": ["q"],
    }
    box = Toolbox.of(
        [StructuredTool(name="find", description="Find.", args_schema=schema, func=lambda q: q)]
    )
    assert box.specs[0].parameters == schema
    assert box.run("find", {"q": "ab"}, call_id="c", timeout_s=60).content == "ab"


class OnlyAsync(BaseTool):
    """LangChain asks such a class for a `_run` too."""

    name: str = "later"
    description: str = "Later."

    def _run(self, n: int) -> int:
        raise NotImplementedError("use the async version")

    async def _arun(self, n: int) -> int:
        return 2 * n


class Unfinished(OnlyAsync):
    def _run(self, n: int) -> int:
        return super()._run(n)


def test_a_class_with_async_code_alone_runs_in_sync_code_too() -> None:
    """As a coroutine without a function does. An error from deeper may come after an effect."""
    assert run(OnlyAsync(), n=21).content == "42"
    assert run(Unfinished(), n=21).content == "Error: NotImplementedError: use the async version"


class Folder(BaseModel):
    name: str
    inside: list["Folder"] = []


def test_a_schema_that_refers_to_itself_is_shown_and_checked_at_every_level() -> None:
    """LangChain writes `{}` there, which tells a model nothing and takes any value."""

    def save(folder: Folder) -> str:
        """Save."""
        return repr(folder)

    box = Toolbox.of([save])
    shown: Any = box.specs[0].parameters
    assert shown["$defs"]["Folder"]["properties"]["inside"]["items"] == {"$ref": "#/$defs/Folder"}
    wrong = '{"folder": {"name": "a", "inside": [{"name": 1}]}}'
    with pytest.raises(ToolArgumentsError, match=r"at `\$\.folder\.inside\[0\]\.name`"):
        box.check(ToolCall(id="c", name="save", arguments=wrong))


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"n": {"$ref": "#/$defs/a~1b"}}, "$defs": {"a/b": {"type": "integer"}}},
        {"properties": {"n": {"$ref": "#/$defs/a%25b"}}, "$defs": {"a%b": {"type": "integer"}}},
        {"properties": {"n": {"type": "integer"}, "$ref": {"type": "string"}}},
    ],
)
def test_a_schema_that_langchain_cannot_inline_is_wired_as_it_is(schema: Any) -> None:
    """It reads no escapes, and takes a property called `$ref` for a reference."""
    given = StructuredTool(
        name="take", description="Take.", args_schema={"type": "object", **schema}, func=repr
    )
    box = Toolbox.of([given])
    box.check(ToolCall(id="c", name="take", arguments='{"n": 1}'))
    with pytest.raises(ToolArgumentsError, match="`take`"):
        box.check(ToolCall(id="c", name="take", arguments='{"n": "one"}'))


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"n": {"$ref": "#num"}}, "$defs": {"x": {"$anchor": "num"}}},
        {"properties": {"n": {"$ref": "http://x/n"}}, "$defs": {"x": {"$id": "http://x/n"}}},
        {"properties": {"n": {"$dynamicRef": "#num"}}, "$defs": {"x": {"$dynamicAnchor": "num"}}},
    ],
)
def test_a_reference_by_anchor_or_id_is_shown_and_checked(schema: Any) -> None:
    """LangChain refuses it, in words that name no tool, or drops what it refers to."""
    schema["$defs"]["x"]["type"] = "integer"
    box = Toolbox.of([schemed({"type": "object", **schema})])
    assert box.specs[0].parameters["properties"] == {"n": {"$ref": "#/$defs/x"}}
    box.check(ToolCall(id="c", name="t", arguments='{"n": 1}'))
    with pytest.raises(ToolArgumentsError, match=r"at `\$\.n`"):
        box.check(ToolCall(id="c", name="t", arguments='{"n": "one"}'))


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ({"$ref": "#num"}, "tool `t` refers to '#num', which it does not hold"),
        ({"$ref": "#/$defs/x"}, "tool `t` refers to '#/\\$defs/x', which it does not hold"),
        ({"$ref": "http://x/y"}, "tool `t` refers to another document, `http://x/y`"),
        ({"$ref": "file:///etc/passwd"}, "tool `t` refers to another document, `file:"),
        ({"$ref": 5}, "tool `t` has a reference that is no text: 5"),
        ({"$ref": "#/properties/n"}, "tool `t` leads from `#/properties/n` back to the same place"),
        ({"anyOf": [{"$ref": "#/properties/n"}]}, "tool `t` leads from `#/properties/n` back"),
        (
            {"$ref": "#/properties/n/$defs/a", "$defs": {"a": {"$ref": "#/properties/n/$defs/a"}}},
            r"from `#/properties/n/\$defs/a` back",
        ),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused_by_name(member: Any, message: str) -> None:
    """Every call of such a tool would fail, in the middle of a turn."""
    with pytest.raises(TurnConfigurationError, match=message):
        Toolbox.of([schemed({"type": "object", "properties": {"n": member}})])


@pytest.mark.parametrize("schema", [{"properties": []}, {"properties": 5}, {"type": 5}])
def test_what_is_no_schema_is_refused_by_the_name_of_its_tool(schema: Any) -> None:
    with pytest.raises(TurnConfigurationError, match="tool `t`"):
        Toolbox.of([schemed({"type": "object", **schema})])


def test_a_ref_in_a_value_is_data() -> None:
    """LangChain follows it, and refuses the tool."""
    member = {"default": {"$ref": "x"}, "enum": [{"$ref": "x"}]}
    box = Toolbox.of([schemed({"type": "object", "properties": {"n": member}})])
    assert box.specs[0].parameters["properties"] == {"n": member}


def test_a_schema_that_doubles_at_every_level_is_wired_as_it_is() -> None:
    """Inlined, these 2 kB would be 80 MB; a server of tools could stop the process."""
    levels = {
        f"d{n}": {
            "type": "object",
            "properties": {key: {"$ref": f"#/$defs/d{n + 1}"} for key in "ab"},
        }
        for n in range(20)
    }
    box = Toolbox.of([schemed({"$ref": "#/$defs/d0", "$defs": {**levels, "d20": {}}})])
    assert len(str(box.specs[0].parameters)) < 3_000


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        (["kalkulator"], "No built-in function is named `kalkulator`. There are: `calculator`"),
        ([double, double], "Two tools are named `double`"),
        ([StructuredTool.from_function(double, name="no spaces")], "cannot be the name of a tool"),
        ([StructuredTool.from_function(double, name="x" * 65)], "1 to 64"),
        ([lambda n: n], "cannot be the name of a tool"),
        ([City], "not ModelMetaclass"),
        ([42], "not int"),
        (
            [StructuredTool(name="t", description="", args_schema={"type": "objekt"}, func=double)],
            "not a valid JSON schema",
        ),
        ([schemed({"type": "array"})], "of type `array`, and models give arguments as one object"),
        ([by_position], "`by_position` takes `n` by position only"),
        (
            [
                StructuredTool(
                    name="t", description="", args_schema={"$ref": "http://x/y"}, func=double
                )
            ],
            "refers to another document, `http://x/y`",
        ),
    ],
)
def test_what_cannot_be_a_tool_is_refused_when_the_turn_is_built(
    tools: list[Any], message: str
) -> None:
    """The message names the tool, before anything is sent."""
    with pytest.raises(TurnConfigurationError, match=message):
        Toolbox.of(tools)


def goes_on(city: str) -> Command[Literal["expert"]]:
    """Hands over."""
    return Command(goto="expert")


class HandOff(Command[Any]):
    """A program's own command."""


def hands_off(city: str) -> HandOff:
    """Hands over."""
    return HandOff(goto=city)


def may_go_on(city: str) -> "str | Command[Any]":
    """Hands over, perhaps."""
    return city


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (tool(return_direct=True)(double), "`double` has return_direct=True"),
        (goes_on, "`goes_on` returns a Command"),
        (hands_off, "`hands_off` returns a Command"),
        (tool(may_go_on), "`may_go_on` returns a Command"),
        (
            StructuredTool(
                name="to_expert", description="d", args_schema={"type": "object"},
                func=lambda: None, metadata={"__handoff_destination": "expert"},
            ),
            "`to_expert` returns a Command",
        ),
        ({"type": "web_search"}, "`web_search` is a tool that the vendor runs itself"),
        ({}, "A mapping is a tool that the vendor runs itself"),
    ],
)  # fmt: skip
def test_what_a_turn_does_not_do_for_a_tool_is_refused_by_name(given: Any, message: str) -> None:
    """In LangChain's agent these tools end the run, change the state, or run at the vendor."""
    with pytest.raises(TurnConfigurationError, match=message):
        Toolbox.of([given])


# What comes back


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        ("", ""),
        ("a\x00b\ud800", "a\ufffdb\ufffd"),
        (0, "0"),
        (None, "null"),
        (False, "false"),
        (1.5, "1.5"),
        (float("nan"), '"NaN"'),
        ([1, "zwei", None], '[1,"zwei",null]'),
        ({"a": {"b": [True]}}, '{"a":{"b":[true]}}'),
        ({"a": "\ud800"}, '{"a":"\ufffd"}'),
        ((1, 2), "[1,2]"),
        (City(name="Köln", founded=date(50, 1, 1)), '{"name":"Köln","founded":"0050-01-01"}'),
        (Point(1, Decimal("1.10")), '{"x":1,"y":"1.10"}'),
        ([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], "one\ntwo"),
        ([{"type": "file", "name": "a.txt"}], '[{"type":"file","name":"a.txt"}]'),
        (
            [
                {"type": "text", "text": "see"},
                {"type": "image", "base64": "aGk=", "mime_type": "image/png"},
            ],
            "see\n[image/png]",
        ),
        (ToolMessage("done", tool_call_id="x"), "done"),
    ],
)  # fmt: skip
def test_any_value_becomes_text(value: Any, text: str) -> None:
    """Vendors accept only text as the result of a tool."""
    output = returning(value)
    assert (output.content, output.status) == (text, "ok")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"\x00\xff", "2 bytes, which"),
        (object(), "type `object`, which has no JSON form"),
        ({"f": double}, "type `dict`, which has no JSON form"),
        (iter([1]), "a list_iterator that nobody has iterated"),
        (Command(goto="x"), "a Command, which turngraph does not apply"),
        ([Command(goto="x")], "a Command, which turngraph does not apply"),
        (threading.Lock(), "type `lock`"),
        (double, "type `function`"),
    ],
)
def test_a_value_without_a_text_form_is_an_error(value: Any, message: str) -> None:
    """The model must never see `<object at 0x7f…>`."""
    output = returning(value)
    assert output.status == "error"
    assert message in output.content
    assert "0x" not in output.content


def test_a_circular_value_is_an_error() -> None:
    """A list that contains itself has no JSON form."""
    loop: list[Any] = []
    loop.append(loop)
    assert returning(loop).status == "error"


PNG = {"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}
WAV = {"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"}
SOUND = {"data": "AAAA", "format": "wav"}


@pytest.mark.parametrize(
    ("block", "carried"),
    [
        (PNG, PNG),
        ({**PNG, "type": "file", "mime_type": "application/pdf", "filename": "a.pdf", "x": 1},
         {**PNG, "type": "file", "mime_type": "application/pdf", "filename": "a.pdf"}),
        (WAV, WAV),
        ({"type": "audio", "source_type": "base64", "data": "AAAA", "mime_type": "audio/wav"}, WAV),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, WAV),
        ({"type": "input_audio", "input_audio": {"data": "AAAA"}}, None),
        ({"type": "audio", "url": "https://x.example/a.wav"}, None),
        ({"type": "image", "source_type": "base64", "data": "iVBORw0KGgo=",
          "mime_type": "image/png"}, PNG),
        ({"type": "image", "source": {"type": "base64", "data": "iVBORw0KGgo=",
                                      "media_type": "image/png"}}, PNG),
        ({"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
         {"type": "image", "url": "https://x.example/a.png"}),
        ({"type": "image", "url": "data:image/png;base64,aGk="},
         {"type": "image", "base64": "aGk=", "mime_type": "image/png"}),
        ({"type": "file", "file_id": "file-1"}, {"type": "file", "file_id": "file-1"}),
        ({"type": "file", "base64": "AAAA", "mime_type": "audio/wav"}, WAV),
        ({"type": "image", "base64": "not base64!", "mime_type": "image/png"}, None),
        ({"type": "image", "base64": "aGk=", "mime_type": "image"}, None),
        ({"type": "image", "base64": "aGk="}, None),
        ({"type": "image", "base64": 7, "mime_type": ["x"]}, None),
        ({"type": "image", "url": "file:///etc/passwd"}, None),
        ({"type": "image_url", "image_url": 7}, None),
        ({"type": "video", "url": "https://x.example/a.mp4"}, None),
        ({**PNG, "base64": "A" * 20_000_004}, None),
    ],
)  # fmt: skip
def test_pictures_sounds_and_files_are_carried_on(
    block: dict[str, Any], carried: dict[str, Any] | None
) -> None:
    """Only well-formed ones: a malformed block would make every later request fail."""
    output = returning([{"type": "text", "text": "here"}, block])
    assert output.media == (() if carried is None else (carried,))
    assert output.content.startswith("here\n[")
    assert ("left out" in output.content) == (carried is None)
    again = ToolOutput.model_validate_json(output.model_dump_json())
    assert again.message_content == output.message_content
    assert isinstance(output.message_content, str) == (carried is None)


def test_a_list_of_something_else_is_its_json() -> None:
    """A `type` may be any JSON, also what Python cannot look up in a set."""
    assert returning([{"type": [], "text": "x"}]).content == '[{"type":[],"text":"x"}]'


def test_an_artifact_stays_beside_the_text() -> None:
    """With `content_and_artifact`, tools pass data to the program and not to the model."""

    @tool(response_format="content_and_artifact")
    def table(n: int) -> tuple[str, list[Point]]:
        """A table."""
        return f"{n} rows", [Point(n, Decimal(1))]

    output = run(table, n=3)
    assert (output.content, output.artifact) == ("3 rows", [{"x": 3, "y": "1"}])


ROW = City(name="Bern", founded=date(1191, 1, 1))


@pytest.mark.parametrize(
    "value",
    [
        *(ROW, Point(1, Decimal(2)), {"c": ROW}, [ROW, ROW], {"rows": [ROW]}),
        *({"n": float("nan")}, ["a", "b"], [], Decimal("1.5"), b"x", object()),
        *({"k": "\u00e9"}, None, "\udc80"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_message_made_by_langchain_says_what_the_bare_value_says(value: Any) -> None:
    """LangChain writes what has no JSON form by itself as Python's text, and counts no rows."""
    bare = returning(value)

    def pair() -> tuple[Any, int]:
        """Give it, and an artifact."""
        return value, 7

    async def asynchronous() -> tuple[Any, int]:
        """Give it, and an artifact."""
        return value, 7

    def called(call: Annotated[str, InjectedToolCallId]) -> Any:
        """Give it to a call."""
        return value

    class Own(BaseTool):
        """A tool with a state of its own."""

        name: str = "own"
        description: str = ""
        handle_tool_error: Any = True
        calls: int = 0

        def _run(self) -> Any:
            self.calls += 1
            return value

    own = Own()
    made = {"response_format": "content_and_artifact"}
    with_artifact = StructuredTool.from_function(pair, coroutine=asynchronous, **made)  # type: ignore[arg-type]
    box = Toolbox.of([with_artifact, called, own])
    for name in ("pair", "called", "own"):
        expected = bare.model_copy(update={"artifact": 7 if name == "pair" else None})
        assert box.run(name, {}, call_id="c1", timeout_s=60) == expected
        assert await box.arun(name, {}, call_id="c1", timeout_s=60) == expected
    assert own.calls == 2


def test_listeners_hear_what_the_model_reads_beside_an_artifact() -> None:
    """A trace with Python's own text would show an answer that no model got."""
    heard: list[Any] = []

    class Listener(BaseCallbackHandler):
        def on_tool_end(self, output: Any, **kwargs: Any) -> None:
            heard.append(output)

    @tool(response_format="content_and_artifact")
    def find() -> tuple[City, int]:
        """Find it."""
        return ROW, 7

    find.callbacks = [Listener()]
    assert run(find).artifact == 7
    [message] = heard
    assert (message.content, message.artifact, message.tool_call_id) == (
        '{"name":"Bern","founded":"1191-01-01"}',
        7,
        "call_1",
    )


@pytest.mark.parametrize("block", [WAV, {"type": "input_audio", "input_audio": SOUND}])
def test_a_sound_beside_an_artifact_is_carried_on(block: dict[str, Any]) -> None:
    """LangChain writes blocks that it does not know as text, and the model would read base64."""

    @tool(response_format="content_and_artifact")
    def record() -> tuple[list[Any], int]:
        """Record."""
        return [{"type": "text", "text": "here"}, block], 1

    output = run(record)
    assert (output.media, output.artifact) == ((WAV,), 1)


def test_an_artifact_that_cannot_be_stored_is_named() -> None:
    """One value that cannot be serialized would make its thread unreadable."""

    @tool(response_format="content_and_artifact")
    def handle() -> tuple[str, object]:
        """A handle."""
        return "ok", threading.Lock()

    assert run(handle).artifact == {"not_kept": "lock"}


def test_a_long_result_is_cut_with_a_notice() -> None:
    """The model must know that something is missing."""
    output = returning("x" * 50_000_000)
    short = output.cut(1000)
    assert len(short.content) == 1000
    assert short.truncated
    assert short.content.endswith("of 50,000,000 characters left out; ask for less at a time]")
    assert output.cut(50_000_000) is output
    assert not output.truncated


# What goes wrong


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no such city"), "Error: ValueError: no such city"),
        (KeyError("x"), "Error: KeyError: 'x'"),
        (RuntimeError(), "Error: RuntimeError"),
        (ToolException("Closed on Sundays."), "Error: Closed on Sundays."),
        (SystemExit(3), "Error: SystemExit: 3"),
        (RuntimeError("a\nb\x00c"), "Error: RuntimeError: a b\ufffdc"),
        (MemoryError(), "Error: MemoryError"),
        (
            BaseExceptionGroup("many", [ValueError("one")]),
            "Error: ExceptionGroup: many (1 sub-exception)",
        ),
    ],
)
def test_an_exception_becomes_one_sentence(error: BaseException, text: str) -> None:
    """It never ends the turn, and the model never sees a traceback."""

    def fail() -> None:
        """Fail."""
        raise error

    assert run(fail) == ToolOutput(content=text, status="error")


def test_a_failure_is_short_and_masks_secrets(caplog: pytest.LogCaptureFixture) -> None:
    """Errors of HTTP and database clients quote keys, and what people say. The log has the type;
    its details are for whoever asks for DEBUG.
    """
    key = "sk-" + "Zq9" * 16

    def fail() -> None:
        """Fail."""
        raise RuntimeError(
            f"401 for key {key}, postgresql://bob:hunter2@db/x, api_key=abc123 {'x' * 5000}"
        )

    content = run(fail).content
    assert "tool fail failed: RuntimeError at " in caplog.text
    assert "401" not in caplog.text
    with caplog.at_level(logging.DEBUG, "turngraph.tools"):
        assert run(fail).content == content
    assert len(content) < 600
    for text in (content, caplog.text):
        assert key not in text
        assert "hunter2" not in text
        assert "abc123" not in text
    assert "Traceback" in caplog.text
    assert "Traceback" not in content


def test_an_exception_that_cannot_be_printed_is_reported() -> None:
    """A `__str__` that raises must not end the turn."""

    class UnprintableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def fail() -> None:
        """Fail."""
        raise UnprintableError

    assert run(fail).content == "Error: UnprintableError"


def test_an_unknown_tool_is_refused_with_the_known_names() -> None:
    """The node reports it to the model."""
    with pytest.raises(
        UnknownToolError, match=r"No tool named `nope` in this turn. Offered: `double`"
    ):
        Toolbox.of([double]).run("nope", {}, call_id="c", timeout_s=1)


def test_a_hanging_tool_is_abandoned() -> None:
    """Nobody waits for its thread, not even the exit of the interpreter."""
    release = threading.Event()

    def hang() -> None:
        """Hang."""
        release.wait()

    with pytest.raises(ToolTimeoutError, match=r"`hang` did not answer within 0.05 seconds"):
        run(hang, timeout_s=0.05)
    hanging = [thread for thread in threading.enumerate() if thread.name == "turngraph-tool"]
    assert all(thread.daemon for thread in hanging)
    release.set()


async def test_an_async_tool_that_ignores_its_cancellation_is_abandoned() -> None:
    """`except CancelledError: pass` is a common mistake."""
    release = asyncio.Event()

    async def stubborn() -> None:
        """Stay."""
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    with pytest.raises(ToolTimeoutError):
        await Toolbox.of([stubborn]).arun("stubborn", {}, call_id="c", timeout_s=0.05)
    release.set()
    await asyncio.sleep(0)


async def test_canceling_the_turn_cancels_its_async_tool() -> None:
    """The cancellation of the caller reaches the tool."""
    started, ended = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        """Be slow."""
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    task = asyncio.create_task(Toolbox.of([slow]).arun("slow", {}, call_id="c", timeout_s=60))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(ended.wait(), 5)


def test_a_keyboard_interrupt_is_raised() -> None:
    """Ctrl-C ends the program, not only a tool."""

    def interrupted() -> None:
        """Be interrupted."""
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(interrupted)


# Sync and async, each way round


async def test_sync_and_async_tools_work_in_sync_and_async_turns() -> None:
    """All four combinations have the same result."""
    box = Toolbox.of([double, triple])
    assert (await box.arun("double", {"n": 7}, call_id="c", timeout_s=60)).content == "14"
    assert (await box.arun("triple", {"n": 7}, call_id="c", timeout_s=60)).content == "21"
    assert box.run("double", {"n": 7}, call_id="c", timeout_s=60).content == "14"
    assert box.run("triple", {"n": 7}, call_id="c", timeout_s=60).content == "21"
    box.close()
    assert box.run("triple", {"n": 8}, call_id="c", timeout_s=60).content == "24"
    box.close()


async def test_the_context_of_the_caller_reaches_every_tool() -> None:
    """LangGraph's configuration and tracing are in context variables."""

    def see() -> str:
        """See."""
        return TRACE.get()

    async def asee() -> str:
        """See."""
        return TRACE.get()

    TRACE.set("turn-7")
    box = Toolbox.of([see, asee])
    assert (await box.arun("see", {}, call_id="c", timeout_s=60)).content == "turn-7"
    assert (await box.arun("asee", {}, call_id="c", timeout_s=60)).content == "turn-7"
    assert box.run("see", {}, call_id="c", timeout_s=60).content == "turn-7"
    assert box.run("asee", {}, call_id="c", timeout_s=60).content == "turn-7"
    box.close()


async def test_32_sync_tools_wait_at_the_same_time() -> None:
    """Each has its own thread; asyncio's default pool would run only a few at a time."""
    together = threading.Barrier(32)

    def meet() -> str:
        """Meet the others."""
        together.wait(timeout=60)
        return "met"

    box = Toolbox.of([meet])
    outputs = await asyncio.gather(
        *(box.arun("meet", {}, call_id=str(n), timeout_s=30) for n in range(32))
    )
    assert {output.content for output in outputs} == {"met"}


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_32_calls_of_every_bad_kind_are_all_answered_in_order(way: str) -> None:
    """Some hang, raise, return 50 MB or no JSON, or are unknown; the others succeed."""
    release = threading.Event()

    def hang() -> None:
        """Hang."""
        release.wait()

    async def ahang() -> None:
        """Hang."""
        await asyncio.sleep(3600)

    def fail() -> None:
        """Fail."""
        raise RuntimeError("broken")

    def flood() -> str:
        """Flood."""
        return "x" * 50_000_000

    def strange() -> object:
        """Give something strange."""
        return object()

    box = Toolbox.of([hang, ahang, fail, flood, strange, double, triple])
    names = ["hang", "ahang", "fail", "flood", "strange", "double", "triple", "unknown"] * 4

    async def call(number: int, name: str) -> str:
        arguments = {"n": number} if name in ("double", "triple") else {}
        limit_s = 0.5 if "hang" in name else 60
        try:
            if way == "async":
                output = await box.arun(name, arguments, call_id=str(number), timeout_s=limit_s)
            else:
                output = await asyncio.to_thread(
                    box.run, name, arguments, call_id=str(number), timeout_s=limit_s
                )
        except ToolError as error:
            return str(error)
        return output.cut(200).content

    answers = await asyncio.gather(*(call(number, name) for number, name in enumerate(names)))
    release.set()
    box.close()
    expected = {
        "hang": "did not answer", "ahang": "did not answer", "fail": "broken", "flood": "left out",
        "strange": "no JSON form", "unknown": "No tool named",
    }  # fmt: skip
    for number, (name, answer) in enumerate(zip(names, answers, strict=True)):
        wanted = (
            str(2 * number)
            if name == "double"
            else str(3 * number)
            if name == "triple"
            else expected[name]
        )
        assert wanted in answer, (name, answer)


# What a tool may want beside its arguments


def test_injected_arguments_are_filled_and_never_shown() -> None:
    """The model neither sees nor sets the state and the call id."""

    def note(
        text: str,
        call: Annotated[str, InjectedToolCallId],
        whole: Annotated[dict[str, Any], InjectedState],
        user: Annotated[str, InjectedState("user")],
        runtime: ToolRuntime,
    ) -> str:
        """Note it."""
        return (
            f"{text} {call} {sorted(whole)} {user} {runtime.tool_call_id} {runtime.state['user']}"
        )

    box = Toolbox.of([note])
    assert list(box.specs[0].parameters["properties"]) == ["text"]  # type: ignore[arg-type]
    output = box.run(
        "note", {"text": "hi", "user": "eve"}, call_id="call_9", timeout_s=60, state={"user": "ann"}
    )
    assert output.content == "hi call_9 ['user'] ann call_9 ann"
    with pytest.raises(ToolError, match="wants the key `user` of the state"):
        box.run("note", {"text": "hi"}, call_id="c", timeout_s=60, state={})


def test_an_injected_argument_that_may_be_none_is_filled_and_never_shown() -> None:
    """LangGraph fills it too; shown to the model, it would let a model write the state."""

    def peek(
        n: int,
        state: Annotated[dict[str, Any], InjectedState] | None = None,
        call: Annotated[str, InjectedToolCallId] | None = None,
    ) -> Any:
        """Look."""
        return f"{n} {state} {call}"

    box = Toolbox.of([peek])
    shown: Any = box.specs[0].parameters
    assert list(shown["properties"]) == ["n"]
    output = box.run("peek", {"n": 1, "call": "forged"}, call_id="c1", timeout_s=60, state={"k": 2})
    assert output.content == "1 {'k': 2} c1"


def test_a_runtime_or_store_that_may_be_none_is_filled_and_never_shown() -> None:
    """Their classes have no JSON schema, so the tool could not be wired at all."""

    def needed(n: int, runtime: ToolRuntime | None) -> str:
        """Look."""
        assert runtime is not None
        return runtime.tool_call_id or ""

    def optional(n: int, runtime: ToolRuntime[None, dict[str, Any]] | None = None) -> str:
        """Look."""
        assert runtime is not None
        return runtime.tool_call_id or ""

    def marked(n: int, runtime: Annotated[ToolRuntime, InjectedToolArg]) -> str:
        """Look."""
        return runtime.tool_call_id or ""

    def stored(n: int, store: Annotated[BaseStore, InjectedStore] | None = None) -> str:
        """Look."""
        return "c1" if store is None else "a store"

    box = Toolbox.of([needed, optional, marked, stored])
    for spec in box.specs:
        assert spec.description == "Look."
        assert list(spec.parameters["properties"]) == ["n"]  # type: ignore[arg-type]
        assert box.run(spec.name, {"n": 1}, call_id="c1", timeout_s=60, state={}).content == "c1"


def test_an_argument_that_no_model_can_give_is_refused_in_a_sentence() -> None:
    def look(store: BaseStore) -> str:
        """Look."""
        return "never"

    with pytest.raises(TurnConfigurationError, match="a type that no model can give"):
        Toolbox.of([look])


def test_an_injected_argument_nobody_can_fill_is_refused() -> None:
    """It would fail at the first call, in the middle of a turn."""

    def secret(key: Annotated[str, InjectedToolArg]) -> str:
        """Use a key."""
        return key

    def quiet(key: Annotated[str, InjectedToolArg] = "default") -> str:
        """Use a key."""
        return key

    with pytest.raises(TurnConfigurationError, match="wants `key` injected"):
        Toolbox.of([secret])
    assert run(quiet, key="from the model").content == "default"


def test_parameters_named_args_and_kwargs_are_refused_by_name() -> None:
    """LangChain shows them as `v__args` and `v__kwargs`, and every call fails."""

    def execute(args: list[str]) -> str:
        """Run a program."""
        return " ".join(args)

    with pytest.raises(TurnConfigurationError, match=r"named `args`.*Rename"):
        Toolbox.of([execute])


def test_a_function_with_any_number_of_arguments_by_position_is_refused() -> None:
    """LangChain offers the list to the model, and every call that gives it fails."""

    def add(*numbers: int) -> int:
        """Add them."""
        return sum(numbers)

    with pytest.raises(TurnConfigurationError, match=r"takes `\*numbers`"):
        Toolbox.of([add])


class Graphed(TypedDict, total=False):
    answer: str


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_a_tool_may_interrupt_and_be_resumed(way: str) -> None:
    """LangGraph's `interrupt()` works through the thread in which the tool runs."""
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import StateGraph
    from langgraph.types import interrupt

    def confirm(what: str) -> str:
        """Ask a person."""
        return f"{what}: {interrupt({'sure?': what})}"

    box = Toolbox.of([confirm])

    def node(state: Graphed) -> Graphed:
        return {"answer": box.run("confirm", {"what": "pay"}, call_id="c", timeout_s=20).content}

    async def anode(state: Graphed) -> Graphed:
        return {
            "answer": (
                await box.arun("confirm", {"what": "pay"}, call_id="c", timeout_s=20)
            ).content
        }

    graph = StateGraph(Graphed)
    graph.add_node("tool", node if way == "sync" else anode)
    graph.set_entry_point("tool")
    app = graph.compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "t"}}
    invoke: Any = app.invoke if way == "sync" else None
    paused = invoke({}, config) if invoke else await app.ainvoke({}, config)  # type: ignore[call-overload]
    assert paused["__interrupt__"][0].value == {"sure?": "pay"}
    resumed = Command(resume="yes")  # type: ignore[var-annotated]
    done = invoke(resumed, config) if invoke else await app.ainvoke(resumed, config)  # type: ignore[call-overload]
    assert done["answer"] == "pay: yes"


def test_the_store_of_the_graph_reaches_a_tool() -> None:
    """With `InjectedStore`, LangGraph tools store data across threads."""
    from langgraph.graph import StateGraph
    from langgraph.store.memory import InMemoryStore

    def remember(text: str, store: Annotated[BaseStore, InjectedStore()]) -> str:
        """Remember."""
        store.put(("notes",), "1", {"text": text})
        return "noted"

    box = Toolbox.of([remember])
    graph = StateGraph(Graphed)

    def node(state: Graphed) -> Graphed:
        return {"answer": box.run("remember", {"text": "x"}, call_id="c", timeout_s=60).content}

    graph.add_node("tool", node)
    graph.set_entry_point("tool")
    store = InMemoryStore()
    assert graph.compile(store=store).invoke({})["answer"] == "noted"
    found = store.get(("notes",), "1")
    assert found is not None
    assert found.value == {"text": "x"}


def test_a_tool_that_handles_its_own_errors_reports_the_status() -> None:
    """LangChain's `handle_tool_error` writes the text; the status says that it failed."""

    def closed() -> str:
        """Fail politely."""
        raise ToolException("x")

    polite = StructuredTool.from_function(closed, handle_tool_error="Try tomorrow.")
    assert run(polite) == ToolOutput(content="Try tomorrow.", status="error")


def test_arguments_that_look_like_a_call_stay_data() -> None:
    """LangChain reads a dict with `type: tool_call` as a call."""

    def echo(type: str, name: str, inner: dict[str, Any], id: str) -> str:
        """Echo."""
        return f"{type} {inner}"

    assert (
        run(echo, type="tool_call", name="x", inner={"type": "evil"}, id="1").content
        == "tool_call {'type': 'evil'}"
    )


# Trying again


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_a_tool_is_retried_after_the_errors_in_its_retry(way: str) -> None:
    """After no other errors, and never after a success."""
    calls: list[str] = []

    def flaky(kind: str) -> str:
        """Fail twice."""
        calls.append(kind)
        if len(calls) < 3:
            raise {"gone": ConnectionResetError("gone"), "wrong": ValueError("wrong")}[kind]
        return "done"

    box = Toolbox.of([flaky], retries={"flaky": Retry(attempts=3, wait_s=0)})

    async def call(kind: str) -> str:
        calls.clear()
        if way == "async":
            return (await box.arun("flaky", {"kind": kind}, call_id="c", timeout_s=20)).content
        return box.run("flaky", {"kind": kind}, call_id="c", timeout_s=20).content

    assert await call("gone") == "done"
    assert len(calls) == 3
    assert await call("wrong") == "Error: ValueError: wrong"
    assert len(calls) == 1


def test_a_call_that_timed_out_is_not_retried() -> None:
    """Its work may have been done, and all attempts share the time."""
    calls: list[int] = []

    def slow() -> None:
        """Be slow."""
        calls.append(1)
        threading.Event().wait(0.3)
        raise ConnectionError

    box = Toolbox.of([slow], retries={"slow": Retry(attempts=5, wait_s=0)})
    with pytest.raises(ToolTimeoutError):
        box.run("slow", {}, call_id="c", timeout_s=0.1)
    assert len(calls) == 1


def test_an_invalid_retry_is_refused() -> None:
    """This happens when the turn is built."""
    with pytest.raises(TurnConfigurationError, match="1 to 10 attempts"):
        Retry(attempts=0)
    with pytest.raises(
        TurnConfigurationError, match="retry is given for `triple`, but no tool has that name"
    ):
        Toolbox.of([double], retries={"triple": Retry()})


@pytest.mark.parametrize("mark", [0, 1, None, "no", "false"])
def test_a_mark_is_true_or_false(mark: object) -> None:
    """Anything else would be taken for yes, and the tool run twice after a killed worker."""
    tool = StructuredTool.from_function(
        lambda: 1, name="pay", description="Pays.", metadata={"idempotent": mark}
    )
    with pytest.raises(TurnConfigurationError, match=r"`pay` is .*\. Write True or False"):
        Toolbox.of([tool])
