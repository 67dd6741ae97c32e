"""The full-screen stepper, by Textual's pilot: every key, and what the model is then sent."""

import json
from pathlib import Path

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from textual.widgets import Input, OptionList, Tabs, TextArea

from tests.interfaces.terminal.screen import CALLS, screen, until
from turngraph.interfaces.terminal.keys import KEYS, VIEW_KEYS
from turngraph.interfaces.terminal.prompt import Prompt
from turngraph.scripted import Fail, Hang, Say


async def test_a_turn_is_walked_by_single_keys() -> None:
    """Step, enter, into, over, back, run; at the end the key says that nothing is left."""
    async with screen([CALLS, Say("It is 42.")]) as shown:
        assert shown.text("#next").startswith("u  Run until `call_llm` goes on to the request")
        await shown.press("s")
        assert shown.now == ("call_llm",)
        assert shown.text("#next").startswith("s  The request in the pane `request`")
        assert '"model": "gpt-4o-mini"' in shown.picture
        assert "▶ call_llm" in shown.picture
        await shown.press("b", "enter", "i", "o")
        assert shown.now == ("dispatch_tools",)
        await shown.press("r")
        assert "It is 42." in shown.picture
        assert "✓ END" in shown.picture
        assert len(shown.model.requests) == 2
        await shown.press("s")
        assert "Nothing is left to run" in shown.text("#notice")
        await shown.press("t")
        assert shown.app.stepper.now.finished
        await shown.type("j", "1")
        assert shown.now == ("call_llm",)
        await shown.press("h")
        assert "There is no key `h`" in shown.text("#notice")


async def test_what_is_edited_is_what_is_sent() -> None:
    """One field of this request, one for the rest of the turn, arguments, a result."""
    async with screen([CALLS, CALLS, Say("Done.")]) as shown:
        await shown.type("u", "call_llm")
        await shown.type("e", "top_p=0.5")
        await shown.type("E", "temperature=0.1")
        await shown.type("u", "dispatch_tools")
        await shown.press("g")
        assert shown.app.query_one(Prompt).query_one(Input).value == 'double {"n": 21}'
        await shown.press("escape")
        await shown.type("g", 'double {"n": 4}')
        await shown.type("u", "prep_second_request")
        assert '{"n": 4}' in shown.picture
        await shown.type("w", "double nine")
        await shown.type("u", "dispatch_tools")
        first, second = (request.body for request in shown.model.requests)
    assert (first["top_p"], first["temperature"]) == (0.5, 0.1)
    assert "top_p" not in second
    assert second["temperature"] == 0.1
    assert second["messages"][-1]["content"] == "nine"


async def test_lines_are_forked_shown_and_compared() -> None:
    """Every line is kept; the answer of an unknown name lists them."""
    async with screen([Say("One."), Say("Two.")]) as shown:
        await shown.press("s", "f")
        assert shown.app.stepper.name == "fork 1"
        await shown.press("r")
        await shown.press("l", "enter")  # the only other line is there already
        assert shown.app.stepper.name == "main"
        await shown.press("r")
        await shown.type("c", "fork 1")
        assert shown.app.query_one(Tabs).active == "compare"
        assert "Two." in shown.picture
        assert "fork 1" in shown.picture
        await shown.type("l", "nope")
        assert "There is no line `nope`. There are: main, fork 1." in shown.text("#notice")


