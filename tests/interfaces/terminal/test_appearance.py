"""What the full-screen stepper looks like: failures, sizes, colors, and text from outside."""

import re

import pytest

from tests.interfaces.terminal.screen import CALLS, screen
from turngraph.interfaces.terminal.full_screen import StepperApp
from turngraph.scripted import Fail, Say


async def test_a_failed_call_is_red_and_its_sentence_stands_for_the_answer() -> None:
    """Everywhere: first line, graph, pane, timeline."""
    async with screen([Fail(401)]) as shown:
        await shown.press("r")
        assert "✗ main" in shown.picture
        assert "✗ call_llm" in shown.picture
        assert "401 (authentication)" in shown.text("#pane-content")
        await shown.type("p", "messages")
        assert "401 (authentication)" in shown.text("#banner")
        await shown.type("p", "timeline")
        assert "✗ 2: call_llm" in shown.picture


@pytest.mark.parametrize("size", [(140, 44), (80, 24), (60, 20)])
async def test_it_fits_on_narrow_screens(size: tuple[int, int]) -> None:
    """Nodes, panes and keys are there at every size, and no row is wider than the screen."""
    async with screen([CALLS, Say("It is 42.")], size=size) as shown:
        await shown.press("r")
        for text in ("✓ call_llm", "It is 42.", "? Keys", "s Step"):
            assert text in shown.picture
        assert max(map(len, shown.picture.splitlines())) == size[0]
        assert "call_llm" in shown.text("#graph-content")
        assert ("┌" in shown.text("#graph-content")) == (size[0] == 140)


async def test_no_text_from_outside_becomes_markup_or_an_escape_sequence() -> None:
    """A model must not draw on the screen."""
    said = "[red]danger[/red] \x1b[2J [@click=app.quit]x[/]"
    async with screen([Say(said)]) as shown:
        await shown.press("r")
        for pane in ("answer", "messages", "response", "events", "timeline"):
            await shown.type("p", pane)
            assert "\x1b" not in shown.picture
        await shown.type("p", "answer")
        assert "[red]danger[/red] ␛[2J [@click=app.quit]x[/]" in shown.picture


async def test_colors_are_left_out_where_they_are_not_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """https://no-color.org"""
    monkeypatch.setenv("NO_COLOR", "1")
    async with screen([Say("Hi")]) as shown:
        await shown.press("r")
        assert not hues(shown.app)


async def test_colors_are_there_otherwise() -> None:
    """So that the test above can fail."""
    async with screen([Say("Hi")]) as shown:
        await shown.press("r")
        assert hues(shown.app)


def hues(app: StepperApp) -> set[str]:
    """The colors on the screen that are neither a shade of gray nor the terminal's own."""
    found = set(re.findall(r"#([0-9a-f]{6})", app.export_screenshot()))
    window = {"ff5f57", "febc2e", "28c840"}  # the buttons that the picture draws around the screen
    return {color for color in found - window if max(shades(color)) - min(shades(color)) > 16}


def shades(color: str) -> bytes:
    """Its red, green and blue."""
    return bytes.fromhex(color)
