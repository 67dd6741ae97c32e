"""A request to a model, as data: everything but the history, which stands in `messages` alone."""

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from turngraph.state.base import Frozen

__all__ = ["Api", "ChatRequest", "ToolSpec"]

Api = Literal["chat", "responses"]
"""Chat Completions (`/chat/completions`) or Responses (`/responses`)."""


class ToolSpec(Frozen):
    """A function the model may call, as both APIs describe it: a name, a sentence, a JSON schema of
    its arguments.
    """

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str = ""
    parameters: dict[str, JsonValue]
    strict: bool | None = None


class ChatRequest(Frozen):
    """What one call asks for. With the messages of the state it determines the exact JSON that is
    sent.

    `None` is «not asked»: the field is then left out of the JSON, because strict vendors refuse
    nulls. Zero is zero.

        >>> ChatRequest(vendor="openai", api="chat", model="gpt-5-mini", temperature=0).temperature
        0.0
    """

    vendor: str
    api: Api
    model: str
    system: str | None = None
    """The system message of this request, the plugins' roles included. It replaces a leading system
    message.
    """
    tools: tuple[ToolSpec, ...] = ()
    builtin_tools: tuple[dict[str, JsonValue], ...] = ()
    """The vendor's own tools (`{"type": "web_search"}`, `file_search`, …), passed through as they
    are.
    """
    tool_choice: str | dict[str, JsonValue] | None = None
    """`auto`, `none`, `required`, or the name of a tool that must be called."""
    parallel_tool_calls: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """The cap on tokens of the answer, reasoning included, under whatever name the vendor has for
    it.
    """
    stop: tuple[str, ...] | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: dict[str, JsonValue] | None = None
    """`{"type": "json_object"}` or `{"type": "json_schema", "json_schema": {"name", "schema",
    "strict"}}`.
    """
    reasoning_effort: str | None = None
    reasoning_summary: Literal["auto", "concise", "detailed"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    previous_response_id: str | None = None
    """Responses only: continue that response; only the messages after it are sent."""
    store: bool | None = None
    stream: bool = False
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Members put into the JSON as they are, over everything above: a vendor's own parameters."""
    body: dict[str, Any] | None = None
    """Passthrough: the whole JSON, as a caller wrote it. Everything above then only describes it.
    """
