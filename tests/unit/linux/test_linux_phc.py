"""External timestamps of a network card of our own."""

from __future__ import annotations

import errno
import os
import select
import struct
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hw.abi import ptp
from hw.abi.ptp import Cross, PtpClock, carried
from hw.linux.pulse.phc import PhcPulse
from refclock.board.ports import EdgeEvent
from refclock.board.wiring import WantedEdge
from refclock.events import Edge
from refclock.timebase import MILLISECOND, SECOND, ZERO, Local

AHEAD = 37 * SECOND.ns
"""How far the card's clock is ahead of ours: it counts TAI."""


@dataclass
class Card:
    """A card whose clock runs fast, and takes a while to be read."""

    path: str
    precise: bool = False
    channels: int = 2
    pins: tuple[str, ...] = ("SDP0", "SDP1")
    ppm: int = 0
    local: int = 1_000 * SECOND.ns
    brackets_ns: tuple[int, ...] = (50_000, 9_000, 3_000, 60_000, 9_000)
    pinned: tuple[int, int, int] | None = None
    extended: bool = True
    requests: list[tuple[int, int]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    fails: int = 0
    precise_fails: int = errno.EOPNOTSUPP
    stepped: int = 0
    """How far our clock was stepped."""

    def card(self, local: int) -> int:
        return local + AHEAD + (local - 1_000 * SECOND.ns) * self.ppm // 1_000_000

    def edge(self, local: int, channel: int = 0) -> None:
        s, ns = divmod(self.card(local), SECOND.ns)
        with open(self.path, "r+b", buffering=0) as fifo:
            fifo.write(struct.pack("=qIIIIII", s, ns, 0, channel, 0, 0, 0))

    def ioctl(self, _file: int, request: int, room: bytearray) -> int:
        if self.fails:
            raise OSError(self.fails, "failed")
        self.asked.append(request)
        size = request >> 16 & 0x3FFF
        assert len(room) == size  # the number tells the kernel how long it is
        match request:
            case ptp.GETCAPS:
                struct.pack_into("=6i", room, 0, 1, 0, self.channels, 0, 0, self.n_pins)
            case ptp.PIN_GETFUNC:
                number = struct.unpack_from("=I", room, 64)[0]
                room[:64] = self.pins[number].encode().ljust(64, b"\0")
            case ptp.PIN_SETFUNC:
                self.pinned = struct.unpack_from("=III", room, 64)
            case ptp.EXTTS_REQUEST:
                self.requests.append(struct.unpack_from("=II", room))
            case ptp.SYS_OFFSET_PRECISE:
                self.cross_precisely(room)
            case ptp.SYS_OFFSET_EXTENDED:
                if not self.extended:
                    raise OSError(errno.EOPNOTSUPP, "not in brackets of ours")
                self.cross(room)
            case ptp.SYS_OFFSET:
                self.cross_plainly(room)
            case _:
                raise AssertionError(hex(request))
        return 0

    @property
    def n_pins(self) -> int:
        return len(self.pins)

    def cross_precisely(self, room: bytearray) -> None:
        if not self.precise:
            raise OSError(self.precise_fails, "not precisely")
        both = (self.card(self.local), self.local + self.stepped)
        for at, ns in zip((0, 16), both, strict=True):
            struct.pack_into("=qI", room, at, *divmod(ns, SECOND.ns))

    def cross(self, room: bytearray) -> None:
        assert struct.unpack_from("=I", room) == (len(self.brackets_ns),)
        for number, width in enumerate(self.brackets_ns):
            # the wider a bracket, the less its middle is the moment of the card's
            shift = width // 10
            times = (
                self.local - width // 2,
                self.card(self.local + shift),
                self.local + width // 2,
            )
            for place, ns in enumerate(times):
                at = 16 + (number * 3 + place) * 16
                struct.pack_into("=qI", room, at, *divmod(ns, SECOND.ns))

    def cross_plainly(self, room: bytearray) -> None:
        """Each reading of ours ends one bracket and begins the next."""
        assert struct.unpack_from("=I", room) == (len(self.brackets_ns),)
        ours = self.local
        for number, width in enumerate((*self.brackets_ns, 0)):
            times = (ours, self.card(ours + width // 2))
            for place, ns in enumerate(times[: 2 if width else 1]):
                at = 16 + (number * 2 + place) * 16
                struct.pack_into("=qI", room, at, *divmod(ns, SECOND.ns))
            ours += width


@pytest.fixture
def card(tmp_path: Path) -> Card:
    path = str(tmp_path / "ptp0")
    os.mkfifo(path)
    return Card(path)


def opened(
    card: Card,
    pin: str = "auto",
    channel: int = 0,
    edge: WantedEdge = WantedEdge.AUTO,
) -> PhcPulse:
    return PhcPulse(card.path, pin, channel, edge, card.ioctl)


@pytest.mark.parametrize(("precise", "late_ns"), [(True, 0), (False, 300)])
@pytest.mark.parametrize("ppm", [0, 100, -100])
def test_a_pulse_is_carried_over(
    card: Card, precise: bool, late_ns: int, ppm: int
) -> None:
    """Late reading, fast card: what is left is a tenth of the narrowest bracket."""
    card.precise, card.ppm = precise, ppm
    line = opened(card)
    card.edge(1_001 * SECOND.ns)
    card.local = 1_001 * SECOND.ns + 250 * MILLISECOND.ns  # CM4: as late as this
    flank = line.wait(SECOND)
    assert flank is not None
    assert abs(flank.at.ns + late_ns - 1_001 * SECOND.ns) <= 1
    assert (flank.seq, flank.edge) == (1, Edge.ASSERT)
    line.close()


def test_the_narrowest_bracket_and_its_doubt(card: Card) -> None:
    """Of three ways the best the card has; the last one every card has."""
    told = []
    for card.precise, card.extended in ((True, True), (False, True), (False, False)):
        clock = PtpClock(card.path, os.O_RDWR, card.ioctl)
        told.append(clock.cross())
        clock.close()
    precise, extended, basic = told
    middle = 50_000 + 9_000 + 1_500
    assert precise == Cross(card.local + AHEAD, card.local)
    assert extended == Cross(card.local + AHEAD + 300, card.local, 1_500)
    assert basic == Cross(precise.card + middle, precise.local + middle, 1_500)


def test_edges_are_counted_and_told_in_order(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    card.precise = True
    line = opened(card)
    card.edge(1_001 * SECOND.ns)
    card.edge(1_002 * SECOND.ns)
    first = line.wait(SECOND)
    with monkeypatch.context() as patched:
        patched.delattr(select, "select")  # one is at hand: nothing to wait for
        second = line.wait(SECOND)
    assert [first, second, line.wait(ZERO)] == [
        EdgeEvent(1, Local(1_001 * SECOND.ns), Edge.ASSERT),
        EdgeEvent(2, Local(1_002 * SECOND.ns), Edge.ASSERT),
        None,
    ]
    line.close()


def test_after_a_step_of_ours_the_card_s_rate_is_found_again(card: Card) -> None:
    card.precise, card.ppm = True, 100
    line = opened(card)
    stepped = MILLISECOND.ns * 1_500
    told: list[EdgeEvent | None] = []
    for second in (1_001, 1_002):
        card.edge(second * SECOND.ns)
        card.local = second * SECOND.ns + 250 * MILLISECOND.ns
        card.stepped = stepped
        told.append(line.wait(SECOND))
    after = told[1]
    assert after is not None
    assert abs(after.at.ns - stepped - 1_002 * SECOND.ns) <= 1
    line.close()


def test_a_card_that_cannot_do_it_precisely_is_asked_once(card: Card) -> None:
    line = opened(card)
    card.edge(1_001 * SECOND.ns)
    assert line.wait(SECOND)
    assert card.asked.count(ptp.SYS_OFFSET_PRECISE) == 1
    line.close()


def test_another_failure_of_a_precise_reading_is_told(card: Card) -> None:
    card.precise_fails = errno.ENODEV
    with pytest.raises(OSError, match="does not answer") as failed:
        opened(card)
    assert failed.value.errno == errno.ENODEV


def test_another_channel_s_edge_is_not_told(card: Card) -> None:
    line = opened(card, channel=1)
    card.edge(1_001 * SECOND.ns, channel=0)
    assert line.wait(SECOND) is None
    line.close()


def test_an_edge_from_before_is_not_told(card: Card) -> None:
    keep = os.open(card.path, os.O_RDWR)
    card.edge(999 * SECOND.ns)
    line = opened(card)
    assert line.wait(ZERO) is None
    line.close()
    os.close(keep)


@pytest.mark.parametrize(
    ("before", "after", "at"),
    [
        (Cross(0, 0), Cross(2_000_000, 2_000_200), 1_000_100),
        (Cross(0, 0), Cross(2_000_000, 1_999_800), 999_900),
        (Cross(0, 0), Cross(2_000_000, 7_000_000), 6_000_000),  # ours was stepped
        (Cross(0, 0), Cross(2_000_000, -7_000_000), -8_000_000),
        (Cross(2_000_000, 5), Cross(2_000_000, 7), -999_993),  # twice the same
    ],
)
def test_the_line_between_two_readings(before: Cross, after: Cross, at: int) -> None:
    assert carried(1_000_000, before, after) == Local(at)


@pytest.mark.parametrize(
    ("edge", "flags", "told"),
    [
        (WantedEdge.AUTO, 0b011, Edge.ASSERT),
        (WantedEdge.ASSERT, 0b011, Edge.ASSERT),
        (WantedEdge.CLEAR, 0b101, Edge.CLEAR),
    ],
)
def test_an_edge_is_asked_for_and_given_back(
    card: Card, edge: WantedEdge, flags: int, told: Edge
) -> None:
    line = opened(card, channel=1, edge=edge)
    card.edge(1_001 * SECOND.ns, channel=1)
    flank = line.wait(SECOND)
    assert flank is not None
    assert flank.edge is told
    assert line.name == f"{card.path} channel 1"
    line.close()
    assert card.requests == [(1, flags), (1, 0)]


@pytest.mark.parametrize(("pin", "number"), [("auto", 0), ("SDP1", 1), ("1", 1)])
def test_the_pin_is_set_to_stamp(card: Card, pin: str, number: int) -> None:
    opened(card, pin, channel=1).close()
    assert card.pinned == (number, 1, 1)


def test_a_card_without_pins_needs_none_set(card: Card) -> None:
    card.pins = ()
    opened(card).close()
    assert card.pinned is None


def test_what_the_card_lacks_is_told_and_it_is_closed(card: Card) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="no pin SDP7; it has SDP0, SDP1"):
        opened(card, "SDP7")
    with pytest.raises(OSError, match="has 2 channels"):
        opened(card, channel=2)
    card.channels = 0
    with pytest.raises(OSError, match="cannot stamp what comes from outside"):
        opened(card)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_card_that_goes_is_an_os_error(card: Card) -> None:
    line = opened(card)
    card.edge(1_001 * SECOND.ns)
    card.fails = errno.ENODEV
    with pytest.raises(OSError, match="does not answer"):
        line.wait(SECOND)
    line.close()


def test_an_interface_that_is_not_there_is_told() -> None:
    with pytest.raises(OSError, match="No such device"):
        PhcPulse("no-such-card", "auto", 0, WantedEdge.AUTO)
