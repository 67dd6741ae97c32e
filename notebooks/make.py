"""Runs every notebook offline and saves it with its outputs: python notebooks/make.py

The outputs are the same each time, so a change of them is a change of turngraph.
"""

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
SOURCES = sorted(HERE.glob("[0-9]*.py"))


async def _run(source: Path) -> Any:
    notebook = jupytext.read(source)
    os.environ.pop("TURNGRAPH_MODEL", None)
    await NotebookClient(notebook, timeout=30, kernel_name="python3", resources={}).async_execute()
    return notebook


def run(source: Path) -> Any:
    """Runs the notebook of `source` in a fresh kernel and returns it. Raises CellExecutionError."""
    return asyncio.run(_run(source))


def tidy(notebook: Any) -> Any:
    """Removes what differs from run to run: times, marks of the kernel, a widget's page."""
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
        cell["metadata"] = {}
        if "outputs" in cell:
            cell["outputs"] = [output for output in cell["outputs"] if not _is_volatile(output)]
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    notebook["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    }
    return notebook


def _is_volatile(output: Any) -> bool:
    """Whether an output differs from run to run.

    Log lines name files of the machine; a widget's page holds times and ids.
    """
    return output.get("name") == "stderr" or "data-saved" in "".join(
        output.get("data", {}).get("text/html", "")
    )


def outputs(notebook: Any) -> list[str]:
    """What each cell shows, pictures included, as text with single spaces."""
    shown = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if _is_volatile(output):
                continue
            text = output.get("text") or data.get("image/svg+xml") or data.get("text/plain") or ""
            shown.append(re.sub(r"\s+", " ", "".join(text)).strip())
    return shown


if __name__ == "__main__":
    for each in SOURCES:
        nbformat.write(tidy(run(each)), each.with_suffix(".ipynb"))
        print(each.stem)