async def test_moves_are_undone_and_a_walk_is_saved_and_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On any line; the one that is undone is shown."""
    monkeypatch.chdir(tmp_path)
    async with screen([CALLS, Say("42")]) as shown:
        await shown.press("z")
        assert "nothing to undo" in shown.text("#notice")
        await shown.press("s", "f", "z")
        assert shown.app.stepper.name == "main"
        assert list(shown.app.stepper.forks) == ["main"]
        await shown.press("y")
        assert shown.app.stepper.name == "fork 1"
        await shown.press("r")
        await shown.type("S", "w")
        await shown.press("z", "z", "z")
        assert shown.now == ("prep_first_request",)
        await shown.type("O", "w")
        assert shown.app.stepper.name == "fork 1"
        assert "42" in shown.picture
        await shown.type("O", "x")
        assert "cannot be read" in shown.text("#notice")
        assert len(shown.model.requests) == 2


async def test_a_breakpoint_is_set_and_removed() -> None:
    """With the words that the widget uses, and by the number that the pane shows."""
    async with screen([CALLS, Say("42")]) as shown:
        await shown.type("k", "tool double")
        await shown.press("r")
        assert shown.now == ("dispatch_tools",)
        await shown.type("p", "breakpoints")
        assert "1 Breakpoint(tool='double')" in shown.picture
        await shown.type("x", "2")
        assert "There is no breakpoint 2. There are: 1 to 1." in shown.text("#notice")
        await shown.type("x", "1")
        await shown.type("x", "1")
        assert "There is no breakpoint 1. There are: none." in shown.text("#notice")


async def test_the_panes_are_reached_by_keys_and_mouse() -> None:
    """Left and right, `p`, a click on a tab, a step of the timeline; escape follows the turn."""
    async with screen([CALLS, Say("42")]) as shown:
        await shown.press("s")
        assert shown.app.query_one(Tabs).active == "request"
        await shown.press("right", "left", "left")
        assert shown.app.query_one(Tabs).active == "messages"
        await shown.pilot.click("#charges")
        await shown.settle()
        assert shown.app.query_one(Tabs).active == "charges"
        await shown.press("r", "escape")
        assert shown.app.query_one(Tabs).active == "answer"
        await shown.type("p", "timeline")
        assert shown.app.query_one("#steps", OptionList).option_count == 9
        await shown.press("home", "down", "enter")
        assert shown.now == ("call_llm",)
        await shown.type("p", "nope")
        assert "There is no pane `nope`" in shown.text("#notice")


async def test_the_help_lists_every_key() -> None:
    """And closes by the key that opened it."""
    async with screen([Say("Hi")], size=(100, 50)) as shown:
        await shown.press("question_mark")
        for key in [*KEYS, *VIEW_KEYS]:
            assert f"  {key}  " in shown.picture.replace("│", " ")
        await shown.press("question_mark")
        assert "prep_first_request" in shown.picture


async def test_a_question_waits_in_its_own_look_and_is_answered() -> None:
    """The prompt begins with the arguments that may be changed."""
    script = [CALLS, Say("Done.")]
    async with screen(script, approve=True, checkpointer=InMemorySaver()) as shown:
        await shown.press("r")
        assert 'May double({"n": 21}) run?' in shown.text("#banner")
        assert shown.app.query_one("#banner").has_class("-waiting")
        await shown.press("s")
        assert "answer the question" in shown.text("#notice")
        await shown.press("a", "left", "left", "backspace", "9", "enter")
        await shown.press("r")
        told = shown.model.requests[1].body["messages"][-1]["content"]
    assert told.endswith("\n58")


async def test_what_runs_is_stopped_by_escape() -> None:
    """The screen stays alive meanwhile, and the turn goes on where it stood."""
    async with screen([Hang(60), Say("Late.")]) as shown:
        await shown.press("s")
        await shown.pilot.press("s")
        await until(shown.pilot, lambda: bool(shown.model.requests))
        assert "● call_llm" in shown.picture
        await shown.pilot.press("s")
        await shown.pilot.pause()
        assert "esc stops it" in shown.text("#notice")
        await shown.press("escape")
        assert "Stopped." in shown.text("#notice")
        assert shown.now == ("call_llm",)
        await shown.press("r")
        assert "Late." in shown.picture


async def test_a_move_that_ends_below_the_list_of_keys_is_shown_when_that_closes() -> None:
    """The screen on top must not keep a result from being drawn."""
    async with screen([Say("It is 42.")]) as shown:
        await shown.pilot.press("r", "question_mark")
        await shown.settle()
        await shown.press("escape")
        assert "It is 42." in shown.picture
        assert "✓ END" in shown.picture


async def test_leaving_does_not_wait_for_the_model() -> None:
    """A person who quits has done so."""
    async with screen([Hang(60)]) as shown:
        await shown.press("s")
        await shown.pilot.press("s")
        await until(shown.pilot, lambda: bool(shown.model.requests))
        await shown.pilot.press("q")


async def test_the_prompt_remembers_what_was_typed() -> None:
    """For each key by itself."""
    async with screen([Say("Hi")]) as shown:
        await shown.type("u", "call_llm")
        await shown.type("u", "bill")
        await shown.press("u", "up", "up")
        field = shown.app.query_one(Prompt).query_one(Input)
        assert field.value == "call_llm"
        await shown.press("down", "down")
        assert field.value == ""


async def test_a_long_request_is_edited_in_the_program_itself() -> None:
    """Without `$EDITOR`. A mistake is told, and what was typed is there again."""
    async with screen([Say("ok")], question="long " * 5_000) as shown:
        await shown.press("s", "e", "enter")
        body = json.loads(shown.app.screen.query_one(TextArea).text)
        assert len(body["messages"][-1]["content"]) > 20_000
        shown.app.screen.query_one(TextArea).text = "{"
        await shown.press("ctrl+s")
        assert "not valid JSON" in shown.text("#notice")
        await shown.press("e", "enter")
        area = shown.app.screen.query_one(TextArea)
        assert area.text == "{"
        body["messages"][-1]["content"] += "and short"
        area.text = json.dumps(body)
        await shown.press("ctrl+s", "r")
        assert shown.model.requests[0].body["messages"][-1]["content"].endswith("and short")


async def test_the_conversation_is_edited_in_the_program_itself() -> None:
    """A mistake is told, and what was typed is there again; the model is sent what was edited."""
    async with screen([Say("ok")], question="Who am I?") as shown:
        await shown.press("m", "enter")
        [message] = json.loads(shown.app.screen.query_one(TextArea).text)
        shown.app.screen.query_one(TextArea).text = "{"
        await shown.press("ctrl+s")
        assert "The messages are not valid JSON" in shown.text("#notice")
        await shown.press("m", "enter")
        area = shown.app.screen.query_one(TextArea)
        assert area.text == "{"
        area.text = json.dumps([{**message, "content": "Who are you?"}])
        await shown.press("ctrl+s", "r")
        assert shown.model.requests[0].body["messages"][-1]["content"] == "Who are you?"
        await shown.press("m", "enter")
        assert "No messages can be edited here." in shown.text("#notice")


async def test_a_pause_before_another_attempt_has_a_look_of_its_own() -> None:
    """It says why, and ends when the person stops it; nothing has failed."""
    busy = Fail(503, headers={"Retry-After": "60"})
    async with screen([busy]) as shown:
        await shown.press("s")
        await shown.pilot.press("s")
        await until(shown.pilot, lambda: "retrying" in shown.text("#headline"))
        assert "asked again in 60 s, because openai answered 503" in shown.text("#banner")
        assert "◷ call_llm" in shown.picture
        await shown.press("escape")
        assert "503" not in shown.text("#banner")
        assert "▶ call_llm" in shown.picture
