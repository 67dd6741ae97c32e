"""Builds a turn's configuration from an `LLMClient` manifest: its model, settings and plugins."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from turngraph.providers.config import ProviderConfig
from turngraph.state.errors import TurnConfigurationError

if TYPE_CHECKING:
    from turngraph.tools.manifests.kinds import LLMClientManifest
    from turngraph.tools.manifests.loading import Manifests

__all__ = ["client_config", "client_settings"]


def client_settings(client: "LLMClientManifest") -> dict[str, Any]:
    """The fields of a `ProviderConfig` that `client` sets, zeros included."""
    config = client.spec.config
    chosen = {
        "temperature": config.default_temperature,
        "max_tokens": config.default_max_tokens,
        "default_system_role": config.default_system_role,
    }
    return {name: value for name, value in chosen.items() if value is not None}


def client_config(
    manifests: "Manifests", name: str, *, environ: Mapping[str, str]
) -> ProviderConfig:
    """The configuration of the model that the client `name` asks.

    Its provider is a `Provider` manifest among `manifests`, or a vendor of the table. Its key comes
    from the manifest's secret or, from `environ`, the vendor's variable.

        config = client_config(manifests, "front_desk", environ=os.environ)
        client = manifests.clients["front_desk"].spec
        turn = chat_turn(
            config, plugins=manifests.of_client("front_desk"), functions=client.functions
        )

    Raises TurnConfigurationError for a client, provider, model or key that does not exist.
    """
    manifests.of_client(name)
    client = manifests.clients[name]
    vendor, model = client.spec.config.provider or "openai", client.spec.config.default_model
    fields = client_settings(client)
    if vendor in manifests.providers:
        own = manifests.providers[vendor].spec.provider
        model = model if model is not None else own.default_model
        if own.api_key is not None:
            fields["api_key"] = manifests.secrets.get(own.api_key)
        if own.base_url is not None:
            fields["base_url"], vendor = own.base_url, "custom"
    if model is None:
        raise TurnConfigurationError(
            f"The client `{name}` names no model: give it a default_model."
        )
    return ProviderConfig.from_model_string(f"{vendor}:{model}", environ=environ, **fields)
