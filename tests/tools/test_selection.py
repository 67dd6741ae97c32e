"""Which plugins join a turn, measured on labeled prompts, and what they add to the request."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.tools import BaseTool

from turngraph.state.request import ChatRequest
from turngraph.tools.manifests.parts import PromptSettings, Selector
from turngraph.tools.plugin import Plugin, make_tool
from turngraph.tools.selection import PluginMatch, join_request, offered_tools, select_plugins
from turngraph.tools.terms import find_term
from turngraph.tools.toolbox import Toolbox

TERMS = {
    "gobstopper": ["gobstopper", "everlasting gobstopper"],
    "refund": ["refund", "return policy", "money back"],
    "course": ["python course", "course catalogue", "enrolment"],
    "weather_station": ["weather station", "anemometer", "rain gauge", "barometer"],
    "invoice": ["invoice", "VAT number", "payment terms"],
    "museum": ["museum", "exhibition", "guided tour"],
    "vpn": ["VPN", "password reset", "two-factor"],
    "recipe": ["sourdough starter", "gluten-free", "rye bread", "ciabatta"],
}


@dataclass(frozen=True)
class Simple:
    """A plugin that is no manifest: anything with these four will do."""

    name: str
    selector: Selector
    prompt: PromptSettings = field(default_factory=PromptSettings)

    @property
    def tool(self) -> BaseTool:
        return make_tool(self.name, "x", {"type": "object", "properties": {}}, lambda: "ok")


def plugin(name: str, directive: str = "search_terms", **prompt: Any) -> Simple:
    terms = TERMS.get(name, [name]) if directive == "search_terms" else []
    selector = Selector.model_validate({"directive": directive, "search_terms": terms})
    return Simple(name, selector, PromptSettings(**prompt))


def labelled() -> list[tuple[str, str]]:
    lines = Path(__file__).with_name("prompts.txt").read_text().splitlines()
    parted = (line.partition(": ") for line in lines if not line.startswith("#"))
    return [(label, prompt) for label, _, prompt in parted]


def test_precision_and_recall_on_labeled_prompts() -> None:
    """Run with `-s` to see the figures and every miss."""
    prompts = labelled()
    assert len(prompts) >= 300
    plugins = [plugin(name) for name in TERMS]
    hits = missed = wrong = 0
    for label, prompt in prompts:
        found = {one.plugin for one in select_plugins(plugins, [HumanMessage(prompt)])}
        wanted = {label} - {"-"}
        hits += len(found & wanted)
        missed += len(wanted - found)
        wrong += len(found - wanted)
        if found != wanted:
            print(f"wanted {wanted or '{}'}, found {found or '{}'}: {prompt}")
    precision, recall = hits / (hits + wrong), hits / (hits + missed)
    print(f"{len(prompts)} prompts: precision {precision:.3f}, recall {recall:.3f}")
    assert precision >= 0.97
    assert recall >= 0.95


@pytest.mark.parametrize(
    ("term", "text", "found"),
    [
        ("C++", "I write C++ and Go", True),
        ("(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", False),
        ("café", "CAFE au lait", True),
        ("straße", "STRASSE 7", True),
        ("東京", "東京タワー", False),
        ("東京", "東京 タワー", True),
        ("SQL", "nosql databases", False),
        ("cost", "costs?", True),
        ("cost", "coast", False),
        ("IBAN", "my iban is", True),
        ("42", "route 42", True),
        ("42", "route 43", False),
        ("ipv6", "ipv4 address", False),
        ("!!!", "anything", False),
        ("x", "x", True),
        ("price", "the first prize", False),
        ("stock", "stack overflow", False),
        ("delivery", "dleivery date", True),
        ("policies", "our policy", True),
        ("bus", "two buses", True),
        ("gas", "a gap", False),
    ],
)
def test_terms_are_literals(term: str, text: str, found: bool) -> None:
    """Case, accents, plurals and typos are forgiven; other words are not."""
    assert (find_term([term], text) is not None) is found


def test_a_long_message_is_searched_quickly() -> None:
    """No combination of term and text makes a search slow."""
    started = time.process_time()
    find_term(["a" * 200, "everlasting gobstopper"] * 20, "abcdefgh " * 200_000)
    assert time.process_time() - started < 5


def test_always_and_llm_join_every_turn() -> None:
    """The tool of an `llm` plugin must be there so that the model can call it."""
    plugins = [plugin("a", "always"), plugin("refund"), plugin("b", "llm")]
    assert select_plugins(plugins, []) == (
        PluginMatch(plugin="a", directive="always"),
        PluginMatch(plugin="b", directive="llm"),
    )
    assert isinstance(plugins[0], Plugin)


def thread(*texts: Any) -> list[BaseMessage]:
    return [
        SystemMessage("refund"),
        HumanMessage("hello"),
        AIMessage("refund?"),
        *(HumanMessage(text) for text in texts),
    ]


def test_only_user_messages_are_searched_the_last_one_first() -> None:
    """Text of the model or the system selects no plugin."""
    plugins = [plugin("refund"), plugin("vpn")]
    assert select_plugins(plugins, thread("what?")) == ()
    found = select_plugins(plugins, thread("I want my money back", "and the refund?"))
    assert found == (PluginMatch(plugin="refund", directive="search_terms", term="refund"),)
    found = select_plugins(plugins, thread("VPN", "thanks"))
    assert found == (PluginMatch(plugin="vpn", directive="search_terms", term="VPN"),)


def test_list_content_is_searched() -> None:
    """Messages with images have lists as content."""
    blocks: list[Any] = [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "refund"}},
        "my VPN",
    ]
    assert [
        one.plugin for one in select_plugins([plugin("refund"), plugin("vpn")], thread(blocks))
    ] == ["vpn"]


REQUEST = ChatRequest(vendor="openai", api="chat", model="base", system="Be kind.", temperature=0.7)


def join(*plugins: Simple, **options: Any) -> Any:
    selected = [PluginMatch(plugin=one.name, directive=one.selector.directive) for one in plugins]
    return join_request(REQUEST, plugins, selected, **options)


def test_roles_are_appended_to_this_request_only() -> None:
    """In order, after the turn's own role; the given request does not change."""
    joined = join(
        plugin("a", "always", system_role="A."),
        plugin("refund", system_role=" R. "),
        plugin("c", "always"),
    )
    assert joined.request.system == "Be kind.\n\nA.\n\nR."
    assert REQUEST.system == "Be kind."
    assert join(plugin("c", "always")).request == REQUEST


