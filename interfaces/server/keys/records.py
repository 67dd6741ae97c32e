"""An API key as the database knows it: everything but the key itself."""

from typing import NamedTuple

from turngraph.interfaces.server.caller import Scope

__all__ = ["KeyRecord"]


class KeyRecord(NamedTuple):
    """A stored API key. Times are seconds since the epoch, and None where they do not apply."""

    key_id: str
    account: str
    """The account that pays for what is done with the key."""
    name: str
    """What a person calls the key, as in `laptop`; may be empty."""
    scopes: tuple[Scope, ...]
    models: tuple[str, ...] | None
    """The models that may be asked; None means all."""
    created: float
    expires: float | None
    revoked: float | None
    last_used: float | None
    """When a request was last made with it, to about a minute."""
    previous_until: float | None
    """Until when the secret before the last rotation is accepted."""

    def status(self, now: float) -> str:
        """Returns `active`, `expired` or `revoked`."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "active"
