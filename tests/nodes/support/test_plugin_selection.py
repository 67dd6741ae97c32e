"""Which plugins a turn offers, and what they add to its requests."""

import pytest
from langchain_core.messages import HumanMessage

from tests.nodes.stages import Recorder, context_for
from turngraph.nodes.support.plugin_selection import (
    announce_plugins,
    join_called_plugins,
    select_for_turn,
)
from turngraph.state.errors import TurnValueError
from turngraph.state.turn import TurnSettings
from turngraph.tools import load_manifests

MANIFESTS = "---".join(
    f"""
apiVersion: smarter.sh/v1
kind: Plugin
metadata: {{name: {name}, description: A test., version: 1.0.0, pluginClass: static}}
spec:
  selector: {{directive: {directive}, searchTerms: {terms}}}
  prompt: {{provider: openai, systemRole: "{name} role", model: {model}, temperature: {heat}}}
  data: {{description: Facts., staticData: {{price: 9 USD}}}}
"""
    for name, directive, terms, model, heat in (
        ("kind", "always", "[]", "gpt-4.1-nano", 0.0),
        ("shop", "search_terms", "[opening hours]", "gpt-4o", 0.5),
        ("aside", "llm", "[]", "null", 1.0),
    )
)
PLUGINS = tuple(load_manifests(MANIFESTS))
CONTEXT = context_for(tools=tuple(plugin.tool for plugin in PLUGINS), plugins=PLUGINS)
TEMPLATE = CONTEXT.deps.template


def select(text: str, settings: TurnSettings | None = None) -> tuple[object, ...]:
    selection = select_for_turn(
        TEMPLATE, [HumanMessage(text)], settings or TurnSettings(), CONTEXT.deps
    )
    names = [spec.name for spec in selection.request.tools]
    return selection.request, [(one.name, one.term, one.joined) for one in selection.plugins], names


def test_a_plugin_is_offered_if_its_selector_says_so() -> None:
    """One that the model must call is offered, and joins later."""
    _, plugins, tools = select("Hello")
    assert plugins == [("kind", None, True), ("aside", None, False)]
    assert tools == ["kind", "aside"]


def test_a_search_term_in_the_conversation_selects() -> None:
    """And the term that did is kept, to be shown."""
    request, plugins, tools = select("What are your opening hours?")
    assert plugins[1] == ("shop", "opening hours", True)  # type: ignore[index]
    assert tools == ["kind", "shop", "aside"]
    assert "kind role\n\nshop role" in request.system  # type: ignore[attr-defined]


def test_the_first_plugin_wins_and_the_caller_wins_over_all() -> None:
    """What is ignored of the others is known by plugin."""
    settings = TurnSettings(temperature=0.9)
    selection = select_for_turn(
        TEMPLATE.model_copy(update={"temperature": 0.9}),
        [HumanMessage("opening hours")],
        settings,
        CONTEXT.deps,
    )
    assert (selection.request.model, selection.request.temperature) == ("gpt-4.1-nano", 0.9)
    assert "model" in selection.ignored["shop"]


def test_the_caller_may_offer_less() -> None:
    """A plugin that is not named is neither offered nor joined."""
    request, plugins, tools = select("Hello", TurnSettings(tools=("aside",)))
    assert (plugins, tools) == ([("aside", None, False)], ["aside"])
    assert "kind role" not in (request.system or "")  # type: ignore[attr-defined]


def test_a_name_that_nobody_built_is_refused() -> None:
    """With the names that may be used."""
    with pytest.raises(TurnValueError, match=r"`asied`.* Built: `kind`, `shop`, `aside`\."):
        select("Hello", TurnSettings(tools=("asied",)))


def test_a_plugin_joins_once_when_the_model_has_called_it() -> None:
    """Its role is added to the next request, and not again to the one after it."""
    selection = select_for_turn(TEMPLATE, [HumanMessage("Hi")], TurnSettings(), CONTEXT.deps)
    before, plugins = join_called_plugins(
        selection.request, selection.plugins, {"kind"}, CONTEXT.deps
    )
    assert (before, plugins) == (selection.request, selection.plugins)
    joined, plugins = join_called_plugins(before, plugins, {"aside"}, CONTEXT.deps)
    assert (joined.system or "").endswith("aside role")
    assert all(plugin.joined for plugin in plugins)
    again, _ = join_called_plugins(joined, plugins, {"aside"}, CONTEXT.deps)
    assert again == joined


def test_a_setting_that_an_earlier_plugin_made_stays() -> None:
    """The plugin that joins later comes after it in order."""
    selection = select_for_turn(TEMPLATE, [HumanMessage("Hi")], TurnSettings(), CONTEXT.deps)
    joined, _ = join_called_plugins(selection.request, selection.plugins, {"aside"}, CONTEXT.deps)
    assert joined.temperature == 0.0


def test_every_selected_plugin_is_an_event() -> None:
    """With the term that selected it, and what is ignored of it."""
    seen = Recorder()
    context = context_for(
        tools=tuple(plugin.tool for plugin in PLUGINS), plugins=PLUGINS, subscribers=(seen,)
    )
    question = HumanMessage("opening hours?")
    selection = select_for_turn(TEMPLATE, [question], TurnSettings(), context.deps)
    announce_plugins(selection, "turn", context)
    told = [(event.plugin, event.term) for event in seen.events]  # type: ignore[attr-defined]
    assert told == [("kind", None), ("shop", "opening hours"), ("aside", None)]
