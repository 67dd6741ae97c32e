"""The studio in a real browser: runs are started, stepped, edited and compared; files change."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.pictures import WIDTHS, keep_looks, keep_picture
from tests.interfaces.stepper.xss_payloads import PAYLOADS
from tests.interfaces.studio.studio_on import NAMES, Studio, running, trouble, write_agent
from tests.turns import ask, turn_on
from turngraph.billing import Budget, Ledger
from turngraph.scripted import Fail, Say, ScriptedModel

pytestmark = pytest.mark.filterwarnings("default")
Tab = Callable[[], Any]


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    """Calls the tools that it is offered, then answers."""
    with ScriptedModel() as scripted:
        yield scripted


@pytest.fixture(scope="module")
def troubled() -> Iterator[ScriptedModel]:
    """Fails in the way that the last message asks for."""
    with ScriptedModel([trouble] * 20) as scripted:
        yield scripted


@pytest.fixture(scope="module")
def file(
    tmp_path_factory: pytest.TempPathFactory, model: ScriptedModel, troubled: ScriptedModel
) -> Path:
    """The file of the graphs."""
    folder = tmp_path_factory.mktemp("agents")
    return folder / write_agent(folder, model.base_url, "support.py", troubled.base_url)


@pytest.fixture(scope="module")
def studio(file: Path, model: ScriptedModel) -> Iterator[Studio]:
    """A studio of every graph in the file, and of a ledger to which a turn was charged."""
    with Ledger("sqlite://") as ledger:
        ledger.set_budget(Budget(usd="1", per="ledger", period="month"))
        turn_on(model, ledger=ledger).run("What is spent?")
        with running(file.parent, [f"{file.name}:{name}" for name in NAMES], ledger) as opened:
            yield opened


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """A browser without cookies; an error on any page of it fails the test."""
    errors: list[str] = []
    opened = browser.new_context(viewport={"width": 1440, "height": 900})
    opened.set_default_timeout(30_000)
    opened.on("weberror", lambda error: errors.append(str(error.error)))
    opened.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield opened
    opened.close()
    # A refusal that the page shows is no error of the page.
    assert [error for error in errors if "status of 400" not in error] == []


@pytest.fixture
def tab(context: Any, studio: Studio) -> Tab:
    """Opens a tab on the studio."""

    def opened() -> Any:
        page = context.new_page()
        page.goto(studio.server.url)
        return page

    return opened


def start(page: Any, graph: str, text: str, field: str = "Message") -> None:
    """Chooses the graph and starts a run."""
    page.get_by_role("button", name=re.compile(f":{graph}$")).click()
    page.get_by_label(field).first.fill(text)
    page.get_by_role("button", name="Start", exact=True).click()
    page.locator(".ts-headline").wait_for()


def press(page: Any, name: str) -> None:
    """Presses a button of the widget's toolbar."""
    page.get_by_role("toolbar").get_by_role("button", name=name, exact=True).click()


def headline(page: Any, text: str) -> None:
    """Waits until the widget's first line has this text."""
    page.locator(".ts-headline", has_text=text).wait_for()


def pane(page: Any, name: str) -> Any:
    return page.locator(f"details[data-pane={name}]")


