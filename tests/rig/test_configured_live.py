"""A receiver configured by the real daemon over a real pty, and put back at its end."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hw.emu.gnss.receiver import Make
from hw.linux.clock import FreeClock
from hw.linux.line.uart import Uart
from hw.sim.live import LiveWorld
from hw.sim.scenarios import SCENARIOS
from refclock.app.compose import compose
from refclock.board.ports import Board
from refclock.config import Config, parse
from refclock.daemon.daemon import Daemon
from refclock.timebase import MICROSECOND

pytestmark = pytest.mark.slow

WISHED = {"RMC": 1, "GGA": 1, "GSA": 5, "GSV": 5, "ZDA": 1}
PATIENCE_S = 40.0


def settings(folder: Path, *, configure: bool = True) -> Config:
    own = {
        "receiver": {"configure": configure},
        "clock": {"steer": False},
        "server": {"listen": []},
        "control": {"socket": str(folder / "control")},
        "state": {"file": str(folder / "state")},
    }
    return parse(b"", "test", own)


class Site:
    """An emulated receiver as it comes from its maker, and our daemon."""

    def __init__(self, make: Make) -> None:
        factory = SCENARIOS["factory-set"]
        receiver_model = replace(factory.receiver_model, make=make)
        self.world = LiveWorld(factory.having(receiver_model), 1, FreeClock())

    def serve(self, config: Config, until: Callable[[Daemon], bool]) -> Daemon:
        """Run the daemon until that is so, and end it as a signal would."""
        board = Board(
            name="emulated",
            clock=self.world.clock,
            open_receiver=lambda: Uart(self.world.receiver_path, 9600),
            open_pulse=self.world.open_pulse,
            pulse_latency_spread=MICROSECOND,
        )
        daemon = compose(config, board, self.world.leaps)
        thread = threading.Thread(target=daemon.run)
        thread.start()
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and not until(daemon):
            time.sleep(0.05)
        done = until(daemon)
        daemon.stop()
        thread.join(10)
        assert done, daemon.status()
        return daemon


def configured(daemon: Daemon) -> bool:
    """Has it summed up what it changed?"""
    told = daemon.status().devices.get("configured", "")
    return re.search(r": \d+ (?:changed|sent|unknown|as wished)", told) is not None


@pytest.mark.parametrize("make", [Make.UBLOX_8, Make.UBLOX_F9T, Make.CASIC])
def test_it_changes_and_is_put_back(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "refclock")
    site = Site(make)
    tongue = site.world.stations[0].commands.tongue
    before = tongue.receiver_model
    during = []

    def snapshot(daemon: Daemon) -> bool:
        if not configured(daemon) or daemon.snapshot().stratum != 1:
            return False
        during.append(tongue.receiver_model)
        return True

    site.world.start()
    try:
        site.serve(settings(tmp_path), snapshot)
        assert dict(during[-1].sentences) == WISHED
        until = time.monotonic() + 2
        while time.monotonic() < until and tongue.receiver_model != before:
            time.sleep(0.02)
        assert tongue.receiver_model == before
    finally:
        site.world.stop()
    said = [text for text in caplog.messages if text.startswith("receiver: ")]
    assert said[-1].startswith("receiver: put back as it was found: ")
    assert any("still comes" in text for text in said) is False


def test_off_by_default_not_a_byte_is_sent(tmp_path: Path) -> None:
    site = Site(Make.UBLOX_8)
    site.world.start()
    try:
        quiet = settings(tmp_path, configure=False)
        site.serve(quiet, lambda daemon: daemon.snapshot().stratum == 1)
    finally:
        site.world.stop()
    assert site.world.stations[0].commands.heard == []
    assert not parse(b"", "test").receiver.configure
