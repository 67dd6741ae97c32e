"""`agent.py:app`: found in files, packages and `langgraph.json`; what is wrong is one sentence."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from turngraph.interfaces.user_graphs.loading import load_graph, load_object
from turngraph.state.errors import TurnConfigurationError

AGENT = """
from langgraph.graph import MessagesState, StateGraph

def talk(state):
    return {"messages": [("ai", "Hi")]}

builder = StateGraph(MessagesState)
builder.add_node("talk", talk)
builder.set_entry_point("talk")
app = builder.compile(name="the app")
number = 7
"""


@pytest.fixture(autouse=True)
def _imports() -> Iterator[None]:
    """Modules of one test must not be found by the next, which has files of the same names."""
    path, modules = sys.path[:], set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def load(folder: Path, reference: str) -> str:
    return str(load_graph(reference, folder, {}).graph.name)


def refusal(folder: Path, reference: str) -> str:
    with pytest.raises(TurnConfigurationError) as caught:
        load_graph(reference, folder, {})
    return str(caught.value)


def test_a_graph_is_loaded_from_a_file_and_from_a_module(tmp_path: Path) -> None:
    """With its name, or without one where the file has a single graph."""
    (tmp_path / "agent_a.py").write_text(AGENT)
    assert load(tmp_path, "agent_a.py:app") == "the app"
    assert load(tmp_path, "agent_a.py") == "the app"
    assert load(tmp_path, "agent_a:app") == "the app"
    loaded = load_graph("agent_a.py:app", tmp_path, {})
    assert loaded.file == tmp_path / "agent_a.py"


def test_a_file_in_a_package_keeps_its_relative_imports(tmp_path: Path) -> None:
    """As an application is laid out."""
    package = tmp_path / "src" / "shop_a"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "graphs.py").write_text(AGENT)
    (package / "main.py").write_text("from .graphs import app\n")
    assert load(tmp_path, "src/shop_a/main.py:app") == "the app"


def test_langgraph_json_names_graphs_folders_and_variables(tmp_path: Path) -> None:
    """A variable that is set already wins."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "agent_b.py").write_text(AGENT)
    (tmp_path / ".env").write_text("FROM_FILE=1\nSET=2\n")
    graphs = {"one": "agent_b:app", "two": {"path": "./lib/agent_b.py:app"}}
    content = {"dependencies": ["./lib", "langchain"], "graphs": graphs, "env": ".env"}
    (tmp_path / "langgraph.json").write_text(json.dumps(content))
    environ = {"SET": "mine"}
    assert load_graph("one", tmp_path, environ).graph.name == "the app"
    assert environ == {"SET": "mine", "FROM_FILE": "1"}
    assert load(tmp_path, "two") == "the app"
    assert "langgraph.json names `one`, `two`" in refusal(tmp_path, "three")


def test_builders_and_functions_that_build_are_taken(tmp_path: Path) -> None:
    """As LangGraph's own server takes them."""
    more = (
        "def make():\n    return app\n"
        "async def make_async(config):\n    return app\n"
        "again = StateGraph(MessagesState)\n"
        "again.add_node('talk', talk)\nagain.set_entry_point('talk')\n"
        "other = app\n"
        "def broken():\n    raise RuntimeError('no key')\n"
    )
    (tmp_path / "agent_c.py").write_text(AGENT + more)
    assert load(tmp_path, "agent_c.py:make") == "the app"
    assert load(tmp_path, "agent_c.py:make_async") == "the app"
    assert load(tmp_path, "agent_c.py:again") == "LangGraph"
    assert "could not be built: RuntimeError: no key" in refusal(tmp_path, "agent_c.py:broken")
    assert "`agent_c.py:app`, `agent_c.py:other`" in refusal(tmp_path, "agent_c.py")
    (tmp_path / "agent_g.py").write_text(AGENT.replace("app =", "_app ="))
    assert load(tmp_path, "agent_g.py") == "LangGraph"


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("agent_d.py:nope", "`agent_d.py` has no `nope`. Graphs found: `agent_d.py:app`."),
        (
            "agent_d.py:number",
            "`agent_d.py:number` is of type `int`, which is no LangGraph graph.",
        ),
        ("absent.py:app", "There is no file `absent.py`"),
        ("../../etc/passwd:app", "neither a file of Python nor the name of a module"),
        ("absent_d:app", "`absent_d` cannot be imported: ModuleNotFoundError"),
        ("raises_d.py:app", "cannot be imported: line 3: ZeroDivisionError: division by zero"),
        ("exits_d.py:app", "`exits_d.py` cannot be imported: line 2: SystemExit: 3"),
        ("own_d.py:app", "`own_d.py` cannot be imported: line 2: Skipped: not today"),
        ("builds_d.py:exits", "`builds_d.py:exits` could not be built: SystemExit: 4"),
        ("builds_d.py:skips", "`builds_d.py:skips` could not be built: Skipped: not today"),
        ("syntax_d.py:app", "cannot be imported: line 1: SyntaxError: '(' was never closed"),
        ("json.py:app", "another module is named `json`"),
        ("word", "there is no langgraph.json here"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, reference: str, sentence: str) -> None:
    """With the line of the user's own file, and the graphs that were found."""
    (tmp_path / "agent_d.py").write_text(AGENT)
    (tmp_path / "raises_d.py").write_text("import os\n\napp = 1 / 0\n")
    (tmp_path / "exits_d.py").write_text("import sys\nsys.exit(3)\n")
    skipped = "class Skipped(BaseException): ...\n"  # as pytest's own: no Exception
    (tmp_path / "own_d.py").write_text(f"{skipped}raise Skipped('not today')\n")
    builders = (
        "def exits():\n    raise SystemExit(4)\ndef skips():\n    raise Skipped('not today')\n"
    )
    (tmp_path / "builds_d.py").write_text(skipped + builders)
    (tmp_path / "syntax_d.py").write_text("app = (\n")
    (tmp_path / "json.py").write_text(AGENT)
    assert sentence in refusal(tmp_path, reference)


@pytest.mark.parametrize("content", ["{", "[]", '{"graphs": {"a": 3}}'])
def test_a_broken_langgraph_json_is_named(tmp_path: Path, content: str) -> None:
    """Nothing is imported then."""
    (tmp_path / "langgraph.json").write_text(content)
    assert "langgraph.json`" in refusal(tmp_path, "a")


def test_a_tool_is_loaded_by_module_and_name(tmp_path: Path) -> None:
    """A missing name lists what there is."""
    (tmp_path / "tools_e.py").write_text("def search(text: str) -> str:\n    return text\n")
    assert load_object("tools_e:search", tmp_path)("x") == "x"
    with pytest.raises(TurnConfigurationError, match="It has: `search`"):
        load_object("tools_e.py:find", tmp_path)
    with pytest.raises(TurnConfigurationError, match="names nothing"):
        load_object("search", tmp_path)


def test_the_environment_of_the_process_is_not_touched(tmp_path: Path) -> None:
    """Only the one that was given."""
    (tmp_path / "langgraph.json").write_text('{"env": {"TURNGRAPH_TEST_ENV": "1"}}')
    (tmp_path / "agent_f.py").write_text(AGENT)
    load(tmp_path, "agent_f.py:app")
    assert "TURNGRAPH_TEST_ENV" not in os.environ
