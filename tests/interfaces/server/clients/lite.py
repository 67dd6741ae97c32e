"""LiteLLM against the server at argv[1]: text, stream, tools and errors. `make server-clients`."""

import sys
from typing import Any

import litellm

BASE: dict[str, Any] = {
    "model": "openai/assistant",
    "api_base": f"{sys.argv[1]}/v1",
    "api_key": "acme",
    "messages": [{"role": "user", "content": "What is 6 * 7?"}],
}
LOCATE = {
    "type": "function",
    "function": {"name": "locate", "parameters": {"type": "object", "properties": {}}},
}

whole: Any = litellm.completion(**BASE)
assert "42" in whole.choices[0].message.content
assert whole.usage.total_tokens > 0

pieces = [each.choices[0].delta.content or "" for each in litellm.completion(**BASE, stream=True)]
assert "42" in "".join(pieces)
assert len(pieces) > 3

messages: list[Any] = [{"role": "user", "content": "Call locate."}]
asked: Any = litellm.completion(**{**BASE, "messages": messages}, tools=[LOCATE])
message = asked.choices[0].message
messages += [
    message.model_dump(),
    {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "Rome"},
]
done: Any = litellm.completion(**{**BASE, "messages": messages}, tools=[LOCATE])
assert "Rome" in done.choices[0].message.content

response: Any = litellm.responses(
    model="openai/assistant", input="What is 6 * 7?", api_base=BASE["api_base"], api_key="acme"
)
assert "42" in str(response.output)

try:
    litellm.completion(**{**BASE, "model": "openai/nobody"})
except litellm.NotFoundError:
    pass
else:
    raise AssertionError("a model that is not served was asked")
print("litellm ok")
