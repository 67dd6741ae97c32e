"""The studio in a real browser: runs are started, stepped, edited and compared; files change."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.jupyterlab_server import CHROMIUM_OPTIONS as _  # noqa: F401
from tests.interfaces.studio.studio_on import NAMES, Studio, running, write_agent
from turngraph.billing import Budget, Ledger
from turngraph.scripted import ScriptedModel

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    """Calls the tools that it is offered, then answers."""
    with ScriptedModel() as scripted:
        yield scripted


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, model: ScriptedModel) -> Path:
    """The file of the graphs."""
    folder = tmp_path_factory.mktemp("agents")
    return folder / write_agent(folder, model.base_url)


@pytest.fixture(scope="module")
def studio(file: Path) -> Iterator[Studio]:
    """A studio of every graph in the file."""
    with Ledger("sqlite://") as ledger:
        ledger.set_budget(Budget(usd="1", per="ledger", period="month"))
        with running(file.parent, [f"{file.name}:{name}" for name in NAMES], ledger) as opened:
            yield opened


@pytest.fixture
def tab(browser: Any, studio: Studio) -> Iterator[Callable[[], Any]]:
    """Opens tabs of one browser on the studio; an error on any of them fails the test."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(15_000)

    def opened() -> Any:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.goto(studio.server.url)
        return page

    yield opened
    context.close()
    assert errors == []


def start(page: Any, graph: str, message: str = "", field: str = "Message") -> None:
    """Chooses the graph and starts a run."""
    page.get_by_role("button", name=re.compile(f":{graph}$")).click()
    page.get_by_label(field).first.fill(message)
    page.get_by_role("button", name="Start").click()
    page.locator(".ts-headline").wait_for()


def press(page: Any, name: str) -> None:
    page.get_by_role("toolbar").get_by_role("button", name=name, exact=True).click()


def headline(page: Any, text: str) -> None:
    page.locator(".ts-headline", has_text=text).wait_for()


def test_a_turn_is_started_stepped_edited_forked_and_compared(
    tab: Callable[[], Any], model: ScriptedModel
) -> None:
    """What the model receives is what was typed."""
    page = tab()
    assert "token" not in page.url
    start(page, "turn", "What is the weather in Oslo?")
    press(page, "Until")
    headline(page, "→ call_llm")
    before = len(model.requests)
    area = page.get_by_label("The pending request")
    area.fill(area.input_value().replace("Oslo", "Bergen"))
    page.get_by_role("button", name="Send this instead").click()
    headline(page, "edited the request")
    press(page, "Run")
    headline(page, "finished")
    assert "Bergen" in model.requests[before].body["messages"][-1]["content"]
    page.get_by_role("textbox", name="Name of a fork").fill("warmer")
    press(page, "Fork")
    headline(page, "warmer · ")
    page.get_by_role("button", name="curl", exact=True).click()
    page.get_by_text("Copied.").or_(page.get_by_role("dialog")).wait_for()