def test_an_llm_plugin_adds_its_role_after_its_first_call() -> None:
    """Until then only its tool is offered."""
    one = plugin("b", "llm", system_role="B.", temperature=0)
    assert join(one).request == REQUEST
    called = join(one, called={"b"}).request
    assert (called.system, called.temperature) == ("Be kind.\n\nB.", 0)


def test_the_first_plugin_wins_and_the_others_are_recorded() -> None:
    """The last one must not win silently."""
    first = plugin("a", "always", model="m1", temperature=0)
    second = plugin("b", "always", model="m2", temperature=0, max_tokens=9)
    joined = join(first, second)
    assert (joined.request.model, joined.request.temperature, joined.request.max_tokens) == (
        "m1",
        0,
        9,
    )
    assert joined.ignored == {"b": ("model",)}


def test_a_model_of_another_vendor_is_ignored() -> None:
    """A turn has one vendor; the plugin's other settings count."""
    joined = join(plugin("a", "always", provider="anthropic", model="claude", max_tokens=5))
    assert (joined.request.model, joined.request.max_tokens) == ("base", 5)
    assert joined.ignored == {"a": ("model",)}
    assert join(plugin("a", "always", provider="openai", model="m")).request.model == "m"


def test_settings_of_the_caller_win() -> None:
    """A plugin must not change what the caller asked for."""
    joined = join(plugin("a", "always", model="m", temperature=0), keep={"temperature"})
    assert (joined.request.model, joined.request.temperature) == ("m", 0.7)
    assert joined.ignored == {"a": ("temperature",)}


def test_only_plugins_that_joined_are_offered() -> None:
    """The model cannot call a plugin that did not join."""
    plugins = [plugin("refund"), plugin("vpn"), plugin("b", "llm")]
    box = Toolbox.of(["calculator", *(one.tool for one in plugins)])
    selected = select_plugins(plugins, [HumanMessage("my VPN")])
    assert [spec.name for spec in offered_tools(box, plugins, selected).specs] == [
        "calculator",
        "vpn",
        "b",
    ]
    assert offered_tools(box, [], ()) is box
