"""Recordings of real receivers drive the live daemon, through a pty.

Their sentences are told anew, a burst a second, 150 ms after each emulated second
and re-stamped to name it; all else in them stays byte for byte. The pulse beside
them and the truth are the emulator's.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import reduce
from operator import xor
from pathlib import Path

import pytest

from hw.emu.world import second_after
from hw.linux.clock import FreeClock
from hw.linux.line.uart import Uart
from hw.sim.live import LiveWorld
from hw.sim.pty import Pty
from hw.sim.scenarios import SCENARIOS
from refclock.app.compose import compose
from refclock.board.ports import Board
from refclock.config import Config, parse
from refclock.daemon.daemon import Daemon
from refclock.timebase import MICROSECOND, MILLISECOND, SECOND, Duration, Tai, Utc

SHARED = Path(os.environ.get("REFCLOCK_SHARED", Path(__file__).parents[3] / "shared"))
REAL = SHARED / "corpus" / "real"
FIXED = (
    "mtk3339-adafruit-hat",
    "ublox8-max-m8q-cut",
    "ublox9-neo-m9n",
    "sirf3-mr350p-zda-only",
    "sirf4-bu353s4",
)
NEVER_FIXED = ("skytraq-s2525-coldstart", "ublox-nofix-mixed-ubx")
BAUD = 115_200
LAG = 150 * MILLISECOND
PATIENCE_S = 30.0
TIMED = re.compile(rb"\$([A-Z]{2})(RMC|GGA|ZDA|GLL|GNS),([^*$\r\n]*)\*[0-9A-Fa-f]{2}")
TIME_AT = {b"RMC": 0, b"GGA": 0, b"ZDA": 0, b"GLL": 4, b"GNS": 0}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not REAL.is_dir(), reason="no recordings beside the project"),
]


def bursts(name: str) -> Iterator[bytes]:
    """The recording, cut where another second is named."""
    data = (REAL / f"{name}.nmea").read_bytes()
    start, said = 0, b""
    for match in TIMED.finditer(data):
        second = match[3].split(b",")[TIME_AT[match[2]]][:6]
        if said and second and second != said:
            yield data[start : match.start()]
            start = match.start()
        said = second or said


def stamped(burst: bytes, utc: Utc) -> bytes:
    """The same burst, naming that second."""
    at = datetime.fromtimestamp(utc.ns // SECOND.ns, UTC)

    def anew(match: re.Match[bytes]) -> bytes:
        fields = match[3].split(b",")
        place = TIME_AT[match[2]]
        if not fields[place]:
            return match[0]
        fraction = fields[place][6:]
        zeros = re.sub(rb"\d", b"0", fraction)
        fields[place] = at.strftime("%H%M%S").encode() + zeros
        if match[2] == b"RMC":
            fields[8] = at.strftime("%d%m%y").encode()
        elif match[2] == b"ZDA":
            fields[1:4] = [at.strftime(part).encode() for part in ("%d", "%m", "%Y")]
        body = match[1] + match[2] + b"," + b",".join(fields)
        return b"$%s*%02X" % (body, reduce(xor, body))

    return TIMED.sub(anew, burst)


class Player:
    """One recording at its daemon's line, second after second."""

    def __init__(self, name: str, world: LiveWorld, folder: Path) -> None:
        self.name = name
        self._world, self._clock = world, world.clock
        self._pty = Pty(folder / "gps")
        self._pty.plug()
        config: Config = parse(
            b"",
            name,
            {
                "clock": {"steer": False},
                "server": {"listen": []},
                "control": {"socket": str(folder / "control")},
                "state": {"file": str(folder / "state")},
            },
        )
        board = Board(
            name=name,
            clock=world.clock,
            open_receiver=lambda: Uart(str(self._pty.path), BAUD),
            open_pulse=world.open_pulse,
            pulse_latency_spread=MICROSECOND,
        )
        self.daemon: Daemon = compose(config, board, SCENARIOS["nominal"].table)
        self.stop = threading.Event()
        self.failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._run),
            threading.Thread(target=self._play),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self.stop.set()
        self.daemon.stop()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        self._pty.unplug()

    def error(self) -> Duration | None:
        """Served less true; None: nothing is served."""
        snapshot = self.daemon.snapshot()
        local, mono = self._clock.read()
        if not snapshot.synchronised(mono):
            return None
        tai = snapshot.tai(local, Duration(local.ns - mono.ns))
        return tai - self._world.truth(mono)

    def _run(self) -> None:
        try:
            self.daemon.run()
        except BaseException as error:
            self.failure = error
            raise

    def _play(self) -> None:
        second = second_after(self._world.now()) + SECOND
        for burst in bursts(self.name):
            if not self._until(second + LAG):
                return
            told = stamped(burst, self._world.leaps.posix(second))
            for i in range(0, len(told), 256):
                self._pty.write(told[i : i + 256])
                time.sleep(256 * 10 / BAUD)
            second += SECOND

    def _until(self, true: Tai) -> bool:
        left = self._world.mono(true) - self._clock.read()[1]
        return not self.stop.wait(max(left.seconds, 0.0))


@pytest.fixture
def players(tmp_path: Path) -> Iterator[dict[str, Player]]:
    world = LiveWorld(SCENARIOS["nominal"], 1, FreeClock())
    made: dict[str, Player] = {}
    for name in (*FIXED, *NEVER_FIXED):
        (tmp_path / name).mkdir()
        made[name] = Player(name, world, tmp_path / name)
    world.start()
    for player in made.values():
        player.start()
    yield made
    for player in made.values():
        player.end()
    world.stop()


def test_real_receivers_make_a_stratum_1_server_or_are_told_why_not(
    players: dict[str, Player],
) -> None:
    waiting = set(FIXED)
    until = time.monotonic() + PATIENCE_S
    while waiting and time.monotonic() < until:
        time.sleep(0.5)
        for name, player in players.items():
            error = player.error()
            if error is not None:
                waiting.discard(name)
                assert abs(error) < MILLISECOND, f"{name}: {error}"
    reasons = {name: player.daemon.status().reason for name, player in players.items()}
    assert not waiting, reasons
    for name in FIXED:
        lags = players[name].daemon.status().lag
        first = min(lag.mean_s for lag in lags.values())
        assert 0.1 < first < 0.7, f"{name}: {lags}"
    for name in NEVER_FIXED:
        assert players[name].error() is None
        assert "fix" in reasons[name], reasons[name]
    assert all(player.failure is None for player in players.values())
