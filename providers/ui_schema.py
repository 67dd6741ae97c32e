"""What a user interface may show and change of a provider's configuration: a JSON schema, and the
current values.

https://json-schema.org/draft/2020-12. Levels of reasoning are those of the model: each vendor's own
row says which it knows and what it makes of them.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import JsonValue

from turngraph.providers.config import ProviderConfig
from turngraph.providers.vendors.builtin_tools import BUILTIN_TOOLS
from turngraph.providers.vendors.profiles import Quirks
from turngraph.state.request import Api

__all__ = ["config_values", "ui_schema"]

_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Offered where a model's own levels are not known:
https://platform.openai.com/docs/guides/reasoning
"""
_REASONING_NOTE: Final = "Not sent while the model reasons."


def ui_schema(config: ProviderConfig, api: Api) -> dict[str, Any]:
    """The JSON schema of what may be shown of `config`. What its model does not take is not in it;
    nor is any key.

    >>> config = ProviderConfig(vendor="berget", model="zai-org/GLM-5.3-Flash", api_key="k")
    >>> schema = ui_schema(config, "chat")["properties"]["reasoning_effort"]
    >>> [(level["const"], level["title"]) for level in schema["oneOf"]][:2]
    [('low', 'low'), ('medium', 'medium (sent as high)')]
    """
    quirks = config.profile.for_model(config.model)
    properties = {
        **_place(config, api),
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


def config_values(config: ProviderConfig, api: Api) -> dict[str, Any]:
    """The current values of what `ui_schema` describes, `use_responses_api` resolved. What is not
    set is not in it.

    >>> config_values(ProviderConfig(vendor="ollama", model="llama3.2", temperature=0), "chat")["temperature"]
    0.0
    """
    shown = config.model_dump(
        mode="json", include=set(ui_schema(config, api)["properties"]), exclude_none=True
    )
    return {**shown, "use_responses_api": api == "responses"}


def _place(config: ProviderConfig, api: Api) -> dict[str, JsonValue]:
    choice: dict[str, JsonValue] = {"type": "boolean", "title": "Responses API"}
    if config.profile.responses == "none":
        choice |= {"const": False, "readOnly": True}
    return {
        "model": {"type": "string", "minLength": 1, "title": "Model"},
        "vendor": {"const": config.vendor, "readOnly": True, "title": "Vendor"},
        "base_url": {"type": "string", "readOnly": True, "title": "Endpoint"},
        "use_responses_api": {**choice, "default": api == "responses"},
    }


def _sampling(quirks: Quirks, api: Api) -> dict[str, JsonValue]:
    bounds = {"minimum": quirks.min_temperature, "maximum": quirks.max_temperature}
    least = quirks.min_output_tokens if api == "responses" else 1
    all_of: dict[str, dict[str, JsonValue]] = {
        "temperature": {"type": "number", **bounds, "title": "Temperature"},
        "top_p": {"type": "number", "minimum": 0, "maximum": 1, "title": "Top p"},
        "max_tokens": {"type": "integer", "minimum": least, "title": "Most tokens of an answer"},
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
    for name, schema in all_of.items():
        if name in quirks.drop or (api == "responses" and name in ("stop", "seed")):
            continue
        note: dict[str, JsonValue] = (
            {"description": _REASONING_NOTE} if name in quirks.drop_with_reasoning else {}
        )
        shown[name] = {**schema, **note}
    return shown


def _reasoning(quirks: Quirks, api: Api) -> dict[str, JsonValue]:
    if quirks.efforts == {}:
        return {}
    knob: dict[str, JsonValue] = {"title": "Reasoning effort", "oneOf": _levels(quirks.efforts)}
    if quirks.reasons_by_default:
        knob["description"] = "The model reasons where no effort is given."
    shown: dict[str, JsonValue] = {"reasoning_effort": knob}
    if api == "responses":
        words: list[JsonValue] = ["auto", "concise", "detailed"]
        shown["reasoning_summary"] = {"enum": words, "title": "Reasoning summary"}
    return shown


def _levels(efforts: Mapping[str, JsonValue] | None) -> list[JsonValue]:
    """A choice for each effort, its title saying what the vendor is sent where that is another
    word.
    """
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
            "title": "System message of conversations without one",
        }
    }
    if "verbosity" not in quirks.drop:
        words: list[JsonValue] = ["low", "medium", "high"]
        shown["text_verbosity"] = {"enum": words, "title": "Verbosity"}
    if api == "responses":
        shown["store"] = {"type": "boolean", "title": "Answers are kept by the vendor"}
    else:
        shown["remove_empty_content"] = {
            "type": "boolean",
            "title": "Leave out empty content beside tool calls",
        }
    return shown


def _tools(config: ProviderConfig, quirks: Quirks, api: Api) -> dict[str, JsonValue]:
    shown: dict[str, JsonValue] = {"tools": {"type": "boolean", "title": "Offer tools"}}
    if "parallel_tool_calls" not in quirks.drop:
        shown["parallel_tool_calls"] = {"type": "boolean", "title": "Several tool calls at once"}
    listed = BUILTIN_TOOLS.get(config.vendor, frozenset())
    if listed and (api == "responses" or quirks.tool_types is None):
        kinds: list[JsonValue] = [*sorted(listed - {"file_search"})]
        item: dict[str, JsonValue] = {
            "type": "object",
            "properties": {"type": {"type": "string", "examples": kinds}},
            "required": ["type"],
        }
        shown["builtin_tools"] = {"type": "array", "items": item, "title": "The vendor's own tools"}
    if api == "responses" and "file_search" in listed:
        texts: dict[str, JsonValue] = {"type": "string"}
        shown["vector_store_ids"] = {
            "type": "array",
            "items": texts,
            "title": "Vector stores to search",
        }
    return shown
