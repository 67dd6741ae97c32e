"""The configuration of one vendor whose own requests are forwarded."""

from pydantic import Field

from turngraph.state.base import Frozen

__all__ = ["PassthroughConfig"]


class PassthroughConfig(Frozen):
    """A vendor below `/passthrough/NAME/`.

    >>> PassthroughConfig(account_key_env={"acme": "ACME_OPENAI_KEY"}).vendor is None
    True
    """

    vendor: str | None = None
    """The vendor's name in the table of vendors. Default: the name in the path."""
    base_url: str | None = None
    """The endpoint, where it is not the vendor's own."""
    key_env: str | None = None
    """The environment variable that holds the key. Default: the vendor's own."""
    account_key_env: dict[str, str] = Field(default_factory=dict)
    """The variables of the accounts that have a key of their own at the vendor."""
    prices: dict[str, dict[str, str | float]] = Field(default_factory=dict)
    """Prices that come before the list prices: `vendor:model` to USD per million tokens."""
