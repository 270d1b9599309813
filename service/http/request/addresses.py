"""Who a request comes from, as far as its address says it: what bounds a client counts by this.

A bound by address must never lock out everybody who shares one. So an address counts as a client
only where it can be one's own: without ``PREFIXEL_TRUSTED_PROXIES`` a private one (a proxy, a
balancer, a cluster's network) is nobody in particular and has no bound. With them set, a trusted
peer's ``X-Forwarded-For`` says who it is, and every other address is a client. A client of IPv6
has a /64, so that is what is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope

Network = IPv4Network | IPv6Network
REMEMBERED = 4096
IPV6_HOST_BITS = 64
FORWARDED = b"x-forwarded-for"


class Clients:
    """Finds a request's client; ``trusted`` are the proxies, None where nothing is known of any."""

    def __init__(self, trusted: Sequence[Network] | None) -> None:
        self._trusted = trusted
        self.at = lru_cache(REMEMBERED)(self._at)
        """The client at this address; None where it is a proxy, or may be one."""

    def of(self, scope: Scope) -> str | None:
        """The client of a request; None where that is not known."""
        peer = scope.get("client")
        if peer is None:
            return None
        client = self.at(peer[0])
        if client is not None or not self._trusted:
            return client
        if not self._is_trusted(_parsed(peer[0])):
            return None
        forwarded = self._forwarded(scope)
        return None if forwarded is None else _name(forwarded)

    def address_of(self, scope: Scope) -> str:
        """Where a request comes from, for whoever reads the log; empty where that is not known."""
        peer = scope.get("client")
        if peer is None:
            return ""
        if self._trusted and self._is_trusted(_parsed(peer[0])):
            return str(self._forwarded(scope) or peer[0])
        return str(peer[0])

    def _forwarded(self, scope: Scope) -> IPv4Address | IPv6Address | None:
        """The last address that no trusted proxy has: what stands before it, its client wrote."""
        lines = (value for name, value in scope["headers"] if name == FORWARDED)
        for text in reversed(b",".join(lines).decode("latin-1").split(",")):
            address = _parsed(_host(text.strip()))
            if address is None:
                return None
            if not self._is_trusted(address):
                return address
        return None

    def _at(self, host: str) -> str | None:
        address = _parsed(host)
        if address is None or self._is_trusted(address):
            return None
        if self._trusted is None and not address.is_global:
            return None
        return _name(address)

    def _is_trusted(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted or ())


def _host(text: str) -> str:
    """Without the port that some proxies add: ``192.0.2.1:80``, ``[2001:db8::1]:80``."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _parsed(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _name(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    network = int(address) >> IPV6_HOST_BITS << IPV6_HOST_BITS
    return f"{IPv6Address(network)}/{IPV6_HOST_BITS}"
