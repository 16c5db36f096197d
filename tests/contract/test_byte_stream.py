"""What every `ByteStream` promises, emulated and real: bytes with their arrival."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from hw.linux.clock import FreeClock
from hw.linux.line.uart import Uart, hunt
from hw.sim.live import LiveWorld
from hw.sim.scenarios import Scenario
from refclock.board.ports import Board, ByteStream, Chunk
from refclock.gnss.framer import proves
from refclock.timebase import MILLISECOND, SECOND, Duration, Mono
from tests.contract.conftest import opened

pytestmark = pytest.mark.slow


@pytest.fixture
def stream(board: Board) -> Iterator[ByteStream]:
    receiver = opened(board.open_receiver)
    yield receiver
    receiver.close()


def listened(stream: ByteStream, length: Duration) -> list[Chunk]:
    until = time.monotonic() + length.seconds
    chunks = []
    while time.monotonic() < until:
        if chunk := stream.read(200 * MILLISECOND):
            chunks.append(chunk)
    return chunks


def test_sentences_come_with_their_arrival(stream: ByteStream) -> None:
    chunks = listened(stream, 2_500 * MILLISECOND)
    now = Mono(time.monotonic_ns())
    assert proves(b"".join(chunk.data for chunk in chunks))
    for chunk in chunks:
        assert chunk.data
        assert chunk.first <= chunk.last <= now
    for earlier, later in pairwise(chunks):
        assert later.last >= earlier.last
        assert later.first >= earlier.first


def test_reading_ends_in_time(stream: ByteStream) -> None:
    began = time.monotonic()
    for _ in range(10):
        stream.read(20 * MILLISECOND)
    assert time.monotonic() - began < 2.0


def test_it_has_a_name_and_perhaps_a_speed(stream: ByteStream) -> None:
    assert stream.name
    assert stream.bits_per_second is None or stream.bits_per_second >= 4_800


def test_the_emulated_line_is_found_at_its_speed(world: LiveWorld) -> None:
    found = hunt(world.receiver_path, proves)
    assert found.bits_per_second == 9_600  # the first tried: a pty takes any
    found.close()


def test_the_emulated_line_unplugged_is_an_os_error() -> None:
    world = LiveWorld(Scenario("contract", "healthy"), 1, FreeClock())
    world.start()
    line = Uart(world.receiver_path, 9600)
    line.read(2 * SECOND)
    world.stop()
    with pytest.raises(OSError, match=r"Input/output|hung up"):
        listened(line, 2 * SECOND)
    line.close()
