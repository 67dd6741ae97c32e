"""What a model at an endpoint can do, as far as the table of vendors knows."""

from collections.abc import Collection
from typing import Final

from turngraph.providers.config import ProviderConfig
from turngraph.providers.request_template import request_template
from turngraph.providers.vendors.profiles import Quirks, VendorProfile
from turngraph.providers.writing.parameters import will_reason
from turngraph.state.base import Frozen
from turngraph.state.request import Api

__all__ = ["CHAT_ONLY", "ProviderCapabilities", "builtin_tools_at", "capabilities_of"]

CHAT_ONLY: Final = ("stop", "seed")
"""Parameters that only Chat Completions has
(https://platform.openai.com/docs/api-reference/responses/create).
"""

_WEB_SEARCHES: Final = ("web_search", "web_search_preview", "browser_search")


class ProviderCapabilities(Frozen):
    """What may be asked of a model, through the API that is used for it.

    `None` means that it is not known: such a request is sent, and the vendor decides. It is plain
    data, so `model_dump_json()` can be sent to a front end.

    >>> from turngraph.providers import OpenAIProvider
    >>> ollama = OpenAIProvider(ProviderConfig(vendor="ollama", model="llama3.2"))
    >>> capabilities = ollama.get_capabilities()
    >>> capabilities.stateful_responses, capabilities.image_urls
    (False, False)
    """

    vendor: str
    """The vendor's name in the table."""
    model: str
    """The model's name."""
    api: Api
    """The API that is used: `chat` or `responses`."""
    streaming: bool = True
    """Whether answers can be streamed."""
    usage_in_streams: bool
    """Whether a stream is asked to report its usage. Some vendors report it without being asked."""
    tools: bool
    """Whether the model can be given functions to call."""
    parallel_tool_calls: bool
    """Whether `parallel_tool_calls` is sent."""
    named_tool_choice: bool
    """Whether one tool can be demanded by its name."""
    strict_tools: bool
    """Whether a function's `strict` is sent."""
    builtin_tools: tuple[str, ...] | None
    """The types of tools that run at the vendor, if its documentation lists them."""
    vector_stores: bool | None
    """Whether the vendor's `file_search` can search vector stores."""
    web_search: bool | None
    """Whether the vendor has a tool that searches the web."""
    vision: bool | None
    """Whether messages may hold images."""
    image_urls: bool | None
    """Whether an image may be given by its URL, and not only as data."""
    audio: bool | None
    """Whether messages may hold sound."""
    files: bool | None
    """Whether messages may hold files, such as PDFs."""
    reasoning: bool
    """Whether the model reasons, or can be asked to. `True` for a custom endpoint."""
    reasoning_by_default: bool
    """Whether it reasons if no effort is given."""
    reasoning_efforts: tuple[str, ...] | None
    """The values of `reasoning_effort` that it knows. `None`: any is sent. Empty: it has none."""
    reasoning_summary: bool
    """Whether a summary of the reasoning can be asked for."""
    text_verbosity: bool
    """Whether the length of answers can be asked for."""
    structured_output: bool
    """Whether an answer can be bound to a JSON schema."""
    json_mode: bool
    """Whether an answer can be bound to be a JSON object, without a schema."""
    logprobs: bool
    """Whether log probabilities can be asked for."""
    seed: bool
    """Whether `seed` is sent."""
    stop: bool
    """Whether stop sequences are sent."""
    responses_api: bool | None
    """Whether the vendor has the Responses API."""
    stateful_responses: bool | None
    """Whether the vendor stores answers, so that `previous_response_id` can continue them."""


def capabilities_of(config: ProviderConfig, api: Api) -> ProviderCapabilities:
    """Returns what the model of `config` can do when it is called through `api`.

    >>> config = ProviderConfig(vendor="openai", model="gpt-5-mini", api_key="k")
    >>> capabilities_of(config, "responses").reasoning_efforts
    ('minimal', 'low', 'medium', 'high')
    """
    profile = config.profile
    quirks = profile.for_model(config.model)
    # A custom endpoint has a row like any vendor, but its defaults are guesses: they become `None`.
    is_known, on_responses, efforts = profile.name != "custom", api == "responses", quirks.efforts
    builtin_tools = builtin_tools_at(profile)

    def accepts(parameter: str) -> bool:
        return _accepts(parameter, config, api, quirks)

    return ProviderCapabilities(
        vendor=profile.name,
        model=config.model,
        api=api,
        usage_in_streams=on_responses or quirks.stream_usage,
        tools=config.tools and (on_responses or _accepts_functions(quirks)),
        parallel_tool_calls=accepts("parallel_tool_calls"),
        named_tool_choice=quirks.named_tool_choice,
        strict_tools=quirks.strict_tools,
        builtin_tools=None if builtin_tools is None else tuple(sorted(builtin_tools)),
        vector_stores=_has_any(builtin_tools, "file_search"),
        web_search=_has_any(builtin_tools, *_WEB_SEARCHES),
        vision=_accepts_part("image_url", quirks),
        image_urls=quirks.image_urls and _accepts_part("image_url", quirks),
        # Only Chat Completions accepts sound: https://platform.openai.com/docs/guides/audio
        audio=False if on_responses and is_known else _accepts_part("input_audio", quirks),
        files=_accepts_part("file", quirks),
        reasoning=efforts != {} or quirks.reasons_by_default,
        reasoning_by_default=quirks.reasons_by_default,
        reasoning_efforts=None if efforts is None else tuple(efforts),
        reasoning_summary=on_responses and efforts != {},
        text_verbosity=accepts("verbosity"),
        structured_output="json_schema" in quirks.response_formats,
        json_mode="json_object" in quirks.response_formats,
        logprobs=accepts("logprobs"),
        seed=accepts("seed"),
        stop=accepts("stop"),
        responses_api=profile.responses != "none" if is_known else None,
        stateful_responses=profile.responses == "stateful" if is_known else None,
    )


def builtin_tools_at(profile: VendorProfile) -> frozenset[str] | None:
    """Returns the types of tools that run at the vendor, or None if that is not known.

    A vendor without the Responses API has none, unless its row lists some.
    """
    if profile.builtin_tools is None and profile.responses == "none":
        return frozenset()
    return profile.builtin_tools


def _accepts(parameter: str, config: ProviderConfig, api: Api, quirks: Quirks) -> bool:
    """Whether `parameter`, under its name in a request, is sent with the configured effort."""
    if api == "responses" and parameter in CHAT_ONLY:
        return False
    if parameter in quirks.drop:
        return False
    # The same question is answered when a request is written, so the same function answers it here.
    reasoning = will_reason(request_template(config, api), quirks)
    return not (reasoning and parameter in quirks.drop_with_reasoning)


def _accepts_functions(quirks: Quirks) -> bool:
    return quirks.tool_types is None or "function" in quirks.tool_types


def _has_any(tools: Collection[str] | None, *kinds: str) -> bool | None:
    return None if tools is None else any(kind in tools for kind in kinds)


def _accepts_part(kind: str, quirks: Quirks) -> bool | None:
    return None if quirks.part_types is None else kind in quirks.part_types
