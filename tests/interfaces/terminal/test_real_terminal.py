"""`turngraph step` on a real pseudo-terminal, with a person's own editor and graph."""

import sys
from pathlib import Path

from tests.interfaces.cli.commands import Terminal
from turngraph.scripted import Say, ScriptedModel

EDITOR = """
import json, sys
path = sys.argv[1]
body = json.load(open(path))
assert len(body["messages"][-1]["content"]) > 20_000
body["messages"][-1]["content"] += "from the editor"
json.dump(body, open(path, "w"))
"""
GRAPH = """
from langgraph.graph import MessagesState, StateGraph

def greet(state):
    return {"messages": [("ai", "Good morning from a graph.")]}

builder = StateGraph(MessagesState)
builder.add_node("greet", greet)
builder.set_entry_point("greet")
app = builder.compile()
"""


def test_a_long_request_is_edited_in_the_editor_of_the_environment(tmp_path: Path) -> None:
    """The program makes room for the editor, comes back, and sends what the file then held."""
    (tmp_path / "editor.py").write_text(EDITOR)
    editor = f"{sys.executable} {tmp_path / 'editor.py'}"
    with ScriptedModel([Say("Understood.")]) as model:
        args = ("step", "long " * 4_500, "--base-url", model.base_url, "-m", "any")
        with Terminal(tmp_path, *args, rows=24, columns=80, EDITOR=editor) as terminal:
            terminal.until("prep_first_request")
            terminal.type("s")
            terminal.until('"messages"')
            terminal.type("e")
            terminal.until("nothing for the editor")
            terminal.type("\r")
            terminal.until("edited the request")
            terminal.type("r")
            terminal.until("Understood.")
            terminal.type("q")
            assert terminal.end() == 0
        sent = model.requests[0].body["messages"][-1]["content"]
    assert sent.endswith("long from the editor")
    assert "\x1b[?1049l" in terminal.shown  # the person's own screen is back


def test_a_graph_of_one_s_own_is_stepped_on_the_screen(tmp_path: Path) -> None:
    """Any compiled graph, by file and name."""
    (tmp_path / "agent.py").write_text(GRAPH)
    with Terminal(tmp_path, "step", "agent.py:app", "Hello!") as terminal:
        terminal.until("greet")
        terminal.type("s")
        terminal.until("Good morning from a graph.")
        terminal.type("q")
        assert terminal.end() == 0


def test_without_the_extra_it_goes_line_by_line_and_says_what_to_install(tmp_path: Path) -> None:
    """A plain install has no Textual."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.modules['textual'] = None  # an import of it fails\n"
    )
    with Terminal(tmp_path, "step", "6 * 7?", PYTHONPATH=str(tmp_path)) as terminal:
        terminal.until('pip install "turngraph[terminal]"')
        terminal.until("? q: ")
        terminal.type("r\n")
        terminal.until("calculator says: 42")
        terminal.type("q\n")
        assert terminal.end() == 0


def test_a_terminal_that_cannot_be_drawn_on_gets_lines(tmp_path: Path) -> None:
    """With a prompt, a history, and `$EDITOR`."""
    (tmp_path / "editor.py").write_text(
        "import json, sys\nbody = json.load(open(sys.argv[1]))\nbody['top_p'] = 0.5\n"
        "json.dump(body, open(sys.argv[1], 'w'))\n"
    )
    editor = f"{sys.executable} {tmp_path / 'editor.py'}"
    with ScriptedModel([Say("Understood.")]) as model:
        args = ("step", "Hello", "--base-url", model.base_url, "-m", "any")
        with Terminal(tmp_path, *args, TERM="dumb", EDITOR=editor) as terminal:
            for typed, shown in (("s", "call_llm"), ("e", "edited"), ("r", "Understood.")):
                terminal.until("? q: ")
                terminal.type(f"{typed}\n")
                terminal.until(shown)
            terminal.until("? q: ")
            terminal.type("\x10\n")  # ctrl-p: the last line again
            terminal.until("Nothing is left to run")
            terminal.until("? q: ")
            terminal.type("\x04")
            assert terminal.end() == 0
    assert model.requests[0].body["top_p"] == 0.5
