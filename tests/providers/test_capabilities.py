"""What a provider reports: its capabilities, the schema of its settings, and their values."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import SecretStr, ValidationError

from turngraph.providers import VENDORS, OpenAIProvider, ProviderCapabilities, ProviderConfig
from turngraph.state.errors import TurnConfigurationError

KEY = "sk-planted-shown"

every_vendor = pytest.mark.parametrize("vendor", list(VENDORS))


def provider_for(vendor: str, model: str = "m", **fields: Any) -> OpenAIProvider:
    given: dict[str, Any] = {"vendor": vendor, "model": model, "api_key": KEY}
    if VENDORS[vendor].base_url is None:
        given["base_url"] = "https://account.example.com/v1"
    return OpenAIProvider(ProviderConfig.model_validate({**given, **fields}))


def examples(vendor: str) -> list[str]:
    """Returns a model for each rule of the vendor's row, and one that no rule is for."""
    return ["m", *(rule.example for rule in VENDORS[vendor].models)]


@every_vendor
def test_the_values_of_every_vendor_fit_its_schema(vendor: str) -> None:
    """A form that is made from the schema must accept the values it is first filled with."""
    for model in examples(vendor):
        provider = provider_for(
            vendor, model, max_tokens=64, stop=("END",), parallel_tool_calls=True
        )
        schema, values = provider.get_ui_config_schema(), provider.get_current_config_values()
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema).validate(values)
        assert KEY not in json.dumps([schema, values])


@every_vendor
def test_the_values_of_every_vendor_can_be_given_back(vendor: str) -> None:
    """A form sends back what it was filled with; that changes nothing but what it resolved."""
    for model in examples(vendor):
        provider = provider_for(vendor, model, max_tokens=64)
        again = provider.config.replaced(**provider.get_current_config_values())
        assert again.replaced(api=provider.config.api) == provider.config
        assert again.api == provider.api


@every_vendor
def test_every_vendor_has_capabilities(vendor: str) -> None:
    """They are frozen, plain JSON, and about the API that is used."""
    for model in examples(vendor):
        provider = provider_for(vendor, model)
        capabilities = provider.get_capabilities()
        assert (
            ProviderCapabilities.model_validate_json(capabilities.model_dump_json()) == capabilities
        )
        assert (capabilities.vendor, capabilities.model, capabilities.api) == (
            vendor,
            model,
            provider.api,
        )
    with pytest.raises(ValidationError):
        capabilities.tools = False  # type: ignore[misc]


@pytest.mark.parametrize(
    ("vendor", "model", "expected"),
    [
        (
            "openai",
            "gpt-5-mini",
            {
                "api": "responses",
                "reasoning": True,
                "vector_stores": True,
                "vision": True,
                "stateful_responses": True,
            },
        ),
        (
            "openai",
            "gpt-4o",
            {
                "api": "chat",
                "reasoning": False,
                "reasoning_efforts": (),
                "seed": True,
                "audio": True,
            },
        ),
        ("openai", "o3", {"stop": False, "parallel_tool_calls": False}),
        (
            "anthropic",
            "claude-opus-4-5",
            {"structured_output": False, "audio": False, "files": False},
        ),
        (
            "groq",
            "llama-3.3-70b-versatile",
            {"logprobs": False, "web_search": True, "vector_stores": False},
        ),
        (
            "ollama",
            "llama3.2",
            {"image_urls": False, "stateful_responses": False, "responses_api": True},
        ),
        ("mistral", "m", {"responses_api": False, "vector_stores": False}),
        (
            "custom",
            "m",
            {"responses_api": None, "vector_stores": None, "vision": None, "tools": True},
        ),
    ],
)
def test_capabilities_follow_the_table(vendor: str, model: str, expected: dict[str, Any]) -> None:
    """What is not known is `None`."""
    capabilities = provider_for(vendor, model).get_capabilities().model_dump()
    assert {name: capabilities[name] for name in expected} == expected


def test_a_provider_configured_without_tools_reports_none() -> None:
    """The configuration wins over the table."""
    provider = provider_for(
        "openai", "gpt-4o", tools=False, builtin_tools=({"type": "web_search"},)
    )
    assert provider.get_capabilities().tools is False
    assert provider.api == "chat", "tools that are not sent need no other API"


