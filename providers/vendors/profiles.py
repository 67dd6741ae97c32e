"""What each vendor of the OpenAI API does differently: rows of data (`vendors.yaml`), read into
these models.

A `VendorProfile` is a vendor; its `Quirks` are how a request must be written for it, and `models`
changes some of them for the models it matches. `payload.build_payload` is the one place that
applies them.
"""

import difflib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, JsonValue

from turngraph.providers.vendors.reasoning_fields import ReasoningPartsField, ReasoningTextTarget
from turngraph.state.base import Frozen
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.request import Api

__all__ = ["VENDORS", "ModelRule", "Quirks", "VendorProfile", "find_vendor", "vendor_of_url"]

_EFFORT: Final[dict[str, JsonValue]] = {"reasoning_effort": "$effort"}


class Quirks(Frozen):
    """How a request must be written. The defaults are a cautious server with the Chat Completions
    API.
    """

    token_cap: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # noqa: S105
    """What Chat Completions calls the cap on the answer's tokens."""
    min_output_tokens: int = 1
    """The smallest cap the vendor takes on Responses."""
    drop: frozenset[str] = frozenset()
    """Parameters the vendor refuses or ignores, left out with a warning."""
    drop_with_reasoning: frozenset[str] = frozenset()
    """Parameters refused while the model reasons."""
    rename: dict[str, str] = Field(default_factory=dict)
    """Parameters under another name."""
    body: dict[str, JsonValue] = Field(default_factory=dict)
    """Members every request carries."""
    min_temperature: float = 0.0
    max_temperature: float = 2.0
    stream_usage: bool = True
    """Whether `stream_options.include_usage` is known; others send usage unasked, or refuse the
    field.
    """
    response_formats: frozenset[str] = frozenset(("json_object", "json_schema"))
    format_excludes: frozenset[Literal["tools", "stream"]] = frozenset()
    """What cannot be asked together with a `response_format`; the format is then left out."""

    reasons_by_default: bool = False
    """Whether the model reasons when no effort is given."""
    reasoning_on: dict[str, JsonValue] = _EFFORT
    """How an effort is written on Chat Completions; `$effort` stands for what `efforts` makes of
    it.
    """
    reasoning_off: dict[str, JsonValue] = _EFFORT
    """The same for the effort `none`."""
    efforts: dict[str, JsonValue] | None = None
    """The efforts the model knows, and what is sent for each. `None`: any, as it is. Empty: it has
    no such knob.
    """
    reasoning_replay: Literal["never", "tool_loop", "with_calls", "always"] = "never"
    """Which earlier reasoning goes back on Chat Completions: none; that since the last user
    message; that of answers with tool calls; all.
    """
    reasoning_field: ReasoningTextTarget = "as_received"
    """The member in which its text goes back; `think_tags`: between `<think>` and `</think>`,
    before the text.
    """
    reasoning_parts: ReasoningPartsField | None = None
    """The member in which its parts go back, if an answer had them; the text is then left out."""
    blank_reasoning: bool = False
    """Whether an answer with tool calls must have the reasoning's field even where it is empty."""
    reasoning_items: bool = True
    """Whether the model takes reasoning items on Responses."""
    extra_content: bool = False
    """Whether what came beside a tool call (`extra_content`, Gemini's signature) goes back."""
    missing_extra_content: dict[str, JsonValue] | None = None
    """Sent beside the first call of an answer that another vendor's model made."""

    system_role: Literal["as_written", "system", "developer", "user"] = "system"
    one_system_message: bool = False
    """Whether several system messages are joined into the first."""
    names: bool = True
    """Whether messages may have a `name`."""
    text_content: bool = False
    """Whether content given as a list of texts is sent as one string."""
    empty_assistant: Literal["as_is", "string", "left_out"] = "as_is"
    """An assistant message without text: as the converter writes it, always with a `content`, or
    not at all where it has no tool calls either.
    """
    bridge: str | None = None
    """An assistant's text put between a tool's result and a user message, for vendors that refuse
    that order.
    """
    refusal_parts: bool = False
    cache_control: bool = False
    image_urls: bool = True
    part_types: frozenset[str] | None = None
    """The parts of content it takes on Chat Completions, beside text. `None`: whatever is asked for
    is passed on. `bare_audio` is Mistral's `input_audio`, whose member is base64 text and no
    object.
    """
    tool_media: bool = False
    """Whether tool results may hold images; else they follow in a user message."""

    tool_types: frozenset[str] | None = None
    """Tool types known on Chat Completions. `None`: whatever is asked for is passed on."""
    tools_with_reasoning: bool = True
    """Whether Chat Completions takes tools while the model reasons."""
    strict_tools: bool = False
    schema_drop: frozenset[str] = frozenset()
    """Keywords taken out of tool schemas."""
    schema_inline: bool = False
    """Whether `$ref` is replaced by what it points to."""
    tool_choice: dict[str, str] = Field(default_factory=dict)
    """Other words for `auto`, `none`, `required`."""
    tool_choice_with_reasoning: dict[str, str] = Field(default_factory=dict)
    """The same while the model reasons; where `required` is no word of it, no tool can be demanded
    by name either.
    """
    named_tool_choice: bool = True
    """Whether one tool may be demanded by name; else `required` is asked."""
    tool_id_length: int | None = None
    """Ids of tool calls are rewritten to this many letters and digits."""
    json_arguments: bool = True
    """Whether the server parses earlier calls' arguments, and fails on those that are no JSON
    object.
    """


