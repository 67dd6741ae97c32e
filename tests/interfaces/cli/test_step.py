"""`turngraph step` at a terminal: the same moves by the same keys, and no escape sequence from
outside.
"""

import io
import sys
from pathlib import Path

import pytest

from turngraph.interfaces.cli.commands.replay import replay
from turngraph.interfaces.cli.commands.step import step
from turngraph.interfaces.cli.model_options import ModelOptions
from turngraph.scripted import Fail, Say, ScriptedModel
from turngraph.state.errors import TurnValueError


def typed(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    """Type `keys`, a line each, through a pipe; then end the input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(keys.replace(",", "\n") + "\n"))


def test_a_turn_is_walked_by_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Step, into, back, fork, run, a pane, quit; an empty line is a step."""
    typed(monkeypatch, "s,,b,f other,u dispatch_tools,i,r,p messages,j 1,?,x,q")
    step("What is 6 * 7?", options=ModelOptions(model="scripted"))
    out = capsys.readouterr().out
    assert "prep_first_request → call_llm" in out
    assert '"model": "scripted"' in out
    assert "other" in out
    assert "tool: 42" in out
    assert "quit" in out


def test_the_conversation_is_edited_by_a_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without an editor the key says what stands there now; a message without an id is added."""
    with ScriptedModel([Say("ok")]) as model:
        added = '[{"role": "user", "content": "And: who am I?"}]'
        # One line a key: commas separate keys in the other tests.
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"m\nm {added}\nr\nq\n"))
        step("Who are you?", options=ModelOptions(base_url=model.base_url, model="any"))
        sent = model.requests[0].body["messages"]
    out = capsys.readouterr().out
    assert "Type the messages as JSON" in out
    assert '"content": "Who are you?"' in out
    assert sent[-1]["content"] == "And: who am I?"


def test_a_walk_is_undone_saved_and_opened(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The keys of the full screen. A file that is no walk is not replaced."""
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    typed(monkeypatch, f"s,z,z,y,y,r,S {tmp_path}/walk,S {other},S,b,O {tmp_path}/walk,q")
    step("What is 6 * 7?", options=ModelOptions(model="scripted"))
    out = " ".join(capsys.readouterr().out.split())
    assert "nothing to undo" in out
    assert "nothing to redo" in out
    assert "is no saved run and is not replaced" in out
    assert "Type its name, as in: run.json" in out
    assert out.endswith("repeating what the tools said.)")
    assert other.read_text() == "mine"


def test_what_is_refused_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong key or edit does not end the walk."""
    typed(monkeypatch, "b 7,e {,j x,a 1,s,e {")
    step("Hi \x1b[2J", options=ModelOptions(model="scripted"))
    out = capsys.readouterr().out
    assert "it can go back 0 to 0 steps" in out
    assert "not valid JSON" in out
    assert "\x1b[2J" not in out


def test_a_slip_is_told_in_the_words_of_the_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing number or name, a key that is none, an empty pane: said, not left to Python or to
    silence.
    """
    typed(monkeypatch, "x,x 3,j one,g,zzz,p tools,q")
    step("Hi", options=ModelOptions(model="scripted"))
    out = " ".join(capsys.readouterr().out.split())
    assert "invalid literal" not in out
    assert "`` is no number" in out
    assert "There is no breakpoint 3. There are: none." in out
    assert "`one` is no number" in out
    assert "Which tool?" in out
    assert "There is no key `zzz`" in out
    assert "tools nothing here" in out


def test_one_field_is_edited_for_this_request_or_for_the_turn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`top_p` was for one request, the temperature for the rest of the turn."""
    typed(monkeypatch, "u call_llm,e top_p=0.5,E temperature=0.1,e,e top_p,u dispatch_tools,p curl")
    step("What is 6 * 7?", options=ModelOptions(model="scripted"))
    out = capsys.readouterr().out
    assert '"top_p": 0.5' in out.split("curl")[-1]
    assert '"temperature": 0.1' in out.split("curl")[-1]
    assert "Type a field, as in: e temperature=0.1" in out
    assert "`top_p` sets nothing" in out


def test_an_answer_and_an_error_are_text_and_the_end_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No JSON is needed to read what the model said, or why it said nothing."""
    with ScriptedModel([Say("It is 42."), Fail(401)]) as model:
        for _ in range(2):
            typed(monkeypatch, "r,s,q")
            step("6 * 7?", options=ModelOptions(base_url=model.base_url, model="any"))
    out = capsys.readouterr().out
    assert "  answer\n    It is 42.\n" in out
    assert "● ✗ 4: finalize → failed" in out
    assert "  answer\n    custom answered 401 (authentication): Incorrect API key" in out
    assert out.count("Nothing is left to run: the run is over.") == 2


def test_tools_are_edited_and_lines_compared_by_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the widget's fields do: arguments, a result, two lines beside each other."""
    fork = 'f seven,g calculator {"expression": "7 * 7"},s,r,p tools'
    main = "l main,w calculator 43,r,p messages"
    typed(monkeypatch, f"u dispatch_tools,{fork},{main},c seven,l x,q")
    step("What is 6 * 7?", options=ModelOptions(model="scripted"))
    out = capsys.readouterr().out
    assert 'ok: calculator({"expression": "7 * 7"}) → 49' in out
    assert "tool: 43" in out
    assert "the lines differ from step 4 on" in out
    assert "message 3 (tool): main 43 | seven 49" in out, "named as on the screen"
    assert "There is no line `x`. There are: main, seven." in out


@pytest.mark.parametrize(
    ("reason", "at"),
    [
        ("node bill", "call_llm → bill"),
        ("tool calculator", "bill → dispatch_tools"),
        ("iteration 2", "prep_second_request → call_llm"),
        ("answer 42", "call_llm → bill"),
        ("event tool_responded", "dispatch_tools → prep_second_request"),
    ],
)
def test_breakpoints_of_every_kind_are_set_by_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reason: str, at: str
) -> None:
    """The run stops where it says, and goes on when it is taken away."""
    typed(monkeypatch, f"k {reason},r,p breakpoints,x 1,r,x 1,k tool,q")
    step("What is 6 * 7?", options=ModelOptions(model="scripted"))
    out = capsys.readouterr().out
    shown = [line for line in out.splitlines() if "● " in line]
    assert at in shown[2]
    assert f"1 Breakpoint({reason.split()[0]}=" in out
    assert "finished" in shown[4]
    assert "A breakpoint needs a reason and a value" in out


def test_a_walk_is_recorded_and_replayed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The file that one command writes is the one that the other takes."""
    file = tmp_path / "turn.jsonl"
    typed(monkeypatch, "r,q")
    step("What is 6 * 7?", record=file, options=ModelOptions(model="scripted"))
    assert replay(file) == 0
    assert replay(file, model="other") == 1
    assert "model: scripted → other" in capsys.readouterr().out


def test_an_empty_question_is_refused() -> None:
    """As by `turngraph run`."""
    with pytest.raises(TurnValueError, match="No question was given"):
        step(" ")
