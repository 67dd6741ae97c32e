"""The widget in a real JupyterLab, Notebook 7 and marimo: the scripted model sees what its buttons
send, and no text of a model ever runs.
"""

import json
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.notebook_servers import jupyter, marimo, run_first_cell, write_notebook
from tests.browser.pictures import keep_looks
from tests.interfaces.stepper.xss_payloads import PAYLOADS
from tests.paths import ROOT
from turngraph.scripted import Call, Say, ScriptedModel

for server in ("jupyterlab", "notebook", "marimo"):
    pytest.importorskip(server, reason="needs the development dependencies")

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("default")]

CELL = """
from langchain_core.tools import tool
from turngraph.graphs import chat_turn
from turngraph.interfaces.stepper import TurnStepper
from turngraph.providers import ProviderConfig
@tool
def echo(text: str) -> str:
    "Returns its argument."
    return text
config = ProviderConfig(vendor="openai", model="gpt-4o-mini", base_url={url!r})
stepper = TurnStepper(chat_turn(config, tools=[echo]), {{"messages": [("user", {question!r})]}})
stepper.show()
"""

MARIMO = """
import marimo
app = marimo.App()
@app.cell
def _():
"""


@pytest.fixture(scope="module")
def folder(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the notebooks. It needs `browser`: without one no server is started."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The address of a running Jupyter server, with `{}` for the path of a page."""
    with jupyter(folder) as url:
        yield url


def wait_for_headline(page: Any, text: str) -> None:
    """Waits until the widget's first line contains `text`."""
    page.locator(".turnstepper .ts-headline", has_text=text).first.wait_for(timeout=60_000)


def press(page: Any, action: str) -> None:
    """Clicks a button of the widget."""
    page.locator(f"button[data-action={action}]").first.click()


def edit_the_request(page: Any) -> dict[str, Any]:
    """Steps to the call, edits its request on the screen and returns what is to arrive."""
    press(page, "step")
    wait_for_headline(page, "call_llm")
    area = page.locator(".turnstepper textarea[data-key=request]")
    edited = {**json.loads(area.input_value()), "temperature": 0.125}
    area.fill(json.dumps(edited))
    press(page, "edit_request")
    wait_for_headline(page, "edited the request")
    return edited


def send_it_and_go_back(page: Any, model: ScriptedModel, edited: dict[str, Any]) -> None:
    """Sends the edited request, steps back and on; it was sent once, as it was edited."""
    press(page, "step")
    wait_for_headline(page, "bill")
    assert [request.body for request in model.requests] == [edited]
    page.locator(".turnstepper").first.focus()
    page.keyboard.press("b")
    wait_for_headline(page, "→ call_llm")
    page.keyboard.press("s")
    wait_for_headline(page, "bill")
    assert len(model.requests) == 1


def test_step_edit_fork_and_back_reach_the_server(
    page: Any,
    folder: Path,
    address: str,
    picture: Callable[[Any, str], None],
    problems_for_readers: Callable[..., list[str]],
) -> None:
    """The request edited on the screen is the one that arrives. The saved notebook shows the last
    step.
    """
    with ScriptedModel(
        [Call(("echo", {"text": "rain"})), Say("It rains."), Say("It still rains.")]
    ) as model:
        write_notebook(
            folder, "stepper.ipynb", CELL.format(url=model.base_url, question="Weather?")
        )
        run_first_cell(page, address.format("lab/tree/stepper.ipynb"))
        edited = edit_the_request(page)
        picture(page, "lab-request")
        page.locator(".turnstepper").first.focus()
        page.keyboard.press("s")
        wait_for_headline(page, "bill")
        assert [request.body for request in model.requests] == [edited]
        press(page, "step")
        wait_for_headline(page, "dispatch_tools")
        picture(page, "lab-tools")
        press(page, "step")
        press(page, "fork")
        wait_for_headline(page, "fork 1")
        press(page, "run")
        wait_for_headline(page, "finished")
        assert len(model.requests) == 2
        press(page, "back")
        wait_for_headline(page, "finalize")
        press(page, "step")
        wait_for_headline(page, "finished")
        picture(page, "lab-finished")
        keep_looks(page, "lab")
        assert len(model.requests) == 2
        assert page.locator(".turnstepper [data-mark=done]").count() >= 5
        page.locator(".turnstepper").first.focus()
        page.keyboard.press("b")
        wait_for_headline(page, "finalize")
        assert page.locator(".jp-Notebook .jp-Cell").count() == 1, (
            "a key of the widget does nothing in the notebook"
        )
        press(page, "step")
        wait_for_headline(page, "finished")
    check_saved_notebook(page, folder / "stepper.ipynb", picture, problems_for_readers)


def test_in_notebook_7_an_edited_request_reaches_the_server(
    page: Any,
    folder: Path,
    address: str,
    picture: Callable[[Any, str], None],
) -> None:
    """Its keys do nothing in the notebook."""
    with ScriptedModel([Say("It rains.")]) as model:
        cell = CELL.format(url=model.base_url, question="Weather?")
        write_notebook(folder, "seven.ipynb", cell)
        run_first_cell(page, address.format("notebooks/seven.ipynb"))
        send_it_and_go_back(page, model, edit_the_request(page))
        assert page.locator(".jp-Notebook .jp-Cell").count() == 1
        picture(page, "notebook7")


@pytest.mark.parametrize("mode", ["run", "edit"])
def test_in_marimo_an_edited_request_reaches_the_server(
    mode: str, page: Any, tmp_path: Path, picture: Callable[[Any, str], None]
) -> None:
    """There the widget stands below a shadow root. An editor runs no cell when it is opened."""
    notebook = tmp_path / "stepper.py"
    with ScriptedModel([Say("It rains.")]) as model:
        cell = CELL.format(url=model.base_url, question="Weather?")
        notebook.write_text(MARIMO + textwrap.indent(cell, "    "))
        with marimo(notebook, mode) as address:
            page.goto(address)
            if mode == "edit":
                page.locator(".cm-content").first.click()
                page.keyboard.press("Control+Enter")
            page.locator(".turnstepper").wait_for(timeout=60_000)
            send_it_and_go_back(page, model, edit_the_request(page))
            picture(page, f"marimo-{mode}")


def check_saved_notebook(
    page: Any,
    notebook: Path,
    picture: Callable[[Any, str], None],
    problems_for_readers: Callable[..., list[str]],
) -> None:
    """The page is hidden in the living notebook; in the saved one it shows the last state."""
    assert page.locator("[data-saved] .turnstepper").count() == 1
    assert not page.locator("[data-saved]").is_visible()
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(notebook)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    page.context.set_offline(True)
    page.goto(notebook.with_suffix(".html").as_uri())
    page.locator(".turnstepper .ts-headline").wait_for()
    assert page.locator(".turnstepper").count() == 1
    assert "fork 1 · step 10: finalize → finished" in page.locator(".ts-headline").inner_text()
    assert page.locator(".turnstepper .ts-graph svg").is_visible()
    assert (
        "It still rains." in page.locator(".turnstepper").inner_text()
        or "It rains." in page.content()
    )
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert problems_for_readers(page, ".turnstepper") == []
    picture(page, "lab-saved")


def test_no_text_of_a_model_or_tool_runs(page: Any, folder: Path, address: str) -> None:
    """A fifth of the payloads, in the question, the tool's arguments and result, and the answer; in
    the widget and on the page. `test_xss` has each of them in each place.
    """
    hostile = "\n".join(PAYLOADS[::5])
    with ScriptedModel([Call(("echo", {"text": hostile})), Say(hostile)]) as model:
        cell = CELL.format(url=model.base_url, question=hostile)
        shown = (
            "from IPython.display import HTML, display\n"
            "stepper.run()\n"
            "display(HTML(stepper._repr_html_()))\n"
        )
        write_notebook(
            folder, "xss.ipynb", cell.replace("stepper.show()", shown + "stepper.show()")
        )
        page.add_init_script("window.__xss = 0")
        run_first_cell(page, address.format("lab/tree/xss.ipynb"))
        headline = page.locator(".turnstepper:has([data-action=back]) .ts-headline")
        headline.wait_for(timeout=60_000)
        for _ in range(8):
            before = headline.inner_text()
            press(page, "back")
            headline.filter(has_not_text=before).wait_for(timeout=60_000)
            page.evaluate(
                "document.querySelectorAll('.turnstepper details').forEach(all => all.open = true)"
            )
            dangerous = ".turnstepper script, .turnstepper img, .turnstepper iframe"
            assert page.locator(dangerous).count() == 0
        page.wait_for_timeout(500)  # what would run does so a moment after it is drawn
        assert page.evaluate("window.__xss") == 0


def test_a_notebook_of_someone_else_shows_its_pictures(
    page: Any, folder: Path, address: str
) -> None:
    """It is not trusted, so JupyterLab shows no SVG and no page of it: PNG stands in for them."""
    shutil.copy(ROOT / "notebooks/01_one_turn.ipynb", folder)
    page.goto(address.format("lab/tree/01_one_turn.ipynb"))
    picture = page.locator(".jp-OutputArea-output img[src^='data:image/png']").first
    picture.wait_for(timeout=120_000)
    assert picture.evaluate("each => each.complete && each.naturalWidth > 100")
    assert page.get_by_text("characters of SVG").count() == 0
    assert page.locator(".jp-OutputArea-output svg").count() == 0
