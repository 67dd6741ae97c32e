"""`python notebooks/make.py`: runs every notebook offline and saves it with its outputs, the same
each time.
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
    """The notebook of `source`, run in a fresh kernel. Raises CellExecutionError."""
    return asyncio.run(_run(source))


def tidy(notebook: Any) -> Any:
    """`notebook` without what differs from run to run: times, the kernel's own marks, and a
    widget's page.
    """
    for place, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{place}"
        cell["metadata"] = {}
        if "outputs" in cell:
            cell["outputs"] = [output for output in cell["outputs"] if not _passing(output)]
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    notebook["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    }
    return notebook


def _passing(output: Any) -> bool:
    """A log line, which names the files of whoever ran it; a widget's page, which holds times and
    ids.
    """
    return output.get("name") == "stderr" or "data-saved" in "".join(
        output.get("data", {}).get("text/html", "")
    )


def outputs(notebook: Any) -> list[str]:
    """What each cell shows, as text: the pictures too."""
    shown = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if _passing(output):
                continue
            text = output.get("text") or data.get("image/svg+xml") or data.get("text/plain") or ""
            shown.append(re.sub(r"\s+", " ", "".join(text)).strip())
    return shown


if __name__ == "__main__":
    for each in SOURCES:
        nbformat.write(tidy(run(each)), each.with_suffix(".ipynb"))
        print(each.stem)
