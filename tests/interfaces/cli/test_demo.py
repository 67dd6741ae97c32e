"""`turngraph demo`: what a newcomer sees first is complete, true, and short enough to read."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from turngraph.graphs.stage_notes import stage_notes
from turngraph.interfaces.cli.app import run_command


def played(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """What the demo shows."""
    assert run_command(["demo", *args]) == 0
    return capsys.readouterr().out


def test_every_stage_is_shown_by_its_node_name(capsys: pytest.CaptureFixture[str]) -> None:
    """The words of the demo are the words of the graph."""
    shown = played(capsys)
    assert set(re.findall(r"^● (\w+)", shown, re.MULTILINE)) == set(stage_notes())


def test_a_turn_fits_on_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody reads two hundred lines of a first impression."""
    turns = played(capsys).split("\nTurn ")[1:]
    assert len(turns) == 3
    assert all(turn.count("\n") < 100 for turn in turns)


def test_the_calls_of_the_third_turn_are_several_and_all_answered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is there to show parallel calls. Each is shown when it ends, so in any order; the next
    request has them in the order in which the model asked.
    """
    shown = played(capsys, "--only", "3", "--full")
    assert shown.count("● dispatch_tools") == 3
    answers = ("18446744073709551616", "3.14159", "357")
    for answer in answers:
        assert answer in shown
    request = shown[shown.rindex('"messages"') :]
    places = [request.index(answer) for answer in answers]
    assert places == sorted(places)


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_the_requests_are_shown_whole_and_as_sent(
    api: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --full the JSON can be copied out of the terminal and posted."""
    shown = played(capsys, "--only", "1", "--full", "--api", api)
    block = re.search(r"^    \{.*?^    \}", shown, re.MULTILINE | re.DOTALL)
    assert block is not None
    request = json.loads(" ".join(line.strip() for line in block.group().splitlines()))
    size = re.search(r"sends  ([\d,]+) bytes", shown)
    assert size is not None
    assert len(json.dumps(request, separators=(",", ":"))) == int(size.group(1).replace(",", ""))
    assert request["model"] == "gpt-4o-mini"


def test_it_says_that_nothing_is_spent(capsys: pytest.CaptureFixture[str]) -> None:
    """The charges look real; nobody must think they are."""
    assert "Nothing is spent" in played(capsys, "--only", "1")


def test_the_picture_needs_no_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rich's own picture fetches a font from a web service."""
    played(capsys, "--only", "1", "--svg", str(tmp_path / "demo.svg"))
    text = (tmp_path / "demo.svg").read_text()
    ElementTree.fromstring(text)
    assert "prep_first_request" in text
    assert "url(http" not in text
    assert "@import" not in text
