"""The table of vendors is consistent: no name twice, a source for each row, rules that match."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.vendor_table import vendors_forgotten
from turngraph.providers import ProviderConfig, register_vendor
from turngraph.providers.vendors.profiles import VENDORS, VendorProfile, find_vendor, vendor_of_url
from turngraph.state.errors import TurnConfigurationError

NAMED = [
    "openai",
    "azure",
    "deepseek",
    "googleai",
    "mistral",
    "groq",
    "openrouter",
    "xai",
    "cerebras",
    "fireworks",
    "together",
    "vllm",
    "ollama",
    "llamacpp",
    "lmstudio",
    "scaleway",
    "berget",
    "moonshot",
    "alibaba",
    "zai",
    "minimax",
    "baseten",
    "huggingface",
    "nebius",
    "ovh",
    "anthropic",
    "cohere",
    "metaai",
    "github",
    "bedrock",
    "perplexity",
    "custom",
]
"""Vendors that the documentation names."""

ROWS = pytest.mark.parametrize("profile", VENDORS.values(), ids=lambda profile: profile.name)


@pytest.mark.parametrize("name", NAMED)
def test_a_vendor_that_users_know_has_a_row(name: str) -> None:
    """If a preset vanished, every `vendor:model` string that names it would break."""
    assert find_vendor(name).name == name


@pytest.mark.parametrize(
    ("alias", "name"), [("togetherai", "together"), ("gemini", "googleai"), ("Grok", "xai")]
)
def test_a_vendor_is_found_by_its_aliases(alias: str, name: str) -> None:
    """People write the name that they know a vendor by."""
    assert find_vendor(alias).name == name


def test_the_error_for_an_unknown_vendor_lists_the_known_ones() -> None:
    """The error says what to do."""
    with pytest.raises(
        TurnConfigurationError, match=r"No vendor is called `nope`\. Known: .*openai.*base_url"
    ):
        find_vendor("nope")


def test_the_error_for_a_misspelled_vendor_suggests_a_name() -> None:
    """The list is long."""
    with pytest.raises(TurnConfigurationError, match=r"`opnai`\. Did you mean `openai`\?"):
        find_vendor("opnai")


def test_no_name_belongs_to_two_vendors() -> None:
    """One string means one vendor and one key."""
    names = [name for profile in VENDORS.values() for name in (profile.name, *profile.aliases)]
    assert sorted(names) == sorted(set(names))


@ROWS
def test_a_row_has_a_source(profile: VendorProfile) -> None:
    """A fact without a source cannot be checked again."""
    assert profile.source.startswith("https://")


@ROWS
def test_a_row_has_an_endpoint_or_shows_its_pattern(profile: VendorProfile) -> None:
    """One of the two is needed to reach the vendor. A slash at the end would be doubled."""
    assert profile.base_url or profile.base_url_pattern
    assert not (profile.base_url or "").endswith("/")
    assert (
        profile.key_env
        or "localhost" in (profile.base_url or profile.base_url_pattern or "")
        or profile.name == "custom"
    )


@ROWS
def test_a_rule_matches_its_example(profile: VendorProfile) -> None:
    """An expression that misses its own example says nothing."""
    for rule in profile.models:
        assert re.fullmatch(rule.match, rule.example, re.IGNORECASE), rule.match


@ROWS
def test_a_vendor_is_found_by_its_endpoint(profile: VendorProfile) -> None:
    """With a `base_url` alone, the vendor's quirks hold too."""
    if profile.base_url:
        assert vendor_of_url(profile.base_url) == profile
    for host in profile.hosts:
        assert (
            vendor_of_url(
                f"https://resource{host}/v1" if host.startswith(".") else f"https://{host}/v1"
            )
            == profile
        )


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/v1",
        "http://127.0.0.1:39999/v1",
        "https://api.openai.com.evil.example/v1",
        "no url",
    ],
)
def test_other_endpoints_belong_to_no_vendor(url: str) -> None:
    """A host name that only begins like a vendor's is not the vendor's."""
    assert vendor_of_url(url) is None


def test_what_a_model_drops_is_added_to_what_its_vendor_drops() -> None:
    """Otherwise a rule would have to repeat the row."""
    mini = VENDORS["ollama"].for_model("gpt-oss:20b")
    assert mini.drop == VENDORS["ollama"].quirks.drop
    assert {"stop", "parallel_tool_calls"} <= VENDORS["openai"].for_model("o3-mini").drop


def test_a_later_rule_wins() -> None:
    """The general rule stands first, and its exceptions after it."""
    assert VENDORS["openai"].for_model("gpt-5").reasons_by_default
    assert not VENDORS["openai"].for_model("gpt-5.1").reasons_by_default
    assert VENDORS["openai"].for_model("gpt-5.6-luna").reasons_by_default


@pytest.fixture
def no_new_rows() -> Iterator[None]:
    with vendors_forgotten():
        yield


ACME = {
    "base_url": "https://llm.acme.example/v1",
    "key_env": ["ACME_API_KEY"],
    "aliases": ["acme-ai"],
    "like": "mistral",
    "quirks": {"drop": ["seed"]},
}


@pytest.mark.usefixtures("no_new_rows")
def test_a_program_adds_a_vendor_without_an_edit_of_the_package() -> None:
    """It is found by name, alias and endpoint, and its requests are written as its row says."""
    row = register_vendor("acme", ACME)
    assert find_vendor("ACME-ai") is vendor_of_url("https://llm.acme.example/v1/") is row
    assert row.quirks.drop == {"seed"}
    assert row.quirks.token_cap == VENDORS["mistral"].quirks.token_cap
    given = ProviderConfig.from_model_string("acme:m", environ={"ACME_API_KEY": "k"})
    assert (given.vendor, given.model, given.base_url) == ("acme", "m", ACME["base_url"])
    assert register_vendor("acme", ACME) == row, "a module may be loaded again"


@pytest.mark.usefixtures("no_new_rows")
@pytest.mark.parametrize(
    ("name", "row", "problem"),
    [
        ("openai", ACME, "`openai` is a vendor already"),
        ("acme", {**ACME, "aliases": ["claude"]}, "`claude` is a vendor already"),
        ("acme", {**ACME, "like": "nobody"}, "`nobody`, which is no vendor"),
        ("acme", {**ACME, "quirks": {"dorp": []}}, "row `acme`, `dorp`"),
        ("Acme:1", ACME, "no name of a vendor"),
    ],
)
def test_a_row_that_cannot_be_added_is_refused(name: str, row: Any, problem: str) -> None:
    """And the table stays as it was."""
    before = dict(VENDORS)
    with pytest.raises(TurnConfigurationError, match=problem):
        register_vendor(name, row)
    assert dict(VENDORS) == before
