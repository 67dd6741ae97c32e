"""The widget in a real browser: what its buttons do is checked at the server, and nothing a model says ever runs."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import CHROMIUM, QUIET, lab, run_first_cell, write_notebook
from tests.interfaces.stepper.xss import PAYLOADS
from turngraph.providers.scripted import Call, Say, ScriptedModel

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the development dependencies")
pytest.importorskip("jupyterlab", reason="needs the development dependencies")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: `apt-get install chromium`"),
    pytest.mark.filterwarnings("default"),
]
PICTURES = os.environ.get("TURNGRAPH_SCREENSHOTS")

CELL = """
from langchain_core.tools import tool
from turngraph.graphs import chat_turn
from turngraph.interfaces.stepper import TurnStepper
from turngraph.providers import ProviderConfig
@tool
def echo(text: str) -> str:
    "Says what it is told."
    return text
config = ProviderConfig(vendor="openai", model="gpt-4o-mini", base_url={url!r})
stepper = TurnStepper(chat_turn(config, tools=[echo]), {{"messages": [("user", {question!r})]}})
stepper.show()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the notebooks stand."""
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """A running JupyterLab."""
    with lab(folder) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium."""
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page."""
    opened = browser.new_page(viewport={"width": 1360, "height": 1100})
    yield opened
    opened.close()


def picture(page: Any, name: str) -> None:
    """A screenshot, where they are wanted."""
    if PICTURES:
        page.add_style_tag(content=".Toastify{display:none}")
        page.locator(".turnstepper").first.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


def says(page: Any, text: str) -> None:
    """Wait until the widget's first line holds `text`."""
    sync_api.expect(page.locator(".ts-where").first).to_contain_text(text, timeout=60_000)


def press(page: Any, action: str) -> None:
    """Click a button of the widget."""
    page.locator(f"button[data-action={action}]").first.click()


def test_step_edit_fork_and_back_as_the_server_saw_them(page: Any, folder: Path, address: str) -> None:
    """The pending request is edited on the screen, and that is what arrives."""
    with ScriptedModel([Call(("echo", {"text": "rain"})), Say("It rains."), Say("It still rains.")]) as model:
        write_notebook(folder, "walk.ipynb", CELL.format(url=model.base_url, question="Weather?"))
        run_first_cell(page, address.format("walk.ipynb"))
        press(page, "step")
        says(page, "call_llm")
        area = page.locator(".turnstepper textarea[data-key=request]")
        body = json.loads(area.input_value())
        area.fill(json.dumps({**body, "temperature": 0.125}))
        press(page, "edit")
        says(page, "edited the request")
        picture(page, "stepper-request")
        page.locator(".turnstepper").first.focus()
        page.keyboard.press("s")
        says(page, "bill")
        assert [request.body for request in model.requests] == [{**body, "temperature": 0.125}]
        press(page, "step")
        says(page, "dispatch_tools")
        picture(page, "stepper-tools")
        press(page, "step")
        press(page, "fork")
        says(page, "fork 1")
        press(page, "run")
        says(page, "finished")
        assert len(model.requests) == 2
        press(page, "back")
        says(page, "finalize")
        press(page, "step")
        says(page, "finished")
        picture(page, "stepper-finished")
        assert len(model.requests) == 2
        marks = page.locator(".turnstepper [data-mark=done]")
        assert marks.count() >= 5


def test_nothing_a_model_or_a_tool_said_runs(page: Any, folder: Path, address: str) -> None:
    """All payloads, in the question, the tool's arguments and result, and the answer; in the widget and in the page."""
    hostile = "\n".join(PAYLOADS)
    with ScriptedModel([Call(("echo", {"text": hostile})), Say(hostile)]) as model:
        cell = CELL.format(url=model.base_url, question=hostile)
        shown = "from IPython.display import HTML, display\nstepper.run()\ndisplay(HTML(stepper._repr_html_()))\n"
        write_notebook(folder, "xss.ipynb", cell.replace("stepper.show()", shown + "stepper.show()"))
        run_first_cell(page, address.format("xss.ipynb"))
        page.locator("button[data-action=back]").first.wait_for(timeout=60_000)
        for _ in range(8):
            press(page, "back")
            page.wait_for_timeout(300)
            page.evaluate("document.querySelectorAll('.turnstepper details').forEach(each => each.open = true)")
            page.wait_for_timeout(200)
        assert page.evaluate("window.__hit") is None
        assert page.locator(".turnstepper script, .turnstepper img, .turnstepper iframe").count() == 0
