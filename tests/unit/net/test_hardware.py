"""Which cards stamp, how they are told to, and what becomes of what they stamp."""

import errno
import socket
import struct
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hw.abi.interface import SIOCGHWTSTAMP, SIOCSHWTSTAMP, Stamping
from hw.abi.ptp import Cross
from hw.net import hardware
from hw.net.hardware import (
    Cards,
    any_card,
    cards_here,
    frame_ns,
    stamps_both_ways,
    switch_on,
)
from refclock.timebase import MILLISECOND, SECOND

ALL, NTP, PTP = 1 << 1, 1 << 15, 1 << 12
BOTH = Stamping(0, 0b11, ALL)
AHEAD = 37 * SECOND.ns


@dataclass
class Machine:
    """Interfaces with the indices 1 and up, and what their drivers are asked."""

    interfaces: dict[str, Stamping]
    config: tuple[int, int, int] = (0, 0, 0)
    get_fails: int = 0
    set_fails: int = 0
    cross_fails: bool = False
    asked: list[tuple[str, int]] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    closed: int = 0
    now: int = 1_000 * SECOND.ns

    def index_to_name(self, index: int) -> str:
        names = list(self.interfaces)
        if not 0 < index <= len(names):
            raise OSError(errno.ENXIO, "No such device or address")
        return names[index - 1]

    def stamping(self, name: str) -> Stamping:
        if name not in self.interfaces:
            raise OSError(errno.EOPNOTSUPP, "not supported")
        return self.interfaces[name]

    def ioctl(self, name: str, request: int, argument: bytes) -> bytes:
        self.asked.append((name, request))
        fails = self.get_fails if request == SIOCGHWTSTAMP else self.set_fails
        if fails:
            raise OSError(fails, "no")
        if request == SIOCSHWTSTAMP:
            flags, sent, received = struct.unpack("@iii", argument)
            self.config = flags, sent, received
        return struct.pack("@iii", *self.config)

    def open(self, path: str, _mode: int) -> "Machine":
        self.opened.append(path)
        return self

    def cross(self) -> Cross:
        if self.cross_fails:
            raise OSError(errno.EIO, "cannot be read")
        return Cross(self.now + AHEAD, self.now)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine({"lo": Stamping(-1, 0, 0), "eth0": BOTH, "eth0.7": BOTH})
    made.interfaces["eth1"] = Stamping(1, 0b11, NTP)
    monkeypatch.setattr(hardware, "stamping", made.stamping)
    monkeypatch.setattr(hardware, "frame_ns", lambda name: 10 * len(name))
    monkeypatch.setattr(hardware, "interface_ioctl", made.ioctl)
    monkeypatch.setattr(hardware, "PtpClock", made.open)
    monkeypatch.setattr(socket, "if_indextoname", made.index_to_name)
    return made


@pytest.mark.parametrize(
    ("can", "enough"),
    [
        (BOTH, True),
        (Stamping(3, 0b10, NTP), True),
        (Stamping(3, 0b10, ALL | NTP | PTP), True),
        (Stamping(-1, 0b11, ALL), False),
        (Stamping(0, 0b01, ALL), False),
        (Stamping(0, 0b11, PTP | 1), False),
    ],
)
def test_both_ways_or_not_at_all(machine: Machine, can: Stamping, enough: bool) -> None:
    assert stamps_both_ways(can) is enough
    machine.interfaces = {"lo": Stamping(-1, 0, 0), "eth5": can}
    assert any_card(["gone", "lo", "eth5"]) is enough


def test_without_such_a_card_nothing_is_done(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "interfaces", lambda: iter(machine.interfaces))
    assert cards_here(False, print) is None
    assert cards_here(True, print)
    del machine.interfaces["eth0"], machine.interfaces["eth0.7"]
    assert cards_here(True, print)
    del machine.interfaces["eth1"]
    assert cards_here(True, print) is None

    def unknown() -> list[str]:
        raise FileNotFoundError

    monkeypatch.setattr(hardware, "interfaces", unknown)
    assert cards_here(True, print) is None
    assert machine.asked == []


