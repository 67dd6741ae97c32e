"""Which addresses a plugin may reach: public ones, and the hosts allowed by name. Checked where the
socket connects.

The connector resolves a name once, here, and connects to the very addresses that were judged; a
name that changes its answer in between (DNS rebinding) gains nothing.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

__all__ = ["AddressError", "AddressPolicy", "is_public", "system_lookup"]

Lookup = Callable[[str, int], Awaitable[list[str]]]
"""From a host's name and port to its addresses."""

TRANSLATED: Final = tuple(
    IPv6Network(net)
    for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "::/96", "fec0::/10")
)
"""IPv6 ranges that carry IPv4 addresses or are no longer routed, and that `is_global` lets pass in
part.
"""


class AddressError(OSError):
    """An address a plugin may not reach."""


def is_public(address: str) -> bool:
    """May anybody on the internet be there? Not loopback, private, link-local, metadata, multicast
    or a disguise.

    >>> is_public("93.184.216.34"), is_public("169.254.169.254"), is_public("::ffff:127.0.0.1")
    (True, False, False)
    """
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif any(found in network for network in TRANSLATED):
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


async def system_lookup(host: str, port: int) -> list[str]:
    """The addresses of `host`, as the operating system finds them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True)
class AddressPolicy:
    """Public addresses, and the hosts in `allowed` (`localhost`, `10.0.0.5:8080`) wherever they
    are.
    """

    allowed: Collection[str] = ()
    lookup: Lookup = field(default=system_lookup, repr=False)

    def allows_by_name(self, host: str, port: int) -> bool:
        """Did the operator name this host, or this host and port?"""
        named = {entry.lower() for entry in self.allowed}
        return host.lower() in named or f"{host.lower()}:{port}" in named

    def check_literal(self, host: str, port: int) -> None:
        """Raises AddressError for a host written as a forbidden address: those never reach the
        resolver.
        """
        try:
            ip_address(host.partition("%")[0])
        except ValueError:
            return
        if not self.allows_by_name(host, port) and not is_public(host):
            raise AddressError(f"the address {host} is not public")

    def resolver(self) -> AbstractResolver:
        """What a connector asks instead of the system."""
        return _JudgingResolver(self)


class _JudgingResolver(AbstractResolver):
    def __init__(self, policy: AddressPolicy) -> None:
        self.policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = await self.policy.lookup(host, port)
        if not self.policy.allows_by_name(host, port):
            for address in addresses:
                if not is_public(address):
                    raise AddressError(f"{host} is at {address}, which is not public")
        return [_result(host, port, address) for address in addresses]

    async def close(self) -> None:
        """Nothing is held."""


def _result(host: str, port: int, address: str) -> Any:
    kind = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=kind,
        proto=0,
        flags=int(socket.AI_NUMERICHOST | socket.AI_NUMERICSERV),
    )
