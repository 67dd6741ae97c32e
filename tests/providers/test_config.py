"""A provider's configuration: complete, checked at once, and never showing its key."""

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


def test_a_model_string_sets_endpoint_and_key() -> None:
    """`vendor:model` is enough for a vendor in the table."""
    configuration = ProviderConfig.from_model_string(
        "groq:llama-3.3-70b-versatile", environ={"GROQ_API_KEY": KEY}
    )
    assert (configuration.vendor, configuration.model, configuration.base_url) == (
        "groq",
        "llama-3.3-70b-versatile",
        "https://api.groq.com/openai/v1",
    )
    assert configuration.api_key == SecretStr(KEY)


def test_a_model_name_may_contain_colons() -> None:
    """Only the first colon separates the vendor from the model."""
    configuration = ProviderConfig.from_model_string(
        "openrouter:meta-llama/llama-3.3-70b:free", environ={"OPENROUTER_API_KEY": KEY}
    )
    assert configuration.model == "meta-llama/llama-3.3-70b:free"


def test_fields_are_checked() -> None:
    """A misspelled field is an error, not a wish that is ignored."""
    configuration = ProviderConfig.from_model_string(
        "ollama:m", environ={}, temperature=0, max_tokens=5
    )
    assert (configuration.temperature, configuration.max_tokens) == (0, 5)
    with pytest.raises(ValidationError, match="temprature"):
        ProviderConfig.from_model_string("ollama:m", environ={}, temprature=0)


def test_the_key_may_be_in_a_second_variable() -> None:
    """Google's own tools read both variables."""
    configuration = ProviderConfig.from_model_string(
        "gemini:gemini-3-flash", environ={"GEMINI_API_KEY": "", "GOOGLE_API_KEY": KEY}
    )
    assert configuration.api_key == SecretStr(KEY)


@pytest.mark.parametrize("vendor", [p.name for p in VENDORS.values() if p.key_env and p.base_url])
def test_the_error_for_a_missing_key_names_its_variable(vendor: str) -> None:
    """This holds for every vendor that needs a key, before anything is sent."""
    with pytest.raises(TurnConfigurationError, match=f"set {VENDORS[vendor].key_env[0]}"):
        ProviderConfig.from_model_string(f"{vendor}:m", environ={})


@pytest.mark.parametrize("vendor", [p.name for p in VENDORS.values() if not p.base_url])
def test_the_error_for_a_missing_endpoint_shows_its_pattern(vendor: str) -> None:
    """An endpoint that each account has for itself cannot be preset."""
    with pytest.raises(TurnConfigurationError, match="give `base_url`, as in http"):
        config(vendor=vendor, api_key=KEY)


@pytest.mark.parametrize("vendor", ["ollama", "vllm", "llamacpp", "lmstudio"])
def test_a_local_server_needs_no_key(vendor: str) -> None:
    """It does not get the key of another vendor either."""
    assert (
        ProviderConfig.from_model_string(f"{vendor}:m", environ={"OPENAI_API_KEY": KEY}).api_key
        is None
    )


@pytest.mark.parametrize("model", ["gpt-5-mini", "openai:", ":m", ""])
def test_a_model_string_without_vendor_or_model_is_refused(model: str) -> None:
    """It would be sent to whichever vendor is the default."""
    with pytest.raises(TurnConfigurationError):
        ProviderConfig.from_model_string(model, environ={"OPENAI_API_KEY": KEY})


@pytest.mark.parametrize(
    ("fields", "message"),
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
def test_a_wrong_configuration_is_refused(fields: dict[str, Any], message: str) -> None:
    """The error is raised before anything is sent, and says what to do."""
    with pytest.raises(TurnConfigurationError, match=message):
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
    """Zero is a value for a temperature; a number above two is not."""
    with pytest.raises(ValidationError):
        config(**{"base_url": "https://example.com/v1", **fields})


def test_the_endpoint_determines_the_vendor() -> None:
    """A vendor's quirks hold, whether it was named or only its URL was given."""
    assert config(base_url="https://api.groq.com/openai/v1", api_key=KEY).vendor == "groq"
    assert config(base_url="https://example.com/v1").vendor == "custom"
    assert config(api_key=KEY).vendor == "openai"


def test_a_key_is_never_shown() -> None:
    """No `repr` and no error shows a key, or a header that may hold one."""
    configuration = config(
        base_url="https://example.com/v1", api_key=KEY, headers={"X-Api-Key": KEY + "-header"}
    )
    assert KEY not in repr(configuration) + str(configuration)
    assert set(configuration.secrets) == {KEY, KEY + "-header"}
    with pytest.raises(ValidationError) as caught:
        config(base_url="https://example.com/v1", api_key=SecretStr(KEY), temperature=9)
    assert KEY not in str(caught.value)
    with pytest.raises(ValidationError) as caught:
        ProviderConfig.model_validate({"api_key": KEY, "base_url": "https://example.com/v1"})
    assert KEY not in str(caught.value), "what is missing is named without what is there"


def test_a_password_in_the_endpoint_is_a_secret() -> None:
    """Proxies are sometimes reached that way."""
    configuration = config(base_url=f"https://user:{KEY}@example.com/v1")
    assert KEY in configuration.secrets
    assert KEY not in repr(configuration)
    assert configuration.base_url == "https://example.com/v1"


def test_a_configuration_is_frozen() -> None:
    """It is shared by every turn of its provider."""
    configuration = config(base_url="https://example.com/v1")
    with pytest.raises(ValidationError):
        configuration.temperature = 1  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(configuration)) == configuration


