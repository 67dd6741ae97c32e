"""Secrets by reference: looked up when they are used, kept nowhere, never printed."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from turngraph.state.errors import TurnConfigurationError

if TYPE_CHECKING:
    from turngraph.tools.manifests.kinds import SecretManifest

__all__ = ["SecretError", "Secrets", "expiry"]

LONGEST: Final = 65_536
"""Bytes of a secret file."""


class SecretError(TurnConfigurationError):
    """A secret cannot be had: it is missing, unreadable or expired. The text never holds its value."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Secrets:
    """Finds secrets by reference.

    A reference is `env:NAME`, `file:PATH`, `keyring:SERVICE/USER`, or a name: of a `Secret`
    manifest, or else of the environment variable `TURNGRAPH_SECRET_<NAME>`, so that manifests load
    where their secrets must not lie.

        >>> Secrets(environ={"TOKEN": "s3cret"}).get("env:TOKEN")
        's3cret'
    """

    manifests: Mapping[str, "SecretManifest"] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    folder: Path = Path()
    """What relative files are relative to."""
    now: Callable[[], datetime] = field(default=_now, repr=False)

    def get(self, reference: str) -> str:
        """The value `reference` stands for. Raises SecretError."""
        scheme, separator, rest = reference.partition(":")
        if separator:
            finders = {"env": self._environment, "file": self._file, "keyring": _keyring}
            if scheme not in finders:
                raise SecretError(
                    f"`{scheme}:…` is no way to name a secret. There are: env:, file:, keyring:, a name."
                )
            return finders[scheme](rest)
        return self._named(reference)

    def _named(self, name: str) -> str:
        if name not in self.manifests:
            variable = f"TURNGRAPH_SECRET_{name.upper()}"
            if variable not in self.environ:
                raise SecretError(
                    f"No secret is named `{name}`: write a Secret manifest, or set {variable}."
                )
            return self.environ[variable]
        config = self.manifests[name].spec.config
        if config.expiration_date is not None and self.now() >= expiry(config.expiration_date):
            raise SecretError(f"The secret `{name}` expired on {config.expiration_date}.")
        if config.value_from is not None:
            if ":" not in config.value_from:
                raise SecretError(
                    f"The secret `{name}` takes its value from env:, file: or keyring:, not another name."
                )
            return self.get(config.value_from)
        assert config.value is not None, "a secret has a value or a place"
        return config.value.get_secret_value()

    def _environment(self, name: str) -> str:
        if name not in self.environ:
            raise SecretError(f"The environment variable `{name}` is not set.")
        return self.environ[name]

    def _file(self, name: str) -> str:
        path = self.folder / Path(name).expanduser()
        try:
            with path.open("rb") as file:
                return file.read(LONGEST).decode().rstrip("\r\n")
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise SecretError(
                f"The secret file `{name}` cannot be read ({type(error).__name__})."
            ) from None


def expiry(text: str) -> datetime:
    """The moment from which a secret of this `expiration_date` is refused.

    >>> expiry("2026-12-31").isoformat(), expiry("2026-12-31T12:00:00+02:00").isoformat()
    ('2027-01-01T00:00:00+00:00', '2026-12-31T12:00:00+02:00')

    Raises ValueError for what is no date.
    """
    moment = datetime.fromisoformat(text.strip())
    if len(text.strip()) == len("2026-12-31"):
        moment = datetime.combine(moment.date(), time()) + timedelta(days=1)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _keyring(name: str) -> str:
    service, _, user = name.partition("/")
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise SecretError("Secrets from the system's keyring need the package `keyring`.") from None
    try:
        found = keyring.get_password(service, user)
    except KeyringError as error:
        raise SecretError(
            f"The system's keyring cannot be asked ({type(error).__name__})."
        ) from None
    if found is None:
        raise SecretError(f"The system's keyring has no `{service}/{user}`.")
    return found
