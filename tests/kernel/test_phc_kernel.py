"""A network card's clock and its stamps, on a real kernel.

The card is QEMU's igb, which from version 8 on has a clock. The wire it is on ends
here: frames are written and read by the test.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import pytest

from refclock.ntp.packet import Packet
from tests.kernel.image import Image
from tests.kernel.machine import LIVE, Guest

pytestmark = pytest.mark.kernel

_LIVE_S: Final = 120
_MAC, _OUR_MAC = bytes.fromhex("525400123457"), bytes.fromhex("020000000009")
_GUEST, _US = ("192.0.2.1", "198.51.100.1"), ("192.0.2.9", "198.51.100.9")
"""Without a VLAN, and on VLAN 7."""
_VLAN: Final = struct.pack(">HH", 0x8100, 7)
_PTP_SYNC: Final = struct.pack(">H", 0x88F7) + bytes([0, 2, 0, 44]) + bytes(42)
_REQUEST: Final = bytes([0x23]) + bytes(39) + b"asked me"


_VAGUE_NS: Final = 100_000
"""What goes into and out of emulation is not known better."""
_RXSATRH: Final = 0xB630
"""A register of the card's. QEMU's stamps a frame when the stamp before was taken,
and sees that by a look at this one, which Linux does not read: so we do."""


def ones_complement(words: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f">{len(words) // 2}H", words))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


class Reply(NamedTuple):
    """What came over the wire."""

    place: int
    """By its tag."""
    sender: str
    receiver: str
    packet: Packet


@dataclass(frozen=True)
class Wire:
    """The other end of the card's cable."""

    end: socket.socket
    card: Path

    def send(self, content: bytes) -> None:
        """A frame, from its EtherType or VLAN tag on."""
        self.end.sendto(_MAC + _OUR_MAC + content.ljust(46, b"\0"), str(self.card))

    def ask(self, place: int) -> None:
        """An NTP request, on the VLAN if `place` is 1."""
        udp = struct.pack(">HHHH", 40_000 + place, 123, 8 + len(_REQUEST), 0)
        head = struct.pack(">BBHHHBBH", 0x45, 0, 28 + len(_REQUEST), 0, 0, 64, 17, 0)
        addresses = socket.inet_aton(_US[place]) + socket.inet_aton(_GUEST[place])
        checksum = struct.pack(">H", ones_complement(head + addresses))
        whole = head[:10] + checksum + addresses + udp + _REQUEST
        self.send((_VLAN if place else b"") + b"\x08\0" + whole)

    def replies(self) -> Iterator[Reply]:
        """The NTP packets that came. To be read often: the socket holds but a few."""
        while True:
            try:
                frame = self.end.recv(2048, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            tagged = frame[12:16] == _VLAN
            ip = frame[16 if tagged else 12 :][2:]
            if frame[:6] == _OUR_MAC and ip[9:10] == b"\x11" and ip[20:22] == b"\0\x7b":
                sender, receiver = (
                    socket.inet_ntoa(ip[at : at + 4]) for at in (12, 16)
                )
                yield Reply(int(tagged), sender, receiver, Packet.decode(ip[28:]))


@pytest.fixture(scope="module")
def machine(
    newer_image: Image, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Guest, Wire]]:
    """A guest with a second card, and the end of that one's cable."""
    run = tmp_path_factory.mktemp("wired")
    ends = {"local": run / "card", "remote": run / "outside"}
    netdev = ",".join(f"{at}.type=unix,{at}.path={path}" for at, path in ends.items())
    devices = ["-netdev", f"dgram,id=wire,{netdev}"]
    devices += ["-device", "igb,netdev=wire,romfile="]
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as end:
        end.bind(str(ends["remote"]))
        guest = Guest(newer_image, run, _LIVE_S, LIVE, devices)
        with closing(guest):
            yield guest, Wire(end, ends["local"])


@contextmanager
def looked_at(guest: Guest, register: int) -> Iterator[Callable[[], None]]:
    """What to call to have the machine's memory read there."""
    with guest.connected("pins") as qtest, qtest.makefile("rb") as said:

        def look() -> None:
            qtest.sendall(f"readl {register:#x}\n".encode())
            assert said.readline().startswith(b"OK")

        yield look


