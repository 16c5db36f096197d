"""Who gets an answer.

The longest prefix that holds the address decides; between an `allow` and a `deny`
of the same length the `deny` does; what no rule names is denied.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Annotated, Final

from refclock.settings import Form

Network = Annotated[str, Form(ip_network, "a network, as 192.0.2.0/24")]

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


class Access:
    """Allow and deny rules. A value."""

    def __init__(self, allow: Iterable[str], deny: Iterable[str]) -> None:
        """ValueError: a rule that is no network."""
        # by length of the address, then by the bits not compared, fewest first
        self._rules: dict[int, dict[int, dict[int, bool]]] = {4: {}, 16: {}}
        for allowed, texts in ((True, allow), (False, deny)):
            for network in map(ip_network, texts):
                free = network.max_prefixlen - network.prefixlen
                rules = self._rules[network.max_prefixlen // 8].setdefault(free, {})
                rules[int(network.network_address) >> free] = allowed
        for size, rules_by_free in self._rules.items():
            self._rules[size] = dict(sorted(rules_by_free.items()))

    def allows(self, source: bytes) -> bool:
        """Do the rules let this address (4 or 16 bytes) in?"""
        address = int.from_bytes(source, "big")
        for free, rules in self._rules[len(source)].items():
            allowed = rules.get(address >> free)
            if allowed is not None:
                return allowed
        return False
