"""Where requests are answered: places and rules as entries of the maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_network
from pathlib import Path
from typing import Final

from hw.abi.addresses import (
    ETHERNET,
    LOOPBACK,
    SLAVE,
    Link,
    ipv4_addresses,
    ipv6_addresses,
    links,
)
from hw.net.responder.layout import (
    ADDRESS_KEY,
    ALLOWED,
    PLACE,
    PREFIX_KEY,
    RULE,
    SHARED,
)
from refclock.board.responder import IpAddress, IpNetwork, Place

_LOOPBACK_INDEX: Final = 1
_LOOPBACK_NETWORK: Final = IPv4Network("127.0.0.0/8")
_MAPPED: Final = bytes(10) + b"\xff\xff"
_VLANS: Final = Path("/proc/thread-self/net/vlan/config")


def usable_links() -> list[Link]:
    """The interfaces that requests may arrive by: Ethernet's and loopback.

    A bond's parts are left out: the bond itself gets their frames.
    """
    return [
        link
        for link in links()
        if link.kind in {ETHERNET, LOOPBACK} and not link.flags & SLAVE
    ]


def carries_vlans(interface: str) -> bool:
    """Does it carry VLANs? There XDP is not used: a card may have removed the tag."""
    if not _VLANS.exists():
        return False
    rows = (line.split("|") for line in _VLANS.read_text().splitlines())
    return interface in {row[2].strip() for row in rows if len(row) == 3}


def place_entries(
    places: Sequence[tuple[Place, int]], here: Sequence[Link]
) -> dict[bytes, bytes]:
    """What PLACES is to hold; each place with the number of its rule set."""
    ours = list(_ours(here))
    found = {}
    for place, number in places:
        for link in here:
            if place.interface not in {None, link.name}:
                continue
            entry = PLACE.struct.pack(number, place.stratum_least, link.mac)
            for address, at in ours:
                if at in {None, link.index}:
                    for each in _served(place, address, link.name):
                        found[_address_key(link.index, each)] = entry
    return found


def interface_of_key(key: bytes) -> int:
    """The interface's index in a key of PLACES."""
    index: int = ADDRESS_KEY.struct.unpack(key)[0]
    return index


def rule_entries(place: Place, number: int) -> Iterator[tuple[bytes, bytes]]:
    """What RULES is to hold for the place."""
    for rule in place.rules:
        network = rule.network
        length = network.prefixlen + (96 if network.version == 4 else 0)
        key = PREFIX_KEY.struct.pack(
            32 + length, number, _as_ipv6(network.network_address)
        )
        bits = ALLOWED * rule.allowed | SHARED * rule.shared
        yield key, RULE.struct.pack(bits)


def host_of_key(key: bytes) -> tuple[int, IpAddress]:
    """The rule set's number and the address in a key of CLIENTS."""
    number, packed = ADDRESS_KEY.struct.unpack(key)
    if packed.startswith(_MAPPED):
        return number, IPv4Address(packed[12:])
    return number, IPv6Address(packed)


def _ours(here: Sequence[Link]) -> Iterator[tuple[IpNetwork, int | None]]:
    """This machine's addresses, and the only interface where each is meant; None: any.

    Of loopback it is all of 127/8.
    """
    yield _LOOPBACK_NETWORK, _LOOPBACK_INDEX
    for _, ipv4 in ipv4_addresses():
        if not ipv4.is_loopback:
            yield ip_network(ipv4), None
    indices = {link.index for link in here}
    for index, ipv6 in ipv6_addresses():
        only = index if ipv6.is_link_local or ipv6.is_loopback else None
        if only is None or only in indices:
            yield ip_network(ipv6.ip), only


def _served(place: Place, ours: IpNetwork, interface: str) -> Iterator[IpAddress]:
    """Those of these addresses that the place serves at that interface.

    127.0.0.0 stands for all of 127/8.
    """
    for each in place.addresses:
        if each.is_unspecified:
            if each.version == ours.version:
                yield ours.network_address
        elif getattr(each, "scope_id", None) in {None, interface}:
            address = type(each)(each.packed)  # without the interface it may name
            if address in ours:
                yield address


def _address_key(index: int, address: IpAddress) -> bytes:
    return ADDRESS_KEY.struct.pack(index, _as_ipv6(address))


def _as_ipv6(address: IpAddress) -> bytes:
    return _MAPPED + address.packed if address.version == 4 else address.packed
