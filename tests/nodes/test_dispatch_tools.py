"""dispatch_tools: one tool call, served or refused; the model is always told."""

import threading
import time
from typing import Any

import pytest
from langchain_core.tools import tool

from tests.nodes.stages import (
    NOW,
    Drive,
    Flag,
    Recorder,
    both_drivers,
    context_for,
    run_stage,
    tool_task as task,
)
from turngraph.billing import Ledger, Prices, ToolPrice
from turngraph.nodes.dispatch_tools import dispatch_tools
from turngraph.state.errors import ToolError
from turngraph.state.limits import TurnLimits
from turngraph.tools import load_manifests

MANIFEST = """
apiVersion: smarter.sh/v1
kind: Plugin
metadata: {name: shop, description: A test., version: 1.0.0, pluginClass: static}
spec:
  selector: {directive: always}
  prompt: {provider: openai, systemRole: "", model: null}
  data: {description: Facts., staticData: {price: 9 USD}}
"""
OSLO = '{"city": "Oslo"}'


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


@tool
def broken(city: str) -> str:
    """A tool that always fails."""
    raise ToolError(f"no station in {city}")


@tool
def slow() -> str:
    """A tool that takes too long."""
    time.sleep(0.3)
    return "done"


def serve(given: Any, driver: Drive | None = None, **options: Any) -> tuple[Any, Any]:
    """The tool message and the record of one call."""
    context = context_for(tools=(weather, broken, slow), **options)
    patch = run_stage(dispatch_tools, given, context, *([driver] if driver else []))
    [message], [run] = patch["messages"], patch["tool_runs"]
    assert message.content == run.content
    assert message.tool_call_id == run.call_id == "call"
    return message, run


@both_drivers
def test_the_answer_of_a_tool_goes_to_the_model(driver: Drive) -> None:
    """As one message with an id that is the same after a resume, and one record."""
    message, run = serve(task("weather", OSLO, order=3), driver)
    assert (message.content, message.status, message.id) == ("Oslo: rain", "success", "tool-task")
    assert (run.status, run.kind, run.order, run.arguments) == ("ok", "tool", 3, OSLO)


@both_drivers
@pytest.mark.parametrize(
    ("given", "status", "content"),
    [
        (task("wether", offered=["weather"]), "unknown", "Offered: `weather`."),
        (task("weather", "{not json"), "invalid", "The arguments are not JSON"),
        (task("weather", '{"town": "Oslo"}'), "invalid", "city"),
        (task("broken", OSLO), "error", "no station in Oslo"),
    ],
    ids=["unknown", "no json", "schema", "error"],
)
def test_a_mistake_is_told_to_the_model(
    driver: Drive, given: Any, status: str, content: str
) -> None:
    """It can correct itself; the turn goes on."""
    message, run = serve(given, driver)
    assert (run.status, message.status) == (status, "error")
    assert content in run.content


@both_drivers
def test_a_tool_that_takes_too_long_is_given_up(driver: Drive) -> None:
    """The other calls of the answer need not wait for it."""
    _, run = serve(task("slow"), driver, limits=TurnLimits(tool_seconds=0.02))
    assert (run.status, run.content) == (
        "timeout",
        "Tool `slow` did not answer within 0.02 seconds.",
    )


def test_a_long_result_is_cut_with_a_notice() -> None:
    """The model reads that there is more."""
    limits = TurnLimits(tool_result_chars=100)
    _, run = serve(task("weather", f'{{"city": "{"x" * 500}"}}'), limits=limits)
    assert run.truncated
    assert len(run.content) == 100
    assert "characters left out" in run.content


@pytest.mark.parametrize(
    ("options", "content"),
    [
        ({"cancel": Flag()}, "Not run: the turn was cancelled."),
        ({"limits": TurnLimits(seconds=5)}, "Not run: the turn is over its time."),
    ],
    ids=["cancelled", "over time"],
)
def test_a_call_of_a_turn_that_is_over_does_not_run(options: Any, content: str) -> None:
    """It still gets an answer, because a vendor refuses a history without one."""
    _, run = serve(task("weather", OSLO, started_at=NOW - 6), **options)
    assert (run.status, run.content) == ("rejected", content)


def test_a_picture_stands_beside_the_text_in_the_message() -> None:
    """The record holds the text alone, which names the picture."""
    picture = {"type": "image", "base64": "aGk=", "mime_type": "image/png"}

    @tool
    def photo(city: str) -> list[dict[str, str]]:
        """A photo."""
        return [{"type": "text", "text": city}, picture]

    patch = run_stage(dispatch_tools, task("photo", OSLO), context_for(tools=(photo,)))
    [message], [run] = patch["messages"], patch["tool_runs"]
    assert run.content == "Oslo\n[image/png]"
    assert message.content == [{"type": "text", "text": run.content}, picture]


def test_every_call_is_two_events() -> None:
    """That it was asked, and what became of it."""
    seen = Recorder()
    serve(task("weather", OSLO), subscribers=(seen,))
    assert seen.types == ["tool_requested", "tool_responded"]


def test_a_plugins_tool_is_marked_as_one() -> None:
    """Plugins have reports of their own."""
    seen, plugins = Recorder(), tuple(load_manifests(MANIFEST))
    context = context_for(
        tools=tuple(plugin.tool for plugin in plugins), plugins=plugins, subscribers=(seen,)
    )
    given = task("shop", '{"inquiry_type": "price"}')
    [run] = run_stage(dispatch_tools, given, context)["tool_runs"]
    assert run.kind == "plugin"
    assert seen.types == ["tool_requested", "plugin_called", "tool_responded"]


@both_drivers
def test_a_priced_call_runs_once_and_its_answer_is_kept(driver: Drive) -> None:
    """A worker was killed after the tool answered: the next one finds the answer."""
    calls, lock = [], threading.Lock()

    @tool
    def search(query: str) -> str:
        """Searches the web."""
        with lock:
            calls.append(query)
        return f"{len(calls)} results"

    prices = Prices(tools=(ToolPrice(tool="search", usd_per_call="0.01"),))
    with Ledger("sqlite://") as ledger:
        context = context_for(tools=(search,), ledger=ledger, prices=prices)
        given = task("search", '{"query": "fjord"}')
        runs = [run_stage(dispatch_tools, given, context, driver)["tool_runs"][0] for _ in "12"]
    assert calls == ["fjord"]
    assert [run.content for run in runs] == ["1 results", "1 results"]
    assert runs[0].attempt_id == runs[1].attempt_id is not None