def test_a_turn_is_started_edited_in_the_past_forked_and_compared(
    tab: Tab, studio: Studio, model: ScriptedModel
) -> None:
    """What the model receives is what was typed; no run is lost, also not in a file."""
    page = tab()
    assert "token" not in page.url
    start(page, "turn", "What is the weather in Oslo?")
    press(page, "Run")
    headline(page, "finished")
    pane(page, "timeline").evaluate("each => each.open = true")
    pane(page, "timeline").get_by_role("button", name="1: ").click()
    headline(page, "→ call_llm")
    before = len(model.requests)
    area = page.get_by_label("The request that was sent after this step")
    keep_picture(page, "studio")
    area.fill(area.input_value().replace("Oslo", "Bergen"))
    page.get_by_role("button", name="Change this request only").click()
    headline(page, "edited the request: message 2 (user), content")
    edited = pane(page, "request").get_by_role("status")
    assert "This request is edited, and Step sends it as it stands above." in edited.inner_text()
    assert "in Oslo? → What is the weather in Bergen?" in edited.inner_text()
    assert "edited" in pane(page, "request").locator("summary").first.inner_text()
    keep_looks(page, "studio-edited")
    press(page, "Run")
    headline(page, "finished")
    assert "Bergen" in str(model.requests[before].body["messages"])
    lines = page.get_by_role("group", name="Lines")
    assert lines.get_by_role("button").count() == 2
    lines.get_by_role("button", name="main").click()
    page.locator("[data-line='main'][aria-pressed=true]").wait_for()
    headline(page, "finished")  # the newest step of the line, not the one last looked at
    assert "Oslo" in pane(page, "messages").inner_text()
    rows = pane(page, "compare").locator("tbody tr")
    pane(page, "compare").evaluate("each => each.open = true")
    heads = pane(page, "compare").locator("thead th").all_inner_texts()
    assert heads == ["compared", "main", "fork 1"]
    assert rows.first.locator("th, td").all_inner_texts() == ["status", "done", "done"]
    answers = rows.nth(1).locator("td").all_inner_texts()
    assert ["Oslo" in answers[0], "Bergen" in answers[1]] == [True, True]
    keep_looks(page, "studio-compare")
    sent = len(model.requests)
    page.locator("[data-action=undo]").click()
    headline(page, "edited the request")
    page.locator("[data-action=undo]").click()
    headline(page, "step 1: prep_first_request → call_llm")
    assert lines.get_by_role("button").count() == 0
    page.locator("[data-action=redo]").click()
    headline(page, "edited the request")
    page.locator("[data-action=redo]").click()
    headline(page, "finished")
    assert lines.get_by_role("button").count() == 2
    assert len(model.requests) == sent
    page.get_by_role("textbox", name="Name of a fork").fill("warmer")
    press(page, "Fork")
    headline(page, "warmer · ")
    assert lines.get_by_role("button").count() == 3
    keep_looks(page, "studio-fork")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a file").click()
    file = download.value.path()
    page.get_by_role("button", name="curl", exact=True).click()
    page.get_by_text("Copied.").or_(page.get_by_role("dialog")).wait_for()
    page.goto(studio.server.url)
    page.get_by_label("Or open a saved run").set_input_files(file)
    headline(page, "warmer · ")


def test_two_tabs_on_one_run_stay_in_step(tab: Tab) -> None:
    """And a third page lists the run, with how it stands."""
    two, one = tab(), tab()  # a browser draws a tab behind another one slowly
    start(one, "plain", '["a", "b"]', "words (JSON)")
    two.goto(one.url)
    two.reload()
    headline(two, "each 1, each 2")
    press(one, "Step")
    headline(two, "each 1/shout")
    two.locator("[data-action=run]").dispatch_event("click")
    headline(one, "finished")
    assert one.locator(".ts-headline[aria-busy=true]").count() == 0
    one.get_by_role("link", name="Runs").click()
    one.get_by_role("row", name=re.compile("finished")).first.wait_for()
    one.on("dialog", lambda asked: asked.accept())
    one.get_by_role("button", name=re.compile("^Close .*finished")).first.click()
    two.get_by_text("This run was closed.").wait_for()


