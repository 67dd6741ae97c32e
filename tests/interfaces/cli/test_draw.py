"""`turngraph draw`, and the picture in the README: drawn from the graph, so it cannot be wrong
about it.
"""

from pathlib import Path
from typing import get_args

import pytest

from tests.paths import ROOT
from turngraph.graphs.stage_notes import stage_notes
from turngraph.interfaces.cli.app import run_command
from turngraph.interfaces.cli.commands.draw import Format, turn_drawing


@pytest.mark.parametrize("format", get_args(Format))
def test_every_stage_is_in_the_picture(format: Format) -> None:
    """Whatever the format."""
    assert all(name in turn_drawing(format) for name in stage_notes())


def test_the_picture_in_the_readme_is_the_graph() -> None:
    """Renew it with `make pictures` when the graph changes."""
    assert (ROOT / "docs" / "turn.svg").read_text("utf-8") == turn_drawing("svg")


def test_the_format_follows_the_files_ending(tmp_path: Path) -> None:
    """So that nobody has to say it twice."""
    for name, beginning in (("turn.svg", "<svg"), ("turn.mmd", "---"), ("turn.txt", " ")):
        assert run_command(["draw", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_text("utf-8").startswith(beginning)


def test_it_is_printed_where_no_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """In characters, for a terminal."""
    assert run_command(["draw"]) == 0
    assert "│       call_llm       ├◄┐" in capsys.readouterr().out
