"""The notebooks run offline from a fresh kernel, and say what their saved outputs say."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from tests.paths import ROOT

for needed in ("jupytext", "nbclient", "ipykernel"):
    pytest.importorskip(needed, reason="the notebooks are run with the development dependencies")

NOTEBOOKS = ROOT / "notebooks"
SOURCES = sorted(NOTEBOOKS.glob("[0-9]*.py"))


def _make() -> Any:
    spec = importlib.util.spec_from_file_location("make_notebooks", NOTEBOOKS / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_eight() -> None:
    """One for each thing people come for."""
    assert len(SOURCES) == 8


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_notebook_runs_and_says_what_was_saved(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader of the repository sees what would happen. No cell may take 30 seconds."""
    import sys

    import nbformat

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    make = _make()
    saved = nbformat.read(source.with_suffix(".ipynb"), 4)
    assert make.outputs(make.run(source)) == make.outputs(saved)
