"""Runs every notebook offline and saves it with its outputs: python notebooks/source/make.py

The sources stand here, as Python; the notebooks that a reader opens stand in the folder above. What
a stepper shows as a page is saved as a picture of it, because GitHub shows no page. Only such a
picture differs from run to run, by times and ids; the other outputs are the same each time, so a
change of them is a change of turngraph.
"""

import asyncio
import base64
import os
import re
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent
SOURCES = sorted(HERE.glob("[0-9]*.py"))
WIDTH = 960


async def _run(source: Path) -> Any:
    notebook = jupytext.read(source)
    os.environ.pop("TURNGRAPH_MODEL", None)
    client = NotebookClient(
        notebook,
        timeout=30,
        kernel_name="python3",
        # On a busy machine the kernel sends what one `print` writes in several outputs.
        coalesce_streams=True,
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    )
    await client.async_execute()
    return notebook


def run(source: Path) -> Any:
    """Runs the notebook of `source` in a fresh kernel and returns it. Raises CellExecutionError."""
    return asyncio.run(_run(source))


def saved(source: Path) -> Path:
    """Returns where the notebook of `source` is saved."""
    return NOTEBOOKS / f"{source.stem}.ipynb"


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


def picture_pages(notebook: Any, browser: Any) -> None:
    """Replaces the page of every stepper by a picture of it."""
    page = browser.new_page(viewport={"width": WIDTH, "height": 800}, color_scheme="light")
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "turnstepper" in "".join(data.get("text/html", "")):
                page.set_content(f"<body>{''.join(data.pop('text/html'))}</body>")
                picture = page.locator(".turnstepper").screenshot()
                data["image/png"] = base64.b64encode(picture).decode()
    page.close()


def main() -> None:
    """Runs and saves all of them. The pictures need Chromium."""
    from playwright.sync_api import sync_playwright

    from tests.browser.notebook_servers import CHROMIUM_OPTIONS, find_chromium

    notebooks = {source: tidy(run(source)) for source in SOURCES}
    with sync_playwright() as play:
        path = find_chromium(play.chromium.executable_path)
        browser = play.chromium.launch(executable_path=path, args=list(CHROMIUM_OPTIONS))
        for source, notebook in notebooks.items():
            picture_pages(notebook, browser)
            nbformat.write(notebook, saved(source))
            print(source.stem)
        browser.close()


if __name__ == "__main__":
    main()
