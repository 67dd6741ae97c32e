"""Which API a model is called through: the table, row by row."""

import pytest

from turngraph.providers.vendors.api_selection import RESPONSES_ONLY, Need, explain_api, select_api
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.request import Api

AZURE = "https://resource.openai.azure.com/openai/v1"
LOCAL = "http://localhost:8123/v1"


@pytest.mark.parametrize(
    ("model", "api"),
    [
        ("gpt-5", "responses"),
        ("gpt-5-mini-2025-08-07", "responses"),
        ("gpt-5.6-luna", "responses"),
        ("gpt-4.1-nano", "responses"),
        ("o4-mini", "responses"),
        ("gpt-oss-120b", "responses"),
        ("gpt-6-astra", "responses"),
        ("o3-pro", "responses"),
        ("o1-pro-2025-03-19", "responses"),
        ("codex-mini-latest", "responses"),
        ("computer-use-preview", "responses"),
        ("o3-deep-research", "responses"),
        ("gpt-4o", "chat"),
        ("gpt-4o-mini", "chat"),
        ("gpt-4-turbo", "chat"),
        ("gpt-3.5-turbo", "chat"),
        ("o3", "chat"),
        ("o3-mini", "chat"),
        ("gpt-4o-search-preview", "chat"),
    ],
)
def test_openais_own_models_are_asked_through_the_api_that_suits_them(model: str, api: Api) -> None:
    """OpenAI serves some models best, or only, through one of the two APIs."""
    assert select_api(model) == api
    assert select_api(model, "https://api.openai.com/v1") == api
    assert select_api(model, "https://eu.api.openai.com/v1") == api


@pytest.mark.parametrize("model", ["gpt-5", "gpt-4.1", "o4-mini", "gpt-oss-20b", "llama"])
def test_any_other_endpoint_is_called_through_chat_completions(model: str) -> None:
    """Every server has that API; few have the other."""
    assert select_api(model, LOCAL) == "chat"
    assert select_api(model, LOCAL, vendor="openai") == "chat", (
        "a proxy in a vendor's name is no vendor"
    )


@pytest.mark.parametrize(
    ("model", "api"),
    [
        ("gpt-5-mini", "chat"),
        ("my-deployment", "chat"),
        ("gpt-5.4", "responses"),
        ("gpt-5-codex", "responses"),
    ],
)
def test_azure_is_called_through_responses_only_if_it_must_be(model: str, api: Api) -> None:
    """A deployment's name says little, and older api-versions have only Chat Completions."""
    assert select_api(model, AZURE) == api


def test_a_vendors_own_recommendation_holds() -> None:
    """xAI calls its Chat Completions API the older one."""
    assert explain_api("grok-4.3", "https://api.x.ai/v1").api == "responses"
    assert "xai" in explain_api("grok-4.3", vendor="xai").reason


@pytest.mark.parametrize("override", ["chat", "responses"])
def test_an_override_wins(override: Api) -> None:
    """It wins whatever the table says."""
    for model, base_url in (
        ("gpt-5", None),
        ("gpt-4o", None),
        ("m", LOCAL),
        ("grok-4", "https://api.x.ai/v1"),
    ):
        assert explain_api(model, base_url, override) == (
            override,
            "The configuration asks for it.",
        )


@pytest.mark.parametrize("need", ["builtin_tools", "previous_response_id", "reasoning_summary"])
def test_a_need_that_only_responses_meets_decides(need: Need) -> None:
    """gpt-4o is called through Chat Completions, unless that could not do what is needed."""
    assert select_api("gpt-4o", needs=[need]) == "responses"


def test_a_need_that_the_vendor_cannot_meet_is_refused() -> None:
    """An error from the vendor would come late and say less."""
    with pytest.raises(
        TurnConfigurationError,
        match="`builtin_tools` needs the Responses API, which mistral does not have",
    ):
        select_api("mistral-large-latest", vendor="mistral", needs=["builtin_tools"])
    with pytest.raises(TurnConfigurationError, match="ollama stores no answers"):
        select_api("llama3.2", vendor="ollama", needs=["previous_response_id"])
    assert select_api("m", vendor="lmstudio", needs=["previous_response_id"]) == "responses"


def test_every_choice_has_a_reason() -> None:
    """The choice is shown to users, and without a reason it looks arbitrary."""
    for model in ("gpt-5", "gpt-4o", "gpt-5.4", "o3-pro"):
        assert explain_api(model).reason.endswith(".")
    assert all(rule.source.startswith("https://") for rule in RESPONSES_ONLY)
