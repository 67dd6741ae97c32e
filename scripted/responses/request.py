"""Responses, the way in: checks a request as strictly as the vendor, and reads it as a prompt.

Reference: https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from turngraph.scripted import checks
from turngraph.scripted.checks import EFFORTS, RequestError
from turngraph.scripted.models import refuse_unfitting
from turngraph.scripted.prompt import AskedCall, Message, OfferedTool, Prompt
from turngraph.scripted.responses.storage import KeptResponse, ResponseMemory

__all__ = ["ResponsesRequest", "read_responses"]

ROLES: Final = ("assistant", "system", "developer", "user")
INPUT_PARTS: Final = ("input_text", "input_image", "input_file", "input_audio")
OUTPUT_PARTS: Final = ("output_text", "refusal")
OTHER_ITEMS: Final = frozenset(
    (
        *(
            "file_search_call",
            "web_search_call",
            "computer_call",
            "computer_call_output",
            "image_generation_call",
        ),
        *(
            "code_interpreter_call",
            "local_shell_call",
            "local_shell_call_output",
            "shell_call",
            "shell_call_output",
        ),
        *(
            "apply_patch_call",
            "apply_patch_call_output",
            "mcp_list_tools",
            "mcp_approval_request",
            "mcp_call",
        ),
        *(
            "mcp_approval_response",
            "custom_tool_call",
            "custom_tool_call_output",
            "tool_search_call",
            "compaction",
        ),
        *("tool_search_output", "item_reference"),
    )
)
"""Items of the vendor's own tools: taken, and not read."""
PREFIXES: Final[Mapping[str, str]] = {"message": "msg", "function_call": "fc", "reasoning": "rs"}

MEMBERS: Final[Mapping[str, checks.Check]] = {
    "model": checks.text,
    "input": checks.anything,
    "instructions": checks.text,
    "previous_response_id": checks.text,
    "conversation": checks.anything,
    "temperature": checks.number(0, 2),
    "top_p": checks.number(0, 1),
    "max_output_tokens": checks.integer(16),
    "max_tool_calls": checks.integer(1),
    "top_logprobs": checks.integer(0, 20),
    "stream": checks.boolean,
    "stream_options": checks.mapping,
    "store": checks.boolean,
    "background": checks.boolean,
    "parallel_tool_calls": checks.boolean,
    "tools": checks.items,
    "tool_choice": checks.anything,
    "text": checks.mapping,
    "reasoning": checks.mapping,
    "include": checks.items,
    "metadata": checks.mapping,
    "prompt": checks.mapping,
    "truncation": checks.one_of("auto", "disabled"),
    "service_tier": checks.one_of(
        "auto", "default", "flex", "scale", "priority", "fast", "ultrafast"
    ),
    "context_management": checks.items,
    "user": checks.text,
    "safety_identifier": checks.text,
    "prompt_cache_key": checks.text,
    "prompt_cache_retention": checks.text,
}


REASONING: Final[Mapping[str, checks.Check]] = {
    "effort": checks.one_of(*EFFORTS),
    "summary": checks.one_of("auto", "concise", "detailed"),
    "generate_summary": checks.one_of("auto", "concise", "detailed"),
    "context": checks.one_of("auto", "current_turn", "all_turns"),
    "mode": checks.text,
}
TEXT: Final[Mapping[str, checks.Check]] = {
    "format": checks.mapping,
    "verbosity": checks.one_of("low", "medium", "high"),
}


@dataclass(frozen=True)
class ResponsesRequest:
    """A request that was read: the whole conversation as a prompt, what it adds to it, and what it
    goes on from.
    """

    prompt: Prompt
    added: tuple[Message, ...]
    before: KeptResponse | None


