"""Checks a Chat Completions request as strictly as the vendor, and reads it as a `Prompt`.

Reference: https://platform.openai.com/docs/api-reference/chat/create
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from turngraph.scripted import checks
from turngraph.scripted.chat.messages import read_messages
from turngraph.scripted.checks import EFFORTS, RequestError
from turngraph.scripted.model_families import check_model_support
from turngraph.scripted.prompt import OfferedTool, Prompt
from turngraph.state.json_types import JsonObject

__all__ = ["read_chat"]

MEMBERS: Final[Mapping[str, checks.Check]] = {
    "model": checks.text,
    "messages": checks.array,
    "temperature": checks.number(0, 2),
    "top_p": checks.number(0, 1),
    "presence_penalty": checks.number(-2, 2),
    "frequency_penalty": checks.number(-2, 2),
    "n": checks.integer(1, 128),
    "max_tokens": checks.integer(1),
    "max_completion_tokens": checks.integer(1),
    "top_logprobs": checks.integer(0, 20),
    "seed": checks.integer(-(2**63), 2**63 - 1),
    "logprobs": checks.boolean,
    "stream": checks.boolean,
    "store": checks.boolean,
    "parallel_tool_calls": checks.boolean,
    "stop": checks.text_or_texts,
    "tools": checks.array,
    "tool_choice": checks.any_value,
    "response_format": checks.mapping,
    "stream_options": checks.mapping,
    "reasoning_effort": checks.one_of(*EFFORTS),
    "verbosity": checks.one_of("low", "medium", "high"),
    "service_tier": checks.one_of("auto", "default", "flex", "scale", "priority", "fast"),
    "metadata": checks.mapping,
    "logit_bias": checks.mapping,
    "prediction": checks.mapping,
    "audio": checks.mapping,
    "web_search_options": checks.mapping,
    "modalities": checks.array,
    "functions": checks.array,
    "function_call": checks.any_value,
    "user": checks.text,
    "safety_identifier": checks.text,
    "prompt_cache_key": checks.text,
    "prompt_cache_retention": checks.text,
}
"""Every member that the API knows, with its check."""
NEEDS: Final[Mapping[str, str]] = {
    "tool_choice": "tools",
    "parallel_tool_calls": "tools",
    "stream_options": "stream",
}
"""Members that are only allowed beside another member."""


def read_chat(body: Mapping[str, Any], accepts: Collection[str] = ()) -> Prompt:
    """Returns the request as a `Prompt`. Raises RequestError where the vendor answers with 400.

    >>> read_chat({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).question
    'Hi'
    """
    checks.require(body, "", "model", "messages")
    checks.check_members(body, MEMBERS, accepts)
    _check_combinations(body)
    tools = _read_tools(body.get("tools", ()))
    return Prompt(
        messages=read_messages(body["messages"]),
        tools=tools,
        tool_choice=_read_tool_choice(body.get("tool_choice", "auto"), tools),
        parallel=body.get("parallel_tool_calls", True),
        schema=_read_schema(body.get("response_format", {})),
        # `max_tokens` is the older name of the same limit.
        max_tokens=body.get("max_completion_tokens", body.get("max_tokens")),
        stop=_stop_sequences(body.get("stop", ())),
        effort=body.get("reasoning_effort"),
        logprobs=body.get("top_logprobs", 0) if body.get("logprobs") else None,
    )


def _check_combinations(body: Mapping[str, Any]) -> None:
    for name, needed in NEEDS.items():
        # `stream_options` beside `stream: false` is refused too, not only without any `stream`.
        if name in body and not body.get(needed):
            message = (
                f"Invalid value for '{name}': '{name}' is only allowed when '{needed}' is given."
            )
            raise RequestError(message, param=name, code="invalid_value")
    if "top_logprobs" in body and not body.get("logprobs"):
        message = "'top_logprobs' needs 'logprobs' to be true."
        raise RequestError(message, param="top_logprobs", code="invalid_value")
    check_model_support(body, effort=body.get("reasoning_effort"))


def _stop_sequences(stop: str | Sequence[str]) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop)


def _read_tools(tools: Sequence[Any]) -> tuple[OfferedTool, ...]:
    """Reads the functions among the tools. Custom tools are accepted, but never called."""
    offered = []
    for place, tool in enumerate(tools):
        at = f"tools[{place}]"
        checks.mapping(at, tool)
        checks.require(tool, at, "type")
        checks.one_of("function", "custom")(f"{at}.type", tool["type"])
        if tool["type"] == "function":
            checks.require(tool, at, "function")
            offered.append(checks.read_function(tool["function"], f"{at}.function"))
    return tuple(offered)


def _read_tool_choice(choice: object, tools: Sequence[OfferedTool]) -> str:
    if not isinstance(choice, dict):
        checks.one_of("none", "auto", "required")("tool_choice", choice)
        return str(choice)
    if choice.get("type") == "allowed_tools":
        # Only the mode is followed: every offered tool may still be called.
        return str(choice.get("allowed_tools", {}).get("mode", "auto"))
    function = choice.get("function", choice.get("custom"))
    if not isinstance(function, dict) or "name" not in function:
        checks.refuse_missing("tool_choice.function.name")
    checks.check_known_tool(function["name"], tools)
    return str(function["name"])


def _read_schema(response_format: Mapping[str, object]) -> JsonObject | None:
    """Returns the schema that the answer must fit: None for text, `{}` for any JSON object."""
    kind = response_format.get("type", "text")
    checks.one_of("text", "json_object", "json_schema")("response_format.type", kind)
    if kind != "json_schema":
        return {} if kind == "json_object" else None
    json_schema = response_format.get("json_schema")
    if not isinstance(json_schema, dict) or "name" not in json_schema:
        checks.refuse_missing("response_format.json_schema.name")
    return checks.read_answer_schema(json_schema, "response_format.json_schema.schema")
