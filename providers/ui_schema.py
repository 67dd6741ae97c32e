"""What a user interface may show and change of a provider's configuration: a JSON schema, and the
current values (https://json-schema.org/draft/2020-12).

Levels of reasoning are those of the model: each vendor's row in the table says which a model knows,
and what is sent for each.
"""

from collections.abc import Mapping
from typing import Final, get_args

from pydantic import JsonValue

from turngraph.providers.capabilities import CHAT_ONLY, builtin_tools_at
from turngraph.providers.config import ProviderConfig, ReasoningSummary, TextVerbosity
from turngraph.providers.vendors.profiles import Quirks
from turngraph.state.json_types import JsonObject
from turngraph.state.request import Api

__all__ = ["config_values", "ui_schema"]

_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Shown for a model whose own levels are not known
(https://platform.openai.com/docs/guides/reasoning).
"""
_REASONING_NOTE: Final = "Not sent while the model reasons."


def ui_schema(config: ProviderConfig, api: Api) -> JsonObject:
    """Returns a JSON schema of the fields of `config` that its model has a use for, without a key.

    Titles are short enough for a form's labels; `readOnly` marks what cannot be changed.

    >>> config = ProviderConfig(vendor="berget", model="zai-org/GLM-5.3-Flash", api_key="k")
    >>> schema = ui_schema(config, "chat")["properties"]["reasoning_effort"]
    >>> [(level["const"], level["title"]) for level in schema["oneOf"]][:2]
    [('low', 'low'), ('medium', 'medium (sent as high)')]
    """
    # A field that the model does not take is left out: a knob that does nothing is worse than none.
    quirks = config.profile.for_model(config.model)
    properties = {
        **_endpoint(config, api),
        **_sampling(quirks, api),
        **_reasoning(quirks, api),
        **_answer(quirks, api),
        **_tools(config, quirks, api),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{config.model} at {config.vendor}",
        "type": "object",
        "properties": properties,
        "required": ["model", "use_responses_api"],
        "additionalProperties": False,
    }


def config_values(config: ProviderConfig, api: Api) -> JsonObject:
    """Returns the current values of the fields in `ui_schema`. Unset ones are left out.

    `use_responses_api` is what really happens, also if the API was chosen by `select_api`.

    >>> config = ProviderConfig(vendor="ollama", model="llama3.2", temperature=0)
    >>> config_values(config, "chat")["temperature"]
    0.0
    """
    values = config.model_dump(
        mode="json", include=set(ui_schema(config, api)["properties"]), exclude_none=True
    )
    return {**values, "use_responses_api": api == "responses"}


def _endpoint(config: ProviderConfig, api: Api) -> dict[str, JsonValue]:
    choice: dict[str, JsonValue] = {"type": "boolean", "title": "Responses API"}
    # The choice is shown even where there is none, so that a form always says which API is used.
    if config.profile.responses == "none":
        choice |= {"const": False, "readOnly": True}
    return {
        "model": {"type": "string", "minLength": 1, "title": "Model"},
        "vendor": {"const": config.vendor, "readOnly": True, "title": "Vendor"},
        "base_url": {"type": "string", "readOnly": True, "title": "Endpoint"},
        "use_responses_api": {**choice, "default": api == "responses"},
    }


def _sampling(quirks: Quirks, api: Api) -> dict[str, JsonValue]:
    # Here the vendor's own bounds count, because a form should not offer what would be changed.
    bounds = {"minimum": quirks.min_temperature, "maximum": quirks.max_temperature}
    least = quirks.min_output_tokens if api == "responses" else 1
    schemas: dict[str, dict[str, JsonValue]] = {
        "temperature": {"type": "number", **bounds, "title": "Temperature"},
        "top_p": {"type": "number", "minimum": 0, "maximum": 1, "title": "Top p"},
        "max_tokens": {"type": "integer", "minimum": least, "title": "Most tokens in an answer"},
        "stop": {"type": "array", "items": {"type": "string"}, "title": "Stop sequences"},
        "seed": {"type": "integer", "title": "Seed"},
        "logprobs": {"type": "boolean", "title": "Log probabilities"},
        "top_logprobs": {
            "type": "integer",
            "minimum": 0,
            "maximum": 20,
            "title": "Alternatives per token",
        },
    }
    shown: dict[str, JsonValue] = {}
    for name, schema in schemas.items():
        if name in quirks.drop or (api == "responses" and name in CHAT_ONLY):
            continue
        note: dict[str, JsonValue] = (
            {"description": _REASONING_NOTE} if name in quirks.drop_with_reasoning else {}
        )
        shown[name] = {**schema, **note}
    return shown


def _reasoning(quirks: Quirks, api: Api) -> dict[str, JsonValue]:
    if quirks.efforts == {}:
        return {}
    effort: dict[str, JsonValue] = {"title": "Reasoning effort", "oneOf": _levels(quirks.efforts)}
    if quirks.reasons_by_default:
        effort["description"] = "The model reasons even if no effort is chosen."
    shown: dict[str, JsonValue] = {"reasoning_effort": effort}
    if api == "responses":
        words = [*get_args(ReasoningSummary)]
        shown["reasoning_summary"] = {"enum": words, "title": "Reasoning summary"}
    return shown


def _levels(efforts: Mapping[str, JsonValue] | None) -> list[JsonValue]:
    """Returns a choice for each effort. Its title says what is sent, if that is another word."""
    if efforts is None:
        return [{"const": effort, "title": _level(effort, effort)} for effort in _EFFORTS]
    return [{"const": effort, "title": _level(effort, sent)} for effort, sent in efforts.items()]


def _level(effort: str, sent: JsonValue) -> str:
    if effort == "none":
        return "off"
    return effort if sent == effort else f"{effort} (sent as {sent})"


def _answer(quirks: Quirks, api: Api) -> dict[str, JsonValue]:
    shown: dict[str, JsonValue] = {
        "default_system_role": {
            "type": "string",
            "title": "System message for conversations without one",
        }
    }
    if "verbosity" not in quirks.drop:
        words = [*get_args(TextVerbosity)]
        shown["text_verbosity"] = {"enum": words, "title": "Verbosity"}
    if api == "responses":
        shown["store"] = {"type": "boolean", "title": "The vendor stores answers"}
    else:
        shown["remove_empty_content"] = {
            "type": "boolean",
            "title": "Leave out empty content of messages with tool calls",
        }
    return shown


def _tools(config: ProviderConfig, quirks: Quirks, api: Api) -> dict[str, JsonValue]:
    shown: dict[str, JsonValue] = {"tools": {"type": "boolean", "title": "Give tools to the model"}}
    if "parallel_tool_calls" not in quirks.drop:
        shown["parallel_tool_calls"] = {"type": "boolean", "title": "Several tool calls at once"}
    listed = builtin_tools_at(config.profile) or frozenset()
    # `file_search` is not among the examples: `vector_store_ids` below is the way to ask for it.
    if listed and (api == "responses" or quirks.tool_types is None):
        kinds: list[JsonValue] = [*sorted(listed - {"file_search"})]
        item: dict[str, JsonValue] = {
            "type": "object",
            "properties": {"type": {"type": "string", "examples": kinds}},
            "required": ["type"],
        }
        shown["builtin_tools"] = {
            "type": "array",
            "items": item,
            "title": "Tools that run at the vendor",
        }
    if api == "responses" and "file_search" in listed:
        shown["vector_store_ids"] = {
            "type": "array",
            "items": {"type": "string"},
            "title": "Vector stores to search",
        }
    return shown
