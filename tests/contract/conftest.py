"""The boards every port is tried on: emulated here, real on a Pi (`-m hardware`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from hw.emu.scenarios import Scenario
from hw.linux.board import linux_board
from hw.linux.clock import FreeClock
from hw.live import LiveWorld
from refclock.ports import Board
from refclock.wiring import (
    PulseSettings,
    ReceiverSettings,
    RtcSettings,
    ThermometerSettings,
)

Port = TypeVar("Port")


@pytest.fixture
def world() -> Iterator[LiveWorld]:
    """A healthy emulated receiver, in real time."""
    live = LiveWorld(Scenario("contract", "healthy"), 1, FreeClock())
    live.start()
    yield live
    live.stop()


@pytest.fixture
def real_board() -> Board:
    """Whatever this machine has, found as a user's would be. It steers nothing."""
    auto = ReceiverSettings(), PulseSettings(), ThermometerSettings(), RtcSettings()
    return linux_board(*auto, steer=False)


def opened(opener: Callable[[], Port] | None) -> Port:
    """The port, or a skip that says why this machine has none."""
    if opener is None:
        pytest.skip("this machine has no such part")
    try:
        return opener()
    except OSError as error:
        pytest.skip(str(error))
