"""Which API a model is called through, Chat Completions or Responses: a table, read from the top.

The API is chosen once for a provider, and never for a single call, so that a conversation does not
change its API half way.
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
"""A feature that only the Responses API has."""


class ApiChoice(NamedTuple):
    """The API that was chosen.

    >>> explain_api("gpt-4o", "https://example.com/v1")
    ApiChoice(api='chat', reason='Every OpenAI-compatible endpoint has Chat Completions.')
    """

    api: Api
    """`chat` or `responses`."""
    reason: str
    """A sentence on why."""


class ApiRule(NamedTuple):
    """A row of the table: models whose whole name matches are called through `api`."""

    match: str
    """A regular expression, for names in upper or lower case."""
    api: Api
    reason: str
    """A sentence for the user."""
    source: str
    """The URL of the page that says so."""


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
"""Models that work, or work fully, only through Responses: at OpenAI, and as Azure deployments."""

OPENAI_RULES: Final = (
    *RESPONSES_ONLY,
    ApiRule(
        r"gpt-5-chat.*|gpt-5\.\d-chat.*|gpt-5.*|gpt-4\.1.*|o4.*|gpt-oss.*",
        "responses",
        "OpenAI's own endpoint serves this family best through Responses.",
        "https://platform.openai.com/docs/guides/migrate-to-responses",
    ),
)
"""Models at OpenAI's own endpoint. Those that match no row are called through Chat Completions."""


def select_api(
    model: str,
    base_url: str | None = None,
    override: Api | None = None,
    *,
    vendor: str | None = None,
    needs: Collection[Need] = (),
) -> Api:
    """Returns the API that `model` is called through. Takes and raises what `explain_api` does.

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
    """Returns the API that `model` is called through, and why.

    The first of these that holds decides: the `override`; a feature in `needs`; the vendor's own
    recommendation; the tables of OpenAI's and Azure's models; Chat Completions, which every
    endpoint has.

    Args:
        model: the model's name, or `vendor:model` if neither `vendor` nor `base_url` is given.
        base_url: the endpoint. By default the vendor's own, or OpenAI's without a vendor.
        override: the API to use, whatever the tables say.
        vendor: a name from the table of vendors. By default the one that `base_url` belongs to.
        needs: features that the caller will use and only the Responses API has.

    Raises TurnConfigurationError for an unknown vendor, and for a need that it cannot meet.

        >>> explain_api("grok-4.3", vendor="xai").reason
        'xai recommends its Responses API.'
        >>> explain_api("xai:grok-4.3").api
        'responses'
    """
    prefix, colon, rest = model.partition(":")
    if colon and vendor is None and base_url is None and prefix in VENDORS:
        model, vendor = rest, prefix
    profile = _profile(base_url, vendor)
    # A need is checked after the override: whoever names an API gets it, or the vendor's refusal.
    if override is not None:
        return ApiChoice(override, "The configuration asks for it.")
    if needs:
        return _choice_for_needs(needs, profile)
    if profile.api == "responses":
        return ApiChoice("responses", f"{profile.name} recommends its Responses API.")
    # A proxy may serve the same model names through Chat Completions only.
    rules = _RULES.get(profile.name, ()) if _is_official(profile, base_url) else ()
    for rule in rules:
        if re.fullmatch(rule.match, model, re.IGNORECASE):
            return ApiChoice(rule.api, rule.reason)
    if rules:
        return ApiChoice("chat", "OpenAI serves this model through Chat Completions.")
    return ApiChoice("chat", "Every OpenAI-compatible endpoint has Chat Completions.")


def needs_of(config: "ProviderConfig") -> tuple[Need, ...]:
    """Returns the features that `config` asks for and its vendor has only on the Responses API."""
    profile = config.profile
    if not config.tools or profile.responses == "none":
        return ()
    # Tools that Chat Completions accepts at this vendor are no reason to leave it.
    on_chat = profile.for_model(config.model).tool_types
    kinds = {str(tool.get("type")) for tool in config.builtin_tools}
    if config.vector_store_ids or (on_chat is not None and not kinds <= on_chat):
        return ("builtin_tools",)
    return ()


_RULES: Final = {"openai": OPENAI_RULES, "azure": RESPONSES_ONLY}


def _profile(base_url: str | None, vendor: str | None) -> VendorProfile:
    if vendor is not None:
        return find_vendor(vendor)
    if base_url is None:
        return find_vendor("openai")
    return vendor_of_url(base_url) or find_vendor("custom")


def _is_official(profile: VendorProfile, base_url: str | None) -> bool:
    """Whether the endpoint is the vendor's own. A proxy in its name may have fewer features."""
    return base_url is None or vendor_of_url(base_url) == profile


def _choice_for_needs(needs: Collection[Need], profile: VendorProfile) -> ApiChoice:
    features = ", ".join(f"`{need}`" for need in sorted(needs))
    if profile.responses == "none":
        raise TurnConfigurationError(
            f"{features} needs the Responses API, which {profile.name} does not have. "
            "Leave it out, or ask a vendor that has it: `turngraph vendors` lists them."
        )
    if "previous_response_id" in needs and profile.responses == "stateless":
        raise TurnConfigurationError(
            f"{profile.name} stores no answers, so `previous_response_id` cannot continue one. "
            "Send the conversation instead."
        )
    return ApiChoice("responses", f"Only the Responses API has {features}.")
