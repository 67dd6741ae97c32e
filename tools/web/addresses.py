"""Decides which addresses a plugin may reach: public ones, and hosts that the operator allows.

This is the guard against server-side request forgery
(https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html).
A host name is resolved once, here, and the socket connects to exactly the addresses that were
checked. So a name whose answer changes between check and connect (DNS rebinding,
https://en.wikipedia.org/wiki/DNS_rebinding) gains nothing.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from turngraph.tools.web.hosts import spelled_address

__all__ = ["AddressError", "AddressPolicy", "is_public", "system_lookup"]

Lookup = Callable[[str, int], Awaitable[list[str]]]
"""From a host name and a port to its addresses."""

TRANSLATED: Final = tuple(
    IPv6Network(network)
    for network in (
        "64:ff9b::/96",  # NAT64, https://www.rfc-editor.org/rfc/rfc6052
        "64:ff9b:1::/48",  # NAT64 for local use, https://www.rfc-editor.org/rfc/rfc8215
        "2001::/32",  # Teredo, https://www.rfc-editor.org/rfc/rfc4380
        "2002::/16",  # 6to4, https://www.rfc-editor.org/rfc/rfc3056
        "::/96",  # IPv4-compatible, deprecated, https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.1
        "3fff::/20",  # for documentation, https://www.rfc-editor.org/rfc/rfc9637
        "fec0::/10",  # site-local, deprecated, https://www.rfc-editor.org/rfc/rfc3879
    )
)
"""IPv6 networks that can carry a private IPv4 address, or are no longer routed. `is_global` calls
some of their addresses public.
"""
NOT_PUBLIC: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # shared by providers, https://www.rfc-editor.org/rfc/rfc6598
        "168.63.129.16/32",  # Azure's platform and metadata
        # Protocol assignments, https://www.rfc-editor.org/rfc/rfc6890, with the metadata service
        # 192.0.0.192 of Oracle's cloud.
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays, deprecated, https://www.rfc-editor.org/rfc/rfc7526
        "198.18.0.0/15",
        "240.0.0.0/4",
    )
)
"""IPv4 networks that `is_global` calls public, in this or in another version of Python."""


class AddressError(OSError):
    """An address that a plugin may not reach."""


def is_public(address: str) -> bool:
    """Whether `address` belongs to the public internet.

    False for loopback, private, link-local, cloud metadata and multicast addresses, and for IPv6
    addresses that carry one of these.

    >>> is_public("93.184.216.34"), is_public("169.254.169.254"), is_public("::ffff:127.0.0.1")
    (True, False, False)
    """
    # The part after `%` is a zone (`fe80::1%eth0`), which says nothing about who is there.
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif any(ip in network for network in TRANSLATED):
            return False
    if isinstance(ip, IPv4Address) and any(ip in network for network in NOT_PUBLIC):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


async def system_lookup(host: str, port: int) -> list[str]:
    """Returns the addresses of `host` as the operating system resolves it."""
    entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


@dataclass(frozen=True)
class AddressPolicy:
    """Allows public addresses, and the hosts in `allowed` (`localhost`, `10.0.0.5:8080`) wherever
    they are.
    """

    allowed: Collection[str] = ()
    lookup: Lookup = field(default=system_lookup, repr=False)

    def allows_by_name(self, host: str, port: int) -> bool:
        """Whether the operator allowed this host, or this host and port."""
        allowed = {entry.lower() for entry in self.allowed}
        return host.lower() in allowed or f"{host.lower()}:{port}" in allowed

    def check_literal(self, host: str, port: int) -> None:
        """Raises AddressError if `host` is written as an address that is not allowed.

        Every spelling of an address counts: `127.1` and `2130706433` are 127.0.0.1. aiohttp
        connects to such a host without asking the resolver, or the resolver reads it in a way of
        its own, or it refuses it: this depends on its version. So where the operator allowed
        127.0.0.1, its other spellings are not. Raises ValueError for a host that ends in a number
        and is no address.
        """
        address = spelled_address(host)
        if address is None or self.allows_by_name(host, port):
            return
        usual = isinstance(address, IPv6Address) or str(address) == host
        if usual and self.allows_by_name(str(address), port):
            return
        if not is_public(str(address)):
            raise AddressError(f"the address {host} is not public")

    def resolver(self) -> AbstractResolver:
        """Returns the resolver that a connector must use so that names are checked too."""
        return _CheckingResolver(self)


class _CheckingResolver(AbstractResolver):
    def __init__(self, policy: AddressPolicy) -> None:
        self.policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = await self.policy.lookup(host, port)
        if not self.policy.allows_by_name(host, port):
            # One private address among public ones is enough for an attack, so all must be public.
            for address in addresses:
                if not is_public(address):
                    raise AddressError(f"{host} is at {address}, which is not public")
        return [_resolve_result(host, port, address) for address in addresses]

    async def close(self) -> None:
        """Does nothing; the resolver holds no resources."""


def _resolve_result(host: str, port: int, address: str) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=0,
        flags=int(socket.AI_NUMERICHOST | socket.AI_NUMERICSERV),
    )
