"""What a provider says of itself: its capabilities, what a screen may show of it, and the values
that hold now.
"""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import SecretStr, ValidationError

from turngraph.providers import VENDORS, OpenAIProvider, ProviderCapabilities, ProviderConfig
from turngraph.state.errors import TurnConfigurationError

KEY = "sk-planted-shown"

every_vendor = pytest.mark.parametrize("vendor", list(VENDORS))


def provider(vendor: str, model: str = "m", **fields: Any) -> OpenAIProvider:
    given: dict[str, Any] = {"vendor": vendor, "model": model, "api_key": KEY}
    if VENDORS[vendor].base_url is None:
        given["base_url"] = "https://account.example.com/v1"
    return OpenAIProvider(ProviderConfig.model_validate({**given, **fields}))


def examples(vendor: str) -> list[str]:
    """A model for each rule of the vendor's row, and one that none of them is for."""
    return ["m", *(rule.example for rule in VENDORS[vendor].models)]


@every_vendor
def test_the_schema_of_every_vendor_is_one_and_the_values_fit_it(vendor: str) -> None:
    """A form made of it must accept what it is first filled with."""
    for model in examples(vendor):
        asked = provider(vendor, model, max_tokens=64, stop=("END",), parallel_tool_calls=True)
        schema, values = asked.get_ui_config_schema(), asked.get_current_config_values()
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema).validate(values)
        assert KEY not in json.dumps([schema, values])


@every_vendor
def test_the_capabilities_of_every_vendor_are_told(vendor: str) -> None:
    """Frozen, JSON-plain, and of the API that is really used."""
    for model in examples(vendor):
        asked = provider(vendor, model)
        told = asked.get_capabilities()
        assert ProviderCapabilities.model_validate_json(told.model_dump_json()) == told
        assert (told.vendor, told.model, told.api) == (vendor, model, asked.api)
    with pytest.raises(ValidationError):
        told.tools = False  # type: ignore[misc]


@pytest.mark.parametrize(
    ("vendor", "model", "said"),
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
def test_capabilities_follow_the_table(vendor: str, model: str, said: dict[str, Any]) -> None:
    """What is not known is told as not known."""
    told = provider(vendor, model).get_capabilities().model_dump()
    assert {name: told[name] for name in said} == said


def test_a_provider_without_tools_has_none() -> None:
    """The configuration has the last word."""
    told = provider("openai", "gpt-4o", tools=False, builtin_tools=({"type": "web_search"},))
    assert told.get_capabilities().tools is False
    assert told.api == "chat", "tools that are not offered need no API"


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
    """A level that does something else than its name says so; one that is refused is not offered."""
    knob = provider(vendor, model).get_ui_config_schema()["properties"]["reasoning_effort"]
    assert [level["title"] for level in knob["oneOf"]] == levels


def test_reasoning_that_is_on_unless_told_otherwise_says_so() -> None:
    """At Scaleway, leaving the effort out does not turn it off."""
    knob = provider("scaleway", "qwen3-235b").get_ui_config_schema()["properties"][
        "reasoning_effort"
    ]
    assert "even if no effort is chosen" in knob["description"]


def test_the_schema_of_another_model_can_be_asked_for() -> None:
    """A form changes when another model is chosen in it."""
    asked = provider("openai", "gpt-4o")
    assert "reasoning_effort" not in asked.get_ui_config_schema()["properties"]
    other = asked.get_ui_config_schema("gpt-5-mini")
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
def test_what_the_model_does_not_take_is_not_shown(
    vendor: str, model: str, without: list[str]
) -> None:
    """A knob that does nothing is worse than none."""
    shown = provider(vendor, model).get_ui_config_schema()["properties"]
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
    """Not what was wished, but what is."""
    asked = provider(**fields)
    assert asked.get_current_config_values()["use_responses_api"] is resolved
    assert asked.api == ("responses" if resolved else "chat")


def test_values_hold_what_is_set_and_no_secret() -> None:
    """Neither key nor header."""
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
    ("fields", "said"),
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
def test_wrong_settings_are_refused_without_a_secret(fields: dict[str, Any], said: str) -> None:
    """When the configuration is made, with the cure."""
    with pytest.raises(TurnConfigurationError, match=said) as caught:
        provider("openai", "gpt-5-mini", **fields)
    assert KEY not in str(caught.value)
