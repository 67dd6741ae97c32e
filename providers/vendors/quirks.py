"""How a request must be written for a vendor or a model, as data.

`vendors.yaml` sets these fields, and `build_payload` (`providers/writing/payload.py`) is the one
place that applies them. "Leaves out" always means: with a warning, or an error with `strict`.
"""

from typing import Any, Final, Literal

from pydantic import Field, JsonValue

from turngraph.providers.vendors.reasoning_fields import ReasoningPartsField, ReasoningTextTarget
from turngraph.state.base import Frozen

__all__ = ["ModelRule", "Quirks"]

_EFFORT: Final[dict[str, JsonValue]] = {"reasoning_effort": "$effort"}


class Quirks(Frozen):
    """How a request must be written. The defaults suit a cautious Chat Completions server.

    >>> Quirks(drop=frozenset({"seed"})).drop
    frozenset({'seed'})
    """

    # Parameters

    token_cap: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # noqa: S105
    """The name Chat Completions has for the most tokens of an answer."""
    min_output_tokens: int = 1
    """The smallest such limit that the vendor accepts on Responses, in tokens."""
    drop: frozenset[str] = frozenset()
    """Parameters that the vendor refuses or ignores. They are left out."""
    drop_with_reasoning: frozenset[str] = frozenset()
    """Parameters that are refused while the model reasons. They are then left out."""
    rename: dict[str, str] = Field(default_factory=dict)
    """Parameters that the vendor knows under another name, as `{ours: theirs}`."""
    body: dict[str, JsonValue] = Field(default_factory=dict)
    """Members that every request has."""
    min_temperature: float = 0.0
    """The lowest temperature the vendor accepts. A lower one is raised to it, with a warning."""
    max_temperature: float = 2.0
    """The highest temperature the vendor accepts. A higher one is lowered to it, with a warning."""
    stream_usage: bool = True
    """Whether the vendor knows `stream_options.include_usage`. Those that do not either send the
    usage unasked, or refuse the field."""
    response_formats: frozenset[str] = frozenset(("json_object", "json_schema"))
    """The types of `response_format` that the vendor knows. Others are left out."""
    format_excludes: frozenset[Literal["tools", "stream"]] = frozenset()
    """What cannot be combined with a `response_format`. The format is left out of such a request.
    """

    # Reasoning

    reasons_by_default: bool = False
    """Whether the model reasons if no effort is given."""
    reasoning_on: dict[str, JsonValue] = _EFFORT
    """How an effort is written on Chat Completions. `$effort` is replaced by what `efforts` says.
    """
    reasoning_off: dict[str, JsonValue] = _EFFORT
    """How the effort `none` is written on Chat Completions."""
    efforts: dict[str, JsonValue] | None = None
    """The efforts that the model knows, and what is sent for each. `None`: any effort is sent as it
    is. Empty: the model has no such parameter."""
    reasoning_replay: Literal["never", "tool_loop", "with_calls", "always"] = "never"
    """Which earlier reasoning is sent back on Chat Completions. `never`: none. `tool_loop`: what
    came after the last user message. `with_calls`: that of answers with tool calls. `always`: all.
    """
    reasoning_field: ReasoningTextTarget = "as_received"
    """The member of an assistant message that reasoning is sent back in. `think_tags`: inside the
    text, between `<think>` and `</think>`. `as_received`: the member it came in."""
    reasoning_parts: ReasoningPartsField | None = None
    """The member that the parts of reasoning are sent back in, if an answer had them. The text is
    then left out."""
    blank_reasoning: bool = False
    """Whether an answer with tool calls must have that member even if it is empty."""
    reasoning_items: bool = True
    """Whether the model accepts reasoning items on Responses."""
    extra_content: bool = False
    """Whether `extra_content` of a tool call (Gemini's thought signature) is sent back."""
    missing_extra_content: dict[str, JsonValue] | None = None
    """The `extra_content` for the first call of an answer that another vendor's model wrote."""

    # Messages

    system_role: Literal["as_written", "system", "developer", "user"] = "system"
    """The role that system and developer messages are sent with."""
    one_system_message: bool = False
    """Whether several system messages are joined into the first."""
    names: bool = True
    """Whether messages may have a `name`."""
    text_content: bool = False
    """Whether content that is a list of texts is sent as one string."""
    empty_assistant: Literal["as_is", "string", "left_out"] = "as_is"
    """How an assistant message without text is sent. `as_is`: as the converter writes it. `string`:
    with `content: ""`. `left_out`: not at all, unless it has tool calls."""
    bridge: str | None = None
    """The text of an assistant message that is put between a tool's result and a user message, for
    vendors that refuse that order."""
    refusal_parts: bool = False
    """Whether an earlier refusal is sent back as a `refusal` part, not as text."""
    cache_control: bool = False
    """Whether `cache_control` marks on content parts are sent."""
    image_urls: bool = True
    """Whether an image may be given by its URL. Others must be given as data."""
    part_types: frozenset[str] | None = None
    """The types of content part that the vendor accepts on Chat Completions beside text. `None`:
    any is sent. `bare_audio` is Mistral's `input_audio`, whose member is a base64 string."""
    answer_parts: frozenset[str] = frozenset()
    """The types of content part of its own answers that the vendor takes back beside text."""
    tool_media: bool = False
    """Whether a tool's result may hold images. If not, they follow in a user message."""
    tool_audio: bool = True
    """Whether the model hears. If not, a sound in a tool's result becomes a note; one in a user's
    message is sent all the same."""

    # Tools

    tool_types: frozenset[str] | None = None
    """The types of tool that the vendor accepts on Chat Completions. `None`: any is sent."""
    tools_with_reasoning: bool = True
    """Whether Chat Completions accepts tools while the model reasons."""
    strict_tools: bool = False
    """Whether a function's `strict` is sent."""
    schema_drop: frozenset[str] = frozenset()
    """Keywords that are taken out of the JSON schemas of tools."""
    gemini_schemas: bool = False
    """Whether JSON schemas are written in Gemini's dialect, which knows fewer keywords."""
    object_formats: bool = False
    """Whether the schema of an answer must be one object, and no union of several."""
    schema_inline: bool = False
    """Whether each `$ref` in such a schema is replaced by what it refers to."""
    tool_choice: dict[str, str] = Field(default_factory=dict)
    """The vendor's words for `auto`, `none` and `required`, where they differ."""
    tool_choice_with_reasoning: dict[str, str] = Field(default_factory=dict)
    """The same while the model reasons. Where `required` becomes another word, no tool can be
    demanded by its name either."""
    named_tool_choice: bool = True
    """Whether a tool can be demanded by its name. If not, `required` is sent instead."""
    tool_id_length: int | None = None
    """If set, ids of tool calls are rewritten to this many letters and digits."""
    plain_tool_ids: bool = False
    """Whether ids of tool calls that are long, or hold more than letters, digits, `_` and `-`, are
    rewritten."""
    json_arguments: bool = True
    """Whether the server parses the arguments of earlier calls, and fails if they are not a JSON
    object."""


class ModelRule(Frozen):
    """Quirks of some models of a vendor. Later rules win over earlier ones.

    `drop`, `drop_with_reasoning` and `schema_drop` add to what the vendor's row has; all other
    quirks replace the row's.

    >>> ModelRule(match="gpt-4.*", example="gpt-4o", quirks={"efforts": {}}).example
    'gpt-4o'
    """

    match: str
    """A regular expression that the model's whole name matches, in upper or lower case."""
    example: str
    """The name of a model that the rule is for."""
    quirks: dict[str, Any]
    """The quirks that the rule sets, by field name."""