def test_a_failed_call_a_failed_tool_and_a_refused_budget_are_told(
    tab: Tab, model: ScriptedModel, troubled: ScriptedModel
) -> None:
    """In the place of the answer, or beside the tool."""
    page = tab()
    start(page, "diver", "Dive, please.")
    press(page, "Run")
    headline(page, "finished")
    assert "it sank" in pane(page, "tools").inner_text()
    keep_looks(page, "studio-failed-tool")
    page.get_by_role("link", name="Runs").click()
    for graph, text, sentence in (
        ("refused", "Refuse me.", "401"),
        ("silent", "Keep silent.", "no answer within 0.5 seconds"),
    ):
        start(page, graph, text)
        press(page, "Run")
        headline(page, "finalize → failed")
        assert sentence in pane(page, "answer").inner_text()
        assert pane(page, "problem").is_hidden()
        received = troubled.requests[-1]
        assert received.body["messages"][-1] == {"role": "user", "content": text}
        assert received.headers["authorization"] == "Bearer sk-planted-4711"
        assert "sk-planted" not in page.content()
        keep_looks(page, f"studio-{graph}")
        page.get_by_role("link", name="Runs").click()
        page.get_by_role("row", name=graph).get_by_text("✗ failed").first.wait_for()
    assert len(troubled.requests) == 2
    before = len(model.requests)
    start(page, "poor", "Hi")
    press(page, "Run")
    headline(page, "finalize → failed")
    assert "allows 0.0000001 USD" in pane(page, "answer").inner_text()
    assert len(model.requests) == before


def test_a_pause_before_another_attempt_is_no_problem(tab: Tab, troubled: ScriptedModel) -> None:
    """It says why the call waits, also to a tab that is opened meanwhile, until it is stopped."""
    page = tab()
    start(page, "refused", "Be busy.")
    before = len(troubled.requests)
    press(page, "Run")
    pause = page.locator(".ts-pauses")
    pause.get_by_text("asked again in 60 s, because openai answered 503").wait_for()
    pause.get_by_text(re.compile("[0-9]+ s left")).wait_for()
    keep_looks(page, "studio-pause")
    page.locator(".ts-graph [data-mark=retrying]", has_text="call_llm").wait_for()
    assert pane(page, "problem").is_hidden()
    other = tab()
    other.goto(page.url)
    other.reload()
    other.locator(".ts-pauses").get_by_text("answered 503").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped.").wait_for()
    for each in (page, other):
        each.locator(".ts-pauses p").wait_for(state="detached")
    assert len(troubled.requests) == before + 1


def test_approvals_and_questions_are_answered(tab: Tab) -> None:
    """By a button, or in JSON, for a graph with a turn and for one without."""
    page = tab()
    start(page, "approved", "What is the weather in Oslo?")
    press(page, "Run")
    headline(page, "waiting")
    keep_looks(page, "studio-approval")
    page.get_by_role("button", name="approve").click()
    page.locator("[data-action=approve]").wait_for(state="detached")
    press(page, "Run")
    headline(page, "finished")
    page.get_by_role("link", name="Runs").click()
    start(page, "asking", "[]", "words (JSON)")
    press(page, "Run")
    page.get_by_text("Which color?").first.wait_for()
    page.get_by_label("the answer: JSON, or any text").fill("red")
    page.get_by_role("button", name="Answer").click()
    headline(page, "finished")
    pane(page, "diff").evaluate("each => each.open = true")
    assert pane(page, "diff").locator("td").last.inner_text() == "red"


def test_an_agent_of_langchain_is_stepped(tab: Tab) -> None:
    """It has no turn in it: its messages and its state are shown."""
    page = tab()
    start(page, "agent", "What is the weather in Oslo?")
    until = page.get_by_role("combobox", name="Run until")
    assert until.locator("option").all_inner_texts() == ["model", "tools"]  # it has no events
    press(page, "Step")
    headline(page, "model → tools")
    press(page, "Run")
    headline(page, "finished")
    assert "weather(" in pane(page, "messages").inner_text()
    page.get_by_label("Search in the messages of this run").fill("RAIN")
    page.keyboard.press("Enter")
    page.get_by_role("listitem").filter(has_text="tool Oslo: rain").wait_for()


def test_a_stored_thread_is_found_and_goes_on(tab: Tab, studio: Studio, file: Path) -> None:
    """A new run begins with its conversation."""
    graph = studio.server.catalog.graph(f"{file.name}:turn")
    graph.invoke(ask("A word about snow."), {"configurable": {"thread_id": "winter"}})
    page = tab()
    page.get_by_role("button", name=re.compile(":turn$")).click()
    page.get_by_label("Search in stored threads").fill("about snow")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="New run here: winter").click()
    page.keyboard.type("And about rain?")
    page.keyboard.press("Enter")
    headline(page, "step 0")
    assert "A word about snow." in pane(page, "messages").inner_text()


