"""Chat Completions, the way in: checks a request as strictly as the vendor, and reads it as a
prompt.

Reference: https://platform.openai.com/docs/api-reference/chat/create
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from turngraph.scripted import checks
from turngraph.scripted.checks import EFFORTS, RequestError
from turngraph.scripted.models import refuse_unfitting
from turngraph.scripted.prompt import AskedCall, Message, OfferedTool, Prompt

__all__ = ["read_chat"]

ROLES: Final = ("system", "assistant", "user", "function", "tool", "developer")
PLAIN: Final = ("user", "assistant", "system", "developer")
PARTS: Final[Mapping[str, Mapping[str, str]]] = {
    "user": {
        "text": "text",
        "image_url": "image_url",
        "input_audio": "input_audio",
        "file": "file",
    },
    "assistant": {"text": "text", "refusal": "refusal"},
}
"""For each role, the parts of a content list and the member that each must have. Other roles send
text alone.
"""
TEXT_ONLY: Final[Mapping[str, str]] = {"text": "text"}

MEMBERS: Final[Mapping[str, checks.Check]] = {
    "model": checks.text,
    "messages": checks.items,
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
    "tools": checks.items,
    "tool_choice": checks.anything,
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
    "modalities": checks.items,
    "functions": checks.items,
    "function_call": checks.anything,
    "user": checks.text,
    "safety_identifier": checks.text,
    "prompt_cache_key": checks.text,
    "prompt_cache_retention": checks.text,
}


def read_chat(body: Mapping[str, Any], accepts: Collection[str] = ()) -> Prompt:
    """The request as a prompt. Raises RequestError as the vendor would answer 400.

    >>> read_chat({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).question
    'Hi'
    """
    for name in ("model", "messages"):
        if name not in body:
            checks.missing(name)
    checks.check_members(body, MEMBERS, accepts)
    _check_together(body)
    tools = read_tools(body.get("tools", ()))
    return Prompt(
        messages=_Reader().read(body["messages"]),
        tools=tools,
        tool_choice=_choice(body.get("tool_choice", "auto"), tools),
        parallel=body.get("parallel_tool_calls", True),
        schema=_schema(body.get("response_format", {})),
        max_tokens=body.get("max_completion_tokens", body.get("max_tokens")),
        stop=_stops(body.get("stop", ())),
        effort=body.get("reasoning_effort"),
        logprobs=body.get("top_logprobs", 0) if body.get("logprobs") else None,
    )


def _check_together(body: Mapping[str, Any]) -> None:
    """Members that are taken only beside others, and what a family of models does not take."""
    for name, beside in (
        ("tool_choice", "tools"),
        ("parallel_tool_calls", "tools"),
        ("stream_options", "stream"),
    ):
        if name in body and not body.get(beside):
            message = (
                f"Invalid value for '{name}': '{name}' is only allowed when '{beside}' is given."
            )
            raise RequestError(message, param=name, code="invalid_value")
    if "top_logprobs" in body and not body.get("logprobs"):
        raise RequestError(
            "'top_logprobs' needs 'logprobs' to be true.",
            param="top_logprobs",
            code="invalid_value",
        )
    refuse_unfitting(body, effort=body.get("reasoning_effort"))


def _stops(stop: str | Sequence[str]) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop)


def read_tools(tools: Sequence[Any]) -> tuple[OfferedTool, ...]:
    """The functions among the tools, checked. Tools of other kinds are the vendor's own affair."""
    return tuple(
        _tool(tool, f"tools[{place}]")
        for place, tool in enumerate(tools)
        if _is_function(tool, place)
    )


def _is_function(tool: Any, place: int) -> bool:
    checks.mapping(f"tools[{place}]", tool)
    if "type" not in tool:
        checks.missing(f"tools[{place}].type")
    checks.one_of("function", "custom")(f"tools[{place}].type", tool["type"])
    return bool(tool["type"] == "function")


def _tool(tool: Mapping[str, Any], at: str) -> OfferedTool:
    if "function" not in tool:
        checks.missing(f"{at}.function")
    return checks.offered(tool["function"], f"{at}.function")


def _choice(choice: Any, tools: Sequence[OfferedTool]) -> str:
    if isinstance(choice, dict):
        return _named_choice(choice, tools)
    checks.one_of("none", "auto", "required")("tool_choice", choice)
    return str(choice)


def _named_choice(choice: Mapping[str, Any], tools: Sequence[OfferedTool]) -> str:
    if choice.get("type") == "allowed_tools":
        return str(choice.get("allowed_tools", {}).get("mode", "auto"))
    function = choice.get("function", choice.get("custom"))
    if not isinstance(function, dict) or "name" not in function:
        checks.missing("tool_choice.function.name")
    checks.known_tool(function["name"], tools)
    return str(function["name"])


def _schema(wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    kind = wanted.get("type", "text")
    checks.one_of("text", "json_object", "json_schema")("response_format.type", kind)
    if kind != "json_schema":
        return {} if kind == "json_object" else None
    inner = wanted.get("json_schema")
    if not isinstance(inner, dict) or "name" not in inner:
        checks.missing("response_format.json_schema.name")
    return checks.answer_schema(inner, "response_format.json_schema.schema")


class _Open(NamedTuple):
    """Calls of an assistant message that have no result yet."""

    place: int
    ids: set[str]


class _Reader:
    """Reads messages in order: a result must answer a call, and every call must have its result."""

    def __init__(self) -> None:
        self._open = _Open(0, set())
        self._known: frozenset[str] = frozenset()

    def read(self, messages: Sequence[Any]) -> tuple[Message, ...]:
        """The messages. A long history is read with each request, and is mostly plain text: that
        goes the short way.
        """
        read = []
        for place, message in enumerate(messages):
            plain = (
                type(message) is dict
                and type(message.get("content")) is str
                and message.get("role") in PLAIN
            )
            if plain and not self._open.ids and "tool_calls" not in message:
                self._known = frozenset()
                read.append(Message(message["role"], message["content"]))
            else:
                read.append(self._message(message, f"messages[{place}]", place))
        self._check_answered()
        return tuple(read)

    def _message(self, message: Any, at: str, place: int) -> Message:
        checks.mapping(at, message)
        role = message.get("role")
        if role not in ROLES:
            if role is None:
                checks.missing(f"{at}.role")
            checks.one_of(*ROLES)(f"{at}.role", role)
        if role == "tool":
            return self._result(message, at)
        self._check_answered()
        if role != "assistant":
            self._known = frozenset()
            return Message(role, _content(message, role, at))
        return self._assistant(message, at, place)

    def _assistant(self, message: Mapping[str, Any], at: str, place: int) -> Message:
        if "tool_calls" in message:
            checks.items(f"{at}.tool_calls", message["tool_calls"])
        asked: list[Any] = message.get("tool_calls", [])
        calls = tuple(_call(call, f"{at}.tool_calls[{n}]") for n, call in enumerate(asked))
        ids = {call.id for call in calls if call.id is not None}
        self._open, self._known = _Open(place, set(ids)), frozenset(ids)
        if message.get("content") is not None:
            return Message("assistant", _content(message, "assistant", at), calls)
        refusal = message.get("refusal")
        if refusal is not None:
            checks.text(f"{at}.refusal", refusal)
        elif not calls and message.get("audio") is None and message.get("function_call") is None:
            checks.wrong_type(f"{at}.content", "a string", None)
        return Message("assistant", refusal or "", calls)

    def _result(self, message: Mapping[str, Any], at: str) -> Message:
        if "tool_call_id" not in message:
            checks.missing(f"{at}.tool_call_id")
        call_id = message["tool_call_id"]
        checks.text(f"{at}.tool_call_id", call_id)
        if call_id not in self._known:
            text = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
            text = f"Invalid parameter: {text}"
            raise RequestError(
                text, param=f"{at}.role" if not self._known else f"{at}.tool_call_id"
            )
        self._open.ids.discard(call_id)
        return Message("tool", _content(message, "tool", at), (), call_id)

    def _check_answered(self) -> None:
        if self._open.ids:
            text = "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            text += "'tool_call_id'. The following tool_call_ids did not have response messages: "
            raise RequestError(
                text + ", ".join(sorted(self._open.ids)), param=f"messages[{self._open.place}].role"
            )


def _call(call: Any, at: str) -> AskedCall:
    checks.mapping(at, call)
    for name in ("id", "type"):
        if name not in call:
            checks.missing(f"{at}.{name}")
    kind = call["type"]
    checks.one_of("function", "custom")(f"{at}.type", kind)
    asked = call.get(kind)
    checks.mapping(f"{at}.{kind}", asked)
    sent = "arguments" if kind == "function" else "input"
    for name in ("name", sent):
        if name not in asked:
            checks.missing(f"{at}.{kind}.{name}")
        checks.text(f"{at}.{kind}.{name}", asked[name])
    checks.text(f"{at}.id", call["id"])
    return AskedCall(asked["name"], asked[sent], call["id"])


def _content(message: Mapping[str, Any], role: str, at: str) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    if "content" not in message:
        checks.missing(f"{at}.content")
    if content is None:
        checks.wrong_type(f"{at}.content", "a string or an array", None)
    checks.items(f"{at}.content", content)
    parts: list[Any] = content
    return " ".join(
        _part(part, PARTS.get(role, TEXT_ONLY), f"{at}.content[{n}]")
        for n, part in enumerate(parts)
    )


def _part(part: Any, allowed: Mapping[str, str], at: str) -> str:
    checks.mapping(at, part)
    if "type" not in part:
        checks.missing(f"{at}.type")
    kind = part["type"]
    checks.one_of(*allowed)(f"{at}.type", kind)
    member = allowed[kind]
    if member not in part:
        checks.missing(f"{at}.{member}")
    if kind in ("text", "refusal"):
        checks.text(f"{at}.{member}", part[member])
        return str(part[member])
    checks.mapping(f"{at}.{member}", part[member])
    return f"[{kind}]"
