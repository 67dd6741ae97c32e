"""An edit of what runs next is shown where a person looks for it, and so is what went out."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.tools import tool

from tests.turns import ask, turn_on
from turngraph.interfaces.stepper import TurnStepper
from turngraph.interfaces.stepper.views.next_step import next_step
from turngraph.interfaces.stepper.views.page import pane_texts
from turngraph.interfaces.stepper.views.panes import headline, panes_of
from turngraph.interfaces.stepper.views.turn_edits import edit_turn, turn_fields
from turngraph.interfaces.stepper.views.widget_view import widget_view
from turngraph.scripted import Call, Say, ScriptedModel

SYSTEM = "message 1 (system), content: Be brief. → Be loud."


@tool
def echo(text: str) -> str:
    """Returns its argument."""
    return text


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """Calls a tool, then answers."""
    with ScriptedModel([Call(("echo", {"text": "rain"})), Say("It rains.")]) as scripted:
        yield scripted


@pytest.fixture
def stepper(model: ScriptedModel) -> Iterator[TurnStepper]:
    """Stands before the first stage of a turn with one tool call."""
    turn = turn_on(model, tools=[echo], system="Be brief.")
    with TurnStepper(turn, ask("Weather?")) as opened:
        yield opened


def edit_the_system_message(stepper: TurnStepper) -> None:
    """Edits the pending request, and no other."""
    assert stepper.request is not None
    first, *others = stepper.request["messages"]
    messages = [{**first, "content": "Be loud."}, *others]
    stepper.edit(body={**stepper.request.body, "messages": messages, "seed": 7})


def test_an_edited_request_is_said_wherever_it_is_looked_for(stepper: TurnStepper) -> None:
    """The state keeps the request as it was: without a word the edit would look lost."""
    stepper.run_until("call_llm")
    assert widget_view(stepper)["edits"] == []
    edit_the_system_message(stepper)
    assert "edited the request: message 1 (system), content, seed → call_llm" in headline(stepper)
    shown = pane_texts(stepper)
    assert shown["request"].startswith(f"// edited: {SYSTEM}\n// edited: seed: (absent) → 7\n{{")
    assert panes_of(stepper)["request"].note == "call 1, about to be sent, edited"
    assert f"request, this call only: {SYSTEM}" in shown["state"]
    assert f"request, this call only: {SYSTEM}" in shown["diff"]
    assert widget_view(stepper)["edits"] == [SYSTEM, "seed: (absent) → 7"]


def test_an_earlier_step_does_not_say_that_its_request_will_be_sent(stepper: TurnStepper) -> None:
    """It was sent in the step after it."""
    stepper.run_until("call_llm")
    assert "is not sent yet" in next_step(stepper).text
    edit_the_system_message(stepper)
    assert next_step(stepper).text == "Your change is in the request. Press Step to send it."
    stepper.step()
    stepper.back()
    assert panes_of(stepper)["request"].note == "call 1, sent after this step, edited"
    stepper.back()
    assert panes_of(stepper)["request"].note == "call 1, before an edit"
    assert widget_view(stepper)["when"] == "before an edit"


def test_a_request_that_its_line_never_sent_is_called_that(stepper: TurnStepper) -> None:
    stepper.run_until("call_llm")
    fork = stepper.fork("other")
    fork.back()
    assert panes_of(fork)["request"].note == "call 1, not sent"


def test_a_comparison_shows_what_each_line_has_sent() -> None:
    """As JSON: the state of an edited line keeps the request as it was before the edit."""
    answers = [Call(("echo", {"text": "rain"})), Say("It rains.")] * 2
    with ScriptedModel(answers) as model:
        stepper = TurnStepper(turn_on(model, tools=[echo], system="Be brief."), ask("Weather?"))
        stepper.run_until("call_llm")
        loud = stepper.fork("loud")
        edit_the_system_message(loud)
        for line in (stepper, loud):
            line.run()
    pane = panes_of(stepper, compared="loud")["compare"]
    assert ("request 1: message 1 (system), content", "Be brief.", "Be loud.") in pane.rows
    assert ("request 1: seed", "(absent)", "7") in pane.rows
    assert not any("attempts" in row[0] and "request" in row[0] for row in pane.rows)
    assert not any(row[0].startswith("message") for row in pane.rows), "they say the same"
    itself = panes_of(loud, compared="loud")["compare"]
    assert itself.head == ("compared", "loud", "main"), "no line is compared with itself"


def test_a_second_edit_is_compared_with_the_first(stepper: TurnStepper) -> None:
    """The pane diff has what the last move changed; the others all that differs."""
    stepper.run_until("call_llm")
    edit_the_system_message(stepper)
    assert stepper.request is not None
    stepper.edit(body={**stepper.request.body, "seed": 8})
    assert pane_texts(stepper)["diff"] == "request, this call only: seed: 7 → 8"
    assert widget_view(stepper)["edits"] == [SYSTEM, "seed: (absent) → 8"]


def test_what_went_out_is_called_edited_and_the_next_request_is_not(
    stepper: TurnStepper, model: ScriptedModel, tmp_path: Path
) -> None:
    """Also in a walk that was saved in between and opened again."""
    stepper.run_until("call_llm")
    edit_the_system_message(stepper)
    stepper.save(tmp_path / "walk.json")
    with TurnStepper.open(tmp_path / "walk.json", stepper.graph) as opened:
        opened.step()
        assert "call_llm (edited) → bill" in headline(opened)
        assert panes_of(opened)["request"].note == "call 1, sent, edited"
        assert f"// edited: {SYSTEM}" in pane_texts(opened)["request"]
        assert model.requests[0].body["messages"][0]["content"] == "Be loud."
        assert "this call only" not in pane_texts(opened)["state"]
        opened.run_until("call_llm")
        assert panes_of(opened)["request"].note == "call 2 of 2, about to be sent"
        assert widget_view(opened)["edits"] == []
        opened.step()
        assert "call_llm → bill" in headline(opened)
        assert model.requests[1].body["messages"][0]["content"] == "Be brief."


def test_an_edit_for_the_rest_of_the_turn_is_called_so(stepper: TurnStepper) -> None:
    """It changes the state, so nothing is of this call only."""
    stepper.run_until("call_llm")
    stepper.edit(request={"system": "Be calm."})
    assert "edited the request for the rest of the turn: system → call_llm" in headline(stepper)
    assert pane_texts(stepper)["diff"] == "request.system: Be brief. → Be calm."
    assert widget_view(stepper)["edits"] == []


def test_an_edited_call_of_a_tool_is_shown_with_what_was_written_for_it(
    stepper: TurnStepper, model: ScriptedModel
) -> None:
    """Its arguments, then its result; a result leaves the arguments as they were edited."""
    stepper.run_until("dispatch_tools")
    stepper.edit(tool="echo", arguments={"text": "snow"})
    before, after = '{"text": "rain"}', '{"text": "snow"}'
    assert pane_texts(stepper)["diff"] == f"echo, this call only: arguments: {before} → {after}"
    assert pane_texts(stepper)["tools"] == f"next, edited: echo({after}) → …"
    stepper.edit(tool="echo", result="hail")
    assert pane_texts(stepper)["diff"] == "echo, this call only: result: (not run yet) → hail"
    assert pane_texts(stepper)["tools"] == f"next, edited: echo({after}) → hail"
    stepper.step()
    assert "dispatch_tools (edited) → " in headline(stepper)
    assert pane_texts(stepper)["tools"] == f"ok: echo({after}) → hail"
    stepper.run()
    assert model.requests[1].body["messages"][-1]["content"] == "hail"


def test_an_edit_that_is_changed_back_is_none(stepper: TurnStepper, model: ScriptedModel) -> None:
    """Neither the request nor the call of a tool is called edited, and none is when it is sent."""
    stepper.run_until("call_llm")
    assert stepper.request is not None
    body = stepper.request.body
    edit_the_system_message(stepper)
    stepper.edit(body=body)
    assert "took the edit of the request back → call_llm" in headline(stepper)
    assert widget_view(stepper)["edits"] == []
    assert panes_of(stepper)["request"].note == "call 1, about to be sent"
    stepper.run_until("dispatch_tools")
    stepper.edit(tool="echo", arguments={"text": "snow"})
    stepper.edit(tool="echo", arguments='{"text":"rain"}')
    assert pane_texts(stepper)["tools"] == 'next: echo({"text": "rain"}) → …'
    stepper.run()
    assert not any("(edited)" in str(step) for step in stepper.timeline)
    assert model.requests[0].body == body


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_the_fields_for_the_rest_of_the_turn_begin_with_what_is_sent(
    model: ScriptedModel, api: str
) -> None:
    """Also after an edit of this request alone. What is then changed for all is sent now too."""
    turn = turn_on(model, tools=[echo], system="Be brief.", api=api)
    with TurnStepper(turn, ask("Weather?")) as stepper:
        stepper.run_until("call_llm")
        assert stepper.request is not None
        text = str(stepper.request).replace("Be brief.", "Be loud.").replace("Weather?", "Snow?")
        stepper.edit(body={**json.loads(text), "temperature": 0.5, "top_p": 0.9})
        assert turn_values(stepper)[:2] == ["Be loud.", "Snow?"]
        assert json.loads(turn_values(stepper)[2])["temperature"] == 0.5
        edit_turn(stepper, {"part": "system", "value": "Be calm."})
        assert turn_values(stepper)[:2] == ["Be calm.", "Snow?"]
        edit_turn(stepper, {"part": "user", "value": "Hail?"})
        assert turn_values(stepper)[:2] == ["Be calm.", "Hail?"]
        assert [edit.path for edit in stepper.request.edits] == ["temperature", "top_p"]
        stepper.run()
    first, second = (json.dumps(request.body) for request in model.requests)
    for said in ("Be calm.", "Hail?"):
        assert said in first
        assert said in second
    assert ('"top_p": 0.9' in first, '"top_p": 0.9' in second) == (True, False)
    assert "Be loud." not in first + second


def turn_values(stepper: TurnStepper) -> list[str]:
    fields = turn_fields(stepper)
    assert fields is not None
    return [field["value"] for field in fields["fields"]]
