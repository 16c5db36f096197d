"""One place to listen at, and what is said there otherwise than elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import combinations
from typing import Annotated, Final

from refclock.server.access import Access, Network
from refclock.settings import Form, Range

_INTERFACE: Final = re.compile(r"[^\s/:]{1,15}")
"""linux/net/core/dev.c, dev_valid_name."""


def _name(interface: str) -> None:
    if not _INTERFACE.fullmatch(interface):
        raise ValueError(f"{interface!r} is no name of an interface")


Address = Annotated[str, Form(ip_address, "an address, as 192.0.2.1 or fe80::1%eth0")]


class LeapMode(StrEnum):
    """What becomes of a leap second."""

    ANNOUNCE = "announce"
    """Told by the leap indicator the day before, as RFC 5905 has it."""
    SMEAR = "smear"
    """Spread from noon to noon (UTC), and never mentioned."""


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """Addresses with rules of their own."""

    addresses: tuple[Address, ...] = ("0.0.0.0", "::")  # noqa: S104 - `allow` is the guard
    """Of ours; an IPv6 address may name its interface, `fe80::1%eth0`."""
    port: Annotated[int, Range(0, 65_535)] = 123
    """0: any free one."""
    interface: Annotated[str, Form(_name, "a name of an interface")] | None = None
    """Heard only there, `eth0` or `wlan0.5`, whatever addresses it has; not given:
    on every one."""
    allow: tuple[Network, ...] | None = None
    """Networks; not given: the server's."""
    deny: tuple[Network, ...] | None = None
    leap: LeapMode | None = None
    """Not given: as [leap] has it."""
    stratum_least: Annotated[int, Range(1, 15)] = 1
    """Say at least this stratum."""

    def __post_init__(self) -> None:
        Access(self.allow or (), self.deny or ())
        if self.interface is not None:
            _name(self.interface)
        if place := clash([self]):
            raise ValueError(f"{place} is named twice")

    def stands_at(self, address: str, port: int, interface: str | None) -> bool:
        """Is that one of its places?"""
        return (port, interface) == (self.port, self.interface) and ip_address(
            address
        ) in self.ips

    def is_at(self, other: ListenerSettings) -> bool:
        """Do both listen at the same places? Not known where any port will do."""
        ours, theirs = ((each.port, each.ips, each.interface) for each in (self, other))
        return self.port != 0 and ours == theirs

    @property
    def ips(self) -> list[IPv4Address | IPv6Address]:
        """Its addresses. ValueError: one is none."""
        return [ip_address(address) for address in self.addresses]


def clash(listeners: Iterable[ListenerSettings]) -> str | None:
    """A place at which two of them would listen, if there is one.

    0.0.0.0 and :: are all addresses of their kind; two interfaces are two places.
    """
    places = [(ip, each) for each in listeners for ip in each.ips if each.port]
    for (ip, one), (other_ip, other) in combinations(places, 2):
        every = ip.is_unspecified or other_ip.is_unspecified
        if (
            one.port == other.port
            and ip.version == other_ip.version
            and (every or ip == other_ip)
            and len({one.interface, other.interface} - {None}) < 2
        ):
            return f"{other_ip} port {other.port}"
    return None
