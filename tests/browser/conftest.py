"""The browser, and a new page for each test. `TURNGRAPH_SCREENSHOTS=FOLDER` keeps screenshots."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.notebook_servers import CHROMIUM_OPTIONS, find_chromium

AXE = Path(__file__).parent / "axe.min.js"
"""axe-core 4.14.1 by Deque Systems, as npm has it, under the Mozilla Public License 2.0:
https://github.com/dequelabs/axe-core
"""
NO_CHROMIUM = (
    "There is no Chromium on this machine, so the browser tests did not run. "
    "Install one: `apt-get install chromium`, or `playwright install --with-deps chromium`."
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The machine's Chromium, or playwright's own.

    It is open for one module only: as long as it is, playwright's event loop counts as running in
    this thread, and no other test of the process could run a loop of its own.
    """
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs the development dependencies"
    )
    pytest.importorskip("anywidget", reason="needs the extra `notebook`")
    with playwright.sync_playwright() as play:
        path = find_chromium(play.chromium.executable_path)
        if path is None:
            pytest.skip(NO_CHROMIUM)
        chromium = play.chromium.launch(
            executable_path=path, headless=True, args=list(CHROMIUM_OPTIONS)
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A new page; an error in its scripts fails the test."""
    errors: list[str] = []
    new_page = browser.new_page(viewport={"width": 1360, "height": 1900})
    new_page.on("pageerror", lambda error: errors.append(str(error)))
    yield new_page
    new_page.close()
    assert [error for error in errors if "turnstepper" in error or "widget" in error] == []


@pytest.fixture
def picture() -> Callable[[Any, str], None]:
    """Takes a screenshot of the first widget on a page, if screenshots are kept."""
    folder = os.environ.get("TURNGRAPH_SCREENSHOTS")

    def take(page: Any, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.add_style_tag(content=".Toastify{display:none}")
            page.locator(".turnstepper").first.screenshot(path=str(Path(folder) / f"{name}.png"))

    return take


@pytest.fixture
def problems_for_readers() -> Callable[..., list[str]]:
    """Returns what axe finds on a page, or in a part of it, a line for each element.

    It looks at names, roles, contrast and order.
    """

    def found(page: Any, part: str = "") -> list[str]:
        page.evaluate(AXE.read_text("utf-8"))
        problems: list[str] = page.evaluate(
            """async (part) => (await axe.run(part || document)).violations.flatMap(each =>
                each.nodes.map(node => `${each.id}: ${node.html}`))""",
            part,
        )
        return problems

    return found
