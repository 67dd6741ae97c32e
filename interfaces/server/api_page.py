"""The bodies of requests and errors, as the OpenAPI page describes them.

The server reads bodies by itself, so that an error names the member as OpenAI's API does. What
stands here is what it reads; OpenAI's own page has all that a body may hold.
"""

from typing import Any, Final

from turngraph.state.json_types import JsonObject

__all__ = ["CHAT_BODY", "ERRORS", "RESPONSE_BODY"]

_TEXT: Final[JsonObject] = {"type": "string"}
_NUMBER: Final[JsonObject] = {"type": ["number", "null"]}
_COUNT: Final[JsonObject] = {"type": ["integer", "null"], "minimum": 1}
_FLAG: Final[JsonObject] = {"type": ["boolean", "null"]}
_OBJECT: Final[JsonObject] = {"type": ["object", "null"]}
_PARTS: Final[JsonObject] = {"anyOf": [_TEXT, {"type": "array", "items": {"type": "object"}}]}
_FUNCTION: Final[JsonObject] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"},
        "description": _TEXT,
        "parameters": {"type": "object"},
        "strict": _FLAG,
    },
}
_OWN: Final[JsonObject] = {
    "type": "object",
    "description": "What only turngraph knows.",
    "properties": {"events": _FLAG, "decisions": {"type": "object"}},
}
_CHOICE: Final[JsonObject] = {
    "anyOf": [{"enum": ["auto", "none", "required", None]}, {"type": "object"}]
}
_SHARED: Final[JsonObject] = {
    "model": {"type": "string", "description": "A name that `GET /v1/models` lists."},
    "temperature": {**_NUMBER, "minimum": 0, "maximum": 2},
    "top_p": {**_NUMBER, "minimum": 0, "maximum": 1},
    "parallel_tool_calls": _FLAG,
    "tool_choice": _CHOICE,
    "stream": _FLAG,
    "turngraph": _OWN,
}


def _body(required: list[str], members: JsonObject) -> dict[str, Any]:
    schema = {"type": "object", "required": required, "properties": {**_SHARED, **members}}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


CHAT_BODY: Final = _body(
    ["model", "messages"],
    {
        "messages": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["role", "content"],
                "properties": {
                    "role": {"enum": ["system", "developer", "user", "assistant", "tool"]},
                    "content": _PARTS,
                    "tool_call_id": _TEXT,
                    "tool_calls": {"type": "array", "items": {"type": "object"}},
                },
            },
        },
        "tools": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "function"],
                "properties": {"type": {"enum": ["function"]}, "function": _FUNCTION},
            },
        },
        "max_completion_tokens": _COUNT,
        "max_tokens": _COUNT,
        "n": {"enum": [1, None]},
        "stop": {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "maxItems": 4}]},
        "seed": {"type": ["integer", "null"]},
        "response_format": _OBJECT,
        "stream_options": _OBJECT,
    },
)
"""What `POST /v1/chat/completions` reads."""

RESPONSE_BODY: Final = _body(
    ["model", "input"],
    {
        "input": _PARTS,
        "instructions": {"type": ["string", "null"]},
        "tools": {
            "type": "array",
            "items": {
                **_FUNCTION,
                "required": ["type", "name"],
                "properties": {**_FUNCTION["properties"], "type": {"enum": ["function"]}},
            },
        },
        "max_output_tokens": _COUNT,
        "previous_response_id": {"type": ["string", "null"]},
        "conversation": {"anyOf": [{"type": ["string", "null"]}, {"type": "object"}]},
        "store": _FLAG,
        "background": _FLAG,
        "metadata": _OBJECT,
        "reasoning": _OBJECT,
        "text": _OBJECT,
    },
)
"""What `POST /v1/responses` reads."""

_ERROR: Final[JsonObject] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": _TEXT,
                "type": _TEXT,
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {
        "description": "The request was refused; the message says why.",
        "content": {"application/json": {"schema": _ERROR}},
    }
}
"""What every path may answer beside its own answers."""
