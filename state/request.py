"""A request to a model, as data: everything but the history, which only `messages` holds."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from turngraph.state.base import Frozen
from turngraph.state.json_types import JsonObject
from turngraph.state.tool_names import NAME_PATTERN

__all__ = ["ECHOED_TYPE", "Api", "ChatRequest", "ToolSpec"]

Api = Literal["chat", "responses"]
"""Chat Completions (`/chat/completions`) or Responses (`/responses`)."""
ECHOED_TYPE = "builtin_function"
"""The type of Moonshot's own tools. They run at the vendor once their arguments were sent back:
https://platform.moonshot.ai/docs/guide/use-web-search
"""


class ToolSpec(Frozen):
    """A function the model may call, as both APIs describe it.

    Source: https://platform.openai.com/docs/api-reference/chat/create, `tools.function`.

        >>> ToolSpec(name="weather", parameters={"type": "object", "properties": {}}).name
        'weather'
    """

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    description: str = ""
    """What the function does and when to call it; the model reads this."""
    parameters: dict[str, JsonValue]
    """A JSON schema of the arguments."""
    strict: bool | None = None
    """Whether the vendor must make the arguments follow the schema exactly."""


class ChatRequest(Frozen):
    """What one call asks for. Together with the state's messages it determines the exact JSON sent.

    `None` means "not set": the JSON then has no such member, because strict vendors refuse nulls.
    Zero is a value like any other.

        >>> ChatRequest(vendor="openai", api="chat", model="gpt-5-mini", temperature=0).temperature
        0.0
    """

    vendor: str
    """The vendor's name in the table of vendors (`openai`, `mistral`, …), or `custom`."""
    api: Api
    model: str
    system: str | None = None
    """The system message of this request, with the roles of the plugins that joined. It replaces a
    system message at the beginning of the conversation.
    """
    tools: tuple[ToolSpec, ...] = ()
    builtin_tools: tuple[dict[str, JsonValue], ...] = ()
    """The vendor's own tools, sent unchanged: `{"type": "web_search"}`, `file_search`, …"""
    tool_choice: str | dict[str, JsonValue] | None = None
    """`auto`, `none`, `required`, or the name of a tool that must be called."""
    parallel_tool_calls: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """The most tokens an answer may have, reasoning included. Each vendor's own name for this
    parameter is used on the wire.
    """
    stop: tuple[str, ...] | None = None
    """Stop sequences: the model stops before it would write one of them."""
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: dict[str, JsonValue] | None = None
    """`{"type": "json_object"}`, or `{"type": "json_schema", "json_schema": …}` with an object of
    `name`, `schema` and `strict`.
    """
    reasoning_effort: str | None = None
    reasoning_summary: Literal["auto", "concise", "detailed"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    previous_response_id: str | None = None
    """Responses only: continue this response; only the messages after it are sent."""
    store: bool | None = None
    """Whether the vendor keeps the answer, so that it can be asked for later."""
    stream: bool = False
    extra_body: JsonObject = Field(default_factory=dict)
    """Members that are put into the JSON unchanged, over everything above: for parameters that only
    one vendor has.
    """
    body: JsonObject | None = None
    """Passthrough: the caller's own request body, sent unchanged. The fields above then only
    describe it.
    """

    @property
    def echoed_tools(self) -> frozenset[str]:
        """The names of the vendor's tools whose calls are answered with their own arguments.

        >>> web = {"type": "builtin_function", "function": {"name": "$web_search"}}
        >>> sorted(ChatRequest(vendor="moonshot", api="chat", model="m", builtin_tools=(web,))
        ...     .echoed_tools)
        ['$web_search']
        """
        functions = (
            tool.get("function") for tool in self.builtin_tools if tool.get("type") == ECHOED_TYPE
        )
        return frozenset(str(each.get("name")) for each in functions if isinstance(each, dict))
