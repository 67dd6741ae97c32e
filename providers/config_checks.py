"""Checks of a provider's configuration. Each raises TurnConfigurationError and says what to do."""

from collections.abc import Iterable

from turngraph.providers.vendors.profiles import VendorProfile
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.request import Api

__all__ = ["check_api", "check_header_values", "check_key", "check_model", "check_vector_stores"]


def check_header_values(values: Iterable[tuple[str, str | None]]) -> None:
    """Refuses a value with a line break, or with a character that no HTTP header can carry.

    values: the name of each field, and its value.
    """
    for name, value in values:
        if value and not (value.isascii() and value.isprintable()):
            # The value is not quoted: it may be a key.
            raise TurnConfigurationError(
                f"`{name}` holds a line break, or a character that no HTTP header can carry. "
                "It was probably read from a file: strip it."
            )


def check_key(has_key: bool, has_headers: bool, base_url: str, profile: VendorProfile) -> None:
    """Refuses a configuration without a key, where the endpoint is the vendor's own and needs one.

    Any other endpoint may need none, and headers may hold the key under another name.
    """
    if has_key or has_headers or not profile.key_env or base_url != profile.base_url:
        return
    names = " or ".join(profile.key_env)
    raise TurnConfigurationError(
        f"{profile.name} needs a key: set {names}, or in code `api_key` of the `ProviderConfig`."
    )


def check_api(api: Api | None, profile: VendorProfile) -> None:
    """Refuses an API that the vendor does not have. A custom endpoint may have either."""
    if api == "responses" and profile.responses == "none" and profile.name != "custom":
        raise TurnConfigurationError(
            f"{profile.name} does not have the Responses API: use `api='chat'`."
        )


def check_model(model: str, valid: tuple[str, ...] | None) -> None:
    """Refuses a `model` that is not among the `valid` ones; `None` allows any."""
    if valid is not None and model not in valid:
        raise TurnConfigurationError(
            f"`{model[:100]}` is not among `valid_chat_completion_models`: {', '.join(valid)}."
        )


def check_vector_stores(
    vector_store_ids: tuple[str, ...], api: Api | None, profile: VendorProfile
) -> None:
    """Refuses vector stores where no `file_search` can search them."""
    if not vector_store_ids or (api != "chat" and profile.responses != "none"):
        return
    cure = "leave out `api='chat'`"
    if profile.responses == "none":
        cure = f"{profile.name} does not have it, so leave out `vector_store_ids`"
    raise TurnConfigurationError(
        "`vector_store_ids` are searched by `file_search`, which only the Responses API has: "
        f"{cure}."
    )
