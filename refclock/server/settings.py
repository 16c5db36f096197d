"""What a user can set of the service: where to listen, whom to answer, how often."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import (
    IPv4Address,
    IPv6Address,
    ip_address,
)
from itertools import combinations
from typing import Annotated, Final, Literal

from refclock.ntp.auth import Proof
from refclock.server.admission.access import NO_HOST, PRIVATE, Access, Network
from refclock.server.admission.settings import RateLimitSettings
from refclock.settings import Form, Range

_INTERFACE: Final = re.compile(r"[^\s/:]{1,15}")
"""linux/net/core/dev.c, dev_valid_name."""


def _interface(name: str) -> None:
    if not _INTERFACE.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an interface")


def _ipv4(text: str) -> None:
    if ":" in text:
        raise ValueError(f"IPv6 ({text}) has no broadcast")
    IPv4Address(text)


Address = Annotated[str, Form(ip_address, "an address, as 192.0.2.1 or fe80::1%eth0")]


class LeapMode(StrEnum):
    """What becomes of a leap second."""

    ANNOUNCE = "announce"
    """Announced by the leap indicator the day before, as RFC 5905 has it."""
    SMEAR = "smear"
    """Spread from noon to noon (UTC), and never mentioned."""


class Require(StrEnum):
    """How a request must be authenticated to be answered."""

    NOTHING = "nothing"
    """Not at all."""
    KEY = "key"
    """With a symmetric key."""
    NTS = "nts"
    ANY = "any"
    """With either."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """Who must authenticate his requests, and how."""

    how: Require
    networks: Access | None
    """Only hosts in these; None: every host."""

    def met(self, source: bytes, proof: Proof | None) -> bool:
        """May a request from this address, authenticated in this way, be answered?"""
        if self.networks is not None and not self.networks.allows(source):
            return True
        return proof is not None and self.how in {Require.ANY, proof.value}


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """Addresses with rules of their own."""

    addresses: tuple[Address, ...] = ("0.0.0.0", "::")  # noqa: S104 - `allow` is the guard
    """Of ours; an IPv6 address may name its interface, `fe80::1%eth0`."""
    port: Annotated[int, Range(0, 65_535)] = 123
    """0: any free one."""
    interface: Annotated[str, Form(_interface, "a name of an interface")] | None = None
    """Heard only there, `eth0` or `wlan0.5`, whatever addresses it has; not given:
    on every one."""
    allow: tuple[Network, ...] | None = None
    """Networks; not given: the server's."""
    deny: tuple[Network, ...] | None = None
    leap: LeapMode | None = None
    """Not given: as [leap] has it."""
    require: Require | None = None
    """Not given: the server's."""
    stratum_least: Annotated[int, Range(1, 15)] = 1
    """Say at least this stratum."""

    def __post_init__(self) -> None:
        Access(self.allow or (), self.deny or ())
        if self.interface is not None:
            _interface(self.interface)
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


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where to listen and whom to answer."""

    listen: tuple[Address, ...] = ("0.0.0.0", "::")  # noqa: S104 - `allow` is the guard
    """Addresses of ours; an IPv6 address may name its interface, `fe80::1%eth0`."""
    port: Annotated[int, Range(0, 65_535)] = 123
    """0: any free one."""
    allow: tuple[Network, ...] = PRIVATE
    deny: tuple[Network, ...] = ()
    """Networks. The longest prefix decides; unnamed addresses are denied."""
    tell_denied: bool = False
    """Send a kiss-o'-death DENY instead of nothing, to one host every 4 s at most."""
    require: Require = Require.NOTHING
    """Answer only requests that are authenticated so."""
    require_from: tuple[Network, ...] = ()
    """Networks whose hosts must do so, if not all. Whoever answers in front of the
    service leaves the requests of these to it."""
    symmetric: bool = True
    """Answer symmetric active peers (mode 1), without keeping state of them."""
    interleaved: bool = True
    """Report when the previous reply truly left to clients that ask (RFC 9769)."""
    learn_transmit_delay: bool = True
    """Write into replies when they will leave, not when the clock was read."""
    hardware_stamps: bool = True
    """Use the stamps of a network card that stamps all NTP packets by itself, while
    they agree with the kernel's. To set a card up takes CAP_NET_ADMIN."""
    in_kernel: Literal["auto"] | bool = False
    """Have the kernel answer plain requests before they reach a socket (Linux 6.1).
    Takes CAP_BPF and CAP_NET_ADMIN, which are given up once that is set up. "auto":
    where that can be had; true: warn where it cannot."""
    workers: Annotated[int, Range(1, 16, "processes")] = 1
    """Processes that serve; 1: this one, and none is started."""
    broadcast: tuple[
        Annotated[str, Form(_ipv4, "an IPv4 address, as 192.168.1.255")], ...
    ] = ()
    """IPv4 broadcast or multicast addresses that are told the time unasked."""
    broadcast_every_s: Annotated[int, Range(8, 65_536, "s")] = 64
    rate_limit: RateLimitSettings = field(default_factory=RateLimitSettings)
    listener: tuple[ListenerSettings, ...] = ()
    """More places to listen at, each with its own rules."""

    def __post_init__(self) -> None:
        Access(self.allow, self.deny)
        Access(self.require_from, ())
        for address in self.broadcast:
            _ipv4(address)
        if self.broadcast and self.workers > 1:
            raise ValueError("whoever broadcasts has but one of `workers`")
        if place := clash(self.listeners(LeapMode.ANNOUNCE)):
            raise ValueError(
                f"two listeners at {place}; where one has a place of its own,"
                " `listen` names the others instead of 0.0.0.0 or ::"
            )

    def listeners(self, leap: LeapMode) -> list[ListenerSettings]:
        """The one of `listen` and the others; `leap` is for those that set none."""
        plain = ListenerSettings(self.listen, self.port)
        return [
            replace(each, leap=each.leap or leap) for each in (plain, *self.listener)
        ]

    def access(self, listener: ListenerSettings) -> Access:
        """Whom `listener` answers; never what is no host's address."""
        deny = self.deny if listener.deny is None else listener.deny
        return Access(
            self.allow if listener.allow is None else listener.allow,
            (*deny, *NO_HOST, *self.broadcast),
        )

    def requirement(self, listener: ListenerSettings) -> Requirement | None:
        """Who must authenticate his requests to `listener`; None: nobody."""
        how = listener.require or self.require
        if how is Require.NOTHING:
            return None
        networks = Access(self.require_from, ()) if self.require_from else None
        return Requirement(how, networks)

    def as_now(self, listener: ListenerSettings) -> ListenerSettings:
        """`listener` as it stands in here; as it was, if it is not named any more."""
        for each in self.listener:
            if each.is_at(listener):
                return each
        return listener


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
