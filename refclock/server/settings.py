"""What a user can say about the service: where to listen and whom to answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import Annotated

from refclock.server.access import PRIVATE, Access, Network
from refclock.server.admit import RateLimitSettings
from refclock.server.listener import Address, LeapMode, ListenerSettings, clash
from refclock.settings import Form, Range


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
    """Send a kiss-o'-death DENY instead of nothing."""
    symmetric: bool = True
    """Answer symmetric active peers (mode 1), without keeping state of them."""
    interleaved: bool = True
    """Tell clients that ask for it when the previous reply truly left (RFC 9769)."""
    learn_transmit_delay: bool = True
    """Write into replies when they will leave, not when the clock was read."""
    hardware_stamps: bool = True
    """Use the stamps of a network card that stamps all NTP packets by itself, while
    they agree with the kernel's. To set a card up takes CAP_NET_ADMIN."""
    workers: Annotated[int, Range(1, 16, "processes")] = 1
    """Processes that serve; 1: this one, and none is started."""
    broadcast: tuple[
        Annotated[str, Form(IPv4Address, "an IPv4 address, as 192.168.1.255")], ...
    ] = ()
    """IPv4 broadcast or multicast addresses that are told the time unasked."""
    broadcast_every_s: Annotated[int, Range(8, 65_536, "s")] = 64
    rate_limit: RateLimitSettings = field(default_factory=RateLimitSettings)
    listener: tuple[ListenerSettings, ...] = ()
    """More places to listen at, each with its own rules."""

    def __post_init__(self) -> None:
        Access(self.allow, self.deny)
        for address in self.broadcast:
            IPv4Address(address)
        if self.broadcast and self.workers > 1:
            raise ValueError("whoever broadcasts has but one of `workers`")
        if place := clash(self.listeners(LeapMode.ANNOUNCE)):
            raise ValueError(
                f"two listeners at {place}; where one has a place of its own,"
                " `listen` names the others instead of 0.0.0.0 or ::"
            )

    def listeners(self, leap: LeapMode) -> list[ListenerSettings]:
        """The plain one and the others; `leap` is for those that do not say."""
        plain = ListenerSettings(self.listen, self.port)
        return [
            replace(each, leap=each.leap or leap) for each in (plain, *self.listener)
        ]

    def access(self, listener: ListenerSettings) -> Access:
        """Whom `listener` lets in."""
        return Access(
            self.allow if listener.allow is None else listener.allow,
            self.deny if listener.deny is None else listener.deny,
        )

    def as_now(self, listener: ListenerSettings) -> ListenerSettings:
        """`listener` as it stands in here; as it was, if it is not named any more."""
        for each in self.listener:
            if each.is_at(listener):
                return each
        return listener
