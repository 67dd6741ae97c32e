"""Which API a model is asked through, Chat Completions or Responses: a table, read from the top,
shown to the user.

It is chosen once for a model and never inferred per call, so a conversation does not change its API
half way.
"""

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from turngraph.providers.vendors.profiles import VENDORS, VendorProfile, find_vendor, vendor_of_url
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.request import Api

if TYPE_CHECKING:
    from turngraph.providers.config import ProviderConfig

__all__ = ["ApiChoice", "Need", "explain_api", "needs_of", "select_api"]

Need = Literal["builtin_tools", "previous_response_id", "reasoning_summary"]
"""What only the Responses API has."""


class ApiChoice(NamedTuple):
    """The API, and a sentence on why."""

    api: Api
    reason: str


class ApiRule(NamedTuple):
    """A row of the table: models whose whole name matches are asked through `api`."""

    match: str
    api: Api
    reason: str
    source: str


_MODELS_PAGE: Final = "https://platform.openai.com/docs/models"

RESPONSES_ONLY: Final = (
    ApiRule(
        r"(o\d|gpt-\d+(\.\d+)?)(-\w+)*-pro(-\d{4}-\d\d-\d\d)?",
        "responses",
        "-pro models are served by the Responses API only.",
        f"{_MODELS_PAGE}/gpt-5-pro",
    ),
    ApiRule(
        r".*codex.*",
        "responses",
        "codex models are served by the Responses API only.",
        f"{_MODELS_PAGE}/gpt-5-codex",
    ),
    ApiRule(
        r".*deep-research.*|computer-use-.*",
        "responses",
        "This model is served by the Responses API only.",
        f"{_MODELS_PAGE}/o3-deep-research",
    ),
    ApiRule(
        r"gpt-5\.([4-9]|\d\d).*|gpt-([6-9]|\d\d).*",
        "responses",
        "From gpt-5.4 on, Chat Completions refuses tools while the model reasons.",
        "https://platform.openai.com/docs/guides/latest-model",
    ),
)
"""Models that work, or work whole, through Responses alone: at OpenAI and, as deployments, at
Azure.
"""

OFFICIAL: Final = (
    *RESPONSES_ONLY,
    ApiRule(
        r"gpt-5-chat.*|gpt-5\.\d-chat.*|gpt-5.*|gpt-4\.1.*|o4.*|gpt-oss.*",
        "responses",
        "OpenAI's own endpoint serves this family best through Responses.",
        "https://platform.openai.com/docs/guides/migrate-to-responses",
    ),
)
"""Models at OpenAI's own endpoint; any other is asked through Chat Completions."""


def select_api(
    model: str,
    base_url: str | None = None,
    override: Api | None = None,
    *,
    vendor: str | None = None,
    needs: Collection[Need] = (),
) -> Api:
    """The API for `model`. `explain_api` says why.

    >>> select_api("gpt-5-mini"), select_api("gpt-4o"), select_api("gpt-5-mini", "http://localhost:8080/v1")
    ('responses', 'chat', 'chat')
    """
    return explain_api(model, base_url, override, vendor=vendor, needs=needs).api


def explain_api(
    model: str,
    base_url: str | None = None,
    override: Api | None = None,
    *,
    vendor: str | None = None,
    needs: Collection[Need] = (),
) -> ApiChoice:
    """The API for `model` and the reason, the first that holds of:

    an `override`; what is `needs`-ed and only Responses has; the vendor's own recommendation; the
    tables for OpenAI's and Azure's models; Chat Completions, which everyone has. Raises
    TurnConfigurationError for what the vendor lacks.

        >>> explain_api("grok-4.3", vendor="xai").reason
        'xai recommends its Responses API.'
        >>> explain_api("xai:grok-4.3").api
        'responses'
    """
    named, colon, rest = model.partition(":")
    if colon and vendor is None and base_url is None and named in VENDORS:
        model, vendor = rest, named
    profile = _profile(base_url, vendor)
    if override is not None:
        return ApiChoice(override, "It was asked for.")
    if needs:
        return _needed(needs, profile)
    if profile.api == "responses":
        return ApiChoice("responses", f"{profile.name} recommends its Responses API.")
    rules = _RULES.get(profile.name, ()) if _is_official(profile, base_url) else ()
    for rule in rules:
        if re.fullmatch(rule.match, model, re.IGNORECASE):
            return ApiChoice(rule.api, rule.reason)
    if rules:
        return ApiChoice("chat", "OpenAI serves this model through Chat Completions.")
    return ApiChoice("chat", "Every OpenAI-compatible endpoint has Chat Completions.")


def needs_of(config: "ProviderConfig") -> tuple[Need, ...]:
    """What `config` asks for that its vendor has through the Responses API alone."""
    profile = config.profile
    if not config.tools or profile.responses == "none":
        return ()
    on_chat = profile.for_model(config.model).tool_types
    kinds = {str(tool.get("type")) for tool in config.builtin_tools}
    if config.vector_store_ids or (on_chat is not None and not kinds <= on_chat):
        return ("builtin_tools",)
    return ()


_RULES: Final = {"openai": OFFICIAL, "azure": RESPONSES_ONLY}


def _profile(base_url: str | None, vendor: str | None) -> VendorProfile:
    if vendor is not None:
        return find_vendor(vendor)
    if base_url is None:
        return find_vendor("openai")
    return vendor_of_url(base_url) or find_vendor("custom")


def _is_official(profile: VendorProfile, base_url: str | None) -> bool:
    """Whether the endpoint is the vendor's own, and not a proxy that speaks in its name."""
    return base_url is None or vendor_of_url(base_url) == profile


def _needed(needs: Collection[Need], profile: VendorProfile) -> ApiChoice:
    wanted = ", ".join(f"`{need}`" for need in sorted(needs))
    if profile.responses == "none":
        raise TurnConfigurationError(
            f"{wanted} needs the Responses API, which {profile.name} does not have."
        )
    if "previous_response_id" in needs and profile.responses == "stateless":
        raise TurnConfigurationError(
            f"{profile.name} keeps no answers, so `previous_response_id` finds none there."
        )
    return ApiChoice("responses", f"Only the Responses API has {wanted}.")
