"""Which hosts may ask, by the networks of their addresses.

The longest prefix that holds the address decides; between an `allow` and a `deny` of
the same length the `deny` does; an address in no rule is denied. Whoever answers in
front of the service, as a responder in the kernel may, applies these same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Final

from refclock.settings import Form

PRIVATE: Final = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
)
"""Loopback, private (RFC 1918, RFC 4193) and link-local networks."""

NO_HOST: Final = ("224.0.0.0/4", "255.255.255.255/32", "ff00::/8")
"""Multicast and broadcast addresses: never the source of a true request."""

_MAPPED: Final = bytes(10) + b"\xff\xff"
"""RFC 4291 section 2.5.5.2: an IPv4 address as an IPv6 one."""
Network = Annotated[str, Form(ip_network, "a network, as 192.0.2.0/24")]


class Access:
    """Allow and deny rules. A value."""

    def __init__(self, allow: Iterable[str], deny: Iterable[str]) -> None:
        """ValueError: a rule that is no network."""
        # by length of the address, then by the bits not compared, fewest first
        self._rules: dict[int, dict[int, dict[int, bool]]] = {4: {}, 16: {}}
        for allowed, texts in ((True, allow), (False, deny)):
            for network in map(_network, texts):
                free = network.max_prefixlen - network.prefixlen
                rules = self._rules[network.max_prefixlen // 8].setdefault(free, {})
                rules[int(network.network_address) >> free] = allowed
        for size, rules_by_free in self._rules.items():
            self._rules[size] = dict(sorted(rules_by_free.items()))

    def allows(self, source: bytes) -> bool:
        """Do the rules allow this address (4 or 16 bytes)?"""
        source = unmapped(source)
        address = int.from_bytes(source, "big")
        for free, rules in self._rules[len(source)].items():
            allowed = rules.get(address >> free)
            if allowed is not None:
                return allowed
        return False

    @property
    def networks(self) -> Iterator[IPv4Network | IPv6Network]:
        """Those that have a rule."""
        for kind, size in ((IPv4Network, 4), (IPv6Network, 16)):
            for free, rules in self._rules[size].items():
                length = 8 * size - free
                for bits in rules:
                    yield kind((bits << free, length))

    def allows_all(self, network: IPv4Network | IPv6Network) -> bool:
        """Do the rules allow the addresses of `network` that no longer prefix has?"""
        open_bits = network.max_prefixlen - network.prefixlen
        address = int(network.network_address)
        for free, rules in self._rules[network.max_prefixlen // 8].items():
            if (
                free >= open_bits
                and (allowed := rules.get(address >> free)) is not None
            ):
                return allowed
        return False


def _network(text: str) -> IPv4Network | IPv6Network:
    network = ip_network(text)
    first = network.network_address.packed
    if network.prefixlen < 96 or unmapped(first) == first:
        return network
    return IPv4Network((first[12:], network.prefixlen - 96))


def unmapped(source: bytes) -> bytes:
    """The address, ::ffff:a.b.c.d as the four bytes a.b.c.d."""
    return source[12:] if source[:12] == _MAPPED else source