def test_threads_of_other_graphs_are_shown_when_they_are_asked_for(
    tab: Tab, studio: Studio, file: Path
) -> None:
    """Graphs without a checkpointer share the studio's: each lists the threads of its own nodes."""
    plain = studio.server.catalog.graph(f"{file.name}:plain")
    plain.invoke({"words": ["a"]}, {"configurable": {"thread_id": "shouting"}})
    page = tab()
    page.get_by_role("button", name=re.compile(":approved$")).click()
    more = page.get_by_role("button", name=re.compile("^Show the threads of other graphs too"))
    more.wait_for()
    assert page.get_by_role("button", name="Open shouting").count() == 0
    more.click()
    row = page.get_by_role("row", name=re.compile("^shouting"))
    row.get_by_text("of another graph: each, count").wait_for()
    keep_looks(page, "studio-other-threads")
    page.get_by_role("button", name="Show the threads of this graph only").click()
    row.wait_for(state="detached")


def test_a_changed_file_is_loaded_again_and_the_run_goes_on(context: Any, tmp_path: Path) -> None:
    """A mistake in the file is a sentence until it is mended; the run is kept all the while."""
    file = tmp_path / write_agent(tmp_path, "http://127.0.0.1:9/v1")
    with running(tmp_path, [f"{file.name}:plain"]) as studio:
        home, page = context.new_page(), context.new_page()
        for each in (home, page):
            each.goto(studio.server.url)
        page.get_by_label("words (JSON)").fill('["a", "b"]')
        page.get_by_role("button", name="Start", exact=True).click()
        headline(page, "each 1, each 2")
        pane(page, "state").locator("details").evaluate("each => each.open = true")
        page.get_by_label("words, as JSON").fill('["draft"]')
        text = file.read_text()
        file.write_text(text.replace('+ "!"', '+ "?"'))
        page.get_by_text("The graph was loaded again; this run goes on").wait_for()
        assert page.get_by_label("words, as JSON").input_value() == '["draft"]'
        pane(page, "diff").evaluate("each => each.open = true")
        page.get_by_role("combobox", name="Run until").select_option("count")
        press(page, "Run until")
        page.get_by_role("alert").get_by_text("not used yet").wait_for()  # the draft
        press(page, "Run until")
        headline(page, "→ count")
        assert "A?" in pane(page, "diff").inner_text()
        press(page, "Run")
        headline(page, "finished")
        file.write_text(text + "\n1 / 0\n")
        home.get_by_text("cannot be imported: line").wait_for()
        page.get_by_text("This run goes on with the graph from before.").wait_for()
        file.write_text(
            text.replace('"count", lambda', '"sum", lambda').replace(
                '"each", "count"', '"each", "sum"'
            )
        )
        page.get_by_text("The new graph has no node `count`").wait_for()
        home.get_by_label("words (JSON)").wait_for()
        for each in (page, home):
            each.close()


HOSTILE = [payload for payload in PAYLOADS[::24] if payload.isprintable()]
HOSTILE_CONTEXT = """
from typing import TypedDict
from pydantic import BaseModel, Field
from langgraph.graph import START, StateGraph

class Context(BaseModel):
    name: str = Field(alias={0!r}, description={0!r})
    other: str = Field({0!r}, description={0!r})

class State(TypedDict, total=False):
    text: str

app = StateGraph(State, Context).add_node("n", print).add_edge(START, "n").compile()
"""