def test_the_clock_is_found_by_the_interface(machine: tuple[Guest, Wire]) -> None:
    told = machine[0].call("phc.found")
    assert told["devices"]["eth1"] == "/dev/ptp0"
    assert "has no hardware clock" in told["devices"]["eth0"]
    assert told["sent"] == 0b11
    assert told["received"] >> 12 & 1
    assert not told["any card"]  # this one stamps no NTP that comes


def test_the_clocks_are_read_together(machine: tuple[Guest, Wire]) -> None:
    """By the kernel's bracket of the register alone, and by the plain one."""
    told = machine[0].call("phc.crossed")
    print(told)
    assert [row["left"] for row in told] == [2, 1]
    extended, basic = told
    assert 0 < extended["doubt"] < basic["doubt"] < _VAGUE_NS
    apart = abs(extended["ahead"] - basic["ahead"])
    assert apart < extended["doubt"] + basic["doubt"] + _VAGUE_NS


@pytest.mark.parametrize("ppm", [100, -100])
def test_a_card_that_runs_at_another_rate(
    machine: tuple[Guest, Wire], ppm: int
) -> None:
    told = machine[0].call("phc.steered", ppm)
    print(told)
    assert abs(told["ppm"] - ppm) < 10
    assert told["astray"] < _VAGUE_NS


def test_what_it_cannot_do_is_told(machine: tuple[Guest, Wire]) -> None:
    told = machine[0].call("phc.refusals")
    no_events = (
        "OSError: /dev/ptp0 cannot stamp what comes from outside: name another card "
        "(pulse.device)"
    )
    assert (told["by name"], told["by device"]) == (no_events, no_events)
    assert "eth0 has no hardware clock: name a card" in told["no clock"]
    assert re.search("Numerical result out of range: 'eth1'", told["stamps"])
    assert "not allowed: the service needs the group" in told["device's rights"]
    assert "needs the capability CAP_NET_ADMIN: 'eth1'" in told["rights"]


@pytest.fixture(scope="module")
def snapshot(machine: tuple[Guest, Wire]) -> tuple[dict[str, Any], Sequence[Reply]]:
    """Ten seconds of requests with a VLAN and without, and of PTP: what the guest
    tells of them, and the replies."""
    guest, wire = machine
    registers = guest.call("stamps.up", _GUEST, _US, _OUR_MAC.hex(":"))
    ends = threading.Event()
    replies: list[Reply] = []

    def ask() -> None:
        with looked_at(guest, registers + _RXSATRH) as look:
            while not ends.wait(0.02):
                wire.ask(0)
                wire.ask(1)
                look()
                wire.send(_PTP_SYNC)
                replies.extend(wire.replies())

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        told = guest.call("stamps.serve", 10)
    finally:
        ends.set()
        asking.join()
    return told, replies


def test_each_is_answered_from_the_address_it_asked(
    snapshot: tuple[dict[str, Any], Sequence[Reply]],
) -> None:
    """On a VLAN and without, by one socket for all addresses."""
    told, replies = snapshot
    assert len(replies) > 40
    ways = {reply[:3] for reply in replies}
    assert ways == {(place, _GUEST[place], _US[place]) for place in (0, 1)}
    for reply in replies:
        assert reply.packet.receive.bits < reply.packet.transmit.bits
    assert told["one card"]
    assert told["no card"]


def test_the_card_s_stamps_agree_and_are_used(
    snapshot: tuple[dict[str, Any], Sequence[Reply]],
) -> None:
    told, _ = snapshot
    for way in ("came", "left"):
        gaps = sorted(told[way])
        us = [f"{ns / 1000:.1f}" for ns in (gaps[0], median(gaps), gaps[-1])]
        print(f"{way}: {len(gaps)}, us between card and kernel: {us}")
    print(told["told"], told["used"], told["counters"])
    assert min(told["came"] + told["left"]) > -_VAGUE_NS
    assert told["told"] == ["eth1: stamps of the card are used"]
    assert min(told["used"]) > 20
