"""A provider's configuration: complete and checked when it is made, silent about its key."""

import pickle
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from turngraph.providers.config import ProviderConfig
from turngraph.providers.vendors.profiles import VENDORS
from turngraph.state.errors import TurnConfigurationError

KEY = "sk-planted-7f3a"


def config(**fields: Any) -> ProviderConfig:
    return ProviderConfig.model_validate({"model": "m", **fields})


def test_a_model_string_brings_endpoint_and_key() -> None:
    """Two words are enough for a vendor of the table."""
    made = ProviderConfig.from_model_string(
        "groq:llama-3.3-70b-versatile", environ={"GROQ_API_KEY": KEY}
    )
    assert (made.vendor, made.model, made.base_url) == (
        "groq",
        "llama-3.3-70b-versatile",
        "https://api.groq.com/openai/v1",
    )
    assert made.api_key == SecretStr(KEY)


def test_a_model_may_hold_colons() -> None:
    """Only the first one parts the vendor from it."""
    made = ProviderConfig.from_model_string(
        "openrouter:meta-llama/llama-3.3-70b:free", environ={"OPENROUTER_API_KEY": KEY}
    )
    assert made.model == "meta-llama/llama-3.3-70b:free"


def test_fields_are_taken_and_checked() -> None:
    """A misspelt one is an error, not a wish that nobody hears."""
    made = ProviderConfig.from_model_string("ollama:m", environ={}, temperature=0, max_tokens=5)
    assert (made.temperature, made.max_tokens) == (0, 5)
    with pytest.raises(ValidationError, match="temprature"):
        ProviderConfig.from_model_string("ollama:m", environ={}, temprature=0)


def test_the_key_may_stand_in_a_second_variable() -> None:
    """Google's own tools look in both."""
    made = ProviderConfig.from_model_string(
        "gemini:gemini-3-flash", environ={"GEMINI_API_KEY": "", "GOOGLE_API_KEY": KEY}
    )
    assert made.api_key == SecretStr(KEY)


@pytest.mark.parametrize("vendor", [p.name for p in VENDORS.values() if p.key_env and p.base_url])
def test_a_missing_key_is_named_by_its_variable(vendor: str) -> None:
    """For every vendor that needs one, before anything is sent."""
    with pytest.raises(TurnConfigurationError, match=f"set {VENDORS[vendor].key_env[0]}"):
        ProviderConfig.from_model_string(f"{vendor}:m", environ={})


@pytest.mark.parametrize("vendor", [p.name for p in VENDORS.values() if not p.base_url])
def test_a_missing_endpoint_is_shown_by_its_pattern(vendor: str) -> None:
    """An endpoint for each account cannot be preset."""
    with pytest.raises(TurnConfigurationError, match="give `base_url`, as in http"):
        config(vendor=vendor, api_key=KEY)


@pytest.mark.parametrize("vendor", ["ollama", "vllm", "llamacpp", "lmstudio"])
def test_a_server_of_ones_own_needs_no_key(vendor: str) -> None:
    """Nor does it get anybody else's."""
    assert (
        ProviderConfig.from_model_string(f"{vendor}:m", environ={"OPENAI_API_KEY": KEY}).api_key
        is None
    )


@pytest.mark.parametrize("model", ["gpt-5-mini", "openai:", ":m", ""])
def test_a_model_string_without_vendor_or_model_is_refused(model: str) -> None:
    """It would be asked of whoever happens to be the default."""
    with pytest.raises(TurnConfigurationError):
        ProviderConfig.from_model_string(model, environ={"OPENAI_API_KEY": KEY})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"vendor": "nope"}, "No vendor is called `nope`"),
        ({"base_url": "localhost:8080/v1"}, "must start with https:// or http://"),
        (
            {"base_url": "https://example.com/v1/chat/completions"},
            "holds the path of a request",
        ),
        (
            {"vendor": "mistral", "api_key": KEY, "api": "responses"},
            "does not have the Responses API",
        ),
    ],
)
def test_wrong_wiring_is_refused(fields: dict[str, Any], said: str) -> None:
    """Before anything is sent, with the cure."""
    with pytest.raises(TurnConfigurationError, match=said):
        config(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 2.1},
        {"temperature": -1},
        {"temperature": float("nan")},
        {"top_p": 2},
        {"max_tokens": 0},
        {"model": ""},
    ],
)
def test_values_out_of_range_are_refused(fields: dict[str, Any]) -> None:
    """Zero is a value; above two is none."""
    with pytest.raises(ValidationError):
        config(**{"base_url": "https://example.com/v1", **fields})


def test_the_endpoint_tells_the_vendor() -> None:
    """Its quirks hold however it was named."""
    assert config(base_url="https://api.groq.com/openai/v1", api_key=KEY).vendor == "groq"
    assert config(base_url="https://example.com/v1").vendor == "custom"
    assert config(api_key=KEY).vendor == "openai"


def test_a_key_is_never_shown() -> None:
    """Neither it nor a header that may hold one, nor in an error about something else."""
    made = config(
        base_url="https://example.com/v1", api_key=KEY, headers={"X-Api-Key": KEY + "-header"}
    )
    assert KEY not in repr(made) + str(made)
    assert set(made.secrets) == {KEY, KEY + "-header"}
    with pytest.raises(ValidationError) as caught:
        config(base_url="https://example.com/v1", api_key=SecretStr(KEY), temperature=9)
    assert KEY not in str(caught.value)
    with pytest.raises(ValidationError) as caught:
        ProviderConfig.model_validate({"api_key": KEY, "base_url": "https://example.com/v1"})
    assert KEY not in str(caught.value), "what is missing is named without what is there"


def test_a_password_in_the_endpoint_is_a_secret() -> None:
    """Proxies are sometimes reached that way."""
    made = config(base_url=f"https://user:{KEY}@example.com/v1")
    assert KEY in made.secrets
    assert KEY not in repr(made)
    assert made.base_url == "https://example.com/v1"


def test_a_configuration_does_not_change() -> None:
    """It is shared by every turn of its provider."""
    made = config(base_url="https://example.com/v1")
    with pytest.raises(ValidationError):
        made.temperature = 1  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(made)) == made


def test_a_langchain_model_brings_its_configuration() -> None:
    """What was set there holds here, and nothing else is made up."""
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(
        model="gpt-4o",
        api_key=SecretStr(KEY),
        temperature=0.0,
        max_tokens=7,
        use_responses_api=True,
        frequency_penalty=0.5,
    )
    made = ProviderConfig.from_chat_model(chat)
    assert (made.vendor, made.model, made.temperature, made.max_tokens) == (
        "openai",
        "gpt-4o",
        0.0,
        7,
    )
    assert (made.api, made.api_key, made.extra_body) == (
        "responses",
        SecretStr(KEY),
        {"frequency_penalty": 0.5},
    )


def test_an_azure_model_brings_its_deployment() -> None:
    """Where the client really sends, not what its class is called."""
    from langchain_openai import AzureChatOpenAI

    chat = AzureChatOpenAI(
        azure_deployment="dep",
        azure_endpoint="https://r.openai.azure.com",
        api_version="2024-10-21",
        api_key=SecretStr(KEY),
    )
    made = ProviderConfig.from_chat_model(chat)
    assert (made.vendor, made.model, made.api_version) == ("azure", "dep", "2024-10-21")
    assert made.base_url == "https://r.openai.azure.com/openai/deployments/dep"
