"""The browser, and a fresh page of it for each test; screenshots where `TURNGRAPH_SCREENSHOTS`
names a folder.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.jupyterlab_server import QUIET, chromium

NONE = (
    "No Chromium on this machine, so nothing was tried in a browser. "
    "Install one: `apt-get install chromium`, or `playwright install --with-deps chromium`."
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The machine's Chromium, or playwright's own.

    No longer than a module: playwright's event loop counts as running in this thread for as long as
    it is open, and no other test of the process could run one of its own.
    """
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs the development dependencies"
    )
    pytest.importorskip("anywidget", reason="needs the extra `notebook`")
    with playwright.sync_playwright() as play:
        path = chromium(play.chromium.executable_path)
        if path is None:
            pytest.skip(NONE)
        opened = play.chromium.launch(executable_path=path, headless=True, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page; an error in its scripts fails the test."""
    errors: list[str] = []
    opened = browser.new_page(viewport={"width": 1360, "height": 1900})
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    opened.close()
    assert [error for error in errors if "turnstepper" in error or "widget" in error] == []


@pytest.fixture
def picture() -> Callable[[Any, str], None]:
    """Takes a screenshot of the first widget on a page, where they are wanted."""
    folder = os.environ.get("TURNGRAPH_SCREENSHOTS")

    def take(page: Any, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.add_style_tag(content=".Toastify{display:none}")
            page.locator(".turnstepper").first.screenshot(path=str(Path(folder) / f"{name}.png"))

    return take
