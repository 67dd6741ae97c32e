"""`turngraph step` at a terminal: the same moves by the same keys, and no escape sequence from outside."""

import io
import sys

import pytest

from turngraph.interfaces.model_choice import ModelOptions
from turngraph.interfaces.stepper.step_command import step
from turngraph.state.errors import TurnValueError


def typed(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    """Type `keys`, a line each, then end the input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(keys.replace(",", "\n") + "\n"))


def test_a_turn_is_walked_by_keys(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Step, into, back, fork, run, a pane, quit; an empty line is a step."""
    typed(monkeypatch, "s,,b,f other,u dispatch_tools,i,r,p messages,j 1,?,x,q")
    step("What is 6 * 7?", options=ModelOptions(model="scripted"))
    out = capsys.readouterr().out
    assert "prep_first_request → call_llm" in out
    assert '"model": "scripted"' in out
    assert "other" in out
    assert "tool: 42" in out
    assert "quit" in out


def test_what_is_refused_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong key or edit does not end the walk."""
    typed(monkeypatch, "b 7,e {,j x,a 1,s,e {")
    step("Hi \x1b[2J", options=ModelOptions(model="scripted"))
    out = capsys.readouterr().out
    assert "it can go back 0 to 0 steps" in out
    assert "no JSON" in out
    assert "\x1b[2J" not in out


def test_an_empty_question_is_refused() -> None:
    """As by `turngraph run`."""
    with pytest.raises(TurnValueError, match="Nothing was asked"):
        step(" ")
