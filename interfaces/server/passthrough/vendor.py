"""A vendor whose own requests are forwarded: its endpoint, its keys, its prices."""

from collections.abc import Mapping
from typing import Any, Final

from turngraph.graphs.arguments import prices_from
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.passthrough.settings import PassthroughConfig
from turngraph.providers.config import ProviderConfig
from turngraph.providers.wire.endpoint import request_path
from turngraph.providers.wire.http_transport import HttpTransport
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.request import Api

__all__ = ["PassthroughVendor"]

_APIS: Final[Mapping[str, Api]] = {"chat/completions": "chat", "responses": "responses"}
"""The paths whose answers say what they used. Others cannot be metered."""


class PassthroughVendor:
    """One vendor, with a connection pool for each key.

    Raises TurnConfigurationError for an unknown vendor, or a key that is not in `environ`.
    """

    def __init__(self, name: str, settings: PassthroughConfig, environ: Mapping[str, str]) -> None:
        self.name = name
        self.prices = prices_from(settings.prices or None)
        own = {
            account: _config(name, settings, variable, environ)
            for account, variable in settings.account_key_env.items()
        }
        self.config = _config(name, settings, settings.key_env, environ)
        self._shared = HttpTransport(self.config)
        self._own = {account: HttpTransport(config) for account, config in own.items()}

    def transport_for(self, account: str) -> HttpTransport:
        """Returns the connections with the key of an account, or with the one for all."""
        return self._own.get(account, self._shared)

    def api_of(self, path: str) -> Api:
        """Returns the API that a path below the vendor's name belongs to.

        Raises ServerError (404) for a path that is not metered.
        """
        api = _APIS.get(path.removeprefix("v1/").strip("/"))
        if api is None:
            allowed = " and ".join(f"`{each}`" for each in _APIS)
            raise ServerError(
                404,
                f"`{path[:100]}` is not forwarded, because it cannot be metered. Forwarded are "
                f"POST requests to {allowed}, with or without `v1/` before them.",
                code="not_forwarded",
            )
        return api

    def path_of(self, api: Api, model: str) -> str:
        """Returns the path of a request at the vendor's endpoint."""
        return request_path(self.config.replaced(model=model), api)

    async def aclose(self) -> None:
        """Closes the connections."""
        for transport in (self._shared, *self._own.values()):
            await transport.aclose()


def _config(
    name: str, settings: PassthroughConfig, variable: str | None, environ: Mapping[str, str]
) -> ProviderConfig:
    fields: dict[str, Any] = {} if settings.base_url is None else {"base_url": settings.base_url}
    if variable is not None:
        if not environ.get(variable):
            raise TurnConfigurationError(
                f"`passthrough.{name}` names the variable `{variable}`, which is not set."
            )
        fields["api_key"] = environ[variable]
    # The model stands in each request; the configuration only says where they go.
    vendor = settings.vendor or name
    try:
        return ProviderConfig.from_model_string(f"{vendor}:passthrough", environ=environ, **fields)
    except TurnConfigurationError as exc:
        raise TurnConfigurationError(f"`passthrough.{name}`: {exc}") from exc