def test_no_payload_runs_on_any_page(context: Any, tmp_path: Path) -> None:
    """In a message, an answer, a thread's id, a graph's error, an account and a budget's name; in
    the form of a context, its refusal, and the reason for which a call waits.
    """
    (tmp_path / "hostile.py").write_text(f"raise RuntimeError({HOSTILE[0]!r})")
    (tmp_path / "hostile_context.py").write_text(HOSTILE_CONTEXT.format(HOSTILE[1]))
    busy = Fail(503, {"error": {"message": HOSTILE[2]}}, {"Retry-After": "60"})
    ran: list[str] = []
    context.add_init_script("window.__xss = 0")
    with (
        ScriptedModel([Say(payload) for payload in HOSTILE]) as model,
        ScriptedModel([busy]) as troubled,
        Ledger("sqlite://") as ledger,
    ):
        name = write_agent(tmp_path, model.base_url, troubled_url=troubled.base_url)
        graphs = [f"{name}:turn", f"{name}:refused", "hostile.py:app", "hostile_context.py:app"]
        with running(tmp_path, graphs, ledger) as studio:
            page = context.new_page()
            page.on("dialog", lambda dialog: ran.append(dialog.message))
            graph = studio.server.catalog.graph(f"{name}:turn")
            for payload in HOSTILE[:-1]:
                graph.invoke(ask(payload), {"configurable": {"thread_id": payload}})
            page.goto(studio.server.url)
            page.get_by_role("row").nth(len(HOSTILE) - 1).wait_for()
            assert HOSTILE[1] in page.locator("main").inner_text()
            page.get_by_role("button", name=f"New run here: {HOSTILE[1]}").click()
            page.keyboard.type(HOSTILE[2])
            page.keyboard.press("Enter")
            headline(page, "step 0")
            press(page, "Run")
            headline(page, "finished")
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            assert HOSTILE[-1] in page.locator(".turnstepper").inner_text()
            page.get_by_role("link", name="Runs").click()
            page.get_by_role("button", name="hostile.py:app").click()
            page.get_by_text("cannot be imported").wait_for()
            page.get_by_role("button", name="hostile_context.py:app").click()
            page.get_by_role("button", name="Start", exact=True).click()
            page.get_by_role("alert").get_by_text("Field required").wait_for()
            assert HOSTILE[1] in page.locator("form").inner_text()
            start(page, "refused", "Hi")
            press(page, "Run")
            page.locator(".ts-pauses").get_by_text(HOSTILE[2]).wait_for()
            counts = page.evaluate("window.__xss")
            dangerous = page.locator("main :is(script, img, iframe, object, embed, form[action])")
            assert (counts, ran, dangerous.count()) == (0, [], 0)


def test_it_reads_well_light_and_dark_wide_and_narrow(
    tab: Tab, problems_for_readers: Callable[..., list[str]]
) -> None:
    """Nothing is wider than the screen, and axe finds nothing: names, roles, contrast, order."""
    page = tab()
    start(page, "turn", "What is the weather?")
    walk = page.url
    for number, part in enumerate((walk.partition("#")[2], "/", "/spending")):
        page.goto(f"{walk.partition('#')[0]}#{part}")
        page.locator(".ts-headline, table, .sum").first.wait_for()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert problems_for_readers(page) == []
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        keep_looks(page, f"studio-{('walk', 'home', 'spending')[number]}")


def test_a_run_is_given_a_context(tab: Tab) -> None:
    """Typed beside the input; a field that must be filled in is missed in a sentence."""
    page = tab()
    page.get_by_role("button", name=re.compile(":greeting$")).click()
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("alert").get_by_text("`name`: Field required").wait_for()
    page.get_by_label("name, required").fill("Ada")
    page.get_by_role("button", name="Start", exact=True).click()
    page.locator(".ts-headline").wait_for()
    press(page, "Run")
    headline(page, "finished")
    assert "Hello, Ada!" in pane(page, "state").inner_text()


def test_the_keyboard_is_enough(tab: Tab) -> None:
    """From the message to a step, without a mouse."""
    page = tab()
    page.get_by_role("button", name=re.compile(":agent$")).press("Enter")
    page.get_by_label("Message").focus()
    page.keyboard.type("Hello!")
    page.keyboard.press("Enter")
    page.locator(".ts-headline").wait_for()
    assert page.title().endswith(":agent · turngraph studio")
    page.keyboard.press("s")
    headline(page, "step 1")
