"""Reads web addresses: whether they are well formed, and which IP address a host spells.

Clients and resolvers agree on names, not on numbers: `2130706433`, `127.1`, `0177.0.0.1` and `0`
are hosts that many of them connect to. They are read here as the WHATWG URL standard reads them
(https://url.spec.whatwg.org/#concept-ipv4-parser), so that no library's reading decides.
"""

import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

__all__ = ["spelled_address", "well_formed"]

MAX_NAME: Final = 253
"""Characters of a host name (https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4)."""
NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")
MAX_DIGITS: Final = 40
"""Digits of one number. More are no address, and Python refuses to read thousands."""


def spelled_address(host: str) -> IPv4Address | IPv6Address | None:
    """Returns the IP address that `host` spells, or None if it is a name.

    >>> [str(spelled_address(host)) for host in ("127.1", "2130706433", "0177.0.0.1", "0")]
    ['127.0.0.1', '127.0.0.1', '127.0.0.1', '0.0.0.0']
    >>> spelled_address("example.com") is None
    True

    Raises ValueError for a host that ends in a number and is no address.
    """
    # The part after `%` is a zone (`fe80::1%eth0`), which says nothing about who is there.
    # An ideographic full stop separates labels too (RFC 3490, section 3.1).
    written = unicodedata.normalize("NFKC", host).replace("\u3002", ".")
    plain = written.partition("%")[0].removesuffix(".")
    try:
        return ip_address(plain)
    except ValueError:
        labels = plain.split(".")
    if not NUMBER.fullmatch(labels[-1]):
        return None
    if len(labels) > 4 or not all(
        NUMBER.fullmatch(label) and len(label) <= MAX_DIGITS for label in labels
    ):
        raise ValueError(f"the host `{host[:60]}` ends in a number and is no address")
    *first, last = map(_number, labels)
    # The last number fills all bytes that the others leave: `127.1` is 127.0.0.1.
    if any(number > 255 for number in first) or last >= 256 ** (5 - len(labels)):
        raise ValueError(f"the host `{host[:60]}` ends in a number and is no address")
    return IPv4Address(sum(number << 8 * (3 - index) for index, number in enumerate(first)) + last)


def well_formed(url: str) -> SplitResult:
    """Returns the parts of `url`. Raises ValueError if no client could ask there.

    >>> well_formed("http://example.com:8080/a").port
    8080
    """
    from yarl import URL

    parts = urlsplit(url)
    host = parts.hostname
    if not host:
        raise ValueError("the address has no host")
    if parts.port == 0:  # `port` itself raises ValueError for what is no port
        raise ValueError("the address has the port 0")
    # `encode` raises UnicodeError, a ValueError, for an empty label and for one that is too long.
    is_name = spelled_address(host) is None
    if is_name and len(host.removesuffix(".").encode("idna")) > MAX_NAME:
        raise ValueError(f"the host has more than {MAX_NAME} characters")
    # The HTTP client reads a name back into its own script when it connects, and raises the same
    # for one that has none (`xn--`).
    _ = URL(url).host
    return parts


def _number(text: str) -> int:
    if text[:2].lower() == "0x":
        return int(text[2:] or "0", 16)
    return int(text, 8) if text.startswith("0") and len(text) > 1 else int(text)
