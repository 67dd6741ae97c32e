"""Reads the fields of a `ProviderConfig` in the forms in which they may be given."""

import os
from collections.abc import Mapping
from typing import Any, Final

from turngraph.providers.vendors.profiles import (
    VENDORS,
    VendorProfile,
    find_vendor,
    is_vendor,
    vendor_of_url,
)
from turngraph.providers.wire.url_credentials import move_credentials_to_header
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject

__all__ = ["ENVIRON", "complete_fields", "own_model_name", "with_api"]

ENVIRON: Final = "environ"
"""The key of pydantic's validation context under which the environment is handed in."""


def complete_fields(fields: Mapping[str, Any], context: Mapping[str, Any] | None) -> JsonObject:
    """Returns `fields` with vendor, endpoint, API and key filled in where they are left out.

    The vendor's key is read from its environment variable for the vendor's own endpoint alone: no
    other address may be sent a key that nobody gave it.

    Raises TurnConfigurationError for an unknown vendor, and for fields that contradict each other.
    """
    if not isinstance(fields.get("base_url"), str | None):
        raise TurnConfigurationError(
            f"`base_url` is of type `{type(fields['base_url']).__name__}`; give an address as text."
        )
    # First, because a URL with a password would be quoted in the errors of the later checks.
    fields = with_api(move_credentials_to_header(fields))
    vendor, base_url, model = fields.get("vendor"), fields.get("base_url"), fields.get("model")
    if isinstance(model, str) and not base_url:
        prefix, colon, _ = model.partition(":")
        if colon and not vendor and is_vendor(prefix):
            vendor = prefix
    if vendor:
        profile = find_vendor(vendor)
    elif base_url:
        profile = vendor_of_url(base_url) or VENDORS["custom"]
    else:
        profile = VENDORS["openai"]
    completed = {**fields, "vendor": profile.name, "base_url": base_url or profile.base_url or ""}
    if isinstance(model, str):
        completed["model"] = own_model_name(model, profile)
    if not (fields.get("api_key") or fields.get("headers")) and _is_own(base_url, profile):
        environ = os.environ if context is None else context[ENVIRON]
        completed["api_key"] = profile.key_from(environ)
    return completed


def with_api(fields: Mapping[str, Any]) -> JsonObject:
    """Returns `fields` with `use_responses_api`, the other name of the choice, written as `api`.

    `OpenAIProvider.get_current_config_values` and LangChain's `ChatOpenAI` write it so.

        >>> with_api({"use_responses_api": True})
        {'api': 'responses'}

    Raises TurnConfigurationError if both are given and differ, and for a value that is no boolean.
    """
    if "use_responses_api" not in fields:
        return dict(fields)
    rest = {name: value for name, value in fields.items() if name != "use_responses_api"}
    wanted = fields["use_responses_api"]
    if wanted is None:
        return rest
    if not isinstance(wanted, bool):
        raise TurnConfigurationError(
            f"`use_responses_api` is {type(wanted).__name__}; write true or false."
        )
    api = "responses" if wanted else "chat"
    if rest.get("api") not in (None, api):
        raise TurnConfigurationError(
            f"`api` and `use_responses_api` contradict each other: `{rest['api']}` and {wanted}. "
            "Leave one of them out."
        )
    return {**rest, "api": api}


def own_model_name(model: str, profile: VendorProfile) -> str:
    """Returns `model` without the vendor's own name before it, as the vendor knows it.

    >>> own_model_name("openai:gpt-5", VENDORS["openai"])
    'gpt-5'
    >>> own_model_name("llama3.2:1b", VENDORS["ollama"])
    'llama3.2:1b'
    """
    prefix, colon, name = model.partition(":")
    if not (colon and name and is_vendor(prefix)) or profile.name == "custom":
        return model
    return name if find_vendor(prefix) is profile else model


def _is_own(base_url: str | None, profile: VendorProfile) -> bool:
    return base_url in (None, "", profile.base_url) or vendor_of_url(base_url or "") is profile
