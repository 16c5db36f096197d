"""A u-blox on the bus: what it keeps is fetched in time, whole and stamped fairly."""

from __future__ import annotations

import errno

import pytest

from hw.emu.i2c import Bus, UbloxPort
from hw.linux.line import ddc
from hw.linux.line.ddc import Ddc, open_ddc
from refclock.timebase import MILLISECOND, SECOND, Mono

RMC = b"$GNRMC,,V,,,,,,,,,,N*4D\r\n"


class World:
    """A receiver, a bus to it, and time that passes in sleep."""

    def __init__(self) -> None:
        self.port = UbloxPort()
        self.bus = Bus(self.port)
        self.at = 0
        self.says: dict[int, bytes] = {}
        """What it has ready from that moment on, ns."""

    def now(self) -> int:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += round(seconds * 1e9)
        for when in [each for each in sorted(self.says) if each <= self.at]:
            self.port.say(self.says.pop(when))

    def opened(self) -> Ddc:
        return Ddc(self.bus, "/dev/i2c-1", self.now, self.sleep)


@pytest.fixture
def world() -> World:
    return World()


def test_words_are_stamped_between_two_looks(world: World) -> None:
    line = world.opened()
    world.says[95 * MILLISECOND.ns] = RMC
    chunk = line.read(SECOND)
    assert chunk
    assert chunk.data == RMC
    assert (chunk.first, chunk.last) == (Mono(90_000_000), Mono(100_000_000))


def test_silence_ends_in_time(world: World) -> None:
    line = world.opened()
    assert line.read(SECOND) is None
    assert SECOND.ns <= world.at <= (SECOND + 20 * MILLISECOND).ns
    began = world.at
    assert line.read(0 * SECOND) is None
    assert world.at - began <= 20 * MILLISECOND.ns


def test_it_is_asked_no_more_often_than_every_20_ms(world: World) -> None:
    line = world.opened()
    for _ in range(5):
        line.read(0 * SECOND)
    assert world.at == 100 * MILLISECOND.ns


def test_a_long_burst_comes_in_pieces_and_in_order(world: World) -> None:
    line = world.opened()
    burst = bytes(range(256)) * 3
    world.port.say(burst)
    chunks = [chunk for chunk in (line.read(SECOND) for _ in range(4)) if chunk]
    assert b"".join(chunk.data for chunk in chunks) == burst
    assert max(len(chunk.data) for chunk in chunks) == 255
    stamps = [at for chunk in chunks for at in (chunk.first, chunk.last)]
    assert stamps == sorted(stamps)


def test_what_it_kept_from_before_is_thrown_away(world: World) -> None:
    world.port.say(RMC * 40)
    line = world.opened()
    assert line.read(SECOND) is None


def test_a_reader_that_comes_late_does_not_pretend(world: World) -> None:
    line = world.opened()
    world.at = SECOND.ns
    world.port.say(RMC)
    chunk = line.read(SECOND)
    assert chunk
    assert chunk.first == Mono(SECOND.ns // 2)


def test_a_receiver_that_starts_up_says_nothing_yet(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = world.opened()
    monkeypatch.setattr(world.port, "read", lambda count: b"\xff" * count)
    assert line.read(SECOND) is None


def test_it_is_told(world: World) -> None:
    world.opened().write(b"\xb5\x62\x06\x08")
    assert world.port.told == b"\xb5\x62\x06\x08"


def test_off_the_wire_is_an_os_error(world: World) -> None:
    line = world.opened()
    assert line.name == "/dev/i2c-1 at 0x42"
    assert line.bits_per_second is None
    world.bus.silent = True
    with pytest.raises(OSError, match="Remote") as gone:
        line.read(SECOND)
    assert gone.value.errno == errno.EREMOTEIO
    line.close()


def test_opened_by_number(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ddc, "open_bus", {1: world.bus}.__getitem__)
    line = open_ddc(1)
    assert line.name == "/dev/i2c-1 at 0x42"
    line.close()


@pytest.mark.parametrize("wrong", ["nobody", "another"])
def test_what_is_no_receiver_is_told_and_closed(
    world: World, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    closed: list[str] = []
    monkeypatch.setattr(world.bus, "close", lambda: closed.append(wrong))
    monkeypatch.setattr(ddc, "open_bus", lambda _number: world.bus)
    world.bus.silent = wrong == "nobody"
    monkeypatch.setattr(world.port, "read", lambda count: b"\x01" * count)
    with pytest.raises(FileNotFoundError, match="no u-blox answers at 0x42"):
        open_ddc(1)
    assert closed == [wrong]
