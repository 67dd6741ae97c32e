"""Files that change while runs are open: what is loaded again, and what a run is told of it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interfaces.studio.studio_on import Studio, running, write_agent
from tests.interfaces.studio.test_studio import move, start, view
from turngraph.interfaces.studio.catalog import GraphFiles


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of graphs."""
    return tmp_path / write_agent(tmp_path, "http://127.0.0.1:9/v1")


@pytest.fixture
def studio(file: Path) -> Iterator[Studio]:
    """A studio of one graph."""
    with running(file.parent, [f"{file.name}:plain"]) as opened:
        yield opened


def test_only_files_that_were_imported_and_differ_are_loaded_again(file: Path) -> None:
    """While something is broken, any file may be what it lacks."""
    files = GraphFiles([f"{file.name}:plain"], file.parent, {}, lambda loaded: loaded.graph)
    files.load()
    other = file.with_name("other_unrelated.py")
    other.write_text("x = 1")
    assert not files.are_concerned([other])
    text = file.read_text()
    file.write_text(text)
    assert not files.are_concerned([file])
    file.write_text("def f()\n")
    assert files.are_concerned([other, file])
    assert "line 1: SyntaxError: expected ':'" in files.load_again()[0].problem
    file.write_text(text)
    assert files.are_concerned([other])
    assert files.load_again()[0].problem == ""
    assert not files.are_concerned([other, file])


def test_an_open_run_is_told_of_a_broken_file_until_it_is_mended(
    studio: Studio, file: Path
) -> None:
    """The run goes on meanwhile, and what it was told before is gone."""
    walk = start(studio, "plain", {"words": ["a"]})
    text = file.read_text()

    def told(**expected: Any) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while any(text not in (seen := view(studio, walk))[at] for at, text in expected.items()):
            assert time.monotonic() < deadline, seen["note"] + seen["problem"]
        return seen

    file.write_text(text + "# changed\n")
    assert told(note="was loaded again")["problem"] == ""
    file.write_text(text + "def f()\n")
    assert told(problem="SyntaxError")["note"] == ""
    assert "SyntaxError" in move(studio, walk, "step")["problem"]
    file.write_text(text)
    assert told(note="was loaded again")["problem"] == ""
    assert "finished" in move(studio, walk, "run")["headline"]