def read_responses(
    body: Mapping[str, Any], memory: ResponseMemory, accepts: Collection[str] = ()
) -> ResponsesRequest:
    """The request, checked and read. Raises RequestError as the vendor would answer 400 or 404.

    >>> read_responses({"model": "m", "input": "Hi"}, ResponseMemory()).prompt.question
    'Hi'
    """
    if "model" not in body:
        checks.missing("model")
    checks.check_members(body, MEMBERS, accepts)
    reasoning, text = body.get("reasoning", {}), body.get("text", {})
    checks.check_members(reasoning, REASONING, within="reasoning.")
    checks.check_members(text, TEXT, within="text.")
    refuse_unfitting(body, effort=reasoning.get("effort"))
    before = _before(body.get("previous_response_id"), memory)
    history = before.conversation if before is not None else ()
    added = _input(body, history, memory)
    tools = _tools(body.get("tools", ()))
    instructions = (Message("developer", body["instructions"]),) if "instructions" in body else ()
    prompt = Prompt(
        messages=(*instructions, *history, *added),
        tools=tools,
        tool_choice=_choice(body.get("tool_choice", "auto"), tools),
        parallel=body.get("parallel_tool_calls", True),
        schema=_schema(text.get("format", {})),
        max_tokens=body.get("max_output_tokens"),
        effort=reasoning.get("effort"),
        logprobs=body.get("top_logprobs", 0)
        if "message.output_text.logprobs" in body.get("include", ())
        else None,
    )
    return ResponsesRequest(prompt, added, before)


def _before(id: str | None, memory: ResponseMemory) -> KeptResponse | None:
    if id is None:
        return None
    before = memory.find(id)
    if before is None:
        message = f"Previous response with id '{id}' not found."
        raise RequestError(
            message, param="previous_response_id", code="previous_response_not_found"
        )
    return before


def _input(
    body: Mapping[str, Any], history: Sequence[Message], memory: ResponseMemory
) -> tuple[Message, ...]:
    given = body.get("input")
    if isinstance(given, str):
        return (Message("user", given),)
    if given is None:
        if "prompt" in body or "conversation" in body or "previous_response_id" in body:
            return ()
        checks.missing("input")
    checks.items("input", given)
    items: list[Any] = given
    added = tuple(message for n, item in enumerate(items) for message in _item(item, f"input[{n}]"))
    _check_reasoning(items, memory)
    _check_answered((*history, *added))
    return added


def _item(item: Any, at: str) -> list[Message]:
    """The message an item stands for; none for reasoning and the vendor's own tools."""
    checks.mapping(at, item)
    kind = item.get("type", "message")
    checks.text(f"{at}.type", kind)
    prefix = PREFIXES.get(kind, "")
    if prefix and not str(item.get("id") or prefix).startswith(prefix):
        message = f"Invalid '{at}.id': '{item['id']}'. Expected an ID that begins with '{prefix}'."
        raise RequestError(message, param=f"{at}.id", code="invalid_value")
    if kind == "message":
        return [_message(item, at)]
    if kind == "function_call":
        return [Message("assistant", "", (_call(item, at),))]
    if kind == "function_call_output":
        return [_result(item, at)]
    if kind != "reasoning":
        checks.one_of(
            "message", "function_call", "function_call_output", "reasoning", *sorted(OTHER_ITEMS)
        )(f"{at}.type", kind)
    return []


def _message(item: Mapping[str, Any], at: str) -> Message:
    if "role" not in item:
        checks.missing(f"{at}.role")
    checks.one_of(*ROLES)(f"{at}.role", item["role"])
    if "content" not in item:
        checks.missing(f"{at}.content")
    parts = OUTPUT_PARTS if item["role"] == "assistant" else INPUT_PARTS
    return Message(item["role"], _content(item["content"], parts, f"{at}.content"))


def _call(item: Mapping[str, Any], at: str) -> AskedCall:
    for name in ("call_id", "name", "arguments"):
        if name not in item:
            checks.missing(f"{at}.{name}")
        checks.text(f"{at}.{name}", item[name])
    return AskedCall(item["name"], item["arguments"], item["call_id"])