@pytest.mark.parametrize(
    ("vendor", "model", "levels"),
    [
        ("openai", "gpt-5-mini", ["minimal", "low", "medium", "high"]),
        ("openai", "gpt-5.1", ["off", "low", "medium", "high"]),
        ("openai", "gpt-5-pro", ["high"]),
        ("berget", "mistralai/Mistral-Small-3.2", ["off", "low", "medium", "high"]),
        (
            "berget",
            "moonshotai/Kimi-K2",
            ["off", "low (sent as high)", "medium (sent as high)", "high"],
        ),
        (
            "berget",
            "zai-org/GLM-5.3-Flash",
            ["low", "medium (sent as high)", "high", "xhigh (sent as max)", "max"],
        ),
        ("scaleway", "qwen3-235b", ["off", "low", "medium", "high"]),
        ("scaleway", "gpt-oss-120b", ["low", "medium", "high"]),
        (
            "alibaba",
            "qwen3",
            ["off", "low (sent as 2048)", "medium (sent as 8192)", "high (sent as 24576)"],
        ),
        ("custom", "m", ["off", "minimal", "low", "medium", "high", "xhigh", "max"]),
    ],
)
def test_levels_of_reasoning_are_the_models_own(vendor: str, model: str, levels: list[str]) -> None:
    """A level that is sent as another word says so. One that is refused is not in the list."""
    knob = provider_for(vendor, model).get_ui_config_schema()["properties"]["reasoning_effort"]
    assert [level["title"] for level in knob["oneOf"]] == levels


def test_a_model_that_reasons_by_default_says_so() -> None:
    """At Scaleway, leaving the effort out does not turn reasoning off."""
    knob = provider_for("scaleway", "qwen3-235b").get_ui_config_schema()["properties"][
        "reasoning_effort"
    ]
    assert "even if no effort is chosen" in knob["description"]


def test_the_schema_of_another_model_can_be_asked_for() -> None:
    """A form changes when another model is chosen in it."""
    provider = provider_for("openai", "gpt-4o")
    assert "reasoning_effort" not in provider.get_ui_config_schema()["properties"]
    other = provider.get_ui_config_schema("gpt-5-mini")
    assert "reasoning_effort" in other["properties"]
    assert other["properties"]["use_responses_api"]["default"] is True


@pytest.mark.parametrize(
    ("vendor", "model", "without"),
    [
        ("openai", "gpt-5-mini", ["stop", "seed", "remove_empty_content"]),
        (
            "openai",
            "gpt-4o",
            ["text_verbosity", "vector_store_ids", "reasoning_summary", "builtin_tools"],
        ),
        ("groq", "m", ["logprobs", "text_verbosity", "reasoning_effort"]),
    ],
)
def test_parameters_that_a_model_does_not_take_are_not_in_its_schema(
    vendor: str, model: str, without: list[str]
) -> None:
    """A field that does nothing is worse than none."""
    shown = provider_for(vendor, model).get_ui_config_schema()["properties"]
    assert [name for name in without if name in shown] == []


@pytest.mark.parametrize(
    ("fields", "resolved"),
    [
        ({"vendor": "openai", "model": "gpt-5-mini"}, True),
        ({"vendor": "openai", "model": "gpt-4o"}, False),
        ({"vendor": "openai", "model": "gpt-4o", "api": "responses"}, True),
        ({"vendor": "openai", "model": "gpt-4o", "builtin_tools": ({"type": "web_search"},)}, True),
        ({"vendor": "openai", "model": "gpt-4o", "vector_store_ids": ("vs_1",)}, True),
        (
            {
                "vendor": "groq",
                "model": "openai/gpt-oss-20b",
                "builtin_tools": ({"type": "browser_search"},),
            },
            False,
        ),
        ({"vendor": "mistral", "model": "m"}, False),
    ],
)
def test_the_values_say_which_api_is_used(fields: dict[str, Any], resolved: bool) -> None:
    """`use_responses_api` reports what really happens."""
    provider = provider_for(**fields)
    assert provider.get_current_config_values()["use_responses_api"] is resolved
    assert provider.api == ("responses" if resolved else "chat")


def test_values_contain_what_is_set_and_no_secret() -> None:
    """Neither the key nor the headers are among them."""
    config = ProviderConfig(
        vendor="openai",
        model="gpt-4o",
        base_url="https://proxy.example.com/v1",
        api_key=SecretStr(KEY),
        headers={"X-Key": KEY},
        temperature=0,
    )
    values = OpenAIProvider(config).get_current_config_values()
    assert (values["temperature"], values["base_url"]) == (0, "https://proxy.example.com/v1")
    assert "top_p" not in values
    assert "api_key" not in values
    assert KEY not in json.dumps(values)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"builtin_tools": ({"name": "f"},)}, "an object whose `type`"),
        ({"builtin_tools": ({"type": "function", "name": "f"},)}, "functions of your own"),
        ({"builtin_tools": ({"type": "mcp", "authorization": KEY},)}, "stand in every checkpoint"),
        (
            {"builtin_tools": ({"type": "mcp", "headers": {"Authorization": KEY}},)},
            "mcp_authorization",
        ),
        ({"response_format": {"type": "yaml"}}, "text, json_object, json_schema"),
        ({"response_format": int}, "pydantic class"),
    ],
)
def test_errors_about_wrong_settings_quote_no_secret(fields: dict[str, Any], message: str) -> None:
    """The error is raised when the configuration is made, and says what to do."""
    with pytest.raises(TurnConfigurationError, match=message) as caught:
        provider_for("openai", "gpt-5-mini", **fields)
    assert KEY not in str(caught.value)
