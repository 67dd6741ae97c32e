"""What a model behind an endpoint can do, as far as the table of vendors knows."""

from collections.abc import Collection

from turngraph.providers.config import ProviderConfig
from turngraph.providers.request_template import request_template
from turngraph.providers.vendors.builtin_tools import BUILTIN_TOOLS
from turngraph.providers.vendors.profiles import Quirks
from turngraph.providers.writing.parameters import will_reason
from turngraph.state.base import Frozen
from turngraph.state.request import Api

__all__ = ["ProviderCapabilities", "capabilities_of", "takes"]


class ProviderCapabilities(Frozen):
    """What may be asked of a model. `None` is «not known»: it is passed on, and the vendor decides.

    >>> capabilities_of(ProviderConfig(vendor="ollama", model="llama3.2"), "chat").stateful_responses
    False
    """

    vendor: str
    model: str
    api: Api
    streaming: bool = True
    usage_in_streams: bool
    """Whether a stream is asked to report usage; some vendors report it unasked."""
    tools: bool
    parallel_tool_calls: bool
    named_tool_choice: bool
    """Whether one tool can be demanded by name."""
    strict_tools: bool
    builtin_tools: tuple[str, ...] | None
    """The vendor's own tools, where its documentation lists them."""
    vector_stores: bool | None
    """Whether `file_search` looks through vector stores of the vendor."""
    web_search: bool | None
    vision: bool | None
    image_urls: bool | None
    """Whether images may be given by their address, not only whole."""
    audio: bool | None
    files: bool | None
    reasoning: bool
    """Whether the model reasons, or can be asked to. A custom endpoint is trusted to."""
    reasoning_by_default: bool
    reasoning_efforts: tuple[str, ...] | None
    """The efforts it knows; `None`: any is passed on; empty: it has no such knob."""
    reasoning_summary: bool
    text_verbosity: bool
    structured_output: bool
    """Whether an answer can be bound to a JSON schema."""
    json_mode: bool
    logprobs: bool
    seed: bool
    stop: bool
    responses_api: bool | None
    stateful_responses: bool | None
    """Whether the vendor keeps answers, so that `previous_response_id` continues them."""


def capabilities_of(config: ProviderConfig, api: Api) -> ProviderCapabilities:
    """What the model of `config`, asked through `api`, can do.

    >>> config = ProviderConfig(vendor="openai", model="gpt-5-mini", api_key="k")
    >>> capabilities_of(config, "responses").reasoning_efforts
    ('minimal', 'low', 'medium', 'high')
    """
    profile = config.profile
    quirks = profile.for_model(config.model)
    known = profile.name != "custom"
    listed = BUILTIN_TOOLS.get(profile.name, frozenset() if profile.responses == "none" else None)
    on_responses, efforts = api == "responses", quirks.efforts
    return ProviderCapabilities(
        vendor=profile.name,
        model=config.model,
        api=api,
        usage_in_streams=on_responses or quirks.stream_usage,
        tools=config.tools
        and (on_responses or quirks.tool_types is None or "function" in quirks.tool_types),
        parallel_tool_calls=takes("parallel_tool_calls", config, api, quirks),
        named_tool_choice=quirks.named_tool_choice,
        strict_tools=quirks.strict_tools,
        builtin_tools=None if listed is None else tuple(sorted(listed)),
        vector_stores=_has(listed, "file_search"),
        web_search=_has(listed, "web_search", "web_search_preview", "browser_search"),
        vision=_takes_part("image_url", quirks),
        image_urls=quirks.image_urls and _takes_part("image_url", quirks),
        # https://platform.openai.com/docs/guides/audio: sound goes in through Chat Completions
        # alone.
        audio=False if on_responses and known else _takes_part("input_audio", quirks),
        files=_takes_part("file", quirks),
        reasoning=efforts != {} or quirks.reasons_by_default,
        reasoning_by_default=quirks.reasons_by_default,
        reasoning_efforts=None if efforts is None else tuple(efforts),
        reasoning_summary=on_responses and efforts != {},
        text_verbosity=takes("verbosity", config, api, quirks),
        structured_output="json_schema" in quirks.response_formats,
        json_mode="json_object" in quirks.response_formats,
        logprobs=takes("logprobs", config, api, quirks),
        seed=takes("seed", config, api, quirks),
        stop=takes("stop", config, api, quirks),
        responses_api=profile.responses != "none" if known else None,
        stateful_responses=profile.responses == "stateful" if known else None,
    )


def takes(parameter: str, config: ProviderConfig, api: Api, quirks: Quirks) -> bool:
    """Whether `parameter`, by the name a request has for it, is sent to the model of `config` asked
    as it is.
    """
    if api == "responses" and parameter in ("stop", "seed"):
        return False
    thinks = will_reason(request_template(config, api), quirks)
    return parameter not in quirks.drop and not (thinks and parameter in quirks.drop_with_reasoning)


def _has(listed: Collection[str] | None, *kinds: str) -> bool | None:
    return None if listed is None else any(kind in listed for kind in kinds)


def _takes_part(kind: str, quirks: Quirks) -> bool | None:
    return None if quirks.part_types is None else kind in quirks.part_types