def test_the_configuration_of_a_langchain_model_is_used() -> None:
    """What was set there holds here, and nothing is added."""
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(
        model="gpt-4o",
        api_key=SecretStr(KEY),
        temperature=0.0,
        max_tokens=7,
        use_responses_api=True,
        frequency_penalty=0.5,
    )
    configuration = ProviderConfig.from_chat_model(chat)
    assert (
        configuration.vendor,
        configuration.model,
        configuration.temperature,
        configuration.max_tokens,
    ) == (
        "openai",
        "gpt-4o",
        0.0,
        7,
    )
    assert (configuration.api, configuration.api_key, configuration.extra_body) == (
        "responses",
        SecretStr(KEY),
        {"frequency_penalty": 0.5},
    )


def test_the_deployment_of_an_azure_model_is_used() -> None:
    """The endpoint is the one that its client really sends to."""
    from langchain_openai import AzureChatOpenAI

    chat = AzureChatOpenAI(
        azure_deployment="dep",
        azure_endpoint="https://r.openai.azure.com",
        api_version="2024-10-21",
        api_key=SecretStr(KEY),
    )
    configuration = ProviderConfig.from_chat_model(chat)
    assert (configuration.vendor, configuration.model, configuration.api_version) == (
        "azure",
        "dep",
        "2024-10-21",
    )
    assert configuration.base_url == "https://r.openai.azure.com/openai/deployments/dep"


def test_the_key_of_the_vendors_own_endpoint_is_in_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`ProviderConfig(model=…)` and `vendor:model` find the same key."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert ProviderConfig(model="gpt-5").api_key == SecretStr(KEY)
    assert ProviderConfig(model="gpt-5", api_key=SecretStr("own")).api_key == SecretStr("own")


@pytest.mark.parametrize("vendor", ["", "openai", "custom"])
def test_no_other_endpoint_gets_the_key_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, vendor: str
) -> None:
    """A key that nobody gave for this address must not be sent to it."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert config(vendor=vendor, base_url="https://proxy.example.com/v1").api_key is None


def test_an_environment_that_is_handed_in_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(TurnConfigurationError, match="needs a key"):
        ProviderConfig.from_model_string("openai:gpt-5", environ={})


@pytest.mark.parametrize(
    ("fields", "vendor", "model"),
    [
        ({"model": "openai:gpt-5"}, "openai", "gpt-5"),
        ({"model": "openai:gpt-5", "vendor": "openai"}, "openai", "gpt-5"),
        ({"model": "groq:openai/gpt-oss-20b"}, "groq", "openai/gpt-oss-20b"),
        ({"model": "mistral:7b", "vendor": "ollama"}, "ollama", "mistral:7b"),
        ({"model": "openai:gpt-5", "base_url": "https://g.example.com/v1"}, "custom", None),
    ],
)
def test_a_vendor_before_the_model_names_the_vendor(
    fields: dict[str, Any], vendor: str, model: str | None
) -> None:
    """At an endpoint of one's own the name is left alone: gateways have such names."""
    configuration = ProviderConfig.model_validate({"api_key": KEY, **fields})
    assert (configuration.vendor, configuration.model) == (vendor, model or fields["model"])


def test_the_api_may_be_given_under_its_other_name() -> None:
    """`use_responses_api` is what LangChain has, and what the current values say."""
    asked = config(api_key=KEY, use_responses_api=True)
    assert asked.api == "responses"
    assert asked.replaced(use_responses_api=False).api == "chat"
    assert config(api_key=KEY, use_responses_api=None).api is None
    with pytest.raises(TurnConfigurationError, match="contradict each other"):
        config(api_key=KEY, api="chat", use_responses_api=True)
    with pytest.raises(TurnConfigurationError, match="write true or false"):
        config(api_key=KEY, use_responses_api="yes")
