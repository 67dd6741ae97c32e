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
SOURCES = sorted((NOTEBOOKS / "source").glob("[0-9]*.py"))


def _make() -> Any:
    spec = importlib.util.spec_from_file_location("make_notebooks", NOTEBOOKS / "source/make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_eight_notebooks_and_nothing_beside_them() -> None:
    """One for each thing people come for, and nothing else lies among them."""
    assert len(SOURCES) == 8
    opened = {path.name for path in NOTEBOOKS.iterdir() if not path.name.startswith((".", "__"))}
    assert opened == {f"{source.stem}.ipynb" for source in SOURCES} | {"source"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_saved_notebook_ends_in_a_page_that_anyone_sees(source: Path) -> None:
    """As a picture: GitHub shows no page, JupyterLab none that its reader did not make. No file is
    paired with it, which saving it would change.
    """
    import nbformat

    saved = nbformat.read(NOTEBOOKS / f"{source.stem}.ipynb", 4)
    assert "jupytext" not in saved["metadata"]
    [last] = saved.cells[-1]["outputs"]
    assert set(last["data"]) == {"text/plain", "image/png"}
    shown = [output.get("data", {}) for cell in saved.cells for output in cell.get("outputs", [])]
    assert not any("turnstepper" in data.get("text/html", "") for data in shown)
    assert all("image/png" in data for data in shown if "image/svg+xml" in data)


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
    saved = nbformat.read(make.saved(source), 4)
    assert make.outputs(make.run(source)) == make.outputs(saved)