@pytest.mark.parametrize(
    ("received", "wanted"), [(ALL, 1), (NTP | PTP, 15), (ALL | NTP, 1)]
)
def test_all_that_comes_is_to_be_stamped(
    machine: Machine, received: int, wanted: int
) -> None:
    machine.config = (0, 1, 12)  # by another program, for PTP
    switch_on("eth0", Stamping(0, 0b11, received))
    assert machine.config == (0, 1, wanted)


def test_a_card_that_does_already_is_left_alone(machine: Machine) -> None:
    """So that whoever may set it can do so for a service that may not."""
    machine.config, machine.set_fails = (0, 1, 15), errno.EPERM
    switch_on("eth0", BOTH)
    assert machine.asked == [("eth0", SIOCGHWTSTAMP)]


def test_who_may_not_is_told_what_it_takes(machine: Machine) -> None:
    machine.get_fails, machine.set_fails = errno.EOPNOTSUPP, errno.EPERM
    with pytest.raises(PermissionError, match="CAP_NET_ADMIN: 'eth0'"):
        switch_on("eth0", BOTH)
    machine.set_fails = errno.ERANGE
    with pytest.raises(OSError, match="no: 'eth0'"):
        switch_on("eth0", BOTH)


def test_a_vlan_has_the_clock_of_the_card_below(machine: Machine) -> None:
    told: list[str] = []
    cards = Cards(told.append)
    assert cards.of(1) is None
    assert cards.of(2) is cards.of(3)
    assert cards.of(4) not in {None, cards.of(2)}
    assert machine.opened == ["/dev/ptp0", "/dev/ptp1"]
    assert told == []
    cards.close()
    assert machine.closed == 2


def test_what_is_in_the_way_is_told_once(machine: Machine) -> None:
    told: list[str] = []
    cards = Cards(told.append)
    machine.set_fails = errno.EPERM
    assert [cards.of(2), cards.of(2), cards.of(99), cards.of(99)] == [None] * 4
    machine.set_fails, machine.cross_fails = 0, True
    assert [cards.of(4), cards.of(4)] == [None] * 2
    assert machine.closed == 1
    assert len(told) == 3
    assert all(each.endswith("; the kernel's stamps are used") for each in told)
    assert "CAP_NET_ADMIN" in told[0]
    cards.close()
    assert machine.closed == 1


@pytest.mark.parametrize(
    ("speed", "ns"), [("1000\n", 752), ("100\n", 7520), ("-1\n", 0), ("", 0), (None, 0)]
)
def test_how_long_a_packet_is_on_the_wire(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speed: str | None, ns: int
) -> None:
    monkeypatch.setattr(hardware, "_NETWORK", tmp_path)
    (tmp_path / "eth7").mkdir()
    if speed is not None:
        (tmp_path / "eth7/speed").write_text(speed)
    assert frame_ns("eth7") == ns


def trusted(cards: Cards, machine: Machine, index: int) -> None:
    """After half a minute of packets both ways."""
    card = cards.of(index)
    assert card
    for _ in range(300):
        machine.now += 100 * MILLISECOND.ns
        card.received([machine.now + AHEAD - 40], [machine.now])
        card.left(machine.now + AHEAD, machine.now)


def test_each_packet_is_stamped_by_the_card_it_came_by(machine: Machine) -> None:
    told: list[str] = []
    cards = Cards(told.append)
    trusted(cards, machine, 2)
    assert told == ["eth0: stamps of the card are used"]
    by_card = machine.now + AHEAD - 49
    loopback, usual, unstamped, vlan, untried = 1, 2, 2, 3, 4
    assert cards.received(
        [loopback, usual, unstamped, vlan, untried],
        [by_card, by_card, 0, by_card - 1, by_card],
        [machine.now] * 5,
    ) == [machine.now - late for late in (0, 9, 0, 10, 0)]
