"""Masks the server's own key in a vendor's answer, should the vendor repeat it."""

from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["SecretMask"]

_MASK: Final = b"***"
_SHORTEST: Final = 8
"""Characters of the shortest secret. A local vendor takes any word as a key; words stay."""


class SecretMask:
    """Masks secrets in bytes that come in pieces. All other bytes are unchanged.

    >>> mask = SecretMask(["sk-planted-0815"])
    >>> mask.feed(b"key sk-pla"), mask.feed(b"nted-0815."), mask.finish()
    (b'key ', b'***.', b'')
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = [each.encode() for each in secrets if len(each) >= _SHORTEST]
        self._rest = b""

    def feed(self, piece: bytes) -> bytes:
        """Returns what can go on. A possible beginning of a secret at the end waits."""
        text = self._masked(self._rest + piece)
        waiting = max((_overlap(text, secret) for secret in self._secrets), default=0)
        end = len(text) - waiting
        self._rest = text[end:]
        return text[:end]

    def finish(self) -> bytes:
        """Returns what has waited."""
        rest, self._rest = self._rest, b""
        return rest

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Returns `headers` with the secrets in their values masked."""
        return {
            name: self._masked(value.encode("latin-1", "replace")).decode("latin-1")
            for name, value in headers.items()
        }

    def _masked(self, text: bytes) -> bytes:
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        return text


def _overlap(text: bytes, secret: bytes) -> int:
    """How many bytes at the end of `text` begin `secret`."""
    return next((n for n in range(len(secret) - 1, 0, -1) if text.endswith(secret[:n])), 0)