def _result(item: Mapping[str, Any], at: str) -> Message:
    for name in ("call_id", "output"):
        if name not in item:
            checks.missing(f"{at}.{name}")
    checks.text(f"{at}.call_id", item["call_id"])
    return Message(
        "tool", _content(item["output"], INPUT_PARTS, f"{at}.output"), (), item["call_id"]
    )


def _content(content: Any, allowed: Sequence[str], at: str) -> str:
    if isinstance(content, str):
        return content
    checks.items(at, content)
    return " ".join(_part(part, allowed, f"{at}[{n}]") for n, part in enumerate(content))


def _part(part: Any, allowed: Sequence[str], at: str) -> str:
    checks.mapping(at, part)
    if "type" not in part:
        checks.missing(f"{at}.type")
    kind = part["type"]
    checks.one_of(*allowed)(f"{at}.type", kind)
    member = "refusal" if kind == "refusal" else "text"
    if kind not in ("input_text", "output_text", "refusal"):
        return f"[{kind}]"
    if member not in part:
        checks.missing(f"{at}.{member}")
    checks.text(f"{at}.{member}", part[member])
    return str(part[member])


def _check_reasoning(items: Sequence[Mapping[str, Any]], memory: ResponseMemory) -> None:
    """Reasoning must be stored here or sent encrypted, and stand before what it led to."""
    for place, item in enumerate(items):
        if item.get("type") != "reasoning":
            continue
        if "id" not in item:
            checks.missing(f"input[{place}].id")
        checks.text(f"input[{place}].id", item["id"])
        if not item.get("encrypted_content") and memory.unknown([item["id"]]):
            message = f"Item with id '{item['id']}' not found. Items are not persisted when `store` is set to false."
            raise RequestError(message, param="input", status=404)
        if place == len(items) - 1 or items[place + 1].get("role") == "user":
            message = f"Item '{item['id']}' of type 'reasoning' was provided without its required following item."
            raise RequestError(message, param="input")


def _check_answered(messages: Sequence[Message]) -> None:
    asked = {call.id: None for message in messages for call in message.calls}
    answered = {message.call_id: None for message in messages if message.role == "tool"}
    for call_id in answered:
        if call_id not in asked:
            message = f"No tool call found for function call output with call_id {call_id}."
            raise RequestError(message, param="input")
    for call_id in asked:
        if call_id not in answered:
            raise RequestError(f"No tool output found for function call {call_id}.", param="input")


def _tools(tools: Sequence[Any]) -> tuple[OfferedTool, ...]:
    offered = []
    for place, tool in enumerate(tools):
        checks.mapping(f"tools[{place}]", tool)
        if "type" not in tool:
            checks.missing(f"tools[{place}].type")
        if tool["type"] == "function":
            offered.append(checks.offered(tool, f"tools[{place}]"))
    return tuple(offered)


def _choice(choice: Any, tools: Sequence[OfferedTool]) -> str:
    if not isinstance(choice, dict):
        checks.one_of("none", "auto", "required")("tool_choice", choice)
        return str(choice)
    if choice.get("type") == "allowed_tools":
        return str(choice.get("mode", "auto"))
    if choice.get("type") != "function":
        return "auto"
    if "name" not in choice:
        checks.missing("tool_choice.name")
    checks.known_tool(choice["name"], tools)
    return str(choice["name"])


def _schema(wanted: Any) -> Mapping[str, Any] | None:
    checks.mapping("text.format", wanted)
    kind = wanted.get("type", "text")
    checks.one_of("text", "json_object", "json_schema")("text.format.type", kind)
    if kind != "json_schema":
        return {} if kind == "json_object" else None
    for name in ("name", "schema"):
        if name not in wanted:
            checks.missing(f"text.format.{name}")
    return checks.answer_schema(wanted, "text.format.schema")
