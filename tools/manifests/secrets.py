"""Secrets by reference: looked up at the moment of use, stored nowhere, never printed."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from turngraph.state.errors import TurnConfigurationError
from turngraph.tools.manifests.kinds import SecretManifest
from turngraph.tools.manifests.secret_expiry import expires_at

__all__ = ["SecretError", "Secrets"]

MAX_BYTES: Final = 65_536
"""Bytes that are read of a secret file."""


class SecretError(TurnConfigurationError):
    """A secret is missing, unreadable or expired. The text never contains its value."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Secrets:
    """Finds secrets by reference.

    A reference is `env:NAME`, `file:PATH`, `keyring:SERVICE/USER`, or the name of a `Secret`
    manifest. A name without a manifest means the environment variable `TURNGRAPH_SECRET_<NAME>`, so
    that manifests also load on machines where the secrets must not be stored.

        >>> Secrets(environ={"TOKEN": "s3cret"}).get("env:TOKEN")
        's3cret'
    """

    manifests: Mapping[str, SecretManifest] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    folder: Path = Path()
    """The folder that relative paths start from."""
    now: Callable[[], datetime] = field(default=_now, repr=False)

    def get(self, reference: str) -> str:
        """Returns the value that `reference` stands for. Raises SecretError."""
        scheme, separator, rest = reference.partition(":")
        if not separator:
            return self._named(reference)
        finders = {"env": self._environment, "file": self._file, "keyring": _keyring}
        if scheme not in finders:
            raise SecretError(
                f"`{scheme}:…` is not a reference to a secret. Allowed: `env:NAME`, `file:PATH`, "
                "`keyring:SERVICE/USER`, or the name of a Secret manifest."
            )
        return finders[scheme](rest)

    def _named(self, name: str) -> str:
        if name not in self.manifests:
            variable = f"TURNGRAPH_SECRET_{name.upper()}"
            if variable not in self.environ:
                raise SecretError(
                    f"No secret is named `{name}`: write a Secret manifest, or set the environment "
                    f"variable {variable}."
                )
            return self.environ[variable]
        config = self.manifests[name].spec.config
        # Checked at each use, because a process may run longer than a secret is valid.
        if config.expiration_date is not None and self.now() >= expires_at(config.expiration_date):
            raise SecretError(f"The secret `{name}` expired on {config.expiration_date}.")
        if config.value_from is not None:
            # A name here could lead to another name and so on, in the worst case in a circle.
            if ":" not in config.value_from:
                raise SecretError(
                    f"The `value_from` of the secret `{name}` must begin with `env:`, `file:` or "
                    "`keyring:`; it cannot be the name of another secret."
                )
            return self.get(config.value_from)
        assert config.value is not None, "the model demands either value or value_from"
        return config.value.get_secret_value()

    def _environment(self, name: str) -> str:
        if name not in self.environ:
            raise SecretError(f"The environment variable `{name}` is not set.")
        return self.environ[name]

    def _file(self, name: str) -> str:
        path = self.folder / Path(name).expanduser()
        try:
            with path.open("rb") as file:
                # Editors and `echo` end a file with a newline, which is not part of the secret.
                return file.read(MAX_BYTES).decode().rstrip("\r\n")
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise SecretError(
                f"The secret file `{name}` cannot be read ({type(error).__name__})."
            ) from None


def _keyring(name: str) -> str:
    service, _, user = name.partition("/")
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise SecretError(
            "Secrets in the system's keyring need the package `keyring`: pip install keyring."
        ) from None
    try:
        secret = keyring.get_password(service, user)
    except KeyringError as error:
        raise SecretError(
            f"The system's keyring cannot be read ({type(error).__name__})."
        ) from None
    if secret is None:
        raise SecretError(f"The system's keyring has no entry `{service}/{user}`.")
    return secret
