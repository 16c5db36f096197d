"""The responder in the kernel: its maps, its loading, where it is attached."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_network
from itertools import count
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
from hw.abi.bpf import (
    ARRAY,
    LPM_TRIE,
    LRU_HASH,
    MMAPABLE,
    NO_PREALLOC,
    ON_TCX_INGRESS,
    ON_XDP,
    PERCPU_ARRAY,
    SCHED_CLS,
    XDP,
    XDP_FLAGS_SKB_MODE,
    Map,
    Program,
    Verdict,
)
from hw.abi.bpf import Link as Attached
from hw.net.responder.program import (
    ALLOWED,
    CLIENT,
    CLIENT_BYTES,
    CLIENT_KEY_BYTES,
    COUNTED_BYTES,
    KEY_BYTES,
    NETWORK_BYTES,
    NETWORK_KEY_BYTES,
    PARAMETERS,
    PARAMETERS_BYTES,
    PLACE_BYTES,
    RULE_BYTES,
    SHARED,
    SLOT_BYTES,
    tc_program,
    xdp_program,
)
from refclock.board.responder import (
    AnsweredHost,
    IpAddress,
    IpNetwork,
    Pace,
    Place,
    Statement,
)
from refclock.timebase import SECOND, Mono

_MOST_PLACES: Final = 1 << 16
_MOST_RULES: Final = 1 << 20
"""Room in the tries, which costs nothing until it is filled."""
_MAPPED: Final = bytes(10) + b"\xff\xff"
_LOOPBACK_INDEX: Final = 1
_LOOPBACK_NETWORK: Final = IPv4Network("127.0.0.0/8")
_VLANS: Final = Path("/proc/thread-self/net/vlan/config")
_CPUS: Final = Path("/sys/devices/system/cpu/possible")
_HERE: Final = b"\0\0\0\0"
_SLOT: Final = struct.Struct("=QQQQQQ24s")
_PACE: Final = struct.Struct("=QQQQQQ")
_CLIENT: Final = struct.Struct("=7Q")
_PLACE: Final = struct.Struct("=II2x6s")
_NO_TCX: Final = {errno.EINVAL, errno.EOPNOTSUPP}


class KernelResponder:
    """As the port `Responder`, by a program at the tc hook or at that of XDP.

    Attached for as long as the process lives and no longer.
    """

    def __init__(self, port: int, kinds: bytes, hosts: int, hook: str = "auto") -> None:
        """Load the programs for requests to `port`.

        `kinds`: what is answered at all, by a request's first byte (0: nothing);
        `hosts`: how many are remembered at most; `hook`: "tc", "xdp", "none", or "auto"
        for the first that the kernel has. OSError: not permitted, or the kernel cannot.
        """
        self._hook = hook
        with contextlib.ExitStack() as opened:

            def made(
                name: str, kind: int, key: int, value: int, most: int, flags: int = 0
            ) -> Map:
                fresh = Map(kind, key, value, most, flags, name.lower())
                opened.callback(fresh.close)
                return fresh

            self._maps: Mapping[str, Map] = {
                name: made(name, *how)
                for name, how in {
                    "PLACES": (
                        *(LPM_TRIE, KEY_BYTES, PLACE_BYTES),
                        *(_MOST_PLACES, NO_PREALLOC),
                    ),
                    "RULES": (
                        LPM_TRIE,
                        KEY_BYTES,
                        RULE_BYTES,
                        _MOST_RULES,
                        NO_PREALLOC,
                    ),
                    "CLIENTS": (LRU_HASH, CLIENT_KEY_BYTES, CLIENT_BYTES, hosts),
                    "NETWORKS": (LRU_HASH, NETWORK_KEY_BYTES, NETWORK_BYTES, hosts),
                    "PARAMETERS": (ARRAY, 4, PARAMETERS_BYTES, 1, MMAPABLE),
                    "COUNTERS": (PERCPU_ARRAY, 4, COUNTED_BYTES, 1),
                }.items()
            }
            self._memory = self._maps["PARAMETERS"].memory()
            opened.callback(self._memory.close)
            names = {name: each.fd for name, each in self._maps.items()}
            names["PORT"] = socket.htons(port)
            names["KINDS"] = sum(1 << first for first in range(64) if kinds[first])
            self.programs = {
                "tc": Program(SCHED_CLS, tc_program(names), "refclock"),
                "xdp": Program(XDP, xdp_program(names), "refclock"),
            }
            for program in self.programs.values():
                opened.callback(program.close)
            self._opened = opened.pop_all()
        self._cpus = 1 + int(_CPUS.read_text().strip().rpartition("-")[2])
        self._places: list[tuple[Place, int]] = []
        """Each with the number of its rules."""
        self._numbers = count(1)
        self._filled: dict[bytes, bytes] = {}
        """What stands in PLACES."""
        self._attached: dict[int, tuple[str, Attached | None]] = {}
        """By interface; None: it cannot be."""
        self._slots = 0

    def state(self, statement: Statement) -> None:
        """Answer with this from now on."""
        self._slots += 1
        at = PARAMETERS["SLOTS"] + self._slots % 2 * SLOT_BYTES
        gain = (1.0 + statement.rate) * (1 << 32) / SECOND.ns - 4.0
        _SLOT.pack_into(
            self._memory,
            at,
            statement.since.ns,
            statement.lasts.ns,
            statement.stamp,
            round(gain * (1 << 32)),
            statement.bound.ns,
            -int(-statement.bound_rate * (1 << 32) // 1),
            statement.header,
        )
        struct.pack_into("=Q", self._memory, PARAMETERS["SLOT"], self._slots)

    def admit(self, places: Sequence[Place], pace: Pace) -> None:
        """Answer at these places by these rules from now on; all hosts are new.

        The new rules stand beside the old ones until the places refer to them.
        OSError: there is no room for them; then nothing is answered.
        """
        old, self._places = self._places, []
        try:
            fresh = [(place, next(self._numbers)) for place in places]
            self._fill(fresh)
        except OSError:
            self.look()  # nothing is answered by rules that are not whole
            raise
        _PACE.pack_into(
            self._memory,
            PARAMETERS["EVERY"],
            pace.every.ns,
            pace.every_network.ns,
            pace.slack.ns,
            round(pace.leak * (1 << 32)),
            pace.leak_every.ns,
            pace.leak_slack.ns,
        )
        self._places = fresh
        self.look()
        for place, number in old:
            for rule in place.rules:
                del self._maps["RULES"][_key(number, rule.network)]

    def look(self) -> list[str]:
        """Follow what became of interfaces and addresses; the interfaces attached to.

        A bond's parts are left out: the bond itself gets their frames.
        """
        here = [
            link
            for link in links()
            if link.kind in {ETHERNET, LOOPBACK} and not link.flags & SLAVE
        ]
        wanted = dict(self._wanted(here))
        places = self._maps["PLACES"]
        for key, value in wanted.items():
            if self._filled.get(key) != value:
                places[key] = value
        for key in self._filled.keys() - wanted.keys():
            del places[key]
        self._filled = wanted
        indices = {struct.unpack_from("=I", key, 4)[0] for key in wanted}
        for index in self._attached.keys() - indices:
            _, attached = self._attached.pop(index)
            if attached is not None:
                attached.close()
        for link in here:
            if link.index in indices and link.index not in self._attached:
                self._attached[link.index] = link.name, self._attach(link)
        return [name for name, attached in self._attached.values() if attached]

    def counters(self) -> tuple[int, int]:
        """Requests answered, and refused for their pace."""
        each = self._maps["COUNTERS"].lookup(_HERE, self._cpus * COUNTED_BYTES)
        numbers = struct.unpack(f"={2 * self._cpus}Q", each)
        return sum(numbers[::2]), sum(numbers[1::2])

    def hosts(self) -> list[AnsweredHost]:
        """Those remembered that were answered or refused, by the rules of now."""
        numbers = {number for _, number in self._places}
        found = []
        for key, value in self._maps["CLIENTS"].items():
            told = dict(zip(CLIENT, _CLIENT.unpack(value), strict=True))
            handled = told["ANSWERED"] + told["LIMITED"]
            if handled and struct.unpack_from("=I", key)[0] in numbers:
                found.append(
                    AnsweredHost(
                        _address(key[4:]),
                        Mono(told["LAST"]),
                        handled,
                        told["LIMITED"],
                        told["VERSION"],
                    )
                )
        return found

    def test(self, hook: str, frame: bytes, context: bytes = b"") -> Verdict:
        """What the program for that hook makes of a frame."""
        return self.programs[hook].test(frame, context)

    def close(self) -> None:
        """Detach: all requests go to the sockets."""
        for _, attached in self._attached.values():
            if attached is not None:
                attached.close()
        self._attached.clear()
        self._opened.close()

    def _fill(self, places: Sequence[tuple[Place, int]]) -> None:
        for place, number in places:
            for rule in place.rules:
                bits = ALLOWED * rule.allowed | SHARED * rule.shared
                key = _key(number, rule.network)
                self._maps["RULES"][key] = struct.pack("=I", bits)

    def _wanted(self, here: Sequence[Link]) -> Iterator[tuple[bytes, bytes]]:
        """What is to stand in PLACES."""
        ours = [*_ours(here)]
        for place, number in self._places:
            for link in here:
                if place.interface not in {None, link.name}:
                    continue
                value = _PLACE.pack(number, place.stratum_least, link.mac)
                for network, at in ours:
                    if at in {None, link.index} and _serves(place, network, link.name):
                        yield _key(link.index, network), value

    def _attach(self, link: Link) -> Attached | None:
        """At the first hook that takes it; None: at none."""
        hooks: dict[str, Callable[[], Attached]] = {
            "tc": lambda: self.programs["tc"].attach(link.index, ON_TCX_INGRESS),
            "xdp": lambda: self.programs["xdp"].attach(
                link.index, ON_XDP, XDP_FLAGS_SKB_MODE
            ),
        }
        for hook, attach in hooks.items():
            if self._hook not in {"auto", hook}:
                continue
            if hook == "xdp" and link.name in _carriers():
                continue
            try:
                return attach()
            except OSError:
                continue
        return None


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


def _serves(place: Place, network: IpNetwork, interface: str) -> bool:
    """Does the place stand for these addresses of ours, at that interface?"""
    return any(
        (each.is_unspecified and each.version == network.version)
        or (
            _plain(each) in network
            and getattr(each, "scope_id", None) in {None, interface}
        )
        for each in place.addresses
    )


def _plain(address: IpAddress) -> IpAddress:
    """Without the interface an IPv6 address may name."""
    return type(address)(address.packed)


def _key(word: int, network: IpNetwork) -> bytes:
    """A key of PLACES or RULES; IPv4 as a part of IPv6."""
    address, length = network.network_address.packed, network.prefixlen
    if len(address) == 4:
        address, length = _MAPPED + address, 96 + length
    return struct.pack("=II16s", 32 + length, word, address)


def _address(packed: bytes) -> IpAddress:
    if packed.startswith(_MAPPED):
        return IPv4Address(packed[12:])
    return IPv6Address(packed)


def _carriers() -> set[str]:
    """Interfaces that carry VLANs: XDP sees no tag a card has taken off."""
    if not _VLANS.exists():
        return set()
    rows = (line.split("|") for line in _VLANS.read_text().splitlines())
    return {row[2].strip() for row in rows if len(row) == 3}