_ADDED: Final = ("drop", "drop_with_reasoning", "schema_drop")


class ModelRule(Frozen):
    """Quirks of the models whose whole name `match`es (a regular expression, letter case ignored).

    What it drops is added to what the vendor drops; everything else replaces the vendor's. Later
    rules win.
    """

    match: str
    example: str
    """A model the rule is for."""
    quirks: dict[str, Any]


class VendorProfile(Frozen):
    """One vendor, as a row of `vendors.yaml`."""

    name: str
    base_url: str | None = None
    base_url_pattern: str | None = None
    """For vendors with an endpoint for each account: how it looks."""
    key_env: tuple[str, ...] = ()
    """Environment variables its key is looked for in. None: it needs no key."""
    aliases: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    """Further host names, or endings of them (`.openai.azure.com`)."""
    source: str
    """Where the row's facts come from: a page, or an issue."""
    api: Api = "chat"
    """The API the vendor itself recommends."""
    responses: Literal["none", "stateless", "stateful"] = "none"
    """Whether it has the Responses API, and keeps answers for `previous_response_id`."""
    finish_reason_optional: bool = False
    """Whether an answer without a finish reason may still be whole."""
    quirks: Quirks = Quirks()
    models: tuple[ModelRule, ...] = ()

    def for_model(self, model: str) -> Quirks:
        """The quirks that hold for `model`.

        >>> VENDORS["openai"].for_model("gpt-5-mini").token_cap
        'max_completion_tokens'
        """
        changes: dict[str, Any] = {}
        for rule in self.models:
            if re.fullmatch(rule.match, model, re.IGNORECASE):
                for name, value in rule.quirks.items():
                    before = changes.get(name, getattr(self.quirks, name))
                    changes[name] = before | value if name in _ADDED else value
        return self.quirks.model_copy(update=changes) if changes else self.quirks


def find_vendor(name: str) -> VendorProfile:
    """The vendor called `name`, or known by that alias. Raises TurnConfigurationError naming the
    nearest and all known.

    >>> find_vendor("togetherai").name
    'together'
    """
    profile = _by_alias().get(name.lower())
    if profile is None:
        near = difflib.get_close_matches(name.lower()[:100], _by_alias(), n=1, cutoff=0.7)
        meant = f" Did you mean `{near[0]}`?" if near else ""
        known = ", ".join(sorted(VENDORS))
        raise TurnConfigurationError(
            f"No vendor is called `{name[:100]}`.{meant} Known: {known}. For any other endpoint give its base_url."
        )
    return profile


def vendor_of_url(base_url: str) -> VendorProfile | None:
    """The vendor whose endpoint `base_url` is, or `None`.

    >>> vendor_of_url("https://api.groq.com/openai/v1").name
    'groq'
    """
    host = _host(base_url)
    for profile in VENDORS.values():
        for known in (_host(profile.base_url or ""), *profile.hosts):
            if known and (host.endswith(known) if known.startswith(".") else host == known):
                return profile
    return None


def _host(url: str) -> str:
    """Host, with the port where it is a local server's: two of them differ in nothing else."""
    try:
        parts = urlsplit(url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        return f"localhost:{parts.port}" if local else parts.hostname or ""
    except ValueError:  # a port that is no number
        return ""


@cache
def _by_alias() -> Mapping[str, VendorProfile]:
    return {
        name: profile for profile in VENDORS.values() for name in (profile.name, *profile.aliases)
    }


def _load(text: str) -> Mapping[str, VendorProfile]:
    """The rows of `vendors.yaml`. A row `like` another starts from that row's quirks and models."""
    import yaml

    rows = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506, the C twin of SafeLoader
    rows.pop("_", None)  # texts that rows share by anchor
    return MappingProxyType({name: _profile(name, row, rows) for name, row in rows.items()})


def _profile(name: str, row: Mapping[str, Any], rows: Mapping[str, Any]) -> VendorProfile:
    own = {key: value for key, value in row.items() if key not in ("like", "quirks", "models")}
    quirks, models = _inherited(row, rows)
    checked = [
        ModelRule(match=rule.pop("match"), example=rule.pop("example"), quirks=_checked(rule))
        for rule in models
    ]
    return VendorProfile(name=name, quirks=Quirks(**quirks), models=tuple(checked), **own)


def _inherited(
    row: Mapping[str, Any], rows: Mapping[str, Any]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    quirks, models = _inherited(rows[row["like"]], rows) if "like" in row else ({}, [])
    return {**quirks, **row.get("quirks", {})}, models + [
        dict(rule) for rule in row.get("models", ())
    ]


def _checked(rule: Mapping[str, Any]) -> dict[str, Any]:
    """The rule's quirks, validated and typed, and no others."""
    return {name: getattr(Quirks(**rule), name) for name in rule}


VENDORS: Final[Mapping[str, VendorProfile]] = _load(
    Path(__file__).with_name("vendors.yaml").read_text("utf-8")
)
"""Every vendor by name."""
